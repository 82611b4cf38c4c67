"""Asking one model once: everything between an attempt's start and its row."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import replace
from datetime import UTC, datetime

from multimodel_magic.client.judging import weighs
from multimodel_magic.client.run import NOTHING, Call, Place, Run, closed, in_trouble, unfinished
from multimodel_magic.errors import (
    AuthenticationFailed,
    MultimodelError,
    StreamInterrupted,
    TimedOut,
)
from multimodel_magic.limits import within
from multimodel_magic.types import (
    Attempt,
    AttemptFailed,
    AttemptStarted,
    Event,
    Notice,
    Provider,
    ProviderEvent,
    RateHint,
    Request,
    Stopped,
    TextDelta,
    Usage,
)

__all__ = ["ask", "let_go", "prepare"]


def prepare(run: Run, place: Place) -> None:
    """Take what an attempt will need of rates and budgets, before any wait."""
    means = run.means
    if means.limiter:
        tokens = run.request.estimated_input_tokens() + (run.request.max_tokens or 0)
        place.lease = means.limiter.take(place.name, tokens)
    if place.estimate_usd:
        place.held_usd = place.estimate_usd
        means.purse.hold(place.held_usd)


def let_go(run: Run, place: Place) -> None:
    """Give back what an attempt did not come to use."""
    means = run.means
    if place.lease is not None:
        means.limiter.give_back(place.lease)
        place.lease = None
    if place.held_usd:
        means.purse.hold(-place.held_usd)
        place.held_usd = NOTHING
    if place.gate is not None:
        means.breakers.leave(place.name, place.gate, failed=None)
        place.gate = None


async def ask(run: Run, place: Place) -> AsyncGenerator[Event, None]:
    """Ask one model once; afterwards `place.failure` says how it ended and its row is there."""
    means = run.means
    provider = means.provider(place.provider, place.model)
    if not getattr(provider, "is_warm", True):
        yield Notice(f"loading what {place.provider} needs")
    await _warm(provider, run)
    if run.deadline.left_s() <= 0:
        place.failure = TimedOut("the request's time was up before it was asked")
        return
    run.begun += 1
    place.tried += 1
    place.failure = None
    means.prices.begin(means.price, place.provider)
    call = Call(place, run.begun, means.clock(), datetime.now(UTC))
    place.call = run.call = call
    yield AttemptStarted(place.provider, place.model, call.number, place.rank)
    _keep_begun(run, call)
    try:
        said = provider.stream(place.model, _sent(run, place, provider))
        async with aclosing(_heard(run, call, said)) as heard:
            async for event in heard:
                yield event
        # What it cost is asked next: a first answer may be faster than the list is loaded.
        await means.prices.ready(means.price, (place.provider,))
    except BaseException as error:
        _close(run, call, error)
        raise
    attempt = _close(run, call, place.failure)
    if place.failure is not None:
        yield AttemptFailed(attempt)
    elif call.kept:
        yield Notice(f"the stream of {place.name} broke: the answer so far is kept")


async def _heard(
    run: Run, call: Call, events: AsyncGenerator[ProviderEvent, None]
) -> AsyncGenerator[TextDelta | Notice, None]:
    """Take in what a provider says and pass on what is shown; a failure is its place's."""
    place = call.place
    timed = within(events, run.means.patience, run.deadline, place.name, shared=place.shared)
    try:
        async with aclosing(timed):
            async for event in timed:
                _take(run, call, event)
                if isinstance(event, TextDelta | Notice):
                    yield event
    except MultimodelError as error:
        place.failure = None if _is_kept(run, call, error) else error
    call.ended_s = run.means.clock()


def _sent(run: Run, place: Place, provider: Provider) -> Request:
    """Return the request as the provider gets it."""
    sent = run.means.patience.on_the_wire(run.request.spelled_out())
    if sent.schema is not None and not getattr(provider, "takes_schemas", False):
        from multimodel_magic.providers.structured import in_words

        sent = in_words(sent).without_schema()
    return replace(sent, logprobs=True) if weighs(run, place) else sent


async def _warm(provider: Provider, run: Run) -> None:
    """Have a provider load what it needs, as long as there is time."""
    warm = getattr(provider, "warm", None)
    if warm is None or getattr(provider, "is_warm", False):
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(run.deadline.left_s()):
            await warm()


def _keep_begun(run: Run, call: Call) -> None:
    run.under_way.append(call)
    if run.means.begin is not None:
        run.means.begin(run.request.request_id, lambda: unfinished(run))


def _take(run: Run, call: Call, event: ProviderEvent) -> None:
    match event:
        case TextDelta(text):
            if call.first_s is None:
                call.first_s = run.means.clock()
            call.pieces.append(text)
        case Usage():
            call.usage = event
        case Stopped():
            call.stopped = event
        case RateHint():
            run.means.limiter.learn(call.place.name, event)


def _is_kept(run: Run, call: Call, error: MultimodelError) -> bool:
    if run.means.patience.broken_stream != "keep" or not isinstance(error, StreamInterrupted):
        return False
    call.kept = bool(call.pieces)
    call.stopped = Stopped("interrupted")
    return call.kept


def _close(run: Run, call: Call, error: BaseException | None) -> Attempt:
    """Put an attempt on all the books: the request's, the purse, the breaker, the rates."""
    means, place = run.means, call.place
    run.under_way.remove(call)
    attempt = closed(run, call, error)
    run.attempts.append(attempt)
    if isinstance(error, MultimodelError):
        run.errors.append(error)
        if isinstance(error, AuthenticationFailed):
            provider = means.provider(place.provider, place.model)
            means.keys.refuse(place.provider, provider, error)
    failed = in_trouble(run, call, error)
    means.breakers.leave(place.name, place.gate, failed=failed, error=attempt.error_type)
    place.gate = None
    means.purse.pay(place.provider, attempt.cost_usd, place.held_usd)
    place.held_usd = NOTHING
    if place.lease is not None:
        read, written = attempt.usage.input_tokens, attempt.usage.output_tokens
        if read is not None and written is not None:  # else the estimate stands
            means.limiter.settle(place.lease, read + written)
        place.lease = None
    if means.patience.hedge == "p95" and attempt.ttft_s is not None:
        means.pace.note(place.name, attempt.ttft_s)
    return attempt
