"""Patience: what follows a failure, how long to wait, and what is late."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multimodel_magic.errors import (
    AuthenticationFailed,
    BadRequest,
    ContextTooLong,
    MalformedAnswer,
    Overloaded,
    ProviderMissing,
    RateLimited,
    StreamInterrupted,
    TimedOut,
)
from multimodel_magic.limits import Deadline, Patience, what_next, within
from multimodel_magic.types import Stopped, TextDelta

PATIENCE = Patience(retries=1)


async def _events(*events, gap_s=0.0):
    for event in events:
        if gap_s:
            await asyncio.sleep(gap_s)
        yield event


def _far():
    return Deadline(1e9, lambda: 0.0)


async def _all(events, patience=PATIENCE, deadline=None):
    return [e async for e in within(events, patience, deadline or _far(), "x:y")]


@pytest.mark.parametrize(
    ("error", "others", "tried", "follows"),
    [
        (BadRequest("400"), True, 1, "stop"),
        (AuthenticationFailed("401"), True, 1, "skip"),
        (ContextTooLong("413"), False, 1, "next"),
        (Overloaded("529"), True, 1, "same"),
        (Overloaded("529"), True, 2, "next"),
        (RateLimited("429"), True, 1, "next"),
        (RateLimited("429", retry_after_s=2.0), False, 1, "same"),
        (StreamInterrupted("broke"), True, 1, "next"),
        (StreamInterrupted("broke"), False, 1, "same"),
        (StreamInterrupted("broke"), False, 2, "next"),
    ],
)
def test_what_follows_a_failure(error, others, tried, follows):
    assert what_next(error, PATIENCE, others=others, tried=tried) == follows


@pytest.mark.parametrize("policy", ["keep", "fail"])
def test_a_broken_stream_is_not_restarted_against_the_policy(policy):
    patience = Patience(broken_stream=policy)
    assert what_next(StreamInterrupted("broke"), patience, others=True, tried=1) == "stop"


@given(st.floats(0, 100))
def test_a_retry_after_is_waited_exactly(asked):
    error = RateLimited("429", retry_after_s=asked)
    assert PATIENCE.wait_s(error, 3, lambda: 0.9) == asked


@given(st.integers(1, 60), st.floats(0, 1, exclude_max=True))
def test_backoff_never_falls_below_half_and_never_exceeds_its_cap(tried, thrown):
    wait = PATIENCE.wait_s(Overloaded("529"), tried, lambda: thrown)
    assert PATIENCE.backoff_s / 2 <= wait <= PATIENCE.backoff_most_s


async def test_events_in_time_pass_unchanged():
    events = (TextDelta("a"), TextDelta("b"), Stopped("stop"))
    assert await _all(_events(*events)) == list(events)


async def test_nothing_is_read_after_the_stop_event():
    async def left_open():
        yield Stopped("stop")
        await asyncio.sleep(60)

    assert await _all(left_open()) == [Stopped("stop")]


async def test_a_late_first_token_is_a_timeout():
    with pytest.raises(TimedOut, match=r"x:y said nothing for 0\.05 s"):
        await _all(_events(Stopped("stop"), gap_s=1), Patience(first_token_s=0.05))


async def test_a_stall_after_text_is_an_interrupted_stream():
    async def stalls():
        yield TextDelta("a")
        await asyncio.sleep(60)

    with pytest.raises(StreamInterrupted, match="said nothing"):
        await _all(stalls(), Patience(stall_s=0.05))


async def test_the_deadline_of_the_request_is_named_as_such():
    clock = asyncio.get_running_loop().time
    with pytest.raises(TimedOut, match="--timeout"):
        await _all(_events(Stopped("stop"), gap_s=1), deadline=Deadline(clock() + 0.05, clock))


async def test_a_slow_drip_ends_at_the_deadline():
    async def drip():
        while True:
            yield TextDelta(".")
            await asyncio.sleep(0.01)

    clock = asyncio.get_running_loop().time
    with pytest.raises(StreamInterrupted, match="time was up"):
        await _all(drip(), deadline=Deadline(clock() + 0.1, clock))


@pytest.mark.parametrize(
    ("events", "error"), [((), MalformedAnswer), ((TextDelta("a"),), StreamInterrupted)]
)
async def test_a_stream_without_its_stop_event_is_no_answer(events, error):
    with pytest.raises(error, match="without saying"):
        await _all(_events(*events))


def test_a_provider_whose_package_is_broken_leads_to_the_next_model():
    error = ProviderMissing("the package openai cannot be imported")
    assert what_next(error, PATIENCE, others=True, tried=1) == "next"
