"""One request over each wire against each fault, with a healthy model behind: how it ends.

Run with `-s` to see the table of scenario x wire x outcome.
"""
# ruff: noqa: T201 - the table

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from multimodel_magic.catalogue import Catalogue
from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.limits import Patience
from multimodel_magic.providers.scripted import Say, ScriptedProvider
from multimodel_magic.types import Finished, Request, Response, TextDelta

TIMEOUT_S = 3.0
PATIENCE = Patience(timeout_s=TIMEOUT_S, first_token_s=0.4, stall_s=0.4, retries=1, backoff_s=0.01)
DRIP = 0.1


class Scenario(NamedTuple):
    play: Callable[[Any, Any], None]
    """Sets the server up."""
    error: str
    asked: int
    """How often the faulty model is asked."""
    falls_back: bool = True


def _status(status: int, *, more: str = "", kind: str = "x") -> Callable[[Any, Any], None]:
    return lambda raw, wire: raw.respond(wire.error(kind), status=status, more=more)


def _drip(raw: Any, wire: Any) -> None:
    drops = [step for _ in range(300) for step in (wire.delta("drip "), DRIP)]
    raw.stream(wire, *wire.start(), *drops)


def _cut_in_a_character(raw: Any, wire: Any) -> None:
    # Escapes hide a character's bytes in JSON: here it stands as it is.
    whole = wire.delta("aXb").replace(b"aXb", "aéb".encode())
    raw.stream(wire, *wire.start(), wire.delta("Hello"), 0.05, whole[: whole.index(b"\xc3") + 1])


SCENARIOS = {
    "connection reset": Scenario(lambda raw, _: raw.play("reset"), "ConnectionFailed", 2),
    "hangs up": Scenario(lambda raw, _: raw.play("close"), "ConnectionFailed", 2),
    "garbage": Scenario(
        lambda raw, _: raw.play(b"\x00\x01 nonsense\r\n\r\n"), "ConnectionFailed", 2
    ),
    "says nothing": Scenario(lambda raw, _: raw.play("hold"), "TimedOut", 2),
    "500": Scenario(_status(500), "Overloaded", 2),
    "503": Scenario(_status(503), "Overloaded", 2),
    "529": Scenario(_status(529), "Overloaded", 2),
    "429": Scenario(_status(429), "RateLimited", 1),
    "429, wait 1 s": Scenario(_status(429, more="retry-after: 1\r\n"), "RateLimited", 1),
    "429, wait 1 h": Scenario(_status(429, more="retry-after: 3600\r\n"), "QuotaExceeded", 1),
    "401": Scenario(_status(401), "AuthenticationFailed", 1),
    "404": Scenario(_status(404), "ModelNotFound", 1),
    "413": Scenario(_status(413), "ContextTooLong", 1),
    "400": Scenario(_status(400), "BadRequest", 1, falls_back=False),
    "200 with HTML": Scenario(
        lambda raw, _: raw.respond(b"<html>Sign in</html>", kind=b"text/html"),
        "MalformedAnswer",
        2,
    ),
    "empty stream": Scenario(lambda raw, wire: raw.stream(wire), "MalformedAnswer", 2),
    "no stop event": Scenario(
        lambda raw, wire: raw.stream(wire, *wire.start(), wire.delta("Hello")),
        "StreamInterrupted",
        1,
    ),
    "reset in mid-stream": Scenario(
        lambda raw, wire: raw.chunked(wire, *wire.start(), wire.delta("Hello"), "reset"),
        "StreamInterrupted",
        1,
    ),
    "cut within an event": Scenario(
        lambda raw, wire: raw.stream(
            wire, *wire.start(), wire.delta("Hello"), 0.05, wire.delta("there")[:-9]
        ),
        "StreamInterrupted",
        1,
    ),
    "cut within a character": Scenario(_cut_in_a_character, "StreamInterrupted", 1),
    "stalls in mid-stream": Scenario(
        lambda raw, wire: raw.stream(wire, *wire.start(), wire.delta("Hello"), "hold"),
        "StreamInterrupted",
        1,
    ),
    "drips for ever": Scenario(_drip, "StreamInterrupted", 1, falls_back=False),
}


class Books:
    def __init__(self) -> None:
        self.responses: list[Response] = []

    def record(self, response: Response) -> None:
        self.responses.append(response)


@pytest.fixture(scope="module")
def outcomes() -> Iterator[list[tuple[str, ...]]]:
    rows: list[tuple[str, ...]] = [("scenario", "wire", "asked", "failed with", "ended", "after")]
    yield rows
    print()
    for row in rows:
        print("  ".join(cell.ljust(22 if n in {0, 3} else 10) for n, cell in enumerate(row)))


@pytest.fixture
async def warm(wire: Any, raw: Any) -> None:
    """Ask once: an SDK's import takes seconds, and the first-token time here is short."""
    raw.stream(wire, *wire.answer("ok"))
    async for _ in wire.provider(raw.url, timeout=30.0).stream("m", Request("hi")):
        continue
    raw.bodies.clear()
    raw.heads.clear()


def _client(wire: Any, url: str) -> UnifiedLLMClient:
    faulty: Any = wire.provider(url, timeout=30.0, name="w")
    # Ollama's probe would be a request of its own, and fail: what is tested comes after it.
    faulty.probe, faulty.unusable = None, lambda: None
    healthy = ScriptedProvider({"n": [[Say("A whole answer.")]]}, name="h")
    return UnifiedLLMClient(
        {"w": faulty, "h": healthy},
        ledger=Books(),
        catalogue=Catalogue(providers=frozenset({"w", "h"})),
        patience=PATIENCE,
    )


@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize("name", SCENARIOS)
async def test_every_fault_ends_as_the_design_says(
    wire: Any, raw: Any, name: str, outcomes: list[tuple[str, ...]]
) -> None:
    scenario = SCENARIOS[name]
    scenario.play(raw, wire)
    client = _client(wire, raw.url)
    started_s = time.monotonic()
    events = [e async for e in client.stream(Request("hi", models=("w:m", "h:n")))]
    took_s = time.monotonic() - started_s
    response = events[-1].response if isinstance(events[-1], Finished) else None
    assert response is not None
    failed = [a for a in response.attempts if not a.succeeded]
    row = (
        str(len(raw.bodies)),
        failed[0].error_type or "",
        "answered" if response.succeeded else "error",
    )
    outcomes.append((name, wire.name, *row, f"{took_s:.2f} s"))
    assert [a.error_type for a in failed] == [scenario.error] * scenario.asked
    assert len(raw.bodies) == scenario.asked  # on the wire as on the books
    assert all(a.error for a in failed)
    assert response.succeeded == response.fallback_used == scenario.falls_back
    assert took_s < TIMEOUT_S * 1.1
    assert client.ledger.responses == [response]  # type: ignore[union-attr]
    if scenario.falls_back:
        said = [e.text for e in events if isinstance(e, TextDelta)]
        assert "".join(said).endswith("A whole answer.")
        assert response.text == "A whole answer."
    await client.aclose()


@pytest.mark.usefixtures("warm")
async def test_a_429_is_waited_for_exactly_once_where_nobody_else_is_free(
    wire: Any, raw: Any
) -> None:
    raw.respond(wire.error("x"), status=429, more="retry-after: 1\r\n")
    client = _client(wire, raw.url)
    answered = asyncio.get_running_loop().call_later(
        0.5, lambda: raw.stream(wire, *wire.answer("ok"))
    )
    started_s = time.monotonic()
    response = await client.generate(Request("hi", models=("w:m",)))
    assert response.text == "ok"
    assert len(raw.bodies) == len(response.attempts) == 2
    assert 1.0 <= time.monotonic() - started_s < 1.5
    answered.cancel()
    await client.aclose()


@pytest.mark.usefixtures("warm")
async def test_a_refused_key_is_asked_once_in_a_session(wire: Any, raw: Any) -> None:
    raw.respond(wire.error("x"), status=401)
    client = _client(wire, raw.url)
    for _ in range(3):
        response = await client.generate(Request("hi", models=("w:m", "h:n")))
        assert response.model == "n"
    assert len(raw.bodies) == 1
    assert "refused" in response.route.notices[0]  # type: ignore[union-attr]
    await client.aclose()
