import traceback
from decimal import Decimal

import pytest

from multimodel_magic.errors import ModelNotFound, MultimodelError, Overloaded, RateLimited
from multimodel_magic.pricing import price
from multimodel_magic.providers.scripted import (
    REHEARSALS,
    Echo,
    Fail,
    Play,
    Say,
    ScriptedProvider,
    Stop,
    Tell,
    UsageIs,
    Wait,
)
from multimodel_magic.types import (
    Notice,
    Provider,
    ProviderEvent,
    Request,
    Stopped,
    TextDelta,
    Usage,
)


class Naps:
    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)


def played(*plays: Play, naps: Naps | None = None) -> ScriptedProvider:
    return ScriptedProvider({"m": plays}, sleep=naps or Naps())


async def ask(
    provider: ScriptedProvider, model: str = "m", *, prompt: str = "Hi", stream: bool = True
) -> list[ProviderEvent]:
    request = Request(prompt, stream=stream)
    return [event async for event in provider.stream(model, request)]


def text(events: list[ProviderEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


async def test_text_comes_in_pieces_then_usage_then_the_stop() -> None:
    events = await ask(played([Say("Hello there", chunk_chars=4)]))
    assert events == [
        TextDelta("Hell"),
        TextDelta("o th"),
        TextDelta("ere"),
        Usage(8, 3, estimated=True),
        Stopped("stop", response_model="scripted"),
    ]


async def test_without_streaming_the_text_is_one_piece() -> None:
    events = await ask(played([Tell("soon"), Say("Hello "), Say("there")]), stream=False)
    assert events[:2] == [Notice("soon"), TextDelta("Hello there")]
    assert isinstance(events[-1], Stopped)


async def test_each_call_takes_the_next_play_and_the_last_repeats() -> None:
    provider = played([Fail(Overloaded("busy"))], [Say("one")], [Say("two")])
    with pytest.raises(Overloaded):
        await ask(provider)
    assert [text(await ask(provider)) for _ in range(3)] == ["one", "two", "two"]


async def test_error_is_fresh_every_time_and_keeps_what_it_carries() -> None:
    scripted = RateLimited("slow down", retry_after_s=3.0)
    provider = played([Fail(scripted)])
    raised = []
    for _ in range(2):
        with pytest.raises(RateLimited) as caught:
            await ask(provider)
        raised.append(caught.value)
    assert raised[0] is not raised[1]
    assert scripted.__traceback__ is None
    assert [(str(e), e.retry_after_s) for e in raised] == [("slow down", 3.0)] * 2
    assert traceback.format_exception_only(raised[0])


async def test_waits_go_through_the_sleep_that_was_handed_in() -> None:
    naps = Naps()
    await ask(played([Wait(3), Say("abcd", chunk_chars=2, delay_s=0.5)], naps=naps))
    assert naps.taken == [3, 0.5, 0.5]


async def test_told_usage_replaces_the_estimate() -> None:
    usage = Usage(100, 20, cache_read_tokens=90)
    assert usage in await ask(played([Say("x"), UsageIs(usage)]))


async def test_stream_can_end_for_a_reason_or_without_any() -> None:
    assert Stopped("length", response_model="scripted") in await ask(played([Stop("length")]))
    cut_off = await ask(played([Say("half"), Stop(None)]))
    assert not any(isinstance(event, Stopped) for event in cut_off)


async def test_requests_are_kept_for_the_test_to_look_at() -> None:
    provider = played([Echo()])
    await ask(provider, prompt="what?")
    assert [(model, request.prompt) for model, request in provider.requests] == [("m", "what?")]


async def test_unknown_play_names_the_nearest() -> None:
    with pytest.raises(ModelNotFound, match="did you mean 'overloaded'"):
        await ask(ScriptedProvider(), "overlaoded")


async def test_play_like_no_other_lists_what_there_is() -> None:
    with pytest.raises(ModelNotFound, match="scripted has no play 'zzz'; there are echo, answers,"):
        await ask(ScriptedProvider(), "zzz")


@pytest.mark.parametrize("model", REHEARSALS)
async def test_every_rehearsal_says_on_its_face_that_nothing_was_asked(model: str) -> None:
    provider = ScriptedProvider(sleep=Naps())
    try:
        said = text(await ask(provider, model))
    except MultimodelError as error:
        said = str(error)
    assert "simulated" in said or "scripted" in said


async def test_flaky_recovers_the_second_time() -> None:
    provider = ScriptedProvider(sleep=Naps())
    with pytest.raises(Overloaded):
        await ask(provider, "flaky")
    assert text(await ask(provider, "flaky"))


async def test_echo_repeats_the_prompt_to_the_byte() -> None:
    prompt = '{"a": 1} $x$ {% raw %} é\n'
    assert text(await ask(ScriptedProvider(), "echo", prompt=prompt)).endswith(prompt)


async def test_it_is_a_provider_that_needs_nothing_and_costs_nothing() -> None:
    provider = ScriptedProvider()
    assert isinstance(provider, Provider)
    assert (provider.name, provider.unusable()) == ("scripted", None)
    assert "echo" in await provider.models()
    await provider.aclose()
    from datetime import UTC, datetime

    assert price("scripted", "echo", Usage(1, 1), datetime.now(UTC)).cost_usd == Decimal(0)
