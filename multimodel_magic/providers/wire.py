"""How an answer is read off the wire: bytes to events, events to text, usage and a stop.

The SDKs build, sign and send the requests; the answers are parsed here. Per chunk openai's
`create(stream=True)` costs 106 us CPU and anthropic's 33, most of it pydantic models; reading
them here costs 21 and 19, of which the bytes alone are 13. It is also stricter: a stream without
its stop event, broken JSON, broken UTF-8 and HTML are errors, which the SDKs let pass as answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from multimodel_magic.errors import (
    ContentFiltered,
    MalformedAnswer,
    MultimodelError,
    StreamInterrupted,
)
from multimodel_magic.providers.faults import Place, from_body
from multimodel_magic.providers.logprobs import Logprobs
from multimodel_magic.types import ProviderEvent, Stopped, TextDelta, Usage

if TYPE_CHECKING:
    import httpx2

__all__ = [
    "Frames",
    "Json",
    "Lines",
    "Reading",
    "ServerEvents",
    "read",
    "tokens",
    "word",
]

Json: TypeAlias = dict[str, Any]

LATE_USAGE_S = 0.25
"""How long usage may come after the stop: OpenAI's stands in the next chunk, in the same packet
as a rule; servers that never send it must not hold the answer back for longer than an eye-blink."""

LINGER_S = 0.02
"""How long a complete answer waits for the end of its body. A body read to its end gives its
connection back to the pool; a socket left open costs no more than this."""

MOST_TOKENS = 1_000_000_000
"""No context window comes near it: a greater count is none."""

MOST_WORD = 200
"""Characters of a name or a stop reason: they are shown and kept."""

MOST_SEEN = 2000
"""Bytes that are looked through for keys where 60 characters are shown."""

MAX_EVENT_BYTES = 32 * 1024 * 1024
MAX_BODY_BYTES = 64 * 1024 * 1024
MAX_TEXT = 64 * 1024 * 1024
"""No model writes as much: a server that does is broken, and memory ends before its flood."""

BOM = b"\xef\xbb\xbf"

EXPLAINS_SILENCE = frozenset(
    {
        "length",
        "max_tokens",
        "max_output_tokens",
        "model_context_window_exceeded",
        "pause_turn",
        "stop_sequence",
        "tool_use",
        "tool_calls",
        "function_call",
        "load",
    }
)
"""Stop reasons with which an answer may be empty."""

FILTERS = frozenset(
    {
        "blocklist",
        "content_filter",
        "content_filtered",
        "guardrail_intervened",
        "prohibited_content",
        "recitation",
        "refusal",
        "safety",
        "sensitive",
        "spii",
    }
)
"""Stop reasons of a refusal, in the words of vendors and of those who speak their wires."""

FAULTS = frozenset(
    {
        "abort",
        "aborted",
        "canceled",
        "cancelled",
        "error",
        "failed",
        "in_progress",
        "insufficient_system_resource",
        "network_error",
        "queued",
    }
)
"""Stop reasons that say that the answer is not whole."""

WRONG_SHAPE = (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError)
"""What reading something that is no answer raises; JSON and Unicode errors are ValueErrors, and
JSON of 100,000 brackets is a RecursionError."""


class Frames(Protocol):
    """Cuts a stream of bytes into the bytes of whole JSON documents."""

    def feed(self, chunk: bytes) -> Iterable[bytes]:
        """Take the next bytes and return the documents that are now whole."""
        ...

    def flush(self) -> Iterable[bytes]:
        """Return what stands at the end of the body without its end mark."""
        ...

    def fits(self, begin: bytes) -> bool:
        """Whether a body that begins so is a stream of such events, whatever its type says."""
        ...


class Lines:
    r"""Newline-delimited JSON (Ollama).

    Examples
    --------
    >>> lines = Lines()
    >>> lines.feed(b'{"a":1}\n{"b"'), lines.feed(b':2}\n'), lines.flush()
    ([b'{"a":1}'], [b'{"b":2}'], [])
    """

    def __init__(self) -> None:
        self._rest = Rest(b"\n")

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take the next bytes and return the lines that are now whole."""
        return [line for line in self._rest.split(chunk) if line.strip()]

    def flush(self) -> list[bytes]:
        """Return the last line, if it lacks its newline."""
        rest = self._rest.take()
        return [rest] if rest.strip() else []

    def fits(self, begin: bytes) -> bool:  # noqa: ARG002 - an answer in one piece is one line
        """Say yes: an answer in one piece has the shape of a last line."""
        return True


class ServerEvents:
    r"""Server-sent events, of which only the data matters: every wire repeats the type in it.

    Lines may end in LF, CR or CRLF and be cut anywhere, within a character too (WHATWG HTML,
    section 9.2.6).

    Examples
    --------
    >>> events = ServerEvents()
    >>> events.feed(b"event: x\ndata: 1\n\n: ping\n\nda"), events.feed(b"ta: 2\r\n\r\n")
    ([b'1'], [b'2'])
    """

    def __init__(self) -> None:
        self._rest = Rest(b"\n\n")
        self._after_cr = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take the next bytes and return the data of the events that are now whole."""
        if self._after_cr:  # a newline that belongs to a CR which has counted already
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = not chunk
        if b"\r" in chunk:
            self._after_cr = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return [data for block in self._rest.split(chunk) if (data := _data(block))]

    def flush(self) -> list[bytes]:
        """Return the data of an event that lacks its blank line."""
        data = _data(self._rest.take())
        return [data] if data else []

    def fits(self, begin: bytes) -> bool:
        """Say no where a JSON document begins: no field of an event does."""
        return begin[:1] not in {b"{", b"["}


class Rest:
    """What came after the last mark; no byte is looked at twice, however long the mark stays away.

    Parameters
    ----------
    mark
        What ends a piece.
    """

    def __init__(self, mark: bytes) -> None:
        self._mark = mark
        self._held = bytearray()

    def split(self, chunk: bytes) -> list[bytes]:
        """Take the next bytes and return the pieces that are now whole."""
        held = self._held
        if not held:
            *pieces, rest = chunk.split(self._mark)
        else:
            begin = max(0, len(held) - len(self._mark) + 1)
            held += chunk
            if held.find(self._mark, begin) < 0:
                _refuse_huge(len(held))
                return []
            *pieces, rest = self.take().split(self._mark)
        self._held += rest
        _refuse_huge(len(rest))
        return pieces

    def take(self) -> bytes:
        """Return what is held and hold nothing."""
        held, self._held = bytes(self._held), bytearray()
        return held


def _data(block: bytes) -> bytes:
    if block.startswith(b"data: ") and b"\n" not in block:
        return block[6:]
    fields = (line.partition(b":") for line in block.removeprefix(BOM).split(b"\n"))
    return b"\n".join(value.removeprefix(b" ") for name, _, value in fields if name == b"data")


def _refuse_huge(length: int) -> None:
    if length > MAX_EVENT_BYTES:
        raise ValueError(f"an event of more than {MAX_EVENT_BYTES} bytes")


def parse(data: bytes | bytearray) -> Json:
    """Parse one JSON object; `ValueError` for anything else, broken UTF-8 included."""
    value = json.loads(data.decode())
    if not isinstance(value, dict):
        raise TypeError("JSON, but no object")
    return value


def tokens(usage: Json | None, *path: str) -> int | None:
    """Return a count out of a usage object, None where the vendor did not say.

    Examples
    --------
    >>> tokens({"details": {"cached": 3}}, "details", "cached"), tokens({}, "details", "cached")
    (3, None)
    >>> tokens({"n": True}, "n"), tokens({"n": -1}, "n"), tokens({"n": 10**10}, "n")
    (None, None, None)
    """
    value: object = usage
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    # A bool is an int, and a server may send whatever it likes: money is made of this.
    return value if type(value) is int and 0 <= value <= MOST_TOKENS else None


def word(value: object) -> str | None:
    """Return a name out of an answer, None where it is none; it is shown and kept.

    Examples
    --------
    >>> word("m-1"), word(["m-1"]), word(7)
    ('m-1', None, None)
    """
    return value[:MOST_WORD] if isinstance(value, str) else None


class Reading:
    """What has been read of one answer; each wire says how its events are to be taken.

    Parameters
    ----------
    place
        Whom was asked, for errors.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self.pieces: list[str] = []
        self.usage = Usage()
        self.stop_reason: str | None = None
        self.response_model: str | None = None
        self.response_id: str | None = None
        self.stopped = False
        """The stop event has come: the answer is whole, though its usage may follow."""
        self.complete = False
        """Nothing more is to come."""
        self.refused = False
        self.refusal: list[str] = []
        self.called = False
        """The model called a tool: an answer may be empty then."""
        self.begun = False
        """Text has been handed out."""
        self.blank = True
        """No text has come but white space."""
        self.length = 0
        """Characters that have come."""
        self.logprobs = Logprobs()
        self._told = self.usage
        self._high = ""

    def take(self, event: Json) -> None:
        """Take one event of a stream."""
        raise NotImplementedError

    def take_whole(self, body: Json) -> None:
        """Take an answer that came in one piece."""
        raise NotImplementedError

    def take_data(self, data: bytes) -> None:
        """Take one event as it came."""
        self.take(parse(data))

    def stop(self, reason: object) -> None:
        """Note the stop event and its reason, in the vendor's word."""
        known = word(reason)
        if known and known.lower() in FAULTS:
            raise self.broken(f"it stopped by {known!r}")
        self.stopped = True
        self.stop_reason = known or self.stop_reason
        self.refused = self.refused or (known or "").lower() in FILTERS

    def text(self) -> str:
        """Return the text that came since the last call, and mark that it is handed out."""
        text = self._high + "".join(self.pieces)
        self.pieces.clear()
        self._high = ""
        if not text.isascii():
            text = self._mended(text)
        self.begun = self.begun or bool(text)
        self.blank = self.blank and (not text or text.isspace())
        self.length += len(text)
        if self.length > MAX_TEXT:
            raise self.broken(f"more than {MAX_TEXT} characters")
        return text

    def _mended(self, text: str) -> str:
        """Join surrogate pairs that a server cut between two events; a lone one becomes U+FFFD."""
        try:
            text.encode()
        except UnicodeEncodeError:
            if not self.stopped and "\ud800" <= text[-1] <= "\udbff":
                text, self._high = text[:-1], text[-1]
            return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return text

    def fault(self, body: Json) -> MultimodelError:
        """Return the error for an error event or body."""
        return self.softened(from_body(self.place, body))

    def softened(self, error: MultimodelError) -> MultimodelError:
        """Return the error itself, or `StreamInterrupted` where text had been handed out."""
        if not self.begun or isinstance(error, ContentFiltered | StreamInterrupted):
            return error
        return StreamInterrupted(f"{self.place.name} broke off after text had come: {error}")

    def broken(self, what: str) -> MultimodelError:
        """Return the error for something that is no answer."""
        return self.softened(MalformedAnswer(f"{self.place.name}: {what}"))

    def news(self) -> list[ProviderEvent]:
        """Return what came since the last call, as events: text, and usage while it streams."""
        events: list[ProviderEvent] = []
        if self.pieces and (text := self.text()):
            events.append(TextDelta(text))
        if self.usage is not self._told and not self.stopped:
            self._told = self.usage
            events.append(self.usage)
        return events

    def last_words(self) -> list[ProviderEvent]:
        """Return the events that end a whole answer; raise where there is none."""
        text = self.text()
        if error := self.verdict():
            raise error
        end: list[ProviderEvent] = [TextDelta(text)] if text else []
        stopped = Stopped(
            self.stop_reason, self.response_model, self.response_id, self.logprobs.mean
        )
        return [*end, self.usage, stopped]

    def verdict(self) -> MultimodelError | None:
        """Say why what was read is no answer, or None."""
        if self.refused:
            why = self.place.scrub("".join(self.refusal)) or self.stop_reason or "no reason given"
            return ContentFiltered(f"{self.place.name} refused to answer: {why}")
        if self.blank and not self.called and self.stop_reason not in EXPLAINS_SILENCE:
            what = "an empty answer without a stop reason that explains it"
            return MalformedAnswer(f"{self.place.name}: {what}")
        return None


async def read(
    response: httpx2.Response, reading: Reading, frames: Frames, *, whole: bool
) -> AsyncGenerator[ProviderEvent, None]:
    """Read one answer: text and usage as they come, and `Stopped` once it is whole.

    Parameters
    ----------
    response
        An open response with status 200; the caller closes it.
    reading, frames
        How this wire's events are taken and cut out of the bytes.
    whole
        Whether the answer comes in one piece instead of in events. Where its first byte says so,
        it is read as one all the same: content types are often wrong.

    Raises
    ------
    MalformedAnswer
        For what is no answer, as long as no text had come.
    StreamInterrupted
        For the same afterwards.
    ContentFiltered
        For a refusal, whenever it comes.
    """
    async with contextlib.aclosing(response.aiter_bytes()) as chunks:
        chunk: bytes | None = await _begin(chunks, reading)
        if whole or (chunk and not frames.fits(chunk)):
            _take_whole(reading, await _body(chunks, reading, bytearray(chunk or b"")))
        else:
            while chunk:
                _take(reading, frames.feed, chunk)
                for event in reading.news():
                    yield event
                if reading.stopped:
                    break
                chunk = await anext(chunks, None)
            if not reading.stopped:
                _take_end(reading, frames)
        await _linger(chunks, reading, frames)
    for event in reading.last_words():
        yield event


async def _begin(chunks: AsyncGenerator[bytes, None], reading: Reading) -> bytes:
    """Return the first bytes that say something; blank lines and byte order marks do not."""
    begin, skipped = b"", 0
    async for chunk in chunks:
        begin += chunk
        skipped += len(chunk)
        if skipped > MAX_BODY_BYTES:
            raise reading.broken("nothing but white space")
        begin = (begin[3:] if begin.startswith(BOM) else begin).lstrip()
        if begin and not BOM.startswith(begin):
            break
    if begin.startswith(b"<"):
        raise reading.broken("a page of HTML")
    return begin


async def _body(
    chunks: AsyncGenerator[bytes, None], reading: Reading, data: bytearray
) -> bytes | bytearray:
    """Return the body; a document that is whole needs no end, should the socket stay open."""
    looked = 0
    while not (_may_end(data) and len(data) >= 2 * looked and _is_document(data)):
        looked = len(data) if _may_end(data) else looked
        chunk = await anext(chunks, None)
        if chunk is None:
            break
        data += chunk
        if len(data) > MAX_BODY_BYTES:
            raise reading.broken(f"more than {MAX_BODY_BYTES} bytes")
    return data


def _may_end(data: bytearray) -> bool:
    return data[-8:].rstrip().endswith(b"}")


def _is_document(data: bytearray) -> bool:
    try:
        parse(data)
    except WRONG_SHAPE:
        return False
    return True


def _take_whole(reading: Reading, data: bytes | bytearray) -> None:
    try:
        body = parse(data)
        if body.get("error"):
            raise reading.fault(body)
        reading.take_whole(body)
    except WRONG_SHAPE as error:
        raise reading.broken(f"no answer in what came: {_glimpse(reading, data)}") from error
    reading.stopped = reading.complete = True


def _take(reading: Reading, cut: Callable[[bytes], Iterable[bytes]], chunk: bytes) -> None:
    try:
        for data in cut(chunk):
            reading.take_data(data)
            if reading.complete:
                return
    except (*WRONG_SHAPE, MultimodelError) as error:
        if reading.stopped:  # the answer is whole: nothing after it can harm it
            reading.complete = True
        elif isinstance(error, MultimodelError):
            raise
        else:
            raise reading.broken(f"a malformed chunk: {_glimpse(reading, chunk)}") from error


def _take_end(reading: Reading, frames: Frames) -> None:
    _take(reading, lambda _: frames.flush(), b"")
    if not reading.stopped:
        raise reading.broken("the stream ended without its stop event")


async def _linger(chunks: AsyncGenerator[bytes, None], reading: Reading, frames: Frames) -> None:
    """Wait a moment for late usage and for the end of the body; nothing here fails an answer."""
    import httpx2

    with contextlib.suppress(TimeoutError, httpx2.HTTPError, MultimodelError):
        if not reading.complete:
            async with asyncio.timeout(LATE_USAGE_S):
                async for chunk in chunks:
                    _take(reading, frames.feed, chunk)
                    if reading.complete:
                        break
        async with asyncio.timeout(LINGER_S):
            async for _ in chunks:
                continue


def _glimpse(reading: Reading, data: bytes | bytearray) -> str:
    """Show how something that is no answer begins; a key is cut out before the rest is cut off."""
    begin = reading.place.scrub(data[:MOST_SEEN].decode("utf-8", "replace"))
    return repr(begin[:60]) if begin else "nothing"
