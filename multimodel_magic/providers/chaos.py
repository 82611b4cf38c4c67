"""Faults on purpose: a provider around another one that fails now and then, to rehearse a chain.

A spec is a list of faults with commas between them; shares are in [0, 1] and 1 by default:

    529:0.3            three in ten answers are status 529 (any status from 300 to 599)
    429:1              with retry-after=2s besides: every answer says to wait for two seconds
    drop=0.1           the connection breaks before anything comes
    garbage=0.1        what comes is no answer
    cut=0.1            the stream breaks after some text
    stall=0.1          the stream stops in its middle and says no more
    silent=0.1         nothing ever comes
    latency=2s         every answer begins so much later; 1s..3s is between the two
    slow=50ms          so long between two pieces
    seed=7             deals other faults; the same seed deals the same ones

Each call draws one fault at most, in the order of the spec.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

from multimodel_magic.errors import (
    ConnectionFailed,
    MalformedAnswer,
    MultimodelError,
    StreamInterrupted,
    UsageError,
    did_you_mean,
)
from multimodel_magic.providers.faults import Place, fault
from multimodel_magic.types import Notice, Provider, ProviderEvent, Request, Stopped, TextDelta

__all__ = ["Chaos", "ChaosProvider"]

SHARES = ("cut", "drop", "garbage", "silent", "stall")
TIMES = ("latency", "retry-after", "slow")
FOR_EVER_S = 86_400.0

_STATUS = re.compile(r"([345]\d\d)(?::(.+))?")
_TIME = re.compile(r"(\d+(?:\.\d+)?)(ms|s)?")


@dataclass(frozen=True, slots=True)
class Chaos:
    """What faults to deal, and how often.

    Examples
    --------
    >>> str(Chaos.parse("529:0.3, latency=2s"))
    '529:0.3, latency=2s'
    >>> Chaos.parse("latnecy=2s")
    Traceback (most recent call last):
    ...
    multimodel_magic.errors.UsageError: chaos: no fault is 'latnecy=2s'; did you mean 'latency'?
    """

    faults: tuple[tuple[str, float], ...] = ()
    """(status or kind, share), dealt in this order."""
    latency_s: tuple[float, float] = (0.0, 0.0)
    """Shortest and longest delay before an answer."""
    slow_s: float = 0.0
    retry_after_s: float | None = None
    seed: int = 0
    spec: str = ""

    def __str__(self) -> str:
        return self.spec

    @classmethod
    def parse(cls, spec: str, seed: int = 0) -> Chaos:
        """Read a spec.

        Raises
        ------
        UsageError
            For what is no fault, no share or no time; in one line.
        """
        items = [item.strip() for item in spec.split(",") if item.strip()]
        if not items:
            raise UsageError("chaos: name a fault, as in 529:0.3,latency=2s")
        faults: list[tuple[str, float]] = []
        times: dict[str, tuple[float, float]] = {}
        for item in items:
            kind, _, value = item.partition("=")
            if status := _STATUS.fullmatch(item):
                faults.append((status[1], _share(item, status[2])))
            elif kind in SHARES:
                faults.append((kind, _share(item, value or None)))
            elif kind in TIMES:
                times[kind] = _span(item, value)
            elif kind == "seed" and value.isdecimal():
                seed = int(value)
            else:
                near = did_you_mean(kind, (*SHARES, *TIMES, "seed"))
                raise UsageError(f"chaos: no fault is {item!r}{near or _KINDS}")
        if sum(share for _, share in faults) > 1 + 1e-9:
            raise UsageError(f"chaos: the shares of {spec!r} are more than 1 together")
        after = times.get("retry-after")
        return cls(
            tuple(faults),
            times.get("latency", (0.0, 0.0)),
            times.get("slow", (0.0, 0.0))[1],
            None if after is None else after[1],
            seed,
            ", ".join(items),
        )

    def deal(self, name: str, number: int) -> tuple[str | None, float]:
        """Return the fault of a model's nth call (None: none) and how long it is delayed."""
        # Seeded by a text, which Python hashes with sha512: the same in every process.
        drawn = random.Random(f"{self.seed}:{name}:{number}")  # noqa: S311 - no secret
        least, most = self.latency_s
        delay_s, thrown = least + (most - least) * drawn.random(), drawn.random()
        for kind, share in self.faults:
            if thrown < share:
                return kind, delay_s
            thrown -= share
        return None, delay_s


_KINDS = f"; there are a status (529:0.3), {', '.join((*SHARES, *TIMES))} and seed"


def _share(item: str, text: str | None) -> float:
    try:
        share = 1.0 if text is None else float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise UsageError(f"chaos: the share in {item!r} is no number from 0 to 1")
    return share


def _span(item: str, text: str) -> tuple[float, float]:
    least, _, most = text.partition("..")
    ends = [_TIME.fullmatch(end.strip()) for end in (least, most or least)]
    found = [float(end[1]) / (1000 if end[2] == "ms" else 1) for end in ends if end]
    if len(found) != len(ends) or found[0] > found[1]:
        raise UsageError(f"chaos: the time in {item!r} is none; write 2s, 500ms or 1s..3s")
    return found[0], found[1]


class ChaosProvider:
    """A provider with faults of our own making; everything else is the wrapped one's.

    Parameters
    ----------
    provider
        Who answers where no fault is dealt.
    chaos
        Which faults.
    sleep
        What waits.
    """

    keeps_answers = False
    """An answer of before would spare the rehearsal, and one of a rehearsal is no answer."""

    def __init__(
        self,
        provider: Provider,
        chaos: Chaos,
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._provider = provider
        self._chaos = chaos
        self._sleep = sleep
        self._calls: dict[str, int] = {}

    @property
    def name(self) -> str:
        """The wrapped provider's name."""
        return self._provider.name

    @property
    def takes_schemas(self) -> bool:
        """Whether the wrapped provider holds models to schemas."""
        return getattr(self._provider, "takes_schemas", False)

    async def stream(self, model: str, request: Request) -> AsyncGenerator[ProviderEvent, None]:
        """Ask the wrapped provider, or fail as dealt; says so before."""
        number = self._calls[model] = self._calls.get(model, 0) + 1
        kind, delay_s = self._chaos.deal(f"{self.name}:{model}", number)
        if kind is not None:
            yield Notice(f"chaos: {self.name}:{model} is made to fail ({kind})")
        if delay_s:
            yield Notice(f"chaos: {self.name}:{model} is made to wait", delay_s)
            await self._sleep(delay_s)
        if kind == "silent":
            await self._sleep(FOR_EVER_S)
        if kind is not None and kind not in {"cut", "stall"}:
            raise self._error(kind, model)
        async with aclosing(self._provider.stream(model, request)) as events:
            async for event in events:
                if kind is not None and isinstance(event, TextDelta | Stopped):
                    yield _first_half(event)
                    await self._break(kind, model)
                if self._chaos.slow_s and isinstance(event, TextDelta):
                    await self._sleep(self._chaos.slow_s)
                yield event

    def key_mark(self) -> str:
        """Return the mark of a key of its own: what is rehearsed must not bar the real one."""
        return f"chaos:{self._chaos.spec}"

    def unusable(self) -> str | None:
        """Say what the wrapped provider says."""
        return self._provider.unusable()

    @property
    def is_warm(self) -> bool:
        """Whether the wrapped provider has all that it needs."""
        return getattr(self._provider, "is_warm", True)

    async def warm(self) -> None:
        """Import what the wrapped provider needs."""
        if (warm := getattr(self._provider, "warm", None)) is not None:
            await warm()

    async def models(self) -> tuple[str, ...]:
        """List the wrapped provider's models."""
        return await self._provider.models()

    async def aclose(self) -> None:
        """Close the wrapped provider's connections."""
        await self._provider.aclose()

    async def _break(self, kind: str, model: str) -> None:
        if kind == "stall":
            await self._sleep(FOR_EVER_S)
        raise StreamInterrupted(f"{self.name}:{model}: the stream broke (chaos)")

    def _error(self, kind: str, model: str) -> MultimodelError:
        name = f"{self.name}:{model}"
        if kind == "drop":
            return ConnectionFailed(f"{name}: the connection broke (chaos)")
        if kind in {"garbage", "silent"}:
            return MalformedAnswer(f"{name}: no answer in what came (chaos)")
        after_s = self._chaos.retry_after_s
        headers = {} if after_s is None else {"retry-after": f"{after_s:g}"}
        return fault(Place(self.name, model), int(kind), "chaos", headers)


def _first_half(event: TextDelta | Stopped) -> TextDelta:
    text = event.text if isinstance(event, TextDelta) else ""
    return TextDelta(text[: (len(text) + 1) // 2])
