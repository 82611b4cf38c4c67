"""What the scenarios do not hold: policies, keys, certificates, interrupts, many at once."""

from __future__ import annotations

import asyncio
import gc
import random
import re
import shutil
import ssl
import subprocess
import threading
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from multimodel_magic.catalogue import Catalogue
from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.errors import ConnectionFailed
from multimodel_magic.limits import Breakers, Patience, Rate
from multimodel_magic.providers.scripted import Say, ScriptedProvider
from multimodel_magic.types import Finished, Request, TextDelta
from tests.wire.raw import Raw, listening
from tests.wire.scenario import Books

PATIENCE = Patience(timeout_s=20, first_token_s=10, stall_s=10, retries=1, backoff_s=0.01)


@pytest.fixture
async def warm(wire: Any, raw: Any) -> None:
    """Ask once: an SDK's import takes seconds."""
    raw.stream(wire, *wire.answer("ok"))
    async for _ in wire.provider(raw.url, timeout=30.0).stream("m", Request("hi")):
        continue
    raw.bodies.clear()
    raw.heads.clear()


def _client(wire: Any, url: str, **more: Any) -> UnifiedLLMClient:
    faulty: Any = wire.provider(url, timeout=30.0, name="w")
    healthy = ScriptedProvider({"n": [[Say("A whole answer.")]]}, name="h")
    return UnifiedLLMClient(
        {"w": faulty, "h": healthy},
        ledger=Books(),
        catalogue=Catalogue(providers=frozenset({"w", "h"})),
        **{"patience": PATIENCE, **more},
    )


@pytest.mark.usefixtures("warm")
async def test_a_429_is_waited_for_exactly_once_where_nobody_else_is_free(
    wire: Any, raw: Any
) -> None:
    raw.respond(wire.error("x"), status=429, more="retry-after: 1\r\n")
    raw.then()
    raw.stream(wire, *wire.answer("ok"))
    client = _client(wire, raw.url)
    started_s = time.monotonic()
    response = await client.generate(Request("hi", models=("w:m",)))
    assert response.text == "ok"
    assert len(raw.bodies) == len(response.attempts) == 2
    assert 1.0 <= time.monotonic() - started_s < 3
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


@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize(
    ("policy", "text", "stop"), [("keep", "Hel", "interrupted"), ("fail", None, None)]
)
async def test_a_broken_stream_is_kept_or_fails_where_the_policy_says_so(
    wire: Any, raw: Any, policy: Any, text: str | None, stop: str | None
) -> None:
    raw.stream(wire, *wire.start(), wire.delta("Hel"))
    client = _client(wire, raw.url, patience=Patience(broken_stream=policy))
    events = [e async for e in client.stream(Request("hi", models=("w:m", "h:n")))]
    assert isinstance(events[-1], Finished)
    response = events[-1].response
    assert (response.succeeded, len(response.attempts), len(raw.bodies)) == (text is not None, 1, 1)
    assert text is None or response.text == text
    assert response.attempts[0].stop_reason == stop or text is None
    await client.aclose()


# --- certificates


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A certificate that nobody signed, for another host, made for this run."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    made = tmp_path_factory.mktemp("tls") / "made.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    where = ["-keyout", str(made), "-out", f"{made}.crt", "-subj", "/CN=elsewhere.invalid"]
    subprocess.run([*command, *where], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{made}.crt", made)
    return context


async def test_a_certificate_that_is_not_trusted_is_one_line_and_no_second_try(
    wire: Any, certificate: ssl.SSLContext
) -> None:
    async with listening(Raw(), certificate) as server:
        client = _client(wire, server.url)
        response = await client.generate(Request("hi", models=("w:m", "h:n")))
        assert [a.error_type for a in response.attempts] == ["ConnectionFailed", None]
        line = response.attempts[0].error or ""
        assert "untrusted certificate" in line
        assert "\n" not in line
        with pytest.raises(ConnectionFailed, match="untrusted certificate"):
            await client.generate(Request("hi", models=("w:m",)))
        assert server.heads == [], "nothing was sent"
        await client.aclose()


# --- interrupts, wherever they strike


def _plays(wire: Any) -> dict[str, Any]:
    text = [*wire.start(), *(step for _ in range(20) for step in (wire.delta("tick "), 0.01))]
    head = b"HTTP/1.1 200 OK\r\n"
    return {
        "answers": lambda raw: raw.stream(wire, *text, *wire.stop()),
        "says nothing": lambda raw: raw.play("hold"),
        "stalls": lambda raw: raw.stream(wire, *wire.start(), wire.delta("Hel"), "hold"),
        "breaks": lambda raw: raw.stream(wire, *text),
        "is busy": lambda raw: raw.respond(wire.error("x"), status=503),
        "is limited": lambda raw: raw.respond(
            wire.error("x"), status=429, more="retry-after: 1\r\n"
        ),
        "drips headers": lambda raw: raw.play(head, *([b"x: y\r\n", 0.02] * 50)),
        "hangs up": lambda raw: raw.play("reset"),
    }


SERVERS = re.compile(r"Raw\.serve|_accept_connection2")
"""Tasks of the servers, which end a moment later."""
FILES = Path("/proc/self/fd")


def _descriptors() -> int:
    return len(list(FILES.iterdir())) if FILES.exists() else 0


@pytest.mark.usefixtures("warm")
async def test_an_interrupt_at_any_point_leaks_no_task_thread_socket_or_warning(
    wire: Any, recwarn: pytest.WarningsRecorder
) -> None:
    dice = random.Random(5)  # noqa: S311 - no secret
    names = sorted(_plays(wire))
    before = None
    for turn in range(40):
        first, second = dice.choice(names), dice.choice(names)
        slow = dice.random() < 0.3  # the rate wait
        hedge = dice.choice([None, 0.01])
        await _interrupted(wire, (first, second), dice.random() * 0.15, slow=slow, hedge=hedge)
        if turn == 4:  # what is imported and opened once is there by now
            gc.collect()
            before = _descriptors(), threading.active_count()
    gc.collect()
    await asyncio.sleep(0.1)
    assert before is not None
    # Look-ups of names and the like have threads of the loop's own, at most a handful.
    assert _descriptors() <= before[0] + 2
    assert threading.active_count() <= before[1] + 8
    assert [str(one.message) for one in recwarn] == []


async def _interrupted(
    wire: Any, plays: tuple[str, str], after_s: float, *, slow: bool, hedge: float | None
) -> None:
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(listening(Raw())) for _ in plays]
        for server, play in zip(servers, plays, strict=True):
            _plays(wire)[play](server)
        providers = {
            name: wire.provider(server.url, timeout=30.0, name=name)
            for name, server in zip("ab", servers, strict=True)
        }
        client = UnifiedLLMClient(
            providers,
            ledger=Books(),
            catalogue=Catalogue(providers=frozenset(providers)),
            patience=Patience(hedge=hedge, backoff_s=0.05),
            rates={"a": Rate(requests=6)} if slow else None,
        )
        if slow:
            client.limiter.take("a:m", 0)
        models = ("a:m",) if slow else ("a:m", "b:m")
        own = asyncio.all_tasks()
        task = asyncio.create_task(_read(client, Request("Hi", models=models)))
        await asyncio.sleep(after_s)
        asked_s = time.monotonic()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert time.monotonic() - asked_s < 2.0
        tasks = asyncio.all_tasks() - own - {task}
        assert [one for one in tasks if not SERVERS.search(repr(one))] == []
        attempts = [a for r in client.ledger.responses for a in r.attempts]  # type: ignore[union-attr]
        assert sum(server.posts for server in servers) <= len(attempts)
        assert client.purse.held_usd == 0
        assert not any(breaker.probing for breaker in client.breakers.values())
        await client.aclose()


async def _read(client: UnifiedLLMClient, request: Request) -> None:
    async for _ in client.stream(request):
        continue


# --- many at once


def _shaky(wire: Any) -> Raw:
    """Fail three of ten requests: with a status, a reset, or in the middle of the text."""
    server, dice = Raw(), random.Random(3)  # noqa: S311 - no secret

    def choose() -> None:
        thrown = dice.random()
        if thrown < 0.1:
            server.respond(wire.error("x"), status=503, more="connection: close\r\n")
        elif thrown < 0.2:
            server.play("reset")
        elif thrown < 0.3:
            server.stream(wire, *wire.start(), wire.delta("Hel"))
        else:
            server.stream(wire, *wire.answer("Hel", "lo"))

    server.choose = choose
    return server


@pytest.mark.usefixtures("warm")
async def test_200_requests_over_a_shaky_server_are_all_answered_once(wire: Any) -> None:
    server = _shaky(wire)
    async with listening(server):
        client = _client(wire, server.url, patience=Patience(retries=0))
        client.breakers = Breakers(rest_s=0.02, rest_most_s=0.05, clock=time.perf_counter)

        async def ask(number: int) -> Any:
            await asyncio.sleep(0.005 * number)
            events = [e async for e in client.stream(Request("hi", models=("w:m", "h:n")))]
            last = events[-1]
            assert isinstance(last, Finished)
            started = max(n for n, e in enumerate(events) if type(e).__name__ == "AttemptStarted")
            said = "".join(e.text for e in events[started:] if isinstance(e, TextDelta))
            assert said == last.response.text, "none twice"
            return last.response

        responses = await asyncio.gather(*map(ask, range(200)))
        assert {r.text for r in responses} == {"Hello", "A whole answer."}
        attempts = [a for r in client.ledger.responses for a in r.attempts]  # type: ignore[union-attr]
        assert len([a for a in attempts if a.provider == "w"]) == server.posts
        assert client.breakers["w:m"].opened > 0
        server.choose = None
        server.stream(wire, *wire.answer("Hel", "lo"))
        await asyncio.sleep(0.06)  # its longest rest
        assert (await ask(0)).answered_by.name == "w:m"
        assert client.breakers["w:m"].state == "closed"
        await client.aclose()


@pytest.mark.usefixtures("warm")
async def test_a_connection_that_was_closed_while_it_rested_costs_no_attempt(wire: Any) -> None:
    async with listening(Raw(keeps=True)) as server:
        client = _client(wire, server.url)
        for number in range(3):
            server.chunked(wire, *wire.answer("Hello"), b"")
            response = await client.generate(Request("hi", models=("w:m",)))
            assert (response.text, len(response.attempts)) == ("Hello", 1)
            assert server.connections >= number + 1
            for task in server.tasks:  # the server closes what rests
                task.cancel()
            await asyncio.sleep(0.05)
        assert server.posts == 3
        await client.aclose()
