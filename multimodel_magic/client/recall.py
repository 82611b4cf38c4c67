"""One request's way through the cache: an answer of before is given, or a new one is kept."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from decimal import Decimal

from multimodel_magic.client.cache import Kept, key_of
from multimodel_magic.client.judging import weighs
from multimodel_magic.client.run import Call, Place, Run
from multimodel_magic.types import (
    Attempt,
    AttemptStarted,
    Event,
    Provider,
    Request,
    Stopped,
    TextDelta,
)

__all__ = ["given", "keep", "look_up"]

WHOLE = frozenset({"end_turn", "stop", "stop_sequence", "completed", "eos"})
"""The vendors' words for an answer that ended by itself; with any other it is not kept."""

_NOTHING = Decimal(0)


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
    if run.request.logprobs or weighs(run, place):
        return None  # How sure the model was is not kept.
    if cache is None or not cache.applies(run.request) or cache.answers.objection() is not None:
        return None
    place.key = _key(run, place)
    if place.key is None or run.request.fresh:
        return None
    return cache.answers.find(place.key)


async def given(run: Run, place: Place, kept: Kept) -> AsyncGenerator[Event, None]:
    """Tell a kept answer as an attempt, which `run` has on its books afterwards."""
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
    unasked_for = call.parsed is not None and call.parsed.error is not None
    if unasked_for or not _is_whole(run.request, text, attempt):
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

    return plain_faults(request, text, attempt.stop_reason).ok
