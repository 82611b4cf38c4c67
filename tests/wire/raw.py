"""A server below HTTP: it plays bytes, pauses, resets and silence from a raw socket."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from tests.wire.wires import Wire

__all__ = ["Raw", "listening"]

RESET, CLOSE, HOLD = "reset", "close", "hold"


@dataclass
class Raw:
    """A server that plays bytes, pauses (seconds), RESET, CLOSE and HOLD."""

    url: str = ""
    script: list[bytes | float | str] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a client closed a connection that was held."""
    keeps: bool = False
    """Whether a connection serves one request after another."""
    connections: int = 0

    def play(self, *steps: bytes | float | str) -> None:
        self.script = list(steps)

    def stream(self, wire: Wire, *steps: bytes | float | str) -> None:
        """Play a body whose end is the connection's."""
        head = b"HTTP/1.1 200 OK\r\ncontent-type: " + wire.content_type
        self.play(head + b"\r\nconnection: close\r\n\r\n", *steps)

    def chunked(self, wire: Wire, *steps: bytes | float | str) -> None:
        """Play a chunked body; an ending is the script's own affair."""
        head = b"HTTP/1.1 200 OK\r\ncontent-type: " + wire.content_type
        framed = [b"%x\r\n%s\r\n" % (len(s), s) if isinstance(s, bytes) else s for s in steps]
        self.play(head + b"\r\ntransfer-encoding: chunked\r\n\r\n", *framed)

    def respond(
        self, body: bytes, *, status: int = 200, kind: bytes = b"application/json", more: str = ""
    ) -> None:
        head = b"HTTP/1.1 %d S\r\ncontent-type: %s\r\ncontent-length: %d\r\n%s\r\n"
        self.play(head % (status, kind, len(body), more.encode()), body)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self._one(reader, writer)
            while self.keeps:
                await self._one(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            self.left.set()
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        lengths = [h for h in head.lower().split(b"\r\n") if h.startswith(b"content-length:")]
        self.heads.append(head)
        self.bodies.append(await reader.readexactly(int(lengths[0][15:]) if lengths else 0))
        self.asked.set()
        for step in self.script:
            if isinstance(step, bytes):
                writer.write(step)
                await writer.drain()
            elif isinstance(step, float):
                await asyncio.sleep(step)
            elif step == HOLD:
                while await reader.read(4096):
                    pass
                self.left.set()
            elif step == RESET:
                await asyncio.sleep(0.05)  # what was written is read first
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, linger
                )
                writer.transport.abort()


@contextlib.asynccontextmanager
async def listening(server: Raw) -> AsyncIterator[Raw]:
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, limit=2**22)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    yield server
    listener.close()
    await listener.wait_closed()
