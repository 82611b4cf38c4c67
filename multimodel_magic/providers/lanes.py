"""Many requests at a time over httpx2, by pools that stay small.

httpcore2 asks every idle connection of a pool whether it is still alive whenever a request
begins or ends, so that a request costs more the more there are. Measured CPU per request of a
bare httpx2 client on a 100 ms server: 0.8 ms at 16 in flight, 1.2 at 64, 3.5 at 256.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx2

from multimodel_magic.providers.http import tls

__all__ = ["Lanes"]

WIDTH = 16
"""Requests in flight that one pool is given before another is opened."""

MAX_ERROR_BYTES = 256 * 1024
"""The SDKs read the body of a failure to its end, which a server may never come to."""

MOST = 64
"""Pools; beyond 1,024 requests in flight the emptiest takes more than its width."""


@dataclass(slots=True)
class Lane:
    """One pool and how many requests it carries now."""

    pool: httpx2.AsyncHTTPTransport
    busy: int = 0


class Lanes(httpx2.AsyncBaseTransport):
    """A transport that fills one pool of 16 connections after the other.

    The first free lane is taken, so that few requests at a time share few connections.
    """

    def __init__(self) -> None:
        self._lanes: list[Lane] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request over the first lane that has room."""
        lane = self._free()
        lane.busy += 1
        try:
            response = await lane.pool.handle_async_request(request)
        except BaseException:
            lane.busy -= 1
            raise
        response.stream = Carried(response.stream, lane, is_error=response.status_code >= 400)  # noqa: PLR2004
        return response

    def _free(self) -> Lane:
        for lane in self._lanes:
            if lane.busy < WIDTH:
                return lane
        if len(self._lanes) < MOST:
            limits = httpx2.Limits(
                max_connections=None, max_keepalive_connections=WIDTH, keepalive_expiry=30
            )
            self._lanes.append(Lane(httpx2.AsyncHTTPTransport(verify=tls(), limits=limits)))
            return self._lanes[-1]
        return min(self._lanes, key=lambda lane: lane.busy)

    async def aclose(self) -> None:
        """Close every pool."""
        for lane in self._lanes:
            await lane.pool.aclose()


class Carried(httpx2.AsyncByteStream):
    """A response's body, which leaves its lane when it is closed."""

    def __init__(self, body: object, lane: Lane, *, is_error: bool = False) -> None:
        assert isinstance(body, httpx2.AsyncByteStream)  # noqa: S101 - httpx2's own check
        self._body = body
        self._lane: Lane | None = lane
        self._is_error = is_error

    def __aiter__(self) -> AsyncIterator[bytes]:
        if self._is_error:
            return _beginning(self._body)
        return aiter(self._body)  # the body's own iterator: no step more for a chunk

    async def aclose(self) -> None:
        """Close the body, once."""
        lane, self._lane = self._lane, None
        if lane is not None:
            lane.busy -= 1
        await self._body.aclose()


async def _beginning(body: httpx2.AsyncByteStream) -> AsyncIterator[bytes]:
    """Pass a body on up to `MAX_ERROR_BYTES`."""
    length = 0
    async for chunk in body:
        yield chunk
        length += len(chunk)
        if length > MAX_ERROR_BYTES:
            return
