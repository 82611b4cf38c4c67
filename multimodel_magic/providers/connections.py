"""httpcore2's connections, each lent to one request at a time: a transport for httpx2.

The transport of httpx2 keeps them in a pool that looks through all of them whenever a request
begins or ends, and asks the idle ones whether they are still alive. Here only the one that is
taken is asked. CPU of a bare httpx2 client per request, with its own transport and with this one:
0.78 and 0.64 ms for one after another, 1.8 and 0.5 at 256 in flight on a server that takes 100 ms.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import httpcore2
import httpx2

from multimodel_magic.providers.http import tls

__all__ = ["Connections"]

REST_S = 30.0
"""How long an idle connection is kept."""

MOST_AT_REST = 1024
"""Idle connections that are kept."""

MAX_ERROR_BYTES = 256 * 1024
"""The SDKs read the body of a failure to its end, which a server may never come to."""

_FAULTS = (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException)


class Connections(httpx2.AsyncBaseTransport):
    """Sends each request over a connection that has come to rest, else over a new one.

    Parameters
    ----------
    clock
        Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._open: set[httpcore2.AsyncHTTPConnection] = set()
        self._resting: deque[tuple[float, httpcore2.AsyncHTTPConnection]] = deque()
        """Since when, and which; who rested last is taken first."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request, and lend the connection to its answer's body."""
        asked = _of_httpcore(request)
        connection = await self._taken(asked.url.origin)
        try:
            answer = await connection.handle_async_request(asked)
        except BaseException as error:
            await self._close(connection)
            if isinstance(error, _FAULTS):
                raise _of_httpx(error) from error
            raise
        body = Body(answer, connection, self)
        return httpx2.Response(
            answer.status, headers=answer.headers, stream=body, extensions=answer.extensions
        )

    async def give_back(self, connection: httpcore2.AsyncHTTPConnection) -> None:
        """Keep a connection whose answer was read to its end, and close any other."""
        if connection.is_idle() and len(self._resting) < MOST_AT_REST:
            self._resting.append((self._clock(), connection))
        else:
            await self._close(connection)

    async def aclose(self) -> None:
        """Close every connection, those that are lent too."""
        self._resting.clear()
        for connection in list(self._open):
            await self._close(connection)

    async def _taken(self, origin: httpcore2.Origin) -> httpcore2.AsyncHTTPConnection:
        stale_s = self._clock() - REST_S
        while self._resting and self._resting[0][0] < stale_s:
            await self._close(self._resting.popleft()[1])
        while self._resting:
            _, connection = self._resting.pop()
            if connection.can_handle_request(origin) and not connection.has_expired():
                return connection
            await self._close(connection)  # its server has closed it, or another one is asked now
        connection = httpcore2.AsyncHTTPConnection(origin, ssl_context=tls())
        self._open.add(connection)
        return connection

    async def _close(self, connection: httpcore2.AsyncHTTPConnection) -> None:
        self._open.discard(connection)
        await connection.aclose()


class Body(httpx2.AsyncByteStream):
    """An answer's body, which gives its connection back when it is closed."""

    def __init__(
        self,
        answer: httpcore2.Response,
        connection: httpcore2.AsyncHTTPConnection,
        owner: Connections,
    ) -> None:
        self._answer = answer
        self._connection: httpcore2.AsyncHTTPConnection | None = connection
        self._owner = owner
        self._most = MAX_ERROR_BYTES if answer.status >= 400 else math.inf  # noqa: PLR2004

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        length = 0
        try:
            async with aclosing(self._answer.aiter_stream()) as chunks:
                async for chunk in chunks:
                    yield chunk
                    length += len(chunk)
                    if length > self._most:
                        return
        except _FAULTS as error:
            raise _of_httpx(error) from error

    async def aclose(self) -> None:
        """Close the body, once."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            await self._answer.aclose()
        finally:
            await self._owner.give_back(connection)


def _of_httpcore(request: httpx2.Request) -> httpcore2.Request:
    url = request.url
    assert isinstance(request.stream, httpx2.AsyncByteStream)  # noqa: S101 - httpx2's own check
    return httpcore2.Request(
        request.method,
        httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
        headers=request.headers.raw,
        content=request.stream,
        extensions=request.extensions,
    )


def _of_httpx(error: Exception) -> httpx2.TransportError:
    """Return httpx2's error of the same name: the SDKs know these."""
    made: httpx2.TransportError = getattr(httpx2, type(error).__name__)(str(error))
    return made
