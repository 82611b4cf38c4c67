"""How long to wait for what, and how often to ask again."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from multimodel_magic.errors import Retryable
from multimodel_magic.types import Request, changed

__all__ = ["Deadline", "Patience", "dice"]


LATER_S = 1.0
"""So much later than we ourselves a provider gives a silence up: we can say whose it was."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for what, in seconds, and how often to ask again.

    Parameters
    ----------
    timeout_s
        The whole request, all attempts and waits included.
    connect_s
        Until a vendor's server has taken the connection; None is the provider's own, 10 s.
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
        `keep` the partial answer (its stop reason is then `interrupted`), or `fail`.
    on_auth_error
        What follows a refused key: `skip` the provider, or `stop` with the error.
    queue_s
        A wait for our own rate limit, or one that a vendor in trouble asks for, that is no longer
        than this is no reason to fall back.
    hedge
        A second model is asked when the first has said nothing for so many seconds, or for the
        95th percentile of its own times to the first token (`p95`, once 20 are known); None is
        never. Both are paid for.
    """

    timeout_s: float = 600.0
    first_token_s: float = 300.0
    stall_s: float = 60.0
    retries: int = 1
    backoff_s: float = 0.5
    backoff_most_s: float = 8.0
    broken_stream: Literal["restart", "keep", "fail"] = "restart"
    on_auth_error: Literal["skip", "stop"] = "skip"
    queue_s: float = 1.0
    hedge: float | Literal["p95"] | None = None
    connect_s: float | None = None

    def as_asked(self, request: Request) -> Patience:
        """Return the patience of one request, which may say retries, hedge and policy itself."""
        if request.retries is None and request.broken_stream is None and request.hedge_s is None:
            return self
        return replace(
            self,
            retries=self.retries if request.retries is None else request.retries,
            broken_stream=request.broken_stream or self.broken_stream,
            hedge=self.hedge if request.hedge_s is None else request.hedge_s,
        )

    def on_the_wire(self, request: Request) -> Request:
        """Tell providers, below whom we wait, how long a connection and a silence may take."""
        return changed(
            request,
            connect_s=self.connect_s if request.connect_s is None else request.connect_s,
            silence_s=request.silence_s or LATER_S + max(self.first_token_s, self.stall_s),
        )

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


def dice() -> float:
    """Return a number in [0, 1) for the jitter."""
    return random.random()  # noqa: S311 - jitter needs no secrecy
