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
from multimodel_magic.providers.rates import seconds, spent_for_s
from multimodel_magic.providers.wordings import WORDS

__all__ = ["Place", "Rule", "Verdict", "classify", "fault", "from_body", "rule", "scrub"]

LONG_WAIT_S = 60.0
"""A longer Retry-After counts as a spent quota, whatever can be asked again: another model
answers sooner."""

MOST_SAID = 4000
"""Characters of an error body that are looked at: a server chooses how long it is."""

NO_KEY = Secret("")


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the table: these statuses, with these words in the body, mean this error."""

    error: type[MultimodelError]
    statuses: frozenset[int] | range
    words: str | None = None
    """A regular expression; case is ignored. Compiled when the first answer fails."""

    def fits(self, status: int, said: str) -> bool:
        """Whether the rule speaks of such an answer."""
        if status not in self.statuses:
            return False
        return self.words is None or bool(re.search(self.words, said, re.IGNORECASE))


def rule(error: type[MultimodelError], *statuses: int, words: str | None = None) -> Rule:
    """Make a rule from statuses and a regular expression (case is ignored)."""
    return Rule(error, frozenset(statuses), words)


RULES = (
    *(rule(error, *statuses, words=words) for error, statuses, words in WORDS),
    rule(AuthenticationFailed, 401, 402, 403),
    rule(ModelNotFound, 404, 410),
    rule(ContextTooLong, 413),
    rule(ContentFiltered, 451),
    rule(ConnectionFailed, 407),
    rule(TimedOut, 408),
    rule(RateLimited, 429),
    # 424 is text-generation-inference's failed generation, 498 and 499 are Groq's full capacity
    # and a request that was dropped under way.
    rule(Overloaded, 409, 421, 423, 424, 425, 498, 499),
    Rule(Overloaded, range(500, 600)),
    Rule(ConnectionFailed, range(300, 400)),
    Rule(BadRequest, range(400, 500)),
    Rule(MalformedAnswer, range(1000)),
)

STATUS_OF_TYPE = {
    "api_error": 500,
    "authentication_error": 401,
    "billing_error": 402,
    "content_filter": 400,
    "context_length_exceeded": 400,
    "deadline_exceeded": 504,
    "internal": 500,
    "internal_error": 500,
    "internal_server_error": 500,
    "invalid_api_key": 401,
    "insufficient_quota": 429,
    "invalid_request_error": 400,
    "model_not_found": 404,
    "not_found_error": 404,
    "overloaded": 529,
    "overloaded_error": 529,
    "permission_denied": 403,
    "permission_error": 403,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "request_too_large": 413,
    "resource_exhausted": 429,
    "server_error": 500,
    "service_unavailable": 503,
    "timeout_error": 504,
    "unauthenticated": 401,
    "unavailable": 503,
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
    if isinstance(body, list) and body:  # as Gemini's servers wrap it
        body = body[0]
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


def _again_s(told: str) -> float | None:
    """Return when to try again, as a vendor's sentence says it."""
    found = _AGAIN.search(told)
    if found is None:
        return None
    word = found["word"]
    return float(found["count"]) * _UNITS[word[0].lower()] if word else seconds(found["span"])


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
    told, said = told[:MOST_SAID], said[:MOST_SAID]
    error = next(rule.error for rule in (*rules, *RULES) if rule.fits(status, said))
    wait_s = retry_after_s(headers or {})
    if wait_s is None and error is RateLimited:
        wait_s = _again_s(told)
        wait_s = spent_for_s(headers or {}) if wait_s is None else wait_s
    if issubclass(error, Retryable) and wait_s is not None and wait_s > LONG_WAIT_S:
        error = QuotaExceeded
    return Verdict(error, wait_s, told)


_AGAIN = re.compile(
    r"(?:again|retry|wait)(?: in| after)? (?:(?P<count>\d+(?:\.\d+)?) ?(?P<word>sec|min|hour)"
    r"|(?P<span>(?:\d+(?:\.\d+)?(?:ms|[hms]))+))",
    re.IGNORECASE,
)
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}

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

_NO_PATH = (
    "{server} has nothing at this address ({status}): check base_url; "
    "or it has no model {model!r}: {missing_hint}"
)
_MODEL = re.compile(r"model|deployment", re.IGNORECASE)
_PROXY = "a proxy before {server} wants credentials ({status}): see the proxy's settings"


def fault(
    place: Place, status: int, body: object = None, headers: Mapping[str, str] | None = None
) -> MultimodelError:
    """Make the error for an answer of failure, message and all."""
    verdict = classify(status, body, headers, rules=place.rules)
    line = _line(verdict, status, body).format(
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
        again = verdict.error is not ConnectionFailed
        return verdict.error(message, retry_after_s=verdict.retry_after_s, again=again)
    return verdict.error(message)


def _line(verdict: Verdict, status: int, body: object) -> str:
    """Return the line for an error, with its blanks."""
    if verdict.error is QuotaExceeded and status not in {400, 429}:
        return _DOWN
    if status == 407:  # noqa: PLR2004 - Proxy Authentication Required
        return _PROXY
    if verdict.error is ModelNotFound and not _MODEL.search(error_words(body)[1]):
        return _NO_PATH
    return _LINES[verdict.error]


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
    for word in (kind.get("code"), kind.get("type"), kind.get("status")):
        if status := STATUS_OF_TYPE.get(str(word).lower()) or _status_in(word):
            return fault(place, status, body)
    return fault(place, 200, body)


def _status_in(word: object) -> int | None:
    """Return a status that stands in a body, as a number or its digits."""
    text = str(word)
    is_status = text.isascii() and text.isdecimal() and len(text) == 3 and text[0] in "45"  # noqa: PLR2004
    return int(text) if is_status else None
