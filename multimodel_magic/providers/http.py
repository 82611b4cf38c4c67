"""HTTP clients: one TLS context for the process, one pool of connections for each event loop.

An SDK's client costs 23 ms CPU to construct, nearly all of it the reading of CA certificates;
with the context shared it costs 0.05 ms.
"""

from __future__ import annotations

import asyncio
import functools
import re
import ssl
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    import httpx2

__all__ = ["Pools", "address_fault", "origin", "patience", "tls", "veiled"]

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


def patience(
    timeout_s: float | None, *, stream: bool, connect_s: float | None = None
) -> httpx2.Timeout:
    """Return the limits of one call, in seconds of silence; the request's deadline is not ours."""
    import httpx2

    silence_s = timeout_s or (STREAM_S if stream else WHOLE_S)
    return httpx2.Timeout(silence_s, connect=min(connect_s or CONNECT_S, silence_s))


@functools.lru_cache(maxsize=64)
def origin(url: str) -> str:
    """Return scheme, host and port of `url`: what may be shown of it.

    Examples
    --------
    >>> origin("https://user:secret@example.com:8443/v1?key=1")
    'https://example.com:8443'
    >>> origin("http://localhost:abc")
    '<no address>'
    """
    try:
        parts = urlsplit(url)
        port = parts.port  # read only now, and then it may be none
    except ValueError:
        return "<no address>"
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{port}" if port else "")


def veiled(url: str) -> str:
    """Return `url` without what it may hide: user, password, query and fragment.

    `address_fault` says the same of both; an object that holds this one shows nothing.

    Examples
    --------
    >>> veiled("https://me:word@host/v1?key=1"), veiled("https://host/v1")
    ('https://…@host/v1?…', 'https://host/v1')
    """
    return re.sub(r"[?#].*", "?…", re.sub(r"^([\w+.-]+://)?[^/]*@", r"\1…@", url), flags=re.DOTALL)


@functools.lru_cache(maxsize=64)
def address_fault(url: str) -> str | None:
    """Say why `url` cannot be a base URL, in words that show nothing of it, or None.

    Notes
    -----
    Credentials in an address are refused: httpx2 logs addresses at INFO, and the basic
    authentication that it makes of them would replace the key. So are queries and fragments: the
    SDKs glue paths to their ends.

    Examples
    --------
    >>> address_fault("http://localhost:abc")
    'is no address: its port is no number from 0 to 65535'
    >>> address_fault("https://me:word@host/v1")
    'holds a user or a password, which addresses show: take them out'
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return "is no address: its host is broken"
    faults = (
        (not _has_port(parts), "is no address: its port is no number from 0 to 65535"),
        (not url.isprintable() or " " in url, "is no address: it holds white space"),
        (
            parts.scheme not in {"http", "https"} or not parts.hostname,
            "is no address that begins with http:// or https://",
        ),
        ("@" in parts.netloc, "holds a user or a password, which addresses show: take them out"),
        (
            "?" in url or "#" in url,
            "holds a query or a fragment, to which no path can be added: take it out",
        ),
    )
    return next((why for is_so, why in faults if is_so), None)


def _has_port(parts: SplitResult) -> bool:
    """Whether the port is one, or absent."""
    try:
        _ = parts.port
    except ValueError:  # it is read only when asked for
        return False
    return True


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

    from multimodel_magic.providers.connections import Connections

    # Behind a proxy httpx2 is to choose the transport, from the environment.
    direct = None if getproxies().keys() - {"no"} else Connections()
    client = httpx2.AsyncClient(verify=tls(), follow_redirects=False, transport=direct)
    try:
        yield client
    finally:
        await client.aclose()
