"""Carries the ollama SDK's requests, which it makes with legacy httpx, over httpx2.

Legacy httpx (with httpcore 1) scans its whole pool whenever a request begins or ends. CPU per
request and the time of a round, on a server that takes 100 ms, with unlimited connections:

    in flight   the SDK alone          through here
           16    1.7 ms,  0.13 s        1.5 ms, 0.15 s
           64   10.9 ms,  0.84 s        1.2 ms, 0.24 s
          256   14.7 ms,  4.13 s        1.3 ms, 0.61 s

One request at a time costs 1.1 ms instead of 0.8, as two libraries build it; the SDK's pydantic
models are not the cost (19 us a chunk with them, 19 without, of which the bytes alone are 13).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    import httpx2

__all__ = ["Carrier"]

_STAND_IN = b'{"message":{"role":"assistant","content":""},"done":true}\n'


class Carrier(httpx.AsyncBaseTransport):
    """A transport for legacy httpx that sends through an httpx2 client.

    Parameters
    ----------
    client
        Returns the httpx2 client of the running loop.
    timeout
        The limits of the call: the SDK has none.
    caught
        Where the real response is put, unread if it is an answer; the SDK is then given an
        empty answer in its stead. It would make pydantic models of every chunk, lose the
        headers, and pass broken UTF-8 and answers that were cut off. None lets the SDK read.
    has_key
        Whether the SDK was given a key. It takes OLLAMA_API_KEY else, for whatever address.
    """

    def __init__(
        self,
        client: Callable[[], Awaitable[httpx2.AsyncClient]],
        timeout: httpx2.Timeout,
        caught: list[httpx2.Response] | None,
        *,
        has_key: bool,
    ) -> None:
        self._client = client
        self._timeout = timeout
        self._caught = caught
        self._has_key = has_key

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; errors of the connection leave as httpx2's."""
        client = await self._client()
        sent = client.build_request(
            request.method,
            str(request.url),
            headers=self._headers(request),
            content=await request.aread(),
            timeout=self._timeout,
        )
        response = await client.send(sent, stream=True)
        if self._caught is not None:
            self._caught.append(response)
            if response.is_success:
                return httpx.Response(200, content=_STAND_IN)
        return await _read(response)

    def _headers(self, request: httpx.Request) -> list[tuple[str, str]]:
        headers = request.headers.multi_items()
        return [one for one in headers if self._has_key or one[0].lower() != "authorization"]


async def _read(response: httpx2.Response) -> httpx.Response:
    try:
        content = await response.aread()
    finally:
        await response.aclose()
    kind = response.headers.get("content-type", "application/json")
    return httpx.Response(response.status_code, content=content, headers={"content-type": kind})
