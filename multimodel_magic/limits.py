"""How patient a request is: deadlines, waits between retries, and what follows a failure.

One layer retries, and it is this one: the SDK clients are made with `max_retries=0`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal, TypeAlias

from multimodel_magic.errors import (
    AuthenticationFailed,
    MalformedAnswer,
    MultimodelError,
    RateLimited,
    Refused,
    Retryable,
    StreamInterrupted,
    TimedOut,
)
from multimodel_magic.types import ProviderEvent, Stopped, TextDelta

__all__ = ["Deadline", "Next", "Patience", "what_next", "within"]

Next: TypeAlias = Literal["same", "next", "skip", "stop"]
"""After a failure: the same model again, the next one, the next provider, or nobody."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for what, in seconds, and how often to ask again.

    Parameters
    ----------
    timeout_s
        The whole request, all attempts and waits included.
    first_token_s
        From sending to the first token. Models that reason say nothing for minutes.
    stall_s
        Between two tokens.
    retries
        How often the same model is asked again after a `Retryable` failure.
    backoff_s, backoff_most_s
        The first wait between two tries and the longest one; it doubles, with full jitter
        (Brooker, "Exponential Backoff And Jitter", AWS 2015).
    broken_stream
        What follows a stream that broke after text had come: `restart` on the next model,
        `keep` the partial answer, or `fail`.
    """

    timeout_s: float = 600.0
    first_token_s: float = 300.0
    stall_s: float = 60.0
    retries: int = 1
    backoff_s: float = 0.5
    backoff_most_s: float = 8.0
    broken_stream: Literal["restart", "keep", "fail"] = "restart"

    def wait_s(self, error: Retryable, tried: int, dice: Callable[[], float]) -> float:
        """Return how long to wait before the next try; exactly what the vendor asked, if it did.

        Parameters
        ----------
        error
            The failure.
        tried
            How many times the model was asked so far, from 1.
        dice
            Returns a number in [0, 1).
        """
        if error.retry_after_s is not None:
            return error.retry_after_s
        most: float = min(self.backoff_most_s, self.backoff_s * 2.0 ** (tried - 1))
        # Half of it is sure: a wait of nothing would hammer a server that is down.
        return most * (0.5 + dice() / 2)


@dataclass(frozen=True, slots=True)
class Deadline:
    """When a request must have ended, on the clock that is given.

    Parameters
    ----------
    at_s
        The moment, in the clock's seconds.
    clock
        A monotonic clock.
    """

    at_s: float
    clock: Callable[[], float]

    def left_s(self) -> float:
        """Return the seconds left; never below 0."""
        return max(0.0, self.at_s - self.clock())


def what_next(error: MultimodelError, patience: Patience, *, others: bool, tried: int) -> Next:
    """Decide what follows a failed attempt (DESIGN.md 5).

    Parameters
    ----------
    error
        Why the attempt failed.
    patience
        How often the same model may be asked.
    others
        Whether the route holds a further model.
    tried
        How many times this model was asked so far, from 1.
    """
    if isinstance(error, AuthenticationFailed):
        return "skip"
    if isinstance(error, Refused):
        return "next"
    if isinstance(error, StreamInterrupted):
        return _after_a_break(patience, others=others, tried=tried)
    if not isinstance(error, Retryable):
        return "stop"
    if isinstance(error, RateLimited) and others:
        return "next"  # Somebody else is free: no reason to wait.
    return "same" if tried <= patience.retries else "next"


def _after_a_break(patience: Patience, *, others: bool, tried: int) -> Next:
    if patience.broken_stream != "restart":
        return "stop"
    return "next" if others or tried > patience.retries else "same"


async def within(
    events: AsyncGenerator[ProviderEvent, None], patience: Patience, deadline: Deadline, who: str
) -> AsyncIterator[ProviderEvent]:
    """Pass on a provider's events as long as they come in time.

    Raises
    ------
    TimedOut
        Where the first token or the deadline is late and no text has come.
    MalformedAnswer
        Where the stream ends without `Stopped` and no text has come.
    StreamInterrupted
        Where any of that happens after text had come.
    """
    started = False
    async with aclosing(events):
        while True:
            allowed = patience.stall_s if started else patience.first_token_s
            left = deadline.left_s()
            try:
                async with asyncio.timeout(min(allowed, left)):
                    event = await anext(events, None)
            except TimeoutError as error:
                raise _late(who, allowed, left, started=started) from error
            if event is None:
                raise _no_answer(who, started=started)
            started = started or isinstance(event, TextDelta)
            yield event
            if isinstance(event, Stopped):
                return


def _late(who: str, allowed: float, left: float, *, started: bool) -> MultimodelError:
    if left <= allowed:
        what = f"{who} had not finished when the request's time was up"
        hint = "; allow more with --timeout"
    else:
        what = f"{who} said nothing for {allowed:g} s"
        hint = ""
    return StreamInterrupted(what + hint) if started else TimedOut(what + hint)


def dice() -> float:
    """Return a number in [0, 1) for the jitter."""
    return random.random()  # noqa: S311 - jitter needs no secrecy


def _no_answer(who: str, *, started: bool) -> MultimodelError:
    what = f"{who} ended its stream without saying that the answer is whole"
    return StreamInterrupted(what) if started else MalformedAnswer(what)
