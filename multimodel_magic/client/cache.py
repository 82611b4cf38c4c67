"""Answers that were given before: when one will do, under which key it is kept, how it is told.

A kept answer is an attempt that asked nobody: `price_source` is `cache`, `cost_usd` is 0, the
usage is what the answer took when it was asked, the latency is the real one of now, and the text
comes in one piece. Limits, breakers, refused keys and budgets have no say in it.

Whether an answer will do is decided by `mode`:

- `on`: always. `off`: never.
- `auto`: only where the request sets the temperature to 0. Who says nothing of it gets the
  vendor's own, and that is above 0 with every vendor: such answers are samples, of which another
  run shall see another one.

Kept are whole answers only: no failure, no refusal, nothing cut, empty, interrupted or partial.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias

from multimodel_magic.types import (
    Attachment,
    Attempt,
    AttemptStarted,
    Event,
    Option,
    Provider,
    Request,
    Stopped,
    TextDelta,
    Usage,
)

if TYPE_CHECKING:
    from multimodel_magic.client.run import Place, Run

__all__ = ["MODES", "Answers", "Cache", "Kept", "Mode", "given", "keep", "key_of", "look_up"]

Mode: TypeAlias = Literal["auto", "on", "off"]
MODES: Final[tuple[Mode, ...]] = ("auto", "on", "off")

WHOLE = frozenset({"end_turn", "stop", "stop_sequence", "completed", "eos"})
"""The vendors' words for an answer that ended by itself; with any other it is not kept."""

NOT_SENT = frozenset(
    {
        *("request_id", "labels", "cache", "fresh"),
        # What routing looks at; its choice, the resolved model, is in the key.
        *("models", "strategy", "fallbacks", "task", "user_tier", "task_value", "needs"),
        *("unit", "experiment"),
        # How the answer comes, and how long one waits for it.
        *("stream", "timeout_s", "retries", "hedge_s", "max_cost_usd"),
        *("broken_stream", "connect_s", "silence_s"),
    }
)
"""Fields of `Request` that no vendor gets: all others are in the key, later ones included."""

_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer that was given before."""

    text: str
    usage: Usage
    stop_reason: str | None
    response_model: str | None
    response_id: str | None
    cost_usd: Decimal | None
    """What asking for it cost in US dollars: what is saved where it is given again."""


class Answers(Protocol):
    """Where answers are kept. Never fails a call: what cannot be read was never kept."""

    def objection(self) -> str | None:
        """Say why nothing is kept here, or None."""
        ...

    def find(self, key: str) -> Kept | None:
        """Return the answer under a key, and count that it was given."""
        ...

    def holds(self, key: str) -> bool:
        """Whether there is an answer under a key."""
        ...

    def keep(self, key: str, model: str, answer: Kept) -> None:
        """Keep an answer of `provider:model`, in place of an earlier one; returns at once."""
        ...


@dataclass(slots=True)
class Cache:
    """What a client keeps of its answers.

    Parameters
    ----------
    answers
        Where they are kept.
    mode
        For requests that do not say themselves.
    """

    answers: Answers
    mode: Mode = "auto"
    told: str | None = None
    """Which objection was said already."""

    def applies(self, request: Request) -> bool:
        """Whether a kept answer will do for the request, and a new one is kept."""
        mode = request.cache or self.mode
        return _is_greedy(request.options) if mode == "auto" else mode == "on"

    def news(self, request: Request) -> str | None:
        """Say, once, why no answer is kept although one would be."""
        if not self.applies(request):
            return None
        before, self.told = self.told, self.answers.objection()
        return None if self.told == before else self.told


def _is_greedy(options: Mapping[str, Option]) -> bool:
    """Whether the temperature is set, and to 0; Ollama's may stand one level deeper."""
    deeper = options.get("options")
    said = options.get("temperature", deeper.get("temperature") if isinstance(deeper, dict) else "")
    return not isinstance(said, bool) and said == 0


def key_of(model: str, request: Request, server: str | None = None) -> str:
    """Name by 64 hexadecimal digits what `provider:model` at a server is asked.

    The digest alone is kept: neither the prompt nor an option's value can be read off it.

    Raises
    ------
    TypeError
        For an option that is no JSON value.

    Examples
    --------
    >>> key_of("a:m", Request("Hi", task="chat")) == key_of("a:m", Request("Hi"))
    True
    >>> key_of("a:m", Request("Hi", max_tokens=9)) == key_of("a:m", Request("Hi"))
    False
    """
    # Texts are spelled out into the prompt by the client, and are the same request either way.
    sent = request.spelled_out()
    said = {f.name: _plain(getattr(sent, f.name)) for f in fields(sent) if f.name not in NOT_SENT}
    canonical = json.dumps([model, server, said], sort_keys=True, separators=(",", ":"))
    return sha256(canonical.encode()).hexdigest()


def _plain(value: object) -> object:
    """Return a JSON value that is equal where the wire's would be."""
    if isinstance(value, Attachment):
        return [value.media_type, value.sha256]
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    # 0.0 is 0 on the wire, but True is not 1.
    return int(value) if isinstance(value, float) and value.is_integer() else value


# --- one request's way through the cache


def _key(run: Run, place: Place) -> str | None:
    """Return the key of what a place would be asked; None where no answer of it is kept."""
    provider: Provider = run.means.provider(place.provider, place.model)
    if not getattr(provider, "keeps_answers", True):
        return None
    try:
        return key_of(place.name, run.request, getattr(provider, "base_url", None))
    except (TypeError, ValueError, RecursionError):
        return None  # The provider says what is wrong with the options.


def look_up(run: Run, place: Place) -> Kept | None:
    """Return the answer that a place gave to the same request before, where that will do."""
    cache = run.means.cache
    if cache is None or not cache.applies(run.request) or cache.answers.objection() is not None:
        return None
    place.key = _key(run, place)
    if place.key is None or run.request.fresh:
        return None
    return cache.answers.find(place.key)


async def given(run: Run, place: Place, kept: Kept) -> AsyncGenerator[Event, None]:
    """Tell a kept answer as an attempt, which `run` has on its books afterwards."""
    from multimodel_magic.client.run import Call

    run.begun += 1
    place.failure = None
    clock = run.means.clock
    call = Call(place, run.begun, clock(), datetime.now(UTC), usage=kept.usage, cached=True)
    place.call = run.call = call
    call.stopped = Stopped(kept.stop_reason, kept.response_model, kept.response_id)
    call.pieces.append(kept.text)
    yield AttemptStarted(place.provider, place.model, call.number, place.rank)
    call.first_s = clock()
    run.attempts.append(_attempt(call, call.first_s - call.started_s, kept))
    yield TextDelta(kept.text)


def _attempt(call: Call, latency_s: float, kept: Kept) -> Attempt:
    place = call.place
    return Attempt(
        place.provider,
        place.model,
        call.number,
        place.rank,
        call.started_at,
        latency_s,
        latency_s,
        kept.usage,
        _NOTHING,
        "cache",
        kept.stop_reason,
        kept.response_model,
        kept.response_id,
    )


def keep(run: Run, place: Place) -> None:
    """Keep what a place has just answered, where it is a whole answer and may be kept."""
    cache, call, attempt = run.means.cache, run.call, run.attempts[-1]
    if cache is None or call is None or call.cached or call.kept or attempt.name != place.name:
        return
    text = "".join(call.pieces)
    if not _is_whole(run.request, text, attempt):
        return
    if place.key is None and run.request.fresh and cache.answers.objection() is None:
        # Asked anew although nothing would be kept by the mode: what was kept has had its day.
        key = _key(run, place)
        place.key = key if key is not None and cache.answers.holds(key) else None
    if place.key is not None:
        usage, cost_usd = attempt.usage, attempt.cost_usd
        answer = Kept(
            text,
            usage,
            attempt.stop_reason,
            attempt.response_model,
            attempt.response_id,
            cost_usd,
        )
        cache.answers.keep(place.key, place.name, answer)


def _is_whole(request: Request, text: str, attempt: Attempt) -> bool:
    if not attempt.succeeded or attempt.stop_reason not in WHOLE:
        return False
    from multimodel_magic.strategies.cascade import plain_faults

    return plain_faults(request, text, attempt.stop_reason).ok  # type: ignore[operator, no-any-return]
