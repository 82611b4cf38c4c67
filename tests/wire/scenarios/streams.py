"""What a server streams with status 200: answers, and where they break."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

from tests.wire.raw import Raw, Step
from tests.wire.scenario import Scenario
from tests.wire.scenarios.statuses import twice
from tests.wire.wires import Anthropic, Chat, Ollama, Responses, Wire, named, sse

__all__ = ["SCENARIOS"]

Steps = Callable[[Any], list[Step]]

SSE = frozenset({"anthropic", "chat", "responses"})
CHAT = frozenset({"chat"})
ANTHROPIC = frozenset({"anthropic"})
RESPONSES = frozenset({"responses"})
OLLAMA = frozenset({"ollama"})
NO_ANSWER = twice("MalformedAnswer")
BROKE = ("StreamInterrupted",)
LET_ARRIVE = 0.05
"""Between two writes, so that the first is read before the second comes."""
LONG = "x" * 10_000_000


def scenario(
    name: str, steps: Steps, errors: tuple[str, ...], *, how: str = "closed", **more: Any
) -> Scenario:
    """Make a scenario of a stream whose body ends with the connection, or is chunked."""

    def play(raw: Raw, wire: Wire) -> None:
        (raw.stream if how == "closed" else raw.chunked)(wire, *steps(wire))

    return Scenario(name, play, errors, modes=("stream",), **more)


def answers(name: str, steps: Steps, **more: Any) -> Scenario:
    """Make a scenario of a stream that is an answer."""
    return scenario(name, steps, (), ends="answers", **more)


def begun(wire: Wire) -> list[Step]:
    """Return the begin of an answer with text in it."""
    return [*wire.start(), wire.delta("Hel"), LET_ARRIVE]


def told(kind: str, said: str = "said") -> Callable[[Wire], bytes]:
    """Return an error event of this type."""
    data = json.dumps({"type": "error", "error": {"type": kind, "message": said}}).encode()
    return lambda wire: wire.event(data)


def split_text(wire: Wire) -> bytes:
    """Return a delta whose text holds an unescaped character of four bytes."""
    return wire.delta("aXb").replace(b"aXb", "a\U0001f30db".encode())


def each_byte(wire: Wire) -> list[Step]:
    """Return a whole answer, one byte a write."""
    data = b"".join(wire.answer("Hello"))
    return [data[i : i + 1] for i in range(len(data))]


def lines_end(end: bytes) -> Steps:
    """Return an answer whose lines end so."""
    return lambda wire: [b"".join(wire.answer("Hello")).replace(b"\n", end)]


BREAKS = (
    scenario("reset before text", lambda w: [*w.start(), "reset"], twice("ConnectionFailed"),
             how="chunked", doc="a stream that breaks before the first text"),
    scenario("end before text", lambda w: [*w.start()], NO_ANSWER, wires=SSE),
    scenario("nothing", lambda _: [], NO_ANSWER, doc="a stream without its stop event, no text"),
    scenario("only keep-alives", lambda _: [b": ping\n\n", b": ping\n\n"], NO_ANSWER, wires=SSE),
    scenario("only [DONE]", lambda w: [*w.start(), *sse(b"[DONE]")], NO_ANSWER, wires=CHAT),
    scenario("only a stop", lambda w: [*w.start(), *w.stop()], NO_ANSWER),
    scenario("only white space", lambda w: [*w.start(), w.delta(" "), w.delta("\n"), *w.stop()],
             NO_ANSWER),
    scenario("silently cut", lambda w: [*w.start(), w.delta("Hel")], BROKE,
             doc="a stream without its stop event, after text"),
    scenario("cut in chunks", begun, BROKE, how="chunked"),
    scenario("chunks end properly, no stop", lambda w: [*begun(w), b""], BROKE, how="chunked"),
    scenario("reset after text", lambda w: [*begun(w), "reset"], BROKE, how="chunked",
             doc="a stream that breaks after text"),
    scenario("cut within an event", lambda w: [*begun(w), w.delta("lo there")[:-9]], BROKE),
    scenario("cut within a character",
             lambda w: [*begun(w), split_text(w)[: split_text(w).index(b"\xf0") + 2]], BROKE),
    scenario("broken JSON first", lambda w: [*w.start(), w.event(b'{"broken'), *w.stop()],
             NO_ANSWER, doc="a broken event, before text"),
    scenario("broken JSON after text", lambda w: [*begun(w), w.event(b'{"broken'), *w.stop()],
             BROKE, doc="a broken event, after text"),
    scenario("broken UTF-8 after text",
             lambda w: [*begun(w), w.event(b'{"x": "\xff"}'), *w.stop()], BROKE),
    scenario("binary garbage after text", lambda w: [*begun(w), bytes(range(256)) * 4], BROKE),
    scenario("HTML after text", lambda w: [*begun(w), b"<html>502 Bad Gateway</html>"], BROKE),
    scenario("a broken chunk length",
             lambda w: [*begun(w), "close"], BROKE, how="chunked"),
    scenario("cut gzip", lambda w: [gzip.compress(b"".join(w.answer("Hello")))[:-30]],
             twice("MalformedAnswer"), doc="broken compression"),
)  # fmt: skip

EVENTS = (
    *(
        scenario(f"{kind} first", lambda w, kind=kind: [*w.start(), told(kind)(w)], errors,
                 wires=SSE, says="said")
        for kind, errors in {
            "overloaded_error": twice("Overloaded"),
            "rate_limit_error": ("RateLimited",),
            "server_error": twice("Overloaded"),
            "api_error": twice("Overloaded"),
            "insufficient_quota": ("QuotaExceeded",),
            "authentication_error": ("AuthenticationFailed",),
            "strange_error": NO_ANSWER,
        }.items()
    ),
    scenario("invalid_request_error first",
             lambda w: [*w.start(), told("invalid_request_error")(w)], ("BadRequest",),
             wires=SSE, ends="stops"),
    *(
        scenario(f"{kind} after text", lambda w, kind=kind: [*begun(w), told(kind)(w)], BROKE,
                 wires=SSE, says="said",
                 doc="an error event after text" if kind == "overloaded_error" else "")
        for kind in ("overloaded_error", "rate_limit_error", "server_error", "strange_error")
    ),
    scenario("an error after text", lambda w: [*begun(w), b'{"error": "llama runner crashed"}\n'],
             BROKE, wires=OLLAMA, says="llama runner crashed"),
    scenario("an error first", lambda _: [b'{"error": "llama runner crashed"}\n'], NO_ANSWER,
             wires=OLLAMA, says="llama runner crashed"),
    scenario("429 in an event", lambda w: [*w.start(), w.event(
        b'{"error": {"message": "slow down", "code": 429}}')], ("RateLimited",)),
    scenario("finished by error", lambda w: [*begun(w), w.chunk({}, "error"), *sse(b"[DONE]")],
             BROKE, wires=CHAT),
    scenario("filtered after text", lambda w: [*begun(w), *w.stop("content_filter")],
             ("ContentFiltered",), wires=CHAT | RESPONSES,
             doc="a refusal or a filter after text"),
    scenario("refused after text", lambda w: [*begun(w), *w.stop("refusal")],
             ("ContentFiltered",), wires=ANTHROPIC),
    scenario("a refusal", lambda w: [w.chunk({"refusal": "No."}), *w.stop()],
             ("ContentFiltered",), wires=CHAT, says="No."),
    scenario("failed", lambda w: [*w.start(), *named(
        {"type": "response.failed", "response": {"error": {"code": "server_error"}}})],
        twice("Overloaded"), wires=RESPONSES),
    scenario("a flat error event", lambda w: [*w.start(), *named(
        {"type": "error", "code": "rate_limit_exceeded", "message": "slow down"})],
        ("RateLimited",), wires=RESPONSES),
)  # fmt: skip


def after_the_stop(wire: Wire) -> list[Step]:
    """Return an answer with ghosts behind it."""
    return [*wire.answer("Hello"), wire.delta(" ghost"), *wire.stop(), wire.event(b'{"broken')]


def between(wire: Chat) -> list[Step]:
    """Return an answer with a ghost between its finish reason and its usage."""
    finish, *rest = wire.stop()
    return [*wire.start(), wire.delta("Hello"), finish, wire.delta(" ghost"), *rest]


def busy(wire: Wire) -> list[Step]:
    """Return an answer among comments, ids, retries and kinds that nobody knows."""
    noise = b': keep-alive\n\nid: 7\nretry: 10\n\nevent: ping\ndata: {"type": "ping"}\n\n'
    strange = b'event: new.kind\ndata: {"type": "new.kind", "choices": [], "x": [1]}\n\n'
    return [part for one in wire.answer("Hello") for part in (noise, strange, one)]


def numbered(wire: Responses) -> list[Step]:
    """Return an answer whose events come twice, as their numbers say."""
    said = {"type": "response.output_text.delta", "delta": "Hello", "sequence_number": 4}
    return [*wire.start(), *named(said, said), *wire.stop()]


def many_lines(wire: Wire) -> list[Step]:
    """Return an answer with its JSON over several data lines."""
    parts = [one for part in wire.answer("Hello") for one in part.split(b"\n\n") if one]

    def wide(part: bytes) -> bytes:
        data = part.rpartition(b"data: ")[2]
        if data.startswith(b"[DONE"):
            return b"data:[DONE]\n\n"
        lines = json.dumps(json.loads(data), indent=1).split("\n")
        return b"".join(b"data:" + line.encode() + b"\n" for line in lines) + b"\n"

    return [wide(part) for part in parts]


def messy(wire: Chat) -> list[Step]:
    """Return a stream as compatible servers send it: null deltas, two choices, empty choices."""
    second = {"index": 1, "delta": {"content": "second"}, "finish_reason": None}
    nulls = {"index": 0, "delta": None, "finish_reason": None}
    return [
        *sse({"choices": [], "prompt_filter_results": []}, {"choices": None}),
        *sse({"choices": [nulls]}, {"choices": [second]}, {"id": "x", "model": None}),
        *wire.start(), wire.delta("Hel"), *sse({"choices": [second]}), wire.delta("lo"),
        *wire.stop(),
    ]  # fmt: skip


def thinking(wire: Chat) -> list[Step]:
    """Return an answer after reasoning."""
    return [wire.chunk({"reasoning_content": "Hmm"}), wire.chunk({"content": None}),
            wire.delta("Hello"), *wire.stop()]  # fmt: skip


def tool(wire: Chat) -> list[Step]:
    """Return a call of a tool and nothing else."""
    call = {"index": 0, "id": "1", "function": {"name": "f", "arguments": "{}"}}
    return [wire.chunk({"role": "assistant", "content": None, "tool_calls": [call]}), *wire.stop()]


def usage_of(usage: object) -> Steps:
    """Return an answer with this for its usage."""

    def steps(wire: Any) -> list[Step]:
        last = sse({"choices": [], "usage": usage}, b"[DONE]")
        return [*wire.start(), wire.delta("Hello"), wire.chunk({}, "stop"), *last]

    return steps


ANSWERS = (
    answers("an answer", lambda w: w.answer("Hello")),
    answers("a byte at a time", each_byte),
    answers("CRLF", lines_end(b"\r\n")),
    answers("CR", lines_end(b"\r"), wires=SSE),
    answers("CRLF, a byte at a time",
            lambda w: [bytes([b]) for b in b"".join(w.answer("Hello")).replace(b"\n", b"\r\n")]),
    answers("byte order mark", lambda w: [b"\xef\xbb\xbf", *w.answer("Hello")]),
    answers("comments and unknown kinds", busy, wires=SSE),
    answers("data over many lines", many_lines, wires=SSE),
    answers("after blank lines", lambda w: [b"\n\n\n", *w.answer("Hello")]),
    answers("no blank line at the end", lambda w: [b"".join(w.answer("Hello")).rstrip(b"\n")]),
    answers("events after the stop", after_the_stop, doc="events after the stop event"),
    answers("text between finish and usage", between, wires=CHAT),
    answers("duplicate stop", lambda w: [*w.answer("Hello"), *w.stop(), *w.stop()]),
    answers("duplicate events", numbered, wires=RESPONSES),
    answers("socket open after the stop", lambda w: [*w.answer("Hello"), "hold"],
            doc="the stop event, the socket left open"),
    answers("reset after the stop", lambda w: [*w.answer("Hello"), "reset"], how="chunked"),
    answers("chunks cut after the stop", lambda w: w.answer("Hello"), how="chunked"),
    answers("an error after the stop", lambda w: [*w.answer("Hello"), told("api_error")(w)]),
    answers("10 MB in one event", lambda w: w.answer(LONG), text=LONG),
    answers("an answer in gzip", lambda w: w.answer("Hello")),
    answers("no usage, no [DONE]", lambda w: [*w.start(), w.delta("Hello"), w.chunk({}, "stop")],
            wires=CHAT),
    answers("[DONE] alone ends it", lambda w: [*w.start(), w.delta("Hello"), *sse(b"[DONE]")],
            wires=CHAT),
    answers("no message_stop",
            lambda w: [*w.start(), w.delta("Hello"), w.stop()[0]], wires=ANTHROPIC),
    answers("messy choices", messy, wires=CHAT),
    answers("reasoning, then text", thinking, wires=CHAT),
    answers("a tool", tool, wires=CHAT, text=""),
    answers("nothing for its length", lambda w: [*w.start(), *w.stop(w.length)], text=""),
    answers("cut by its length", lambda w: [*w.start(), w.delta("Hello"), *w.stop(w.length)]),
    answers("the last line without a message",
            lambda w: [w.delta("Hello"), b'{"model": "m", "done": true, "done_reason": "stop"}\n'],
            wires=OLLAMA),
    *(
        answers(f"usage {json.dumps(usage)}", usage_of(usage), wires=CHAT)
        for usage in (None, {}, [], "many", {"prompt_tokens": "25", "completion_tokens": "9"})
    ),
)  # fmt: skip

SCENARIOS = (*BREAKS, *EVENTS, *ANSWERS)
_ = Anthropic, Ollama  # their names stand in the types of the table
