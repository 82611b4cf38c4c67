"""Every error of the package, drawn by what the caller does next.

    MultimodelError
    ├── Retryable               the same model again, after a while
    │   ├── RateLimited             (retry_after_s)
    │   ├── Overloaded
    │   ├── TimedOut
    │   ├── ConnectionFailed
    │   ├── BreakerOpen             asked in vain too often: it rests (retry_after_s)
    │   └── MalformedAnswer         no answer in what came: HTML, bad JSON, no stop event
    ├── Refused                 the next model that can
    │   ├── QuotaExceeded
    │   ├── ModelNotFound
    │   ├── ContextTooLong
    │   ├── ContentFiltered         (the model's or the vendor's refusal)
    │   └── FeatureMissing
    ├── AuthenticationFailed    skip the whole provider, and say so loudly
    ├── StreamInterrupted       text was already shown: restart, keep or fail, by policy
    ├── Misconfigured           stop: asking anyone else would not help
    │   ├── UsageError              (a magic's or a function's argument)
    │   ├── ConfigError             (file, line, path)
    │   ├── UnknownModel
    │   ├── BadRequest              (the vendor's 400 about our request)
    │   ├── ProviderMissing         (a package or the server is not installed)
    │   └── BudgetExceeded
    ├── SchemaNotMet            a finished answer that is not what was asked for; its text is kept
    ├── Cancelled               stop: the user did
    └── AllModelsFailed         (attempts)

Messages say what was wrong, where, and what to do, in one line, and never hold a key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from difflib import get_close_matches

from multimodel_magic.types import Attempt
from multimodel_magic.wording import number_of

__all__ = [
    "AllModelsFailed",
    "AuthenticationFailed",
    "BadRequest",
    "BreakerOpen",
    "BudgetExceeded",
    "Cancelled",
    "ConfigError",
    "ConnectionFailed",
    "ContentFiltered",
    "ContextTooLong",
    "FeatureMissing",
    "MalformedAnswer",
    "Misconfigured",
    "ModelNotFound",
    "MultimodelError",
    "Overloaded",
    "ProviderMissing",
    "QuotaExceeded",
    "RateLimited",
    "Refused",
    "Retryable",
    "SchemaNotMet",
    "StreamInterrupted",
    "TimedOut",
    "UnknownModel",
    "UsageError",
    "did_you_mean",
    "must_be",
    "must_be_amounts",
    "shown_as",
]


SLIP = 0.85
"""How alike two words are (difflib's ratio) of which one is likely a slip for the other."""


def did_you_mean(word: str, known: Iterable[str], *, most: int = 3, alike: float = 0.6) -> str:
    """Return `; did you mean 'x'?` for the nearest of `known`, or an empty string.

    `alike` is how near they must be, in [0, 1]; `SLIP` where the word may well be meant.

    Examples
    --------
    >>> did_you_mean("task_typ", ["task_type", "user_tier"])
    "; did you mean 'task_type'?"
    >>> did_you_mean("zzz", ["task_type"])
    ''
    """
    near = get_close_matches(word, list(known), n=most, cutoff=alike)
    return f"; did you mean {' or '.join(repr(n) for n in near)}?" if near else ""


def must_be(name: str, value: object, kinds: type | tuple[type, ...], give: str) -> None:
    """Refuse an argument of another kind, before anything is begun with it.

    Raises
    ------
    UsageError
        In one line: which argument, what it is, and what to `give`.

    Examples
    --------
    >>> must_be("needs", 3, list, "names such as ['vision']")
    Traceback (most recent call last):
    multimodel_magic.errors.UsageError: needs is 3: give names such as ['vision']
    """
    if not isinstance(value, kinds):
        raise UsageError(f"{name} is {value!r:.60}: give {give}")


def must_be_amounts(of: object, *names: str, give: str) -> None:
    """Refuse fields of a value that are neither None nor a number of 0 or more.

    Raises
    ------
    UsageError
        As `must_be` does.
    """
    for name in names:
        value = getattr(of, name)
        number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
        if value is not None and not (number and value >= 0):
            raise UsageError(f"{name} is {value!r:.60}: give {give}")


# C0 and C1 controls except tab and newline (terminal escapes), and lone surrogates (not UTF-8).
# The last two ranges turn around what stands behind them, the receipt and its cost included.
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
"""What no text of a model or server may bring into a terminal or page."""


class MultimodelError(Exception):
    """The root of the tree. In a notebook it shows as one line."""

    hurried: bool = False
    """Whether the request's own deadline is to blame and not the model's health."""

    def __init__(self, message: str) -> None:
        # A server's own words may stand in it, and a terminal obeys escapes.
        super().__init__(UNPRINTABLE.sub("\ufffd", " ".join(message.split())))

    def _render_traceback_(self) -> list[str]:
        """Give IPython one line instead of the frames of asyncio and httpx."""
        return [f"{type(self).__name__}: {self}"]


def shown_as(error: BaseException, ended: MultimodelError) -> None:
    """Let IPython show an exception of Python's in the one line of one of ours.

    It travels on as it is: asyncio compares the very class of a cancellation.
    """
    error._render_traceback_ = ended._render_traceback_  # type: ignore[attr-defined]


class Retryable(MultimodelError):
    """The same model may answer if asked again.

    Parameters
    ----------
    message
        One line: what was wrong, where, what to do.
    retry_after_s
        Seconds that the vendor asked us to wait; None where it did not say.
    again
        Whether asking again may help; not where a certificate or a redirect is in the way.
    """

    def __init__(
        self, message: str, *, retry_after_s: float | None = None, again: bool = True
    ) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.again = again


class RateLimited(Retryable):
    """429: too many requests or tokens."""


class Overloaded(Retryable):
    """5xx and 529: the vendor has trouble of its own."""


class TimedOut(Retryable):
    """Nothing came in time."""


class ConnectionFailed(Retryable):
    """The vendor could not be reached, or hung up before the first token."""


class BreakerOpen(Retryable):
    """Every model of the route failed too often of late and rests for longer than may be waited."""


class MalformedAnswer(Retryable):
    """A 200 that is no answer: HTML, broken JSON, no stop event, nothing at all."""


class Refused(MultimodelError):
    """The model asked will not; another one may."""


class QuotaExceeded(Refused):
    """The account's quota is spent, or the wait that the vendor asks for is too long."""


class ModelNotFound(Refused):
    """The vendor has no such model, or not for this key."""


class ContextTooLong(Refused):
    """The prompt does not fit the model's context window."""


class ContentFiltered(Refused):
    """The model or the vendor's filter refused the content."""


class FeatureMissing(Refused):
    """The model lacks something that the request needs."""


class AuthenticationFailed(MultimodelError):
    """401, 402, 403 or no key at all: nothing of this provider can answer."""


class StreamInterrupted(MultimodelError):
    """The stream broke after text had come."""


class Misconfigured(MultimodelError):
    """Asking another model would not help: the request or the set-up is at fault."""


class UsageError(Misconfigured):
    """An option or argument that makes no sense; names the nearest that does."""


class ConfigError(Misconfigured):
    """A fault in the routing configuration, with file, line and path.

    Parameters
    ----------
    message
        The first fault, in one line.
    faults
        Every fault of the file as line, path and what is wrong, in file order.
    """

    def __init__(self, message: str, faults: tuple[tuple[str, str, str], ...] = ()) -> None:
        super().__init__(message)
        self.faults = faults


class UnknownModel(Misconfigured):
    """No provider, alias, role or model of that name; names the nearest."""


class BadRequest(Misconfigured):
    """The vendor says that the request itself is wrong."""


class ProviderMissing(Misconfigured):
    """A provider whose package is not installed, with the command that mends it."""


class BudgetExceeded(Misconfigured):
    """The budget does not allow this call."""


class SchemaNotMet(MultimodelError):
    """An answer that is not what the request's schema describes; its text is kept."""


class Cancelled(MultimodelError):
    """The user stopped it."""


class AllModelsFailed(MultimodelError):
    """Every model of the route failed; carries each attempt and prints one line a piece.

    Parameters
    ----------
    attempts
        Every attempt of the request, in order.
    errors
        The errors themselves, one an attempt, with their causes.
    """

    def __init__(
        self, attempts: tuple[Attempt, ...], errors: tuple[MultimodelError, ...] = ()
    ) -> None:
        tried = len({attempt.name for attempt in attempts})
        what = f"all {tried} models failed" if tried > 1 else "the model failed"
        super().__init__(f"{what} in {number_of(len(attempts), 'attempt')}")
        self.attempts = attempts
        self.errors = errors

    def __str__(self) -> str:
        return "\n".join([self.args[0], *map(_line, self.attempts)])


def _line(attempt: Attempt) -> str:
    if attempt.turned_down is not None:
        return f"  {attempt.number}. {attempt.name}: turned down: {attempt.turned_down}"
    return f"  {attempt.number}. {attempt.name}: {attempt.error_type}: {attempt.error}"
