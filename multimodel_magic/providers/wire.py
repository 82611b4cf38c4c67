"""How an answer is read off the wire: events to text, usage and a stop.

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
from typing import TYPE_CHECKING, Any, TypeAlias

from multimodel_magic.errors import (
    ContentFiltered,
    MalformedAnswer,
    MultimodelError,
    StreamInterrupted,
)
from multimodel_magic.providers.faults import Place, from_body
from multimodel_magic.providers.frames import BOM, Frames
from multimodel_magic.providers.logprobs import Logprobs
from multimodel_magic.types import ProviderEvent, Stopped, TextDelta, Usage

if TYPE_CHECKING:
    import httpx2

__all__ = [
    "Json",
    "Reading",
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

MAX_BODY_BYTES = 64 * 1024 * 1024
MAX_TEXT = 64 * 1024 * 1024
"""No model writes as much: a server that does is broken, and memory ends before its flood."""

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
