"""A server below HTTP: it plays bytes, pauses, resets and silence from a raw socket."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from tests.wire.wires import Wire

__all__ = ["Forever", "Raw", "Step", "listening"]

RESET, CLOSE, HOLD = "reset", "close", "hold"


@dataclass(frozen=True)
class Forever:
    """A step that never ends: the same bytes again and again, as fast as they are taken."""

    piece: bytes
    pause_s: float = 0.0


Step: TypeAlias = bytes | float | str | Forever


@dataclass
class Raw:
    """A server that plays bytes, pauses (seconds), RESET, CLOSE and HOLD."""

    url: str = ""
    script: list[Step] = field(default_factory=list)
    later: list[list[Step]] = field(default_factory=list)
    """What is played to the requests after the first, one each; the last one stays."""
    heads: list[bytes] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a client closed a connection that was held."""
    keeps: bool = False
    """Whether a connection serves one request after another."""
    connections: int = 0
    choose: Callable[[], None] | None = None
    """Sets the script for the request that has just been read."""
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    rude: bool = False
    """Whether it answers without reading the request's body."""

    @property
    def posts(self) -> int:
        """How many models were asked."""
        return sum(head.startswith(b"POST ") for head in self.heads)

    def then(self) -> None:
        """What is played from now on is for the next request."""
        self.later.append([])

    def play(self, *steps: Step) -> None:
        if self.later:
            self.later[-1] = list(steps)
        else:
            self.script = list(steps)

    def stream(self, wire: Wire, *steps: Step) -> None:
        """Play a body whose end is the connection's."""
        head = b"HTTP/1.1 200 OK\r\ncontent-type: " + wire.content_type
        self.play(head + b"\r\nconnection: close\r\n\r\n", *steps)

    def chunked(self, wire: Wire, *steps: Step) -> None:
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
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            await self._one(reader, writer)
            while self.keeps:
                await self._one(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            self.left.set()
        except asyncio.CancelledError:  # the server closes: nobody is to hear of it
            return
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        lengths = [h for h in head.lower().split(b"\r\n") if h.startswith(b"content-length:")]
        self.heads.append(head)
        if not self.rude:
            self.bodies.append(await reader.readexactly(int(lengths[0][15:]) if lengths else 0))
        self.asked.set()
        if self.choose is not None:
            self.choose()
        script, self.script = self.script, self.later.pop(0) if self.later else self.script
        for step in script:
            await self._do(step, reader, writer)

    async def _do(
        self, step: Step, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if isinstance(step, Forever):
            while True:
                writer.write(step.piece)
                await writer.drain()
                await asyncio.sleep(step.pause_s)
        elif isinstance(step, bytes):
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
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()


@contextlib.asynccontextmanager
async def listening(server: Raw, tls: ssl.SSLContext | None = None) -> AsyncIterator[Raw]:
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, limit=2**22, ssl=tls)
    port = listener.sockets[0].getsockname()[1]
    server.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    try:
        yield server
    finally:
        listener.close()
        await listener.wait_closed()
        for task in server.tasks:
            task.cancel()
        await asyncio.gather(*server.tasks, return_exceptions=True)
