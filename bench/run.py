"""Measure what the client adds to the vendors' own SDKs: `make bench`.

Every contestant is warm and takes its turn in short rounds in shuffled order, so that drift and
noisy neighbours hit all alike. The figure is CPU time of the client's process (all threads, our
ledger's writer included: it is flushed within the round), as the ratio of the medians over the
rounds. Cells are measured in wall time in a real kernel. With PEERS=1 litellm and pydantic-ai
take their turns too, each in a process of its own, in an environment under `.cache/`.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multimodel_magic import Ledger

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.json"
ROUNDS = 40
CALLS = 20
"""Calls a round; enough that the ledger's writer works in batches as it does in use."""

Contestant = Callable[[], Awaitable[object]]
PEERS = ("litellm", "pydantic-ai")
PEERS_HOME = HERE.parent / ".cache" / "bench-peers"


@dataclass(frozen=True, slots=True)
class Section:
    """One comparison: `raw` is the measure of the others."""

    title: str
    goal: float
    contestants: dict[str, Contestant]
    calls: int = CALLS
    finish: Callable[[], object] = lambda: None
    peers: tuple[Peer, ...] = ()


class Peer:
    """A peer's process, which is asked for a round at a time."""

    def __init__(self, name: str, base: str, state: str) -> None:
        self.name = name
        command = [PEERS_HOME / "bin" / "python", HERE / "peers.py", name, base, state]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
        )

    def round(self, calls: int) -> float:
        """Make so many calls and return CPU milliseconds a call."""
        assert self._process.stdin is not None  # noqa: S101 - a pipe was asked for
        assert self._process.stdout is not None  # noqa: S101 - same
        self._process.stdin.write(f"{calls}\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith("@"):
                return float(line[1:])
        raise RuntimeError(f"{self.name} ended; see bench/peers.py")

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None  # noqa: S101 - a pipe was asked for
        self._process.stdin.close()
        self._process.wait(10)


def peers(base: str, state: str) -> tuple[Peer, ...]:
    """Start the peers where PEERS=1 asks for them; builds their environment first."""
    if os.environ.get("PEERS") != "1":
        return ()
    if not PEERS_HOME.exists():
        subprocess.run([sys.executable, "-m", "venv", PEERS_HOME], check=True)
        pip = [PEERS_HOME / "bin" / "pip", "install", "-q", "litellm", "pydantic-ai-slim[openai]"]
        subprocess.run(pip, check=True)
    return tuple(Peer(name, base, state) for name in PEERS)


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@asynccontextmanager
async def stub() -> AsyncIterator[str]:
    """Start the stub server, give its address, and end it."""
    port = free_port()
    command = [sys.executable, str(HERE / "stub.py"), str(port)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: ASYNC220 - once
    try:
        assert server.stdout is not None  # noqa: S101 - a pipe was asked for
        server.stdout.readline()
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


async def measure(section: Section) -> dict[str, list[float]]:
    """Return CPU milliseconds a call, one figure a round, for every contestant."""
    names = [*section.contestants, *(peer.name for peer in section.peers)]
    took: dict[str, list[float]] = {name: [] for name in names}
    for peer in section.peers:
        peer.round(section.calls)
    for call in section.contestants.values():  # warm: connections, imports, caches
        for _ in range(section.calls):
            await call()
    section.finish()
    order = list(section.contestants.items())
    for _ in range(ROUNDS):
        random.shuffle(order)
        for name, call in order:
            start = time.process_time()
            for _ in range(section.calls):
                await call()
            section.finish()
            took[name].append((time.process_time() - start) / section.calls * 1000)
        for peer in section.peers:
            took[peer.name].append(peer.round(section.calls))
    for peer in section.peers:
        peer.close()
    return took


SAID: Any = [{"role": "user", "content": "Say something."}]


def raw_contestants(base: str) -> dict[str, Contestant]:
    """Return the vendors' SDKs as their manuals show them, without retries."""
    import anthropic
    import openai

    chat = openai.AsyncOpenAI(base_url=f"{base}/v1", api_key="none", max_retries=0).chat
    messages = anthropic.AsyncAnthropic(base_url=base, api_key="none", max_retries=0).messages

    async def openai_stream() -> str:
        usage = {"include_usage": True}
        events = await chat.completions.create(
            model="n1000", messages=SAID, stream=True, stream_options=usage
        )
        return "".join([e.choices[0].delta.content or "" async for e in events if e.choices])

    async def anthropic_stream() -> str:
        events = await messages.create(model="n1000", max_tokens=9999, messages=SAID, stream=True)
        return "".join([e.delta.text async for e in events if e.type == "content_block_delta"])

    return {
        "openai": lambda: chat.completions.create(model="n16", messages=SAID),
        "anthropic": lambda: messages.create(model="n16", max_tokens=99, messages=SAID),
        "openai stream": openai_stream,
        "anthropic stream": anthropic_stream,
    }


def our_contestants(base: str, ledger: Ledger) -> dict[str, Contestant]:
    """Return our client with routing, the ledger and a fallback armed."""
    from multimodel_magic import AnthropicProvider, OpenAIProvider, UnifiedLLMClient
    from multimodel_magic.limits.breaker import Breakers
    from multimodel_magic.types import Request, TextDelta

    providers = {
        "openai": OpenAIProvider(base_url=f"{base}/v1", api_key="none"),
        "anthropic": AnthropicProvider(base_url=base, api_key="none"),
    }
    client = UnifiedLLMClient(providers, ledger=ledger)
    # A model that always fails would rest after a few calls, and no fallback fire any more.
    client.breakers = Breakers(failures=10**9, of=10**9)

    async def stream(model: str) -> str:
        request = Request("Say something.", models=(model,), fallbacks=("anthropic:n16",))
        events = client.stream(request)
        return "".join([e.text async for e in events if isinstance(e, TextDelta)])

    def ask(model: str, fallback: str) -> Contestant:
        return lambda: client.generate("Say something.", model, fallbacks=(fallback,))

    return {
        "openai": ask("openai:n16", "anthropic:n16"),
        "anthropic": ask("anthropic:n16", "openai:n16"),
        "fallback": ask("openai:fail429", "openai:n16"),
        "openai stream": lambda: stream("openai:n1000"),
        "anthropic stream": lambda: stream("anthropic:n1000"),
    }


def sections(base: str, ledger: Ledger) -> list[Section]:
    """Return the comparisons: calls, a fallback that fires, and streams, on both wires."""
    raw, ours = raw_contestants(base), our_contestants(base, ledger)

    def section(
        title: str, goal: float, key: str, against: str, *, calls: int = CALLS, state: str = ""
    ) -> Section:
        pair = {"raw": raw[against], "ours": ours[key]}
        others = peers(base, state) if state else ()
        return Section(title, goal, pair, calls, ledger.flush, others)

    return [
        section("one call, openai", 1.15, "openai", "openai", state="ok"),
        section("one call, anthropic", 1.15, "anthropic", "anthropic"),
        section("fallback fired, openai", 2.3, "fallback", "openai", state="fired"),
        section("stream of 1000 chunks, openai", 1.15, "openai stream", "openai stream", calls=2),
        section(
            "stream of 1000 chunks, anthropic",
            1.15,
            "anthropic stream",
            "anthropic stream",
            calls=2,
        ),
    ]


async def main() -> None:
    """Run every section, print the table and write the JSON."""
    from cells import cell_overhead, load_cost
    from first import first_token
    from ledger import ROWS, table
    from ledger import measure as measure_ledger

    results: dict[str, object] = {}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MULTIMODEL_LEDGER"] = str(Path(folder) / "default.db")
        async with stub() as base:
            for section in sections(base, Ledger(Path(folder) / "bench.db")):
                took = await measure(section)
                rows.append(_row(section, took))
                results[section.title] = took
            results["first token"] = wall = await first_token(base)
            rows.append(_difference("first token (wall)", wall, 0.3))
            results["cell"] = cells = await asyncio.to_thread(cell_overhead, base)
            rows.append(_difference("cell, request to idle (wall)", cells, 7.2))
            results["load"] = load = await asyncio.to_thread(load_cost)
            rows.append(_alone("%load_ext, fresh kernel (CPU)", load, 10))
            if ROWS:
                results["ledger"] = found = await asyncio.to_thread(measure_ledger)
                rows += table(found)
    _print(rows)
    RESULTS.write_text(json.dumps(results, indent=1))
    print(f"\nall rounds: {RESULTS}")


def _row(section: Section, took: dict[str, list[float]]) -> tuple[str, ...]:
    raw, ours = (statistics.median(took[name]) for name in ("raw", "ours"))
    goal = f"<= {section.goal:g} x"
    others = [f"{p.name} {statistics.median(took[p.name]) / raw:.2f} x" for p in section.peers]
    figures = f"{raw:.3f} ms", f"{ours:.3f} ms", f"{ours / raw:.2f} x", goal, ", ".join(others)
    return section.title, *figures


def _difference(title: str, took: dict[str, list[float]], goal_ms: float) -> tuple[str, ...]:
    raw, ours = (statistics.median(took[name]) for name in ("raw", "ours"))
    return (
        title,
        f"{raw:.2f} ms",
        f"{ours:.2f} ms",
        f"{ours - raw:+.2f} ms",
        f"<= +{goal_ms:g} ms",
        "",
    )


def _alone(title: str, took: list[float], goal_ms: float) -> tuple[str, ...]:
    figure = f"{statistics.median(took):.2f} ms"
    return title, "", figure, figure, f"<= {goal_ms:g} ms", ""


def _print(rows: list[tuple[str, ...]]) -> None:
    table = [("what", "raw SDK", "ours", "figure", "goal", "peers"), *rows]
    widths = [max(len(row[n]) for row in table) for n in range(6)]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))


if __name__ == "__main__":
    asyncio.run(main())
