"""What went wrong on a wire, in the words of `multimodel_magic.errors`.

One table says what a status and the vendor's words mean (`classify`); a vendor's own rules
stand in its file and are asked first. Messages are one line and never hold a key.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from multimodel_magic.errors import (
    AuthenticationFailed,
    BadRequest,
    ConnectionFailed,
    ContentFiltered,
    ContextTooLong,
    FeatureMissing,
    MalformedAnswer,
    ModelNotFound,
    MultimodelError,
    Overloaded,
    QuotaExceeded,
    RateLimited,
    Retryable,
    TimedOut,
)
from multimodel_magic.providers.http import origin
from multimodel_magic.providers.hush import scrub
from multimodel_magic.providers.keys import Secret

__all__ = ["Place", "Rule", "Verdict", "classify", "fault", "from_body", "rule", "scrub"]

LONG_WAIT_S = 60.0
"""A longer Retry-After counts as a spent quota, whatever can be asked again: another model
answers sooner."""

NO_KEY = Secret("")


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the table: these statuses, with these words in the body, mean this error."""

    error: type[MultimodelError]
    statuses: frozenset[int] | range
    words: re.Pattern[str] | None = None

    def fits(self, status: int, said: str) -> bool:
        """Whether the rule speaks of such an answer."""
        return status in self.statuses and (self.words is None or bool(self.words.search(said)))


def rule(error: type[MultimodelError], *statuses: int, words: str | None = None) -> Rule:
    """Make a rule from statuses and a regular expression (case is ignored)."""
    pattern = re.compile(words, re.IGNORECASE) if words else None
    return Rule(error, frozenset(statuses), pattern)


RULES = (
    rule(ModelNotFound, 400, 403, 404, words=r"model_not_found"),
    # llama.cpp's servers speak the wires of others with an error type of their own.
    rule(ContextTooLong, 400, 413, 422, 500, words=r"exceed_context_size|context_length_exceeded"),
    rule(ContextTooLong, 400, 422, 500, words=r"maximum context length|context (length|window)"),
    rule(ContentFiltered, 400, 403, 422, words=r"content[_ ](policy|filter)|content management"),
    # Not any "billing": OpenAI's plain rate limits advertise their page of that name.
    rule(QuotaExceeded, 400, 429, words=r"insufficient_quota|billing_\w+|exceeded your .*quota"),
    rule(FeatureMissing, 400, words=r"does not support (tool|think|image|vision|chat)"),
    rule(AuthenticationFailed, 401, 402, 403),
    rule(ModelNotFound, 404, 410),
    rule(ContextTooLong, 413),
    rule(TimedOut, 408),
    rule(RateLimited, 429),
    rule(Overloaded, 409, 425),
    Rule(Overloaded, range(500, 600)),
    Rule(ConnectionFailed, range(300, 400)),
    Rule(BadRequest, range(400, 500)),
    Rule(MalformedAnswer, range(1000)),
)

STATUS_OF_TYPE = {
    "api_error": 500,
    "authentication_error": 401,
    "billing_error": 402,
    "insufficient_quota": 429,
    "invalid_request_error": 400,
    "not_found_error": 404,
    "overloaded_error": 529,
    "permission_error": 403,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "request_too_large": 413,
    "server_error": 500,
    "timeout_error": 504,
}
"""What the types of error events (inside a stream that began with 200) would be as a status."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer of failure means, how long to wait, and what the vendor said."""

    error: type[MultimodelError]
    retry_after_s: float | None = None
    said: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an error happened, as its message is to name it."""

    provider: str
    model: str
    url: str = ""
    key_name: str = ""
    """The environment variable that holds the key; empty where it was given in code."""
    secret: Secret = NO_KEY
    rules: tuple[Rule, ...] = ()
    missing_hint: str = "see what it serves with `%llm models`"
    down_hint: str = "check the network and the address"

    @property
    def name(self) -> str:
        """`provider:model`."""
        return f"{self.provider}:{self.model}"

    @property
    def server(self) -> str:
        """The provider and its origin."""
        return f"{self.provider} at {origin(self.url)}" if self.url else self.provider

    def scrub(self, text: str) -> str:
        """Return `text` in one short line without the key or what looks like one."""
        return scrub(text, self.secret)


def error_words(body: object) -> tuple[str, str]:
    """Return what an error body says: the sentence for people, and all that rules look at."""
    if isinstance(body, str | bytes):
        return _words_of_text(body)
    if not isinstance(body, Mapping):
        return "", ""
    inner = body.get("error", body)
    if isinstance(inner, str):
        return inner, inner
    if not isinstance(inner, Mapping):
        return "", ""
    told = str(inner.get("message") or inner.get("detail") or "")
    parts = [told, *(str(inner.get(part) or "") for part in ("type", "code", "param"))]
    return told, " ".join(parts)


def _words_of_text(body: str | bytes) -> tuple[str, str]:
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    try:
        return error_words(json.loads(text))
    except (ValueError, RecursionError):
        # A proxy's HTML page says nothing to a user; its status does.
        return ("", "") if text.lstrip().startswith("<") else (text, text)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return how many seconds the vendor asks us to wait, from seconds, milliseconds or a date."""
    for name, scale in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        raw = headers.get(name)
        if raw is None:
            continue
        try:
            wait_s = float(raw) / scale
        except ValueError:
            wait_s = _until(raw)
        if math.isfinite(wait_s):
            return max(0.0, wait_s)
    return None


def _until(date: str) -> float:
    try:
        return parsedate_to_datetime(date).timestamp() - time.time()
    except ValueError:
        return math.nan


def classify(
    status: int,
    body: object = None,
    headers: Mapping[str, str] | None = None,
    *,
    rules: tuple[Rule, ...] = (),
) -> Verdict:
    """Say what a status, an error body and the headers mean.

    Parameters
    ----------
    status
        The HTTP status, or what an error event's type would be as one.
    body
        The error body: text, bytes, or already parsed.
    headers
        The response's headers, lower case or case-insensitive.
    rules
        A vendor's own rules, asked before the shared ones.

    Examples
    --------
    >>> classify(429, {"error": {"code": "insufficient_quota"}}).error.__name__
    'QuotaExceeded'
    >>> classify(429, "", {"retry-after": "3"})
    Verdict(error=<class 'multimodel_magic.errors.RateLimited'>, retry_after_s=3.0, said='')
    """
    told, said = error_words(body)
    wait_s = retry_after_s(headers or {})
    error = next(rule.error for rule in (*rules, *RULES) if rule.fits(status, said))
    if issubclass(error, Retryable) and wait_s is not None and wait_s > LONG_WAIT_S:
        error = QuotaExceeded
    return Verdict(error, wait_s, told)


_LINES: dict[type[MultimodelError], str] = {
    AuthenticationFailed: "{provider} refused {key} ({status}): {cure}",
    RateLimited: "{name} asks to slow down ({status}{wait})",
    QuotaExceeded: "{name}: the quota is spent ({status}{wait}): see the account's limits",
    Overloaded: "{server} has trouble of its own ({status}{wait})",
    TimedOut: "{name} gave up waiting ({status})",
    ModelNotFound: "{provider} has no model {model!r} ({status}): {missing_hint}",
    ContextTooLong: "the prompt does not fit the context window of {name} ({status}): shorten it",
    ContentFiltered: "{name} refused the content ({status})",
    FeatureMissing: "{name} lacks something that the request needs ({status})",
    BadRequest: "{name} says that the request is wrong ({status}): see its options",
    ConnectionFailed: "{server} redirects to another address ({status}): refused",
    MalformedAnswer: "{name} answered with an error of no known kind ({status})",
}

_DOWN = "{server} has trouble of its own and asks for a long wait ({status}{wait})"
"""For the spent quota that is none: a Retry-After beyond `LONG_WAIT_S` with a 5xx or 408."""


def fault(
    place: Place, status: int, body: object = None, headers: Mapping[str, str] | None = None
) -> MultimodelError:
    """Make the error for an answer of failure, message and all."""
    verdict = classify(status, body, headers, rules=place.rules)
    is_down = verdict.error is QuotaExceeded and status not in {400, 429}
    line = (_DOWN if is_down else _LINES[verdict.error]).format(
        provider=place.provider,
        server=place.server,
        name=place.name,
        model=place.model,
        status=status,
        missing_hint=place.missing_hint,
        key=_key(place),
        cure=_cure(place, status),
        wait="" if verdict.retry_after_s is None else f", wait {verdict.retry_after_s:g} s",
    )
    said = place.scrub(verdict.said) or _redirect(status, headers or {})
    message = f"{line}: {said}" if said else line
    if issubclass(verdict.error, Retryable):
        return verdict.error(message, retry_after_s=verdict.retry_after_s)
    return verdict.error(message)


def _key(place: Place) -> str:
    if not place.secret:
        return "a request without a key"
    return f"the key in {place.key_name}" if place.key_name else "the api_key it was given"


def _cure(place: Place, status: int) -> str:
    if status == 402:  # noqa: PLR2004 - Payment Required
        return "see the account's billing, or set another key"
    if place.secret:
        return "check it or set another"
    return f"set {place.key_name}" if place.key_name else "give it an api_key"


def _redirect(status: int, headers: Mapping[str, str]) -> str:
    to = headers.get("location", "")
    if status // 100 != 3 or "://" not in to:  # noqa: PLR2004 - 3xx
        return ""
    return f"to {origin(to)}; set base_url to it if it is right"


def from_body(place: Place, body: Mapping[str, Any]) -> MultimodelError:
    """Make the error for an error body or event that came with status 200."""
    inner = body.get("error", body)
    kind = inner if isinstance(inner, Mapping) else {}
    code = kind.get("code")
    status = code if isinstance(code, int) and 400 <= code < 600 else None  # noqa: PLR2004
    for word in (code, kind.get("type")):
        status = status or STATUS_OF_TYPE.get(str(word))
    return fault(place, status or 200, body)
