"""What is known of one request while it is under way, and how it goes on the books."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal

from multimodel_magic.client.cache import Cache
from multimodel_magic.client.checks import priced
from multimodel_magic.client.prices import PriceList
from multimodel_magic.errors import (
    AuthenticationFailed,
    Cancelled,
    ConnectionFailed,
    ContentFiltered,
    Misconfigured,
    MultimodelError,
    Overloaded,
    RateLimited,
    Refused,
    Retryable,
    StreamInterrupted,
    TimedOut,
    shown_as,
)
from multimodel_magic.limits import (
    Breakers,
    Budget,
    Deadline,
    Limiter,
    Pace,
    Patience,
    Purse,
    RefusedKeys,
)
from multimodel_magic.limits.breaker import Gate
from multimodel_magic.limits.rate import Lease
from multimodel_magic.types import (
    UNFINISHED,
    Attempt,
    Parsed,
    PriceOf,
    Provider,
    Request,
    Response,
    Route,
    Stopped,
    Usage,
)

__all__ = [
    "Call",
    "Means",
    "Place",
    "Run",
    "closed",
    "in_trouble",
    "response_of",
    "stopped",
    "unfinished",
]

_NOT_BILLED = (AuthenticationFailed, ConnectionFailed, Misconfigured, Overloaded, RateLimited)
"""Failures in which the vendor says that it did no work (or was never reached): 0 tokens."""

_TROUBLE = (Retryable, StreamInterrupted)

NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Means:
    """What a client lends to one request."""

    patience: Patience
    price: PriceOf
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    dice: Callable[[], float]
    provider: Callable[[str, str], Provider]
    """Finds a provider for a model, wrapped in chaos where that is rehearsed."""
    generate: Callable[[Request], Awaitable[Response]]
    route: Callable[[Request], Awaitable[Route]]
    """Says whom the request would go to as things stand, past the keys that were refused."""
    begin: Callable[[str, Callable[[], Response]], None] | None
    """The ledger's, where it has one."""
    breakers: Breakers
    keys: RefusedKeys
    limiter: Limiter
    purse: Purse
    budget: Budget
    pace: Pace
    prices: PriceList
    cache: Cache | None = None
    """What answers are kept, if any are."""


@dataclass(slots=True)
class Call:
    """One attempt under way."""

    place: Place
    number: int
    started_s: float
    started_at: datetime
    first_s: float | None = None
    ended_s: float | None = None
    """When its stream ended; None while it has not."""
    usage: Usage = field(default_factory=Usage)
    stopped: Stopped | None = None
    pieces: list[str] = field(default_factory=list)
    lost: bool = False
    """Whether another model answered before it (a hedge)."""
    kept: bool = False
    """Whether its stream broke and what had come was kept as the answer."""
    cached: bool = False
    """Whether nobody was asked: the answer was given before."""
    parsed: Parsed | None = None
    """What the answer was read as, where the request has a schema."""


@dataclass(slots=True)
class Place:
    """A model's place in the route, and what has become of it in this request."""

    rank: int
    name: str
    provider: str
    model: str
    tried: int = 0
    free_s: float = 0.0
    """Not to be asked again before this moment on the clock."""
    wait_s: float = 0.0
    """The wait that was asked for when `free_s` was set."""
    over: bool = False
    """Not to be asked again at all."""
    noted: bool = False
    """Whether it was said that it is passed over."""
    why: str = ""
    """What it waits for."""
    failure: MultimodelError | None = None
    """How the last attempt failed; None where it gave an answer."""
    shared: bool = False
    """Whether another model could still answer in the time that is left."""
    call: Call | None = None
    """Its last attempt, until the walk has taken in how that ended."""
    gate: Gate | None = None
    lease: Lease | None = None
    estimate_usd: Decimal = NOTHING
    held_usd: Decimal = NOTHING
    """What of the budget is promised to its attempt."""
    looked_up: bool = False
    """Whether it is known if an answer was kept."""
    key: str | None = None
    """Under which its answer is kept; None where it is not to be."""


@dataclass(slots=True)
class Run:
    """One request from its begin to its end."""

    request: Request
    started_s: float
    deadline: Deadline
    means: Means
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    route: Route | None = None
    attempts: list[Attempt] = field(default_factory=list)
    """In the order in which they ended."""
    errors: list[MultimodelError] = field(default_factory=list)
    blocked: list[MultimodelError] = field(default_factory=list)
    """Why models were not asked at all."""
    error: Exception | None = None
    begun: int = 0
    """How many attempts were begun."""
    call: Call | None = None
    """The attempt whose text is shown."""
    under_way: list[Call] = field(default_factory=list)


def response_of(run: Run) -> Response:
    """Return the response as it stands."""
    return Response(
        run.request,
        "".join(run.call.pieces) if run.call is not None else "",
        tuple(run.attempts),
        run.route,
        run.error,
        run.means.clock() - run.started_s,
        run.started_at,
        cached=run.error is None and bool(run.attempts) and run.attempts[-1].cached,
        parsed=run.call.parsed if run.error is None and run.call is not None else None,
    )


def unfinished(run: Run) -> Response:
    """Return the response as it stands, with the attempts under way: for the ledger's `begin`."""
    now_s = run.means.clock()
    under_way = tuple(
        Attempt(
            call.place.provider,
            call.place.model,
            call.number,
            call.place.rank,
            call.started_at,
            now_s - call.started_s,
            error_type=UNFINISHED,
            error="under way, or the process died",
        )
        for call in tuple(run.under_way)
    )
    response = response_of(run)
    return replace(response, attempts=(*response.attempts, *under_way))


def stopped(run: Run, error: asyncio.CancelledError, *, kept: bool) -> Cancelled:
    """Return how a cancelled request ended, and let IPython show `error` in the same line.

    Parameters
    ----------
    error
        Travels on as it is.
    kept
        Whether a ledger has the request.
    """
    names = [one.name for one in run.attempts if one.error_type == Cancelled.__name__]
    doing = f"asking {' and '.join(names)}" if names else "waiting"
    after_s = run.means.clock() - run.started_s
    ended = Cancelled(
        f"interrupted after {after_s:.1f} s of {doing}" + "; it is in the ledger" * kept
    )
    shown_as(error, ended)
    return ended


def closed(run: Run, call: Call, error: BaseException | None) -> Attempt:
    """Return the finished attempt, priced."""
    usage = _settled(run.request, call, error)
    place = call.place
    price = priced(run.means.price, place.provider, place.model, usage, call.started_at)
    free = usage.input_tokens == 0 and usage.output_tokens == 0
    stopped = call.stopped or Stopped(None)
    name, message = _named(call, error)
    return Attempt(
        place.provider,
        place.model,
        call.number,
        place.rank,
        call.started_at,
        (run.means.clock() if call.ended_s is None else call.ended_s) - call.started_s,
        None if call.first_s is None else call.first_s - call.started_s,
        usage,
        NOTHING if free else price.cost_usd,
        price.source,
        stopped.stop_reason,
        stopped.response_model,
        stopped.response_id,
        name,
        message,
        mean_logprob=stopped.mean_logprob,
    )


def in_trouble(run: Run, call: Call, error: BaseException | None) -> bool | None:
    """Say whether an attempt's end speaks against the model's health; None: of neither."""
    if call.kept:
        return True
    if error is None or isinstance(error, Refused):
        return False
    if isinstance(error, TimedOut | StreamInterrupted) and (
        error.hurried or run.deadline.left_s() <= 0
    ):
        return None  # The user's own deadline may have been too short for a healthy model.
    if isinstance(error, RateLimited):
        return None if error.retry_after_s is not None else True
    return True if isinstance(error, _TROUBLE) else None


def _settled(request: Request, call: Call, error: BaseException | None) -> Usage:
    """Fill what the vendor did not say about an attempt that broke off."""
    usage = call.usage
    if error is None and not call.kept:
        return usage
    billed = not isinstance(error, _NOT_BILLED) and (
        not isinstance(error, Refused) or isinstance(error, ContentFiltered)
    )
    if not billed and call.first_s is None:
        return Usage(0, 0)
    written = sum(map(len, call.pieces))
    whole = call.stopped is not None and not call.kept
    known_output = usage.output_tokens if whole else None
    return replace(
        usage,
        input_tokens=usage.input_tokens
        if usage.input_tokens is not None
        else request.estimated_input_tokens(),
        # What an interrupted stream said so far is a running count at best: take the larger.
        output_tokens=known_output
        if known_output is not None
        else max(usage.output_tokens or 0, written // 4),
        estimated=True,
    )


def _named(call: Call, error: BaseException | None) -> tuple[str | None, str | None]:
    """Return the error's name and its line, as the ledger keeps them."""
    if error is None:
        return None, None
    if isinstance(error, MultimodelError):
        return type(error).__name__, str(error)
    if isinstance(error, asyncio.CancelledError | GeneratorExit | KeyboardInterrupt):
        return "Cancelled", "another model answered first" if call.lost else "interrupted"
    return type(error).__name__, f"a fault of ours or of a plugin: {error}"
