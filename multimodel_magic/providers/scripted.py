"""Answers that are played from a script: for tests, and for rehearsing failures in a notebook.

Nothing is asked of any model, and every answer says so: the provider's and the response model's
name is `scripted`, and the text of the built-in plays says that it is simulated.

    scripted:echo          repeats the prompt            scripted:rate-limited  429, wait 1 s
    scripted:slow          a word every 0.2 s            scripted:overloaded    529
    scripted:cut           ends at max tokens            scripted:down          no connection
    scripted:refuses       content filtered              scripted:wrong-key     401
    scripted:breaks        the stream breaks half-way    scripted:quota         quota spent
    scripted:flaky         overloaded once, then answers scripted:silent        times out
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeAlias

from multimodel_magic.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    ContentFiltered,
    ModelNotFound,
    MultimodelError,
    Overloaded,
    QuotaExceeded,
    RateLimited,
    StreamInterrupted,
    TimedOut,
    did_you_mean,
)
from multimodel_magic.types import Notice, ProviderEvent, Request, Stopped, TextDelta, Usage

__all__ = [
    "REHEARSALS",
    "Echo",
    "Fail",
    "Play",
    "Say",
    "ScriptedProvider",
    "Stop",
    "Sure",
    "Tell",
    "UsageIs",
    "Wait",
]

Sleep: TypeAlias = Callable[[float], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Say:
    """Say a text, in pieces of `chunk_chars` with `delay_s` seconds before each."""

    text: str
    chunk_chars: int = 8
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Echo:
    """Say the prompt back after `prefix`, in pieces as `Say` does."""

    prefix: str = "(scripted, no model was asked) "
    chunk_chars: int = 8
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Fail:
    """Fail with this error; a fresh copy of it is raised every time."""

    error: MultimodelError


@dataclass(frozen=True, slots=True)
class UsageIs:
    """Report this usage instead of the estimate from the characters."""

    usage: Usage


@dataclass(frozen=True, slots=True)
class Tell:
    """Yield a notice."""

    text: str


@dataclass(frozen=True, slots=True)
class Stop:
    """End the answer for this reason; `None` ends the stream without a stop event."""

    reason: str | None = "stop"


@dataclass(frozen=True, slots=True)
class Sure:
    """Tell this mean log-probability of the tokens, in nats, where the request asks for it."""

    mean_logprob: float


Step: TypeAlias = Say | Echo | Wait | Fail | UsageIs | Tell | Stop | Sure
Play: TypeAlias = Sequence[Step]
"""What one call plays. A play without `Stop` or `Fail` stops with the reason `stop`."""

_SIMULATED = "This answer is simulated: it is played from a script and no model was asked. "
_LONG = _SIMULATED + "It goes on for a while so that you can watch it stream or interrupt it. " * 4

REHEARSALS: Mapping[str, Sequence[Play]] = {
    "echo": [[Echo()]],
    "answers": [[Say(_SIMULATED)]],
    "slow": [[Say(_LONG, chunk_chars=6, delay_s=0.2)]],
    "cut": [[Say(_SIMULATED + "It is cut in the mid"), Stop("length")]],
    "refuses": [[Wait(0.1), Fail(ContentFiltered("simulated: the content was refused"))]],
    "overloaded": [[Wait(0.1), Fail(Overloaded("simulated: overloaded (529)"))]],
    "flaky": [[Fail(Overloaded("simulated: overloaded (529)"))], [Say(_SIMULATED)]],
    "rate-limited": [
        [Wait(0.1), Fail(RateLimited("simulated: too many requests (429)", retry_after_s=1.0))]
    ],
    "quota": [[Wait(0.1), Fail(QuotaExceeded("simulated: the quota is spent"))]],
    "wrong-key": [
        [
            Wait(0.1),
            Fail(AuthenticationFailed("simulated: the key was refused (401); no key is needed")),
        ]
    ],
    "down": [[Wait(0.1), Fail(ConnectionFailed("simulated: connection refused"))]],
    "silent": [[Wait(2.0), Fail(TimedOut("simulated: nothing came within 2 s"))]],
    "breaks": [
        [
            Say(_SIMULATED, delay_s=0.02),
            Fail(StreamInterrupted("simulated: the stream broke half-way")),
        ]
    ],
}
"""The built-in models: every failure that a fallback should survive, by name."""


class ScriptedProvider:
    """Play text, delays and errors.

    Parameters
    ----------
    script
        Model -> its plays. Each call takes the next play; the last one repeats. Models that the
        script does not name are those of `REHEARSALS`.
    name
        The provider's name.
    sleep
        What waits; a test hands in one that only takes notes.

    Attributes
    ----------
    requests
        What was asked so far, as `(model, request)` in order.

    Examples
    --------
    >>> provider = ScriptedProvider({"m": [[Fail(Overloaded("busy"))], [Say("Hello.")]]})
    """

    takes_schemas = True
    """It plays what it was given, and keeps requests as they came."""

    def __init__(
        self,
        script: Mapping[str, Sequence[Play]] | None = None,
        *,
        name: str = "scripted",
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._script = {**REHEARSALS, **(script or {})}
        self._name = name
        self._sleep = sleep
        self._calls: dict[str, int] = {}
        self.requests: list[tuple[str, Request]] = []

    @property
    def name(self) -> str:
        """The word before the colon in `scripted:model`."""
        return self._name

    async def stream(self, model: str, request: Request) -> AsyncGenerator[ProviderEvent, None]:
        """Play the model's next play."""
        self.requests.append((model, request))
        said: list[str] = []
        async with aclosing(self._events(self._next_play(model), request)) as events:
            async for event in events:
                if isinstance(event, TextDelta) and not request.stream:
                    said.append(event.text)
                    continue
                if said and isinstance(event, Usage):  # comes after all text
                    yield TextDelta("".join(said))
                yield event

    def unusable(self) -> str | None:
        """Never: it needs nothing."""
        return None

    async def models(self) -> tuple[str, ...]:
        """Names that have a play."""
        return tuple(self._script)

    async def aclose(self) -> None:
        """Close nothing: there is no connection."""

    def _next_play(self, model: str) -> Play:
        plays = self._script.get(model)
        if not plays:
            known = f"; there are {', '.join(self._script) or 'none'}"
            near = did_you_mean(model, self._script) or known
            raise ModelNotFound(f"scripted has no play {model!r}{near}")
        turn = self._calls.get(model, 0)
        self._calls[model] = turn + 1
        return plays[min(turn, len(plays) - 1)]

    async def _events(self, play: Play, request: Request) -> AsyncGenerator[ProviderEvent, None]:
        said = 0
        usage: Usage | None = None
        stop: str | None = "stop"
        for step in play:
            match step:
                case Wait(seconds):
                    await self._sleep(seconds)
                case Fail(error):
                    raise _again(error)
                case UsageIs(told):
                    usage = told
                case Tell(text):
                    yield Notice(text)
                case Stop(reason):
                    stop = reason
                case Say() | Echo():
                    for piece in _pieces(step, request):
                        await self._sleep(step.delay_s)
                        said += len(piece)
                        yield TextDelta(piece)
        yield usage or _estimated(request, said)
        if stop is not None:
            yield Stopped(stop, response_model="scripted", mean_logprob=_sureness(play, request))


def _sureness(play: Play, request: Request) -> float | None:
    told = (step.mean_logprob for step in play if isinstance(step, Sure))
    return next(told, None) if request.logprobs else None


def _pieces(step: Say | Echo, request: Request) -> Iterator[str]:
    text = step.text if isinstance(step, Say) else step.prefix + request.prompt
    size = max(step.chunk_chars, 1)
    return (text[start : start + size] for start in range(0, len(text), size))


def _estimated(request: Request, said: int) -> Usage:
    return Usage(request.estimated_input_tokens(), -(-said // 4), estimated=True)


def _again(error: MultimodelError) -> MultimodelError:
    """Copy an error: a raised one gathers a traceback and a context, which are its call's own."""
    copy = type(error).__new__(type(error), *error.args)
    copy.__dict__.update(error.__dict__)
    return copy
