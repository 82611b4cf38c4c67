"""What a server says with status 200 in one piece: answers, and what is none."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

from tests.wire.raw import Raw
from tests.wire.scenario import Scenario
from tests.wire.scenarios.statuses import HTML, body, twice
from tests.wire.wires import Wire

__all__ = ["SCENARIOS"]

WHOLE = ("whole",)
CHAT = frozenset({"chat"})
NO_ANSWER = twice("MalformedAnswer")


def changed(**more: Any) -> Callable[[Raw, Wire], None]:
    """Answer with the wire's whole answer, some of it replaced."""

    def play(raw: Raw, wire: Wire) -> None:
        raw.respond(json.dumps(json.loads(wire.whole("Hello")) | more).encode())

    return play


def choice(message: object, reason: object = "stop", **more: Any) -> Callable[[Raw, Wire], None]:
    """Answer with one choice of Chat Completions."""
    return changed(choices=[{"index": 0, "message": message, "finish_reason": reason}], **more)


def whole(
    *, before: bytes = b"", after: bytes = b"", kind: bytes = b"application/json", more: str = ""
) -> Callable[[Raw, Wire], None]:
    """Answer with a whole answer in some wrapping."""
    return lambda raw, wire: raw.respond(before + wire.whole("Hello") + after, kind=kind, more=more)


def unframed(raw: Raw, wire: Wire, *rest: str) -> None:
    """Answer in HTTP/1.0: the end of the connection is the body's."""
    raw.play(
        b"HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n", wire.whole("Hello"), *rest
    )


def longer(raw: Raw, wire: Wire) -> None:
    """Promise more bytes than come."""
    data = wire.whole("Hello")
    raw.play(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (len(data) + 500), data[:-9])


def shorter(raw: Raw, wire: Wire) -> None:
    """Promise fewer bytes than come."""
    data = wire.whole("Hello")
    raw.play(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (len(data) - 9), data)


def zipped(raw: Raw, wire: Wire, cut: int | None = None) -> None:
    """Answer in gzip, cut off or not."""
    data = gzip.compress(wire.whole("Hello") + b" " * 5000)
    more = "content-encoding: gzip\r\n"
    raw.respond(data[:cut], kind=b"application/json", more=more)


def with_status(code: int, data: bytes | None = None) -> Callable[[Raw, Wire], None]:
    """Answer with a status of success that is not 200."""
    return lambda raw, wire: raw.respond(wire.whole("Hello") if data is None else data, status=code)


NOTHING = (
    Scenario("HTML", body(200, HTML, kind=b"text/html"), NO_ANSWER, doc="200 with HTML"),
    Scenario("HTML that calls itself JSON", body(200, HTML), NO_ANSWER),
    Scenario("HTML that calls itself a stream", body(200, HTML, kind=b"text/event-stream"),
             NO_ANSWER),
    Scenario("HTML, socket open",
             lambda raw, _: raw.play(
                 b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n", HTML, "hold"),
             NO_ANSWER, modes=("stream",)),
    Scenario("nothing at all", body(200, b""), NO_ANSWER, doc="200 with an empty body"),
    Scenario("white space", body(200, b"\r\n \r\n"), NO_ANSWER),
    Scenario("text", body(200, b"OK", kind=b"text/plain"), NO_ANSWER),
    Scenario("an empty object", body(200, b"{}"), NO_ANSWER,
             doc="200 with JSON that is no answer, broken JSON, broken UTF-8"),
    Scenario("a list", body(200, b"[]"), NO_ANSWER),
    Scenario("null", body(200, b"null"), NO_ANSWER),
    Scenario("another's JSON", body(200, b'{"status": "ok", "uptime": 12}'), NO_ANSWER),
    Scenario("cut JSON", lambda raw, wire: raw.respond(wire.whole("Hello")[:-20]), NO_ANSWER,
             modes=WHOLE),
    Scenario("broken UTF-8", body(200, b'{"content": "\xff\xfe"}'), NO_ANSWER),
    Scenario("204", with_status(204, b""), NO_ANSWER),
    Scenario("205", with_status(205, b""), NO_ANSWER),
    Scenario("an error", body(200, b'{"error": {"message": "who knows"}}'), NO_ANSWER,
             says="who knows", doc="200 with an error body of no known kind"),
    Scenario("an error in one word", body(200, b'{"error": "overloaded"}'), NO_ANSWER),
    Scenario("an error as a number", body(200, b'{"error": 17}'), NO_ANSWER),
    Scenario("an error in a list", body(200, b'[{"error": {"message": "in a list"}}]'), NO_ANSWER),
    Scenario("429 in 200", body(200, b'{"error": {"message": "slow down", "code": 429}}'),
             ("RateLimited",), doc="an error body or event whose type or code is known"),
    Scenario("'429' in 200", body(200, b'{"error": {"message": "slow down", "code": "429"}}'),
             ("RateLimited",)),
    Scenario("overloaded in 200",
             body(200, b'{"type": "error", "error": {"type": "overloaded_error"}}'),
             twice("Overloaded")),
    Scenario("quota in 200",
             body(200, b'{"error": {"message": "said", "type": "insufficient_quota"}}'),
             ("QuotaExceeded",)),
    Scenario("401 in 200",
             body(200, b'{"error": {"message": "said", "type": "authentication_error"}}'),
             ("AuthenticationFailed",)),
    Scenario("empty content", lambda raw, wire: raw.respond(wire.whole("")), NO_ANSWER,
             modes=WHOLE,
             doc="an empty answer, or white space, without a stop reason that explains it"),
    Scenario("content of white space", lambda raw, wire: raw.respond(wire.whole(" \n ")),
             NO_ANSWER, modes=WHOLE),
    Scenario("longer than it says", shorter, NO_ANSWER, modes=WHOLE),
    Scenario("shorter than it says", longer, twice("ConnectionFailed"), modes=WHOLE,
             doc="a body shorter than its length"),
    Scenario("cut gzip", lambda raw, wire: zipped(raw, wire, -40), NO_ANSWER, modes=WHOLE),
    Scenario("no choices", changed(choices=[]), NO_ANSWER, modes=WHOLE, wires=CHAT),
    Scenario("choices null", changed(choices=None), NO_ANSWER, modes=WHOLE, wires=CHAT),
    Scenario("message null", choice(None), NO_ANSWER, modes=WHOLE, wires=CHAT),
    Scenario("content null", choice({"content": None}), NO_ANSWER, modes=WHOLE, wires=CHAT),
    Scenario("reasoning only", choice({"content": "", "reasoning_content": "Hmm"}), NO_ANSWER,
             modes=WHOLE, wires=CHAT, doc="reasoning without an answer"),
    Scenario("a refusal", choice({"content": None, "refusal": "No."}), ("ContentFiltered",),
             modes=WHOLE, wires=CHAT, says="No."),
    *(
        Scenario(f"finished by {reason}", choice({"content": "Hel"}, reason),
                 ("ContentFiltered",), modes=WHOLE, wires=CHAT,
                 doc="a refusal, or a stop reason of a filter" if reason == "safety" else "")
        for reason in ("content_filter", "safety", "SAFETY", "recitation", "sensitive")
    ),
    *(
        Scenario(f"finished by {reason}", choice({"content": "Hel"}, reason), NO_ANSWER,
                 modes=WHOLE, wires=CHAT,
                 doc="a stop reason of a fault (`error`, `abort`)" if reason == "error" else "")
        for reason in ("error", "abort", "network_error", "insufficient_system_resource")
    ),
    Scenario("failed", changed(status="failed", error={"code": "server_error", "message": "x"}),
             twice("Overloaded"), modes=WHOLE, wires=frozenset({"responses"})),
    Scenario("in progress", changed(status="in_progress", output=[]), NO_ANSWER, modes=WHOLE,
             wires=frozenset({"responses"})),
    Scenario("cancelled", changed(status="cancelled"), NO_ANSWER, modes=WHOLE,
             wires=frozenset({"responses"})),
    Scenario("not done", changed(done=False), NO_ANSWER, modes=WHOLE,
             wires=frozenset({"ollama"})),
    Scenario("content null", changed(content=None), NO_ANSWER, modes=WHOLE,
             wires=frozenset({"anthropic"})),
)  # fmt: skip


def answers(name: str, play: Callable[[Raw, Wire], None], **more: Any) -> Scenario:
    """Make a scenario in which the model's answer is one."""
    return Scenario(name, play, ends="answers", **{"modes": WHOLE, **more})


LONG = "x" * 10_000_000
TOOLS = {"content": None, "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}]}

ANSWERS = (
    answers("whole where a stream was asked for", whole(), modes=("stream",)),
    answers("a whole answer", whole()),
    answers("as text", whole(kind=b"text/plain")),
    answers("as HTML", whole(kind=b"text/html")),
    answers("as a stream", whole(kind=b"text/event-stream"), modes=("stream", "whole")),
    answers("of no type", whole(kind=b"")),
    answers("with a charset", whole(kind=b"application/json; charset=utf-8")),
    answers("with the wrong charset", whole(kind=b"application/json; charset=utf-16")),
    answers("with a byte order mark", whole(before=b"\xef\xbb\xbf"), modes=("stream", "whole")),
    answers("among blank lines", whole(before=b"\r\n\r\n", after=b"\n\n"),
            modes=("stream", "whole")),
    answers("in HTTP/1.0", unframed, modes=("stream", "whole")),
    answers("whole, socket open", lambda raw, wire: unframed(raw, wire, "hold"),
            doc="a whole answer, the socket left open"),
    answers("whole, reset after it", lambda raw, wire: unframed(raw, wire, "reset")),
    answers("chunked, never ended",
            lambda raw, wire: raw.chunked(wire, wire.whole("Hello"), "hold")),
    answers("in gzip", zipped),
    answers("with 201", with_status(201)),
    answers("with 203", with_status(203)),
    answers("with 206", with_status(206)),
    answers("10 MB", lambda raw, wire: raw.respond(wire.whole(LONG)), text=LONG),
    answers("with headers that are not ASCII", whole(more="x-note: caf\xe9 \u20ac\r\n")),
    answers("after 100 and 103",
            lambda raw, wire: raw.play(
                b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n"
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n",
                wire.whole("Hello"))),
    answers("with a model of a megabyte", changed(model="m" * 1_000_000)),
    answers("without usage", changed(usage=None, prompt_eval_count=None, eval_count=None)),
    answers("with usage in words",
            changed(usage={"prompt_tokens": "25", "input_tokens": "25", "output_tokens": "9"})),
    answers("with usage as a list", changed(usage=[1, 2])),
    answers("with an error that is null", changed(error=None)),
    answers("tools only", choice(TOOLS, "tool_calls"), text="", wires=CHAT,
            doc="a call of a tool without text"),
    answers("tools only, finished by stop", choice(TOOLS, "stop"), text="", wires=CHAT),
    answers("nothing for its length", choice({"content": ""}, "length"), text="", wires=CHAT,
            doc="an answer cut by its token limit, empty or not"),
    answers("two choices",
            changed(choices=[
                {"index": 1, "message": {"content": "second"}, "finish_reason": "stop"},
                {"index": 0, "message": {"content": "Hello"}, "finish_reason": "stop"}]),
            wires=CHAT),
    answers("no finish reason", choice({"content": "Hello"}, None), wires=CHAT),
    answers("content in parts", choice({"content": [{"type": "text", "text": "Hello"}]}),
            wires=CHAT),
)  # fmt: skip

SCENARIOS = (*NOTHING, *ANSWERS)
