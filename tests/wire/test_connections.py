"""What becomes of a connection once its answer has come, or has not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpcore2
import httpx2
import pytest

from multimodel_magic.providers.connections import REST_S, Connections
from tests.wire.raw import RESET, Raw, listening


class Clock:
    """Tells the time it is set to."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def client(clock: Clock) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(transport=Connections(clock)) as made:
        yield made


async def test_an_answer_that_was_read_leaves_its_connection_to_the_next(
    client: httpx2.AsyncClient, keeping: Raw
) -> None:
    keeping.respond(b"{}")
    for _ in range(3):
        assert (await client.get(keeping.url)).content == b"{}"
    assert keeping.connections == 1


async def test_a_connection_that_rested_too_long_is_not_taken(
    client: httpx2.AsyncClient, keeping: Raw, clock: Clock
) -> None:
    keeping.respond(b"{}")
    await client.get(keeping.url)
    clock.now_s += REST_S + 1
    await client.get(keeping.url)
    assert keeping.connections == 2
    await asyncio.wait_for(keeping.left.wait(), 1)


async def test_an_answer_that_was_not_read_to_its_end_closes_its_connection(
    client: httpx2.AsyncClient, keeping: Raw
) -> None:
    keeping.play(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", "hold")
    async with client.stream("GET", keeping.url) as response:
        assert await anext(response.aiter_bytes()) == b"half"
    await asyncio.wait_for(keeping.left.wait(), 1)
    keeping.respond(b"{}")
    await client.get(keeping.url)
    assert keeping.connections == 2


async def test_one_server_s_connection_is_not_taken_for_another(
    client: httpx2.AsyncClient, keeping: Raw
) -> None:
    keeping.respond(b'"here"')
    async with listening(Raw(keeps=True)) as other:
        other.respond(b'"there"')
        said = [(await client.get(url)).json() for url in (keeping.url, other.url, keeping.url)]
    assert said == ["here", "there", "here"]


async def test_closing_the_client_closes_connections_at_rest_and_lent_ones(keeping: Raw) -> None:
    client = httpx2.AsyncClient(transport=Connections())
    keeping.respond(b"{}")
    await client.get(keeping.url)
    keeping.play(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", "hold")
    response = await client.send(client.build_request("GET", keeping.url), stream=True)
    keeping.left.clear()
    await client.aclose()
    await asyncio.wait_for(keeping.left.wait(), 1)
    with pytest.raises(httpx2.ReadError):
        await response.aread()


async def test_a_request_that_is_cancelled_closes_its_connection(
    client: httpx2.AsyncClient, keeping: Raw
) -> None:
    keeping.play("hold")
    task = asyncio.create_task(client.get(keeping.url))
    await asyncio.wait_for(keeping.asked.wait(), 1)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    await asyncio.wait_for(keeping.left.wait(), 1)


@pytest.mark.parametrize(
    ("steps", "kind"),
    [
        ([RESET], httpx2.ReadError),
        ([], httpx2.RemoteProtocolError),
        ([b"no HTTP\r\n\r\n"], httpx2.RemoteProtocolError),
        ([b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"], httpx2.RemoteProtocolError),
        ([b"HTTP/1.1 200 OK\r\n", 0.3], httpx2.ReadTimeout),
        ([b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", 0.3], httpx2.ReadTimeout),
    ],
)
async def test_a_fault_is_an_error_of_httpx2(
    client: httpx2.AsyncClient, raw: Raw, steps: list[Any], kind: type[Exception]
) -> None:
    raw.play(*steps)
    with pytest.raises(kind) as caught:
        await client.get(raw.url, timeout=httpx2.Timeout(5, read=0.1))
    assert type(caught.value) is kind
    assert isinstance(caught.value.__cause__, getattr(httpcore2, kind.__name__))


async def test_nobody_listening_is_a_connect_error(client: httpx2.AsyncClient, raw: Raw) -> None:
    with pytest.raises(httpx2.ConnectError):
        await client.get("http://127.0.0.1:1/")


def test_every_error_of_httpcore2_has_a_namesake_in_httpx2() -> None:
    roots = (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException)
    for kind in (one for root in roots for one in (root, *_below(root))):
        assert issubclass(getattr(httpx2, kind.__name__), httpx2.TransportError)


def _below(kind: type[Exception]) -> Iterator[type[Exception]]:
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)
