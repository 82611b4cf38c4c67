"""What happens to a request, as it happens; `Finished` is always the last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from multimodel_magic.types.values import (
    Attempt,
    Response,
    Route,
    Usage,
)

__all__ = [
    "AttemptFailed",
    "AttemptStarted",
    "Event",
    "Finished",
    "Notice",
    "ProviderEvent",
    "RateHint",
    "Routed",
    "Stopped",
    "TextDelta",
]


@dataclass(frozen=True, slots=True)
class Routed:
    """The strategy has chosen."""

    route: Route


@dataclass(frozen=True, slots=True)
class Notice:
    """Something worth a line while the user waits: a load, a wait, a restart, a retired name."""

    text: str
    wait_s: float | None = None
    """How long the wait will be at most, where it is one and that is known."""


@dataclass(frozen=True, slots=True)
class AttemptStarted:
    """A model is being asked. Text shown so far is void: this attempt begins anew."""

    provider: str
    model: str
    number: int
    rank: int = 0


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class AttemptFailed:
    """An attempt ended without an answer; another may follow."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Finished:
    """The request ended, in whatever way: `response.error` says whether there is an answer."""

    response: Response


@dataclass(frozen=True, slots=True)
class Stopped:
    """A provider's last word on an answer: the stop event has come."""

    stop_reason: str | None
    response_model: str | None = None
    response_id: str | None = None
    mean_logprob: float | None = None
    """Mean log-probability of the answer's tokens in nats, where `Request.logprobs` asked for it.
    """


@dataclass(frozen=True, slots=True)
class RateHint:
    """What a vendor's headers say of its rate limits; `None` where they do not."""

    requests: int | None = None
    """The limit itself."""
    requests_left: int | None = None
    requests_reset_s: float | None = None
    """Seconds until requests are allowed again in full."""
    tokens: int | None = None
    tokens_left: int | None = None
    tokens_reset_s: float | None = None


Event: TypeAlias = Routed | Notice | AttemptStarted | TextDelta | AttemptFailed | Finished
ProviderEvent: TypeAlias = TextDelta | Usage | Notice | RateHint | Stopped
"""What a provider yields: text, usage as far as it is known, notices, and `Stopped` at the end."""
