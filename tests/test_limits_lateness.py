"""How long a model may be silent or drip while another one could answer."""

import asyncio
import time

import pytest

from multimodel_magic.errors import Overloaded, StreamInterrupted, TimedOut
from multimodel_magic.limits import Deadline, Patience, what_next
from multimodel_magic.limits.lateness import within
from multimodel_magic.providers.scripted import Fail, Say, Wait
from multimodel_magic.types import Stopped, TextDelta
from tests.reliability import RealClock, asked, make_client

pytestmark = pytest.mark.slow  # real clocks


async def _flood():
    while True:  # never waits: nothing here can be cancelled
        yield TextDelta("x")


async def _drip():
    while True:
        await asyncio.sleep(0.02)
        yield TextDelta("x")


async def _quiet():
    await asyncio.sleep(60)
    yield Stopped("stop")


async def _read(events):
    async for _ in events:
        continue


async def _ended(events, left_s, *, shared):
    deadline = Deadline(time.monotonic() + left_s, time.monotonic)
    began_s = time.monotonic()
    with pytest.raises((TimedOut, StreamInterrupted)) as caught:
        await _read(within(events, Patience(), deadline, "a:m", shared=shared))
    return caught.value, time.monotonic() - began_s


async def test_silence_takes_half_of_the_time_while_another_could_answer():
    error, took_s = await _ended(_quiet(), 0.4, shared=True)
    assert isinstance(error, TimedOut)
    assert error.hurried
    assert took_s > 0.15  # that it was the half, and not the whole, `hurried` says


async def test_silence_takes_all_the_time_where_nobody_else_could_answer():
    error, took_s = await _ended(_quiet(), 0.3, shared=False)
    assert isinstance(error, TimedOut)
    assert took_s >= 0.29


@pytest.mark.parametrize("events", [_flood, _drip])
async def test_what_never_ends_leaves_a_tenth_to_the_others(events):
    error, took_s = await _ended(events(), 0.5, shared=True)
    assert isinstance(error, StreamInterrupted)
    assert "left for another model" in str(error)
    assert took_s > 0.4


@pytest.mark.parametrize("shared", [True, False])
async def test_a_flood_that_never_waits_ends_with_its_deadline(shared):
    error, _ = await _ended(_flood(), 0.1, shared=shared)
    assert isinstance(error, StreamInterrupted)


async def test_with_a_deadline_alone_a_silent_model_falls_back_in_time():
    client = make_client({"m": [[Wait(60)]], "n": [[Say("ok")]]}, clock=RealClock())
    response = await client.generate("Hi", "a:m", fallbacks=["a:n"], timeout_s=2.0)
    assert (response.text, response.fallback_used) == ("ok", True)
    assert asked(client) == ["m", "n"]


async def test_who_was_hurried_for_the_others_sake_opens_no_breaker():
    client = make_client({"m": [[Wait(60)]], "n": [[Say("ok")]]}, clock=RealClock())
    for _ in range(6):
        await client.generate("Hi", "a:m", fallbacks=["a:n"], timeout_s=0.4)
    assert not client.breakers


@pytest.mark.parametrize(
    ("wait_s", "others", "follows"),
    [(5.0, True, "next"), (5.0, False, "same"), (0.5, True, "same"), (None, True, "same")],
)
def test_nobody_waits_long_for_a_vendor_in_trouble_while_another_is_free(wait_s, others, follows):
    error = Overloaded("503", retry_after_s=wait_s)
    assert what_next(error, Patience(), others=others, tried=1) == follows


async def test_what_asking_again_cannot_mend_is_asked_once():
    script = {"m": [[Fail(Overloaded("no use", again=False))]], "n": [[Say("ok")]]}
    client = make_client(script)
    await client.generate("Hi", "a:m", fallbacks=["a:n"])
    assert asked(client) == ["m", "n"]
