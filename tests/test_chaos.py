"""Chaos: faults on purpose, dealt the same way every time, and loud."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multimodel_magic.client.rehearsal import Rehearsal
from multimodel_magic.errors import (
    ConnectionFailed,
    MalformedAnswer,
    Overloaded,
    RateLimited,
    StreamInterrupted,
    UsageError,
)
from multimodel_magic.providers.chaos import Chaos, ChaosProvider
from multimodel_magic.providers.scripted import Say, ScriptedProvider
from multimodel_magic.types import Notice, Request, TextDelta


def _provider(spec, waits=None):
    async def sleep(seconds):
        if waits is not None:
            waits.append(seconds)

    inner = ScriptedProvider({"m": [[Say("Hello there.", chunk_chars=4)]]}, name="a")
    return ChaosProvider(inner, Chaos.parse(spec), sleep=sleep)


async def _all(provider, into=None):
    into = [] if into is None else into
    async for event in provider.stream("m", Request("Hi")):
        into.append(event)
    return into


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ("529", Overloaded),
        ("429:1", RateLimited),
        ("drop=1", ConnectionFailed),
        ("garbage", MalformedAnswer),
        ("cut=1", StreamInterrupted),
        ("stall", StreamInterrupted),
        ("silent", MalformedAnswer),
    ],
)
async def test_every_kind_of_fault_fails_as_its_original_does(spec, error):
    events = []
    with pytest.raises(error, match="chaos"):
        await _all(_provider(spec), events)
    assert isinstance(events[0], Notice)
    assert "chaos" in events[0].text


async def test_a_cut_stream_has_said_something():
    events = []
    with pytest.raises(StreamInterrupted):
        await _all(_provider("cut"), events)
    assert [e.text for e in events if isinstance(e, TextDelta)] == ["He"]


async def test_latency_is_waited_before_the_answer_and_the_answer_is_whole():
    waits = []
    events = await _all(_provider("latency=2s,slow=50ms", waits))
    assert "".join(e.text for e in events if isinstance(e, TextDelta)) == "Hello there."
    assert waits == [2, 0.05, 0.05, 0.05]


async def test_a_retry_after_is_told():
    with pytest.raises(RateLimited) as failed:
        await _all(_provider("429,retry-after=2s"))
    assert failed.value.retry_after_s == 2


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("", "name a fault"),
        ("fox=1", "no fault is 'fox=1'; there are"),
        ("dorp=1", "did you mean 'drop'"),
        ("529:2", "no number from 0 to 1"),
        ("529:x", "no number from 0 to 1"),
        ("cut=nan", "no number from 0 to 1"),
        ("latency=fast", "write 2s, 500ms or 1s..3s"),
        ("latency=3s..1s", "write 2s, 500ms or 1s..3s"),
        ("latency=1s..", "latency=1s.."),
        ("529:0.6,cut=0.6", "more than 1 together"),
        ("200", "no fault is '200'"),
    ],
)
def test_a_mistake_in_a_spec_is_one_line(spec, said):
    if spec == "latency=1s..":
        assert Chaos.parse(spec).latency_s == (1, 1)
        return
    with pytest.raises(UsageError) as wrong:
        Chaos.parse(spec)
    assert said in str(wrong.value)
    assert "\n" not in str(wrong.value)


def test_the_same_seed_deals_the_same_faults_and_another_one_others():
    chaos = Chaos.parse("529:0.3,cut=0.2")
    dealt = [chaos.deal("a:m", n)[0] for n in range(1000)]
    assert dealt == [chaos.deal("a:m", n)[0] for n in range(1000)]
    assert dealt != [Chaos.parse("529:0.3,cut=0.2,seed=1").deal("a:m", n)[0] for n in range(1000)]
    assert 250 < dealt.count("529") < 350
    assert 150 < dealt.count("cut") < 250


def test_a_rehearsal_plays_one_part_all_along_and_leaves_the_others_alone():
    rehearsal = Rehearsal({"a:m": "529"})
    provider = ScriptedProvider({"m": [[Say("ok")]], "n": [[Say("ok")]]}, name="a")
    played = rehearsal.instead_of(provider, "a", "m")
    assert isinstance(played, ChaosProvider)
    assert rehearsal.instead_of(provider, "a", "m") is played, "what was dealt goes on"
    assert rehearsal.instead_of(provider, "a", "n") is provider
    assert Rehearsal().instead_of(provider, "a", "m") is provider


@given(st.text(max_size=30))
def test_any_text_is_a_spec_or_one_line(text):
    try:
        Chaos.parse(text)
    except UsageError as error:
        said = str(error)
    else:
        said = ""
    assert "\n" not in said
