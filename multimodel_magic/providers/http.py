"""HTTP clients: one TLS context for the process, one pool of connections for each event loop.

An SDK's client costs 23 ms CPU to construct, nearly all of it the reading of CA certificates;
with the context shared it costs 0.05 ms.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    import httpx2

__all__ = ["Pools", "origin", "patience", "tls"]

S = TypeVar("S")

CONNECT_S = 10.0
STREAM_S = 120.0
"""Longest silence within a stream: every vendor sends pings or tokens more often."""
WHOLE_S = 600.0
"""Longest silence before an answer that comes in one piece (the SDKs' own default)."""


@functools.cache
def tls() -> ssl.SSLContext:
    """Return the process's TLS context, made on first use."""
    import httpx2

    return httpx2.create_ssl_context()


def patience(timeout_s: float | None, *, stream: bool) -> httpx2.Timeout:
    """Return the limits of one call, in seconds of silence; the request's deadline is not ours."""
    import httpx2

    silence_s = timeout_s or (STREAM_S if stream else WHOLE_S)
    return httpx2.Timeout(silence_s, connect=min(CONNECT_S, silence_s))


def origin(url: str) -> str:
    """Return scheme, host and port of `url`: what may be shown of it.

    Examples
    --------
    >>> origin("https://user:secret@example.com:8443/v1?key=1")
    'https://example.com:8443'
    """
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")


class Kept(NamedTuple):
    """What one event loop has: its HTTP client, what holds it open, and the SDK's client."""

    http: httpx2.AsyncClient
    keeper: AsyncGenerator[httpx2.AsyncClient, None]
    sdks: dict[object, Any]


class Pools:
    """One HTTP client for each running event loop, closed when that loop shuts down.

    Connections belong to the loop that opened them, and two may ask at the same time: the
    background loop and a user's own.
    """

    def __init__(self) -> None:
        self._kept: WeakKeyDictionary[asyncio.AbstractEventLoop, Kept] = WeakKeyDictionary()

    async def client(self) -> httpx2.AsyncClient:
        """Return the running loop's client, made on first use. It follows no redirects."""
        return (await self._here()).http

    async def sdk(self, account: object, make: Callable[[httpx2.AsyncClient], S]) -> S:
        """Return the running loop's SDK client for `account`, made with its HTTP client.

        Only the last account's is kept: another key or address makes another client.
        """
        kept = await self._here()
        if account not in kept.sdks:
            kept.sdks.clear()
            kept.sdks[account] = make(kept.http)
        sdk: S = kept.sdks[account]
        return sdk

    async def _here(self) -> Kept:
        loop = asyncio.get_running_loop()
        kept = self._kept.get(loop)
        if kept is not None and not kept.http.is_closed:
            return kept
        self._forget_closed()
        keeper = _keep()
        kept = self._kept[loop] = Kept(await anext(keeper), keeper, {})
        return kept

    def _forget_closed(self) -> None:
        # A snapshot: another thread's loop may be added at this moment.
        for ref in self._kept.keyrefs():
            if (loop := ref()) is not None and loop.is_closed():
                self._kept.pop(loop, None)

    async def aclose(self) -> None:
        """Close the running loop's client; a client of another loop closes with that loop."""
        kept = self._kept.pop(asyncio.get_running_loop(), None)
        if kept is not None:
            await kept.keeper.aclose()


async def _keep() -> AsyncGenerator[httpx2.AsyncClient, None]:
    """Hold a client open until this generator is closed.

    `asyncio.run` closes every async generator that its loop has seen, so that the connections
    end with the loop even where nobody calls `aclose`.
    """
    import httpx2

    from multimodel_magic.providers.lanes import Lanes

    # Behind a proxy httpx2 is to choose the transport, from the environment.
    lanes = None if getproxies().keys() - {"no"} else Lanes()
    client = httpx2.AsyncClient(verify=tls(), follow_redirects=False, transport=lanes)
    try:
        yield client
    finally:
        await client.aclose()
