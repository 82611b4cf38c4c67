"""How the bytes of an answer are cut into the bytes of whole JSON documents."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

__all__ = ["BOM", "Frames", "Lines", "ServerEvents"]

MAX_EVENT_BYTES = 32 * 1024 * 1024
"""No event is as long: a server that sends one is broken, and memory ends before its flood."""

BOM = b"\xef\xbb\xbf"


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
