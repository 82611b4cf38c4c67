"""What happens below HTTP, and what takes too long."""

from __future__ import annotations

from collections.abc import Callable

from multimodel_magic.limits import Patience
from tests.wire.raw import Forever, Raw, Step
from tests.wire.scenario import Scenario
from tests.wire.scenarios.statuses import twice
from tests.wire.wires import Wire

__all__ = ["SCENARIOS"]

FAILED = twice("ConnectionFailed")
STREAM = ("stream",)
CHAT = frozenset({"chat"})
HASTY = Patience(timeout_s=6, first_token_s=1.5, stall_s=1.0, retries=1, backoff_s=0.01)
ONLY_A_DEADLINE = Patience(timeout_s=4, retries=1, backoff_s=0.01)
"""What `--timeout 4s` gives: all else as it is by default."""


def steps(*played: Step) -> Callable[[Raw, Wire], None]:
    """Play these steps, whatever the wire."""
    return lambda raw, _: raw.play(*played)


def stream(*played: Step | Callable[[Wire], Step]) -> Callable[[Raw, Wire], None]:
    """Begin an answer in a stream, then play these steps."""

    def play(raw: Raw, wire: Wire) -> None:
        rest = [step(wire) if callable(step) else step for step in played]
        raw.stream(wire, *wire.start(), *rest)

    return play


def hello(wire: Wire) -> bytes:
    """Return a piece of text."""
    return wire.delta("Hello")


def drip(wire: Wire) -> Forever:
    """Return text that drips for ever."""
    return Forever(wire.delta("drip "), 0.1)


def flood(wire: Wire) -> Forever:
    """Return text that floods for ever."""
    return Forever(wire.delta("flood " * 2000))


def rude(code: int) -> Callable[[Raw, Wire], None]:
    """Answer without reading the request, and hang up."""

    def play(raw: Raw, wire: Wire) -> None:
        raw.rude = True
        raw.respond(wire.error("x"), status=code, more="connection: close\r\n")

    return play


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"

BELOW = (
    Scenario("reset", steps("reset"), FAILED, doc="a connection that is reset or closed"),
    Scenario("hangs up", steps("close"), FAILED),
    Scenario("garbage", steps(b"\x00\x01 nonsense\r\n\r\n"), FAILED, doc="no HTTP at all"),
    Scenario("another protocol", steps(b"SSH-2.0-OpenSSH_9.6\r\n"), FAILED),
    Scenario("reset within the headers", steps(HEAD, "reset"), FAILED),
    Scenario("hangs up after the headers", steps(HEAD + b"content-length: 99\r\n\r\n"), FAILED),
    Scenario("reset after the headers", steps(HEAD + b"\r\n", "reset"), FAILED),
    Scenario("a header bomb", steps(HEAD + b"x: " + b"y" * 2_000_000 + b"\r\n\r\n"), FAILED),
    Scenario("endless headers", steps(HEAD, Forever(b"x: y\r\n" * 1000)), FAILED),
    Scenario("a broken length", steps(HEAD + b"content-length: many\r\n\r\n"), FAILED),
    Scenario("two lengths",
             steps(HEAD + b"content-length: 3\r\ncontent-length: 4\r\n\r\nabcd"), FAILED),
    Scenario("a broken chunk",
             steps(HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\nabc\r\n"), FAILED),
    Scenario("answers 413 unread", rude(413), ("ContextTooLong",), prompt="x" * 2000),
    Scenario("answers 503 unread", rude(503), twice("Overloaded"), prompt="x" * 2000),
    Scenario("nobody listens", lambda raw, _: setattr(raw, "url", "http://127.0.0.1:1"), FAILED,
             unsent=True, says="127.0.0.1:1",
             doc="nobody listens, no such host"),
    Scenario("no such host", lambda raw, _: setattr(raw, "url", "http://nobody.invalid"), FAILED,
             unsent=True, says="nobody.invalid"),
)  # fmt: skip

LATE = (
    Scenario("says nothing", steps("hold"), twice("TimedOut"), patience=HASTY,
             doc="no first token in time"),
    Scenario("says nothing after the headers", steps(HEAD + b"\r\n", "hold"), twice("TimedOut"),
             patience=HASTY),
    Scenario("only keep-alives for ever",
             steps(HEAD + b"\r\n", Forever(b": ping\n\n", 0.05)), twice("TimedOut"),
             patience=HASTY, modes=STREAM, wires=frozenset({"anthropic", "chat", "responses"})),
    Scenario("headers drip for ever", steps(b"HTTP/1.1 200 OK\r\n", Forever(b"x: y\r\n", 0.05)),
             twice("TimedOut"), patience=HASTY),
    Scenario("only a begin", stream("hold"), twice("TimedOut"), patience=HASTY, modes=STREAM),
    Scenario("stalls after text", stream(hello, "hold"), ("StreamInterrupted",), patience=HASTY,
             modes=STREAM, doc="silence after text"),
    Scenario("says nothing, only a deadline", steps("hold"), ("TimedOut",),
             patience=ONLY_A_DEADLINE,
             doc="silence for half of the time that is left, another model free"),
    Scenario("stalls after text, only a deadline", stream(hello, "hold"), ("StreamInterrupted",),
             patience=ONLY_A_DEADLINE, modes=STREAM),
    Scenario("says nothing, alone", steps("hold"), ("TimedOut",), "stops", alone=True,
             patience=ONLY_A_DEADLINE, doc="the request's time is up before text"),
    Scenario("drips for ever", stream(drip), ("StreamInterrupted",), patience=HASTY,
             modes=STREAM,
             doc="a slow drip when a tenth of the time is left, another model free"),
    Scenario("drips for ever, alone", stream(drip), ("StreamInterrupted",), "stops", alone=True,
             patience=HASTY, modes=STREAM, doc="the request's time is up after text"),
    Scenario("floods for ever", stream(flood), ("StreamInterrupted",),
             patience=ONLY_A_DEADLINE, modes=STREAM, doc="a flood of text without an end"),
    Scenario("one event that never ends",
             stream(lambda _: b"data: ", lambda _: Forever(b"x" * 1_000_000)),
             twice("MalformedAnswer"), modes=STREAM, wires=CHAT),
    Scenario("a body that never ends",
             steps(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n",
                   Forever(b" " * 1_000_000)),
             twice("MalformedAnswer"), modes=("whole",), wires=CHAT),
    Scenario("an error body that never ends",
             steps(b"HTTP/1.1 500 S\r\ncontent-type: text/plain\r\n\r\n", Forever(b"x" * 9000)),
             twice("Overloaded")),
)  # fmt: skip

SCENARIOS = (*BELOW, *LATE)
