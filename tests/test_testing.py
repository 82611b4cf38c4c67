"""The checks for authors of plugins: ours pass, and every broken law is one line."""

from __future__ import annotations

import asyncio
import itertools
import random
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from multimodel_magic.catalogue import Catalogue
from multimodel_magic.errors import ModelNotFound, UsageError
from multimodel_magic.providers.local import LocalProvider
from multimodel_magic.providers.scripted import Echo, Say, ScriptedProvider, Tell, Wait
from multimodel_magic.routing import build_strategy
from multimodel_magic.strategies import (
    ByComplexity,
    ByCostTier,
    ByTask,
    Cascade,
    Experiment,
    Fixed,
    Named,
    Resolved,
    SmartRouter,
    Weighted,
    WithFallbacks,
)
from multimodel_magic.testing import REQUESTS, check_provider, check_strategy
from multimodel_magic.types import (
    ProviderEvent,
    Reason,
    Request,
    Route,
    Stopped,
    Strategy,
    TextDelta,
    Usage,
)

pytestmark = pytest.mark.slow  # checks run in processes of their own

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
FAST = Route(("fast",), "mine", (Reason("mine", "always fast"),))
PERSONAL = [replace(request, unit="ann") for request in REQUESTS]


@pytest.mark.parametrize(
    "strategy",
    [
        build_strategy(at=NOON),
        Resolved(WithFallbacks(Named(ByTask(infer=True)), ("fast",)), Catalogue()),
        ByComplexity(),
        ByCostTier(Catalogue(), at=NOON),
        Cascade(("fast", "strong")),
        Experiment.split("trial", control="fast", treatment="strong", share=0.5),
        Fixed(("balanced",)),
        SmartRouter(),
        Weighted({"fast": 3, "strong": 1}),
    ],
    ids=lambda strategy: type(strategy).__name__,
)
def test_own_strategies_keep_the_laws(strategy: Strategy) -> None:
    check_strategy(strategy)


@dataclass(frozen=True)
class Mine:
    """A strategy that gives what it is told to."""

    answer: object = FAST
    name: str = "mine"

    def route(self, request: Request) -> Route:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer(request) if callable(self.answer) else self.answer


def refusing(request: Request) -> Route:
    if request.needs:
        raise UsageError("mine: no model of mine can see; name one with --model")
    return FAST


def test_strategy_may_refuse_with_a_reason() -> None:
    check_strategy(Mine(refusing))


def test_strategy_that_cannot_be_pickled_is_checked_here_only() -> None:
    with pytest.warns(UserWarning, match="mine: not asked in another process.*cannot be pickled"):
        check_strategy(Mine(lambda request: FAST))


def test_a_class_in_place_of_a_strategy_or_provider_is_told_from_one() -> None:
    with pytest.raises(
        AssertionError, match=r"the class; give one that is made of it: Mine\(\.\.\.\)"
    ):
        check_strategy(Mine)
    with pytest.raises(AssertionError, match="the class; give one that is made of it: Scripted"):
        check_provider(ScriptedProvider, model="echo")


def test_strategy_of_a_notebook_is_checked_here_only(tmp_path: Path) -> None:
    code = """
from dataclasses import dataclass
from multimodel_magic.testing import check_strategy
from multimodel_magic.types import Reason, Request, Route

@dataclass(frozen=True)
class Mine:
    name: str = "mine"

    def route(self, request):
        return Route(("fast",), self.name, (Reason("mine", "always"),))

check_strategy(Mine())
"""
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, cwd=tmp_path, capture_output=True, text=True
    )
    assert "strategy mine: not asked in another process, for it cannot be imported" in done.stderr


class Counting(Mine):
    turns = itertools.count()

    def route(self, request: Request) -> Route:
        return replace(FAST, models=(f"model-{next(self.turns)}",))


class Forgetful(Mine):
    def __getstate__(self) -> dict[str, object]:
        return {"name": "mine", "answer": replace(FAST, models=("strong",))}


class Salted(Mine):
    def route(self, request: Request) -> Route:
        # Six buckets: that all sixteen prompts fall alike by chance happens once in 10**12.
        return replace(FAST, models=(f"model-{hash(request.prompt) % 6}",))


class Tired(Mine):
    asked = itertools.count()

    def route(self, request: Request) -> Route:
        if next(self.asked) >= len(REQUESTS):
            raise RuntimeError("enough")
        return FAST


class Unpackable(Mine):
    def __setstate__(self, state: object) -> None:
        raise ValueError("no way back")


class Awaited(Mine):
    async def route(self, request: Request) -> Route:
        return FAST


def meddling(request: Request) -> Route:
    request.options["temperature"] = 1  # type: ignore[index]
    return FAST


def dicing(request: Request) -> Route:
    return replace(FAST, models=(f"model-{random.random()}",))  # noqa: S311


class Nameless:
    def route(self, request: Request) -> Route:
        return FAST


class Routeless:
    name = "mine"


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (Nameless(), "strategy Nameless: name is None; give a line of text"),
        (Mine(name=""), "strategy Mine: name is ''; give a line"),
        (Routeless(), r"it has no route\(request\)"),
        (Awaited(), r"is async; make it a plain function"),
        (Mine(["fast"]), "strategy mine: .*gives list; give types.Route"),
        (Mine(None), "gives NoneType; give types.Route"),
        (Mine(replace(FAST, models=())), "no model; name one, or raise Misconfigured"),
        (Mine(replace(FAST, models=["fast"])), r"models is \['fast'\]; give a tuple"),
        (Mine(replace(FAST, models=("fast", ""))), "a model is ''; give a line of text"),
        (Mine(replace(FAST, models=("fast", "fast"))), "stands there twice"),
        (Mine(replace(FAST, strategy="")), "strategy is ''; give a line"),
        (Mine(replace(FAST, reasons=())), "give a tuple with one Reason at least"),
        (Mine(replace(FAST, reasons=("x",))), r"'x' is no Reason; give Reason\(rule, saw\)"),
        (Mine(replace(FAST, reasons=(Reason("", "x"),))), "a reason's rule is ''"),
        (Mine(replace(FAST, reasons=(Reason("x", "a\nb"),))), r"what a reason saw is 'a\\nb'"),
        (Mine(replace(FAST, reasons=(Reason("x", "y", float("nan")),))), "score is nan"),
        (Mine(replace(FAST, arm="treatment", arm_probability=0.5)), "give 'EXPERIMENT:ARM'"),
        (Mine(replace(FAST, arm="a:b")), "arm_probability is None"),
        (Mine(replace(FAST, rungs=("strong",))), r"the rungs \['strong'\] are not among its mod"),
        (Mine(replace(FAST, rungs=("fast",))), "rungs without a judge; give the judge"),
        (Mine(KeyError("tier")), "raises KeyError: 'tier'; raise Misconfigured with a line"),
        (Mine(ModelNotFound("no")), "raises ModelNotFound: no; raise Misconfigured"),
        (Mine(UsageError("")), "raises UsageError, which says is ''; give a line"),
        (Mine(UsageError("never")), "routes none of 16 requests; to the last it says UsageErr"),
        (Mine(meddling), "changes the request; leave its mappings alone"),
        (Mine(dicing), "is another when asked again; use no dice, clock or counter"),
        (Counting(), "is another when asked again"),
        (Tired(), r"route\(\) asked again raises RuntimeError: enough"),
        (Unpackable(), "raises ValueError: no way back; make it a frozen dataclass"),
        (Forgetful(), "is another when asked of a pickled copy"),
        (Salted(), r"is another when asked in another process; hash\(\) is salted"),
    ],
)
def test_broken_law_of_strategies_is_one_line(strategy: object, message: str) -> None:
    with pytest.raises(AssertionError, match=message) as broken:
        check_strategy(strategy)
    assert len(str(broken.value).splitlines()) == 1


def test_strategy_is_checked_with_requests_of_its_authors() -> None:
    check_strategy(Mine(refusing), PERSONAL)
    with pytest.raises(AssertionError, match="routes none of 1 request;"):
        check_strategy(Mine(refusing), [r for r in REQUESTS if r.needs][:1])
    with pytest.raises(AssertionError, match="no request to check it with"):
        check_strategy(Mine(), [])


@pytest.mark.parametrize(
    "play",
    [[Echo()], [Tell("one moment"), Say("Hello."), Wait(0.01), Say(" So.", chunk_chars=1)]],
)
def test_scripted_provider_keeps_the_laws(play: list[object]) -> None:
    check_provider(ScriptedProvider({"m": [play]}), model="m")


@pytest.mark.local
@pytest.mark.skipif(LocalProvider().unusable() is not None, reason="not installed")
def test_local_provider_keeps_the_laws() -> None:
    check_provider(LocalProvider(), model="smollm2", same_text=False)


async def hello(request: Request) -> AsyncGenerator[ProviderEvent, None]:
    for piece in ("Hello.",) if not request.stream else ("Hel", "lo."):
        await asyncio.sleep(0)
        yield TextDelta(piece)
    yield Usage(3, 2)
    yield Stopped("stop")


class Wire:
    """A provider whose parts can be exchanged."""

    name = "wire"

    def __init__(self, stream: Callable[[Request], object] = hello, **parts: object) -> None:
        self._stream = stream
        vars(self).update(parts)

    def stream(self, model: str, request: Request) -> object:
        if model != "m":
            raise ModelNotFound(f"no model {model}")
        return self._stream(request)

    def unusable(self) -> str | None:
        return None

    async def models(self) -> tuple[str, ...]:
        return ("m",)

    async def aclose(self) -> None:
        """Close nothing."""


def playing(*events: object) -> Callable[[Request], AsyncGenerator[object, None]]:
    async def stream(request: Request) -> AsyncGenerator[object, None]:
        for event in events:
            await asyncio.sleep(0)
            if isinstance(event, Exception):
                raise event
            yield event

    return stream


async def deaf(request: Request) -> AsyncGenerator[ProviderEvent, None]:
    """Go on after a cancellation."""
    for piece in ("Hello.",) if not request.stream else ("Hel", "lo."):
        yield TextDelta(piece)
        try:
            await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            continue
    yield Stopped("stop")


async def translating(request: Request) -> AsyncGenerator[ProviderEvent, None]:
    """Take a cancellation for a fault of the wire."""
    yield TextDelta("Hello.")
    try:
        await asyncio.sleep(0.01)
    except asyncio.CancelledError:
        raise ConnectionError("gone") from None
    yield Stopped("stop")


async def clinging(request: Request) -> AsyncGenerator[ProviderEvent, None]:
    """Yield on after having been closed."""
    try:
        yield TextDelta("Hello.")
    finally:
        yield Stopped("stop")


async def returning(request: Request) -> str:
    return "Hello."


class Shared(Wire):
    """Keeps the answer in a field, where two of them mix."""

    said = ""

    async def stream(self, model: str, request: Request) -> AsyncGenerator[ProviderEvent, None]:
        self.said = ""
        for piece in ("Hel", "lo."):
            await asyncio.sleep(0)
            self.said += piece
        yield TextDelta(self.said)
        yield Stopped("stop")


class Raw(Wire):
    async def stream(self, model: str, request: Request) -> AsyncGenerator[ProviderEvent, None]:
        url = {"m": "http://..."}[model]
        yield TextDelta(url)
        yield Stopped("stop")


async def three() -> list[str]:
    return ["m"]


async def never() -> None:
    raise RuntimeError("already closed")


HELLO, STOPPED = TextDelta("Hello."), Stopped("stop")


@pytest.mark.parametrize(
    ("provider", "message"),
    [
        (Wire(name=None), "provider Wire: name is None; give a line"),
        (Wire(name="a:b"), "provider a:b: name is 'a:b'; it stands before a colon"),
        (Wire(models=None), "it has no models; see types.Provider"),
        (Wire(unusable=lambda: "no key; set ACME_KEY"), "unusable.. says: no key; set ACME_KEY"),
        (Wire(unusable=lambda: False), "unusable.. is False; give a line of text"),
        (Wire(unusable=never), "unusable.. is async; make it a plain function"),
        (Wire(returning), "gives coroutine; write `async def stream` with `yield`"),
        (Wire(lambda request: iter([STOPPED])), "gives list_iterator; write `async def"),
        (Wire(playing("Hello.", STOPPED)), "yields 'Hello.'; yield types.TextDelta, Usage"),
        (Wire(playing(TextDelta(b"x"), STOPPED)), "a piece holds some text"),
        (Wire(playing(TextDelta(""), STOPPED)), "a piece holds some text"),
        (Wire(playing(HELLO)), "yields 0 Stopped; yield one"),
        (Wire(playing(HELLO, STOPPED, STOPPED)), "yields 2 Stopped; yield one"),
        (Wire(playing(STOPPED, HELLO)), "after Stopped; yield Stopped last"),
        (Wire(playing(HELLO, Usage(1.5), STOPPED)), "input_tokens is 1.5; give a count"),
        (Wire(playing(HELLO, Usage(-1), STOPPED)), "input_tokens is -1; give a count"),
        (Wire(playing(HELLO, Usage(1, 1, 5), STOPPED)), "5 cache_read_tokens of 1; input_tokens"),
        (Wire(playing(HELLO, HELLO, STOPPED)), "False yields 2 pieces; yield the text in one"),
        (Wire(playing(KeyError("choices"))), "raises KeyError: 'choices'; give a model that"),
        (Wire(playing(ModelNotFound("no m"))), "raises ModelNotFound: no m; give a model that"),
        (Wire(deaf), "whose task is cancelled goes on to its end; let CancelledError pass"),
        (Wire(translating), "whose task is cancelled raises ConnectionError; let Cancelled"),
        (Wire(clinging), "closed after its first event raises RuntimeError: .*; let GeneratorExit"),
        (Shared(), "beside another one says .*; keep what belongs to one answer in local"),
        (Raw(), "no-such-model.* raises KeyError: .*; translate it into multimodel_magic.errors"),
        (Wire(models=three), r"models\(\) gives \['m'\]; give a tuple of names"),
        (Wire(models=lambda: ("m",)), r"models\(\) cannot be awaited; make it async"),
        (Wire(aclose=never), r"aclose\(\) raises RuntimeError: already closed; closing never"),
    ],
)
def test_broken_law_of_providers_is_one_line(provider: object, message: str) -> None:
    with pytest.raises(AssertionError, match=message) as broken:
        check_provider(provider, model="m")
    assert len(str(broken.value).splitlines()) == 1


def test_provider_that_says_nothing_is_not_waited_for() -> None:
    provider = ScriptedProvider({"m": [[Wait(30), Say("Hello.")]]})
    with pytest.raises(AssertionError, match=r"took more than 0\.05 s"):
        check_provider(provider, model="m", timeout_s=0.05)


def test_model_that_answers_anew_each_time_is_allowed_to() -> None:
    plays = [[Say(f"Hello {number}.")] for number in range(20)]
    check_provider(ScriptedProvider({"m": plays}), model="m", same_text=False)
    with pytest.raises(AssertionError, match="give same_text=False if the model is free to"):
        check_provider(ScriptedProvider({"m": plays}), model="m")


def test_provider_is_asked_what_its_author_wants() -> None:
    provider = ScriptedProvider()
    check_provider(provider, model="echo", request=Request("My own."))
    assert {asked.prompt for _, asked in provider.requests} == {"My own."}


def test_provider_that_fails_to_say_whether_it_is_usable_is_one_line() -> None:
    class Broken(ScriptedProvider):
        def unusable(self) -> str | None:
            raise KeyError("MY_KEY")

    with pytest.raises(AssertionError, match=r"unusable\(\) raises KeyError: 'MY_KEY'") as caught:
        check_provider(Broken(), model="echo")
    assert "\n" not in str(caught.value)
