"""What breaks on the four wires, from below HTTP up to status codes."""
# ruff: noqa: FBT001, PLR0917 - pytest passes parameters by name

from __future__ import annotations

import asyncio
import gzip
import json
import pickle
import traceback
from typing import Any

import pytest

from multimodel_magic import errors
from multimodel_magic.errors import (
    AuthenticationFailed,
    BadRequest,
    ConnectionFailed,
    ContentFiltered,
    ContextTooLong,
    MalformedAnswer,
    ModelNotFound,
    MultimodelError,
    Overloaded,
    QuotaExceeded,
    RateLimited,
    StreamInterrupted,
    TimedOut,
)
from multimodel_magic.types import Request

CANARY = "sk-canary-0123456789abcdef"
STREAMED = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])


@pytest.mark.parametrize("how", ["reset", "close", "garbage"])
@STREAMED
async def test_a_connection_that_breaks_before_an_answer_failed(
    wire: Any, raw: Any, ask: Any, how: str, stream: bool
) -> None:
    raw.play({"garbage": b"\x00\x01 nonsense\r\n\r\n"}.get(how, how))
    with pytest.raises(ConnectionFailed):
        await ask(wire.provider(raw.url), Request("hi", stream=stream))


@STREAMED
async def test_nobody_listens(wire: Any, ask: Any, stream: bool) -> None:
    with pytest.raises(ConnectionFailed, match=r"127\.0\.0\.1:1"):
        await ask(wire.provider("http://127.0.0.1:1"), Request("hi", stream=stream))


@pytest.mark.parametrize("how", ["reset", "close"])
async def test_a_stream_that_breaks_after_text_was_interrupted(
    wire: Any, raw: Any, ask: Any, new_answer: Any, how: str
) -> None:
    raw.chunked(wire, *wire.start(), wire.delta("Hello"), how)
    got = new_answer()
    with pytest.raises(StreamInterrupted):
        await ask(wire.provider(raw.url), Request("hi"), into=got)
    assert (got.text, got.stops) == ("Hello", [])


async def test_a_stream_that_breaks_before_text_is_retryable(wire: Any, raw: Any, ask: Any) -> None:
    raw.chunked(wire, *wire.start(), "reset")
    with pytest.raises(errors.Retryable):
        await ask(wire.provider(raw.url), Request("hi"))


async def test_a_silently_truncated_stream_is_no_answer(wire: Any, raw: Any, ask: Any) -> None:
    raw.stream(wire, *wire.start(), wire.delta("Hello"))
    with pytest.raises(StreamInterrupted, match="ended without its stop event"):
        await ask(wire.provider(raw.url), Request("hi"))


async def test_an_empty_stream_is_no_answer(wire: Any, raw: Any, ask: Any) -> None:
    raw.stream(wire)
    with pytest.raises(MalformedAnswer, match="stop event"):
        await ask(wire.provider(raw.url), Request("hi"))


@STREAMED
async def test_empty_content_without_a_reason_is_no_answer(
    wire: Any, raw: Any, ask: Any, stream: bool
) -> None:
    if stream:
        raw.stream(wire, *wire.start(), *wire.stop())
    else:
        raw.respond(wire.whole(""))
    with pytest.raises(MalformedAnswer, match="empty answer"):
        await ask(wire.provider(raw.url), Request("hi", stream=stream))


@STREAMED
async def test_html_with_200_is_no_answer(wire: Any, raw: Any, ask: Any, stream: bool) -> None:
    raw.respond(b"<html><body>Sign in</body></html>", kind=b"text/html")
    with pytest.raises(MalformedAnswer):
        await ask(wire.provider(raw.url), Request("hi", stream=stream))


@STREAMED
async def test_an_error_body_with_200_is_no_answer(
    wire: Any, raw: Any, ask: Any, stream: bool
) -> None:
    raw.respond(b'{"error": {"message": "who knows"}}')
    with pytest.raises(MalformedAnswer, match="who knows"):
        await ask(wire.provider(raw.url), Request("hi", stream=stream))


@pytest.mark.parametrize(
    "body",
    [b'{"id": "x", "choi', b"null", b"[]", b'{"hello": 1}', b'{"content": "\xff"}', b""],
    ids=["cut", "null", "list", "strange", "utf-8", "nothing"],
)
async def test_what_is_no_answer_in_one_piece(wire: Any, raw: Any, ask: Any, body: bytes) -> None:
    raw.respond(body)
    with pytest.raises(MalformedAnswer):
        await ask(wire.provider(raw.url), Request("hi", stream=False))


@pytest.mark.parametrize("bad", [b'data: {"broken\n\n', b'data: {"x": "\xff"}\n\n', b"data: 7\n\n"])
@pytest.mark.parametrize("text", ["", "Hello"])
async def test_a_malformed_chunk_is_no_answer(
    wire: Any, raw: Any, ask: Any, bad: bytes, text: str
) -> None:
    chunk = bad[6:-1] if wire.name == "ollama" else bad
    begin = [wire.delta(text), 0.05] if text else []
    raw.stream(wire, *wire.start(), *begin, chunk, *wire.stop())
    with pytest.raises(StreamInterrupted if text else MalformedAnswer):
        await ask(wire.provider(raw.url), Request("hi"))


@STREAMED
async def test_broken_compression_is_no_answer(wire: Any, raw: Any, ask: Any, stream: bool) -> None:
    raw.respond(b"\x1f\x8bnot gzip at all", more="content-encoding: gzip\r\n")
    with pytest.raises(errors.Retryable):
        await ask(wire.provider(raw.url), Request("hi", stream=stream))


async def test_good_compression_is_an_answer(wire: Any, raw: Any, ask: Any) -> None:
    body = gzip.compress(b"".join(wire.answer("Hello")))
    raw.respond(body, kind=wire.content_type, more="content-encoding: gzip\r\n")
    assert (await ask(wire.provider(raw.url), Request("hi"))).text == "Hello"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_to_another_origin_is_refused(
    wire: Any, raw: Any, elsewhere: Any, ask: Any, status: int
) -> None:
    raw.respond(b"", status=status, more=f"location: {elsewhere.url}/steal?token=hidden\r\n")
    with pytest.raises(ConnectionFailed, match="redirects") as caught:
        await ask(wire.provider(raw.url), Request("hi"))
    assert elsewhere.heads == []
    assert "hidden" not in str(caught.value)


@STREAMED
async def test_silence_times_out(wire: Any, raw: Any, ask: Any, stream: bool) -> None:
    raw.play("hold")
    with pytest.raises(TimedOut):
        await ask(wire.provider(raw.url, timeout=0.2), Request("hi", stream=stream))


async def test_a_stall_after_text_was_interrupted(wire: Any, raw: Any, ask: Any) -> None:
    raw.chunked(wire, *wire.start(), wire.delta("Hello"), "hold")
    with pytest.raises(StreamInterrupted):
        await ask(wire.provider(raw.url, timeout=0.2), Request("hi"))
    await asyncio.wait_for(raw.left.wait(), 1)


STATUSES = [
    (400, "", BadRequest),
    (401, "", AuthenticationFailed),
    (402, "", AuthenticationFailed),
    (403, "", AuthenticationFailed),
    (404, "", ModelNotFound),
    (408, "", TimedOut),
    (413, "", ContextTooLong),
    (422, "", BadRequest),
    (429, "", RateLimited),
    (429, "insufficient_quota", QuotaExceeded),
    (400, "context_length_exceeded", ContextTooLong),
    (400, "exceed_context_size_error", ContextTooLong),
    (400, "content_policy_violation", ContentFiltered),
    (500, "", Overloaded),
    (502, "", Overloaded),
    (503, "", Overloaded),
    (504, "", Overloaded),
    (529, "", Overloaded),
]


@pytest.mark.parametrize(("status", "kind", "expected"), STATUSES)
@STREAMED
async def test_a_status_is_translated_with_its_cause(
    wire: Any,
    raw: Any,
    ask: Any,
    stream: bool,
    status: int,
    kind: str,
    expected: type[MultimodelError],
) -> None:
    body = {"error": {"type": kind or "some_error", "message": f"said {kind}"}}
    raw.respond(json.dumps(body).encode(), status=status)
    with pytest.raises(expected, match=str(status)) as caught:
        await ask(wire.provider(raw.url), Request("hi", stream=stream))
    assert type(caught.value) is expected
    assert caught.value.__cause__ is not None
    assert len(raw.bodies) == 1, "one layer retries, and it is not this one"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("retry-after: 7", 7.0),
        ("retry-after-ms: 1500", 1.5),
        ("retry-after: Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("retry-after: soon", None),
    ],
)
async def test_retry_after_is_kept(
    wire: Any, raw: Any, ask: Any, header: str, expected: float | None
) -> None:
    raw.respond(wire.error("rate_limit_error"), status=429, more=f"{header}\r\n")
    with pytest.raises(RateLimited) as caught:
        await ask(wire.provider(raw.url), Request("hi"))
    assert caught.value.retry_after_s == expected


async def test_an_hour_to_wait_is_a_spent_quota(wire: Any, raw: Any, ask: Any) -> None:
    raw.respond(wire.error("rate_limit_error"), status=429, more="retry-after: 3600\r\n")
    with pytest.raises(QuotaExceeded, match="3600"):
        await ask(wire.provider(raw.url), Request("hi"))


async def test_an_html_error_page_says_nothing_but_its_status(
    wire: Any, raw: Any, ask: Any
) -> None:
    raw.respond(b"<html>" + b"x" * 5000, status=502, kind=b"text/html")
    with pytest.raises(Overloaded) as caught:
        await ask(wire.provider(raw.url), Request("hi"))
    assert "html" not in str(caught.value)


EVENTS = [("overloaded_error", Overloaded), ("rate_limit_error", RateLimited)]


@pytest.mark.parametrize(("kind", "expected"), EVENTS)
@pytest.mark.parametrize("text", ["", "Hello"])
async def test_an_error_event_is_translated(
    wire: Any, raw: Any, ask: Any, kind: str, expected: type[MultimodelError], text: str
) -> None:
    body = {"type": "error", "error": {"type": kind, "message": "said"}}
    line = json.dumps(body).encode()
    event = line + b"\n" if wire.name == "ollama" else b"event: error\ndata: " + line + b"\n\n"
    begin = [wire.delta(text), 0.05] if text else []
    raw.stream(wire, *wire.start(), *begin, event)
    with pytest.raises(StreamInterrupted if text else expected, match="said"):
        await ask(wire.provider(raw.url), Request("hi"))


async def test_the_key_shows_nowhere_even_if_the_server_echoes_it(
    wire: Any, raw: Any, ask: Any
) -> None:
    told = {"error": {"message": f"Incorrect API key provided: {CANARY}, {CANARY[:8]}***cdef"}}
    raw.respond(json.dumps(told).encode(), status=401)
    provider = wire.provider(raw.url)
    with pytest.raises(AuthenticationFailed) as caught:
        await ask(provider, Request("hi"))
    shown = "".join(traceback.format_exception(caught.value)) + repr(provider) + str(caught.value)
    assert CANARY not in shown
    assert CANARY[:8] not in str(caught.value)
    assert CANARY.encode() in raw.heads[0], "the canary was sent as the key"
    assert CANARY.encode() not in pickle.dumps(provider.secret)


async def test_a_lone_surrogate_in_the_prompt_is_the_users_bug(
    wire: Any, raw: Any, ask: Any
) -> None:
    with pytest.raises(BadRequest):
        await ask(wire.provider(raw.url), Request("\ud800"))
    assert raw.bodies == []


@pytest.mark.parametrize("fault", ["status", "cut", "reset", "stall"])
async def test_a_failed_request_gives_its_connection_back_or_closes_it(
    wire: Any, raw: Any, ask: Any, fault: str
) -> None:
    if fault == "status":
        raw.respond(b"{}", status=503)
    elif fault == "cut":
        raw.stream(wire, wire.delta("Hello"))
    else:
        raw.play("reset" if fault == "reset" else "hold")
    provider = wire.provider(raw.url, timeout=0.2)
    with pytest.raises(MultimodelError):
        await ask(provider, Request("hi"))
    connections = (await provider._pools.client())._transport
    assert connections._open == {one for _, one in connections._resting}
