"""What follows a failed attempt: DESIGN.md 5 as a function."""

from __future__ import annotations

from typing import Literal, TypeAlias

from multimodel_magic.errors import (
    AuthenticationFailed,
    MultimodelError,
    ProviderMissing,
    RateLimited,
    Refused,
    Retryable,
    StreamInterrupted,
)
from multimodel_magic.limits.patience import Patience

__all__ = ["Next", "what_next"]

Next: TypeAlias = Literal["same", "next", "skip", "stop"]
"""After a failure: the same model again, the next one, the next provider, or nobody."""


def what_next(error: MultimodelError, patience: Patience, *, others: bool, tried: int) -> Next:
    """Decide what follows a failed attempt (DESIGN.md 5).

    Parameters
    ----------
    error
        Why the attempt failed.
    patience
        How often the same model may be asked, and the policies.
    others
        Whether another model of the route is free.
    tried
        How many times this model was asked so far, from 1.
    """
    if isinstance(error, AuthenticationFailed):
        return patience.on_auth_error
    if isinstance(error, Refused | ProviderMissing):
        return "next"
    if isinstance(error, StreamInterrupted):
        return _after_a_break(patience, others=others, tried=tried)
    if not isinstance(error, Retryable):
        return "stop"
    if others and (isinstance(error, RateLimited) or _is_long(error, patience)):
        return "next"  # Somebody else is free: no reason to wait.
    return "same" if error.again and tried <= patience.retries else "next"


def _is_long(error: Retryable, patience: Patience) -> bool:
    return error.retry_after_s is not None and error.retry_after_s > patience.queue_s


def _after_a_break(patience: Patience, *, others: bool, tried: int) -> Next:
    if patience.broken_stream != "restart":
        return "stop"
    return "next" if others or tried > patience.retries else "same"
