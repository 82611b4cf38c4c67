"""What a server says with a status of failure."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.wire.raw import Raw
from tests.wire.scenario import Scenario
from tests.wire.wires import Wire

__all__ = ["SCENARIOS"]

Play = Callable[[Raw, Wire], None]

HTML = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
PAGE = b"<!DOCTYPE html>\n<html><body>Attention Required! | Cloudflare</body></html>"


def status(code: int, *, said: str = "said", kind: str = "x", more: str = "") -> Play:
    """Answer with a status and the wire's own error body."""
    return lambda raw, wire: raw.respond(wire.error(kind, said), status=code, more=more)


def body(code: int, data: bytes, *, kind: bytes = b"application/json", more: str = "") -> Play:
    """Answer with a status and these bytes."""
    return lambda raw, _: raw.respond(data, status=code, kind=kind, more=more)


def coded(code: int, /, **error: object) -> Play:
    """Answer with a status and an error object as OpenAI's servers make it."""
    return body(code, json.dumps({"error": {"message": "said", **error}}).encode())


def again(*plays: Play) -> Play:
    """Answer the first request as the first says, the next as the next, and so on."""

    def play(raw: Raw, wire: Wire) -> None:
        for number, one in enumerate(plays):
            if number:
                raw.then()
            one(raw, wire)

    return play


def answer(raw: Raw, wire: Wire) -> None:
    """Answer as a healthy server does, in a stream."""
    raw.stream(wire, *wire.answer("Hello"))


def twice(error: str) -> tuple[str, ...]:
    """Return the errors of a model that is asked once more."""
    return error, error


def _overloaded() -> list[Scenario]:
    retryable = {
        409: "Overloaded", 425: "Overloaded", 500: "Overloaded", 502: "Overloaded",
        503: "Overloaded", 504: "Overloaded", 520: "Overloaded", 522: "Overloaded",
        524: "Overloaded", 529: "Overloaded", 408: "TimedOut",
    }  # fmt: skip
    return [
        Scenario(f"{code}", status(code), twice(error), doc=f"status {code}", says=str(code))
        for code, error in retryable.items()
    ]


RETRIED = (
    *_overloaded(),
    Scenario(
        "503 once, then an answer", again(status(503), answer), ("Overloaded",), "answers",
        modes=("stream",),
    ),
    Scenario(
        "503, wait 1 s, then an answer",
        again(status(503, more="retry-after: 1\r\n"), answer),
        ("Overloaded",), "answers", alone=True, modes=("stream",),
        doc="5xx with a Retry-After that fits the deadline, nobody else free",
    ),
    Scenario(
        "503, wait 5 s, another is free", status(503, more="retry-after: 5\r\n"), ("Overloaded",),
        doc="5xx with a Retry-After above a second, another model free",
    ),
    Scenario(
        "503, wait 1 h", status(503, more="retry-after: 3600\r\n"), ("QuotaExceeded",),
        doc="5xx with a Retry-After above 60 s", says="long wait",
    ),
    Scenario("502 of a proxy", body(502, HTML, kind=b"text/html"), twice("Overloaded"),
             doc="a proxy's HTML page with 502, 503 or 504"),
    Scenario("503 of a proxy", body(503, HTML, kind=b"text/html"), twice("Overloaded")),
    Scenario("504 of a proxy", body(504, b"upstream request timeout", kind=b"text/plain"),
             twice("Overloaded")),
    Scenario("500 without a body", body(500, b""), twice("Overloaded")),
    Scenario("500 with broken JSON", body(500, b'{"error": {"mess'), twice("Overloaded")),
    Scenario("500 with bad UTF-8", body(500, b'{"error": "\xff\xfe"}'), twice("Overloaded")),
    Scenario("500 with a list", body(500, b'[{"error": {"message": "in a list"}}]'),
             twice("Overloaded"), says="in a list"),
    Scenario("500 with null", body(500, b"null"), twice("Overloaded")),
    Scenario("503 in gzip's name",
             body(503, b"no gzip", more="content-encoding: gzip\r\n"), twice("Overloaded"),
             wires=frozenset({"chat", "responses", "ollama"})),
)  # fmt: skip

RATES = (
    Scenario("429", status(429), ("RateLimited",), doc="429 without a Retry-After"),
    Scenario("429, wait 1 s", status(429, more="retry-after: 1\r\n"), ("RateLimited",),
             doc="429 with a short Retry-After, another model free"),
    Scenario("429 of a proxy", body(429, PAGE, kind=b"text/html"), ("RateLimited",)),
    Scenario("429, alone", status(429), twice("RateLimited"), "stops", alone=True,
             doc="429 without a Retry-After, nobody else free"),
    Scenario("429, wait 1 s, alone",
             again(status(429, more="retry-after: 1\r\n"), answer), ("RateLimited",), "answers",
             alone=True, modes=("stream",),
             doc="429 with a Retry-After that fits the deadline, nobody else free"),
    Scenario("429, wait 900 ms, alone",
             again(status(429, more="retry-after-ms: 900\r\n"), answer), ("RateLimited",),
             "answers", alone=True, modes=("stream",)),
    Scenario("429, reset of its requests in 1 s, alone",
             again(status(429, more="x-ratelimit-remaining-requests: 0\r\n"
                                    "x-ratelimit-limit-requests: 60\r\n"
                                    "x-ratelimit-reset-requests: 1s\r\n"), answer),
             ("RateLimited",), "answers", alone=True, modes=("stream",),
             doc="429 without a Retry-After, but with the reset of a spent rate"),
    Scenario("429, try again in 1 s, alone",
             again(status(429, said="Rate limit reached. Please try again in 950ms."), answer),
             ("RateLimited",), "answers", alone=True, modes=("stream",),
             doc="429 whose message says when to try again"),
    Scenario("429, wait 30 s, 20 s are left, alone",
             status(429, more="retry-after: 30\r\n"), ("RateLimited",), "stops", alone=True,
             doc="429 with a Retry-After beyond the deadline, nobody else free"),
    Scenario("429, wait 1 h", status(429, more="retry-after: 3600\r\n"), ("QuotaExceeded",),
             doc="429 with a Retry-After above 60 s"),
    Scenario("429, wait till 2099",
             status(429, more="retry-after: Wed, 21 Oct 2099 07:28:00 GMT\r\n"),
             ("QuotaExceeded",)),
    Scenario("429, wait nonsense", status(429, more="retry-after: soon\r\n"), ("RateLimited",)),
    Scenario("429, wait NaN", status(429, more="retry-after: nan\r\n"), ("RateLimited",)),
    Scenario("429, wait below zero, alone",
             again(status(429, more="retry-after: -5\r\n"), answer), ("RateLimited",), "answers",
             alone=True, modes=("stream",)),
    Scenario("429, quota spent", coded(429, type="insufficient_quota"), ("QuotaExceeded",),
             doc="429 that says `insufficient_quota`"),
    Scenario("429, quota of the day",
             status(429, said="Rate limit reached for requests per day (RPD): Limit 50"),
             ("QuotaExceeded",), doc="429 for a limit per day"),
)  # fmt: skip

REFUSED = (
    Scenario("401", status(401), ("AuthenticationFailed",), doc="401", says="key"),
    Scenario("402", status(402), ("AuthenticationFailed",), doc="402", says="billing"),
    Scenario("403", status(403), ("AuthenticationFailed",), doc="403"),
    Scenario("403 of a firewall", body(403, PAGE, kind=b"text/html"), ("AuthenticationFailed",)),
    Scenario("400, key not valid",
             status(400, said="API key not valid. Please pass a valid API key."),
             ("AuthenticationFailed",), doc="400 that says that the key is not valid"),
    Scenario("401, alone", status(401), ("AuthenticationFailed",), "stops", alone=True,
             doc="401, no other provider left"),
    Scenario("404, no model", coded(404, code="model_not_found"), ("ModelNotFound",),
             doc="404"),
    Scenario("404, no path", body(404, b"404 page not found", kind=b"text/plain"),
             ("ModelNotFound",), says="address", doc="404 that speaks of no model"),
    Scenario("404 of a proxy", body(404, HTML, kind=b"text/html"), ("ModelNotFound",),
             says="address"),
    Scenario("410", status(410), ("ModelNotFound",), doc="410"),
    Scenario("400, no model", coded(400, code="model_not_found"), ("ModelNotFound",),
             doc="400 that says that there is no such model"),
    Scenario("413", status(413), ("ContextTooLong",), doc="413"),
    Scenario("400, context", coded(400, code="context_length_exceeded"), ("ContextTooLong",),
             doc="400, 422 or 500 that says that the context window is too small"),
    Scenario("400, filter", coded(400, code="content_filter"), ("ContentFiltered",),
             doc="400 of a content filter"),
    Scenario("451", status(451), ("ContentFiltered",), doc="451"),
    Scenario("400, no tools", status(400, said="this model does not support tools"),
             ("FeatureMissing",), doc="400 that says that the model lacks a feature"),
)  # fmt: skip

STOPS = (
    Scenario("400", status(400), ("BadRequest",), "stops", doc="400"),
    Scenario("400 of a proxy", body(400, HTML, kind=b"text/html"), ("BadRequest",), "stops"),
    Scenario("400 without a body", body(400, b""), ("BadRequest",), "stops"),
    Scenario("405", status(405), ("BadRequest",), "stops", doc="405, 414, 415, 422, 431"),
    Scenario("414", status(414), ("BadRequest",), "stops"),
    Scenario("415", status(415), ("BadRequest",), "stops"),
    Scenario("422", status(422), ("BadRequest",), "stops"),
    Scenario("431", status(431), ("BadRequest",), "stops"),
    Scenario("400, the user's max_tokens",
             status(400, said="max_tokens: 999999 > 8192, which is the maximum allowed"),
             ("BadRequest",), "stops"),
)  # fmt: skip


def elsewhere(code: int) -> Play:
    """Redirect to another origin."""
    return body(code, b"", more="location: http://127.0.0.2:9/v1/chat/completions\r\n")


REDIRECTS = (
    *(
        Scenario(f"{code} elsewhere", elsewhere(code), ("ConnectionFailed",), says="redirects",
                 doc="" if code > 301 else "a redirect, to whatever address")
        for code in (301, 302, 303, 307, 308)
    ),
    Scenario("308 to itself",
             lambda raw, _: raw.respond(b"", status=308, more="location: /v1/again\r\n"),
             ("ConnectionFailed",), says="redirects"),
    Scenario("302 without a location", body(302, b""), ("ConnectionFailed",)),
    Scenario("304", body(304, b""), ("ConnectionFailed",)),
    Scenario("407", status(407), ("ConnectionFailed",), says="proxy",
             doc="407: a proxy wants credentials"),
)  # fmt: skip

SCENARIOS = (*RETRIED, *RATES, *REFUSED, *STOPS, *REDIRECTS)
