"""The four wires, a raw-socket server for faults below HTTP, and servers that others wrote."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from multimodel_magic.providers.remote import Remote
from multimodel_magic.types import ProviderEvent, Request, Stopped, TextDelta, Usage
from tests.index import fetch
from tests.wire.raw import Raw, listening
from tests.wire.wires import WIRES, Chat, Wire

CACHE = Path(__file__).parents[2] / ".cache" / "aimock"
AIMOCK = "@copilotkit/aimock@1.43.0"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = str(Path(__file__).parent)
    for item in items:
        if str(item.path).startswith(here):
            item.add_marker(pytest.mark.wire)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    passed = terminalreporter.stats.get("passed", [])
    played = sum("test_scenarios.py::test_every_fault" in report.nodeid for report in passed)
    if played:
        terminalreporter.write_line(f"{played} wire cases hold: out/wire_scenarios.md")


@dataclass
class Answer:
    """What a provider's stream gave."""

    events: list[ProviderEvent] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, TextDelta))

    @property
    def usage(self) -> Usage:
        return [event for event in self.events if isinstance(event, Usage)][-1]

    @property
    def stops(self) -> list[Stopped]:
        return [event for event in self.events if isinstance(event, Stopped)]


@pytest.fixture
def ask() -> Callable[..., Any]:
    """Ask a provider; whatever came before an error stays in `into`."""

    async def asked(
        provider: Remote, request: Request, *, model: str = "m", into: Answer | None = None
    ) -> Answer:
        answer = Answer() if into is None else into
        async for event in provider.stream(model, request):
            answer.events.append(event)
        return answer

    return asked


@pytest.fixture
def new_answer() -> type[Answer]:
    return Answer


@pytest.fixture(params=WIRES, ids=lambda wire: wire.name)
def wire(request: pytest.FixtureRequest) -> Wire:
    found: Wire = request.param
    return found


@pytest.fixture
def chat() -> Wire:
    return Chat()


@pytest.fixture
async def raw() -> AsyncIterator[Raw]:
    async with listening(Raw()) as server:
        yield server


@pytest.fixture
async def keeping() -> AsyncIterator[Raw]:
    async with listening(Raw(keeps=True)) as server:
        yield server


@pytest.fixture
async def elsewhere() -> AsyncIterator[Raw]:
    """Another origin, to which redirects lead."""
    async with listening(Raw()) as server:
        server.respond(b"{}")
        yield server


# --- servers that others wrote


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def wait_for(url: str, process: subprocess.Popen[bytes] | None = None) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            httpx2.get(url, timeout=1)
        except httpx2.HTTPError:
            if process is not None and process.poll() is not None:
                pytest.fail(f"the server for {url} ended with {process.returncode}")
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"no server came up at {url}")


def aimock_fixtures() -> dict[str, Any]:
    refusals = [(429, "rate_limit_error"), (529, "overloaded_error"), (401, "invalid_api_key")]
    faults = [
        {
            "match": {"userMessage": f"fail {status}"},
            "response": {"error": {"message": "said", "type": kind}, "status": status},
        }
        for status, kind in refusals
    ]
    long = {"content": "one two three four five six seven eight nine ten " * 4}
    cut = {
        "match": {"userMessage": "cut"},
        "response": long,
        "truncateAfterChunks": 8,
        "latency": 40,
    }
    plain = {"match": {"userMessage": "hello"}, "response": {"content": "Hello, wörld 🌍!"}}
    return {"fixtures": [*faults, cut, plain]}


@pytest.fixture(scope="session")
def aimock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run @copilotkit/aimock (npm), installed into `.cache/` on first use."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed, and aimock is an npm package")
    cli = CACHE / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js"
    if not cli.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        options = ["--silent", "--no-audit", "--no-fund", "--prefix", str(CACHE)]
        fetch(AIMOCK, ["npm", "install", *options, AIMOCK])
    fixtures = tmp_path_factory.mktemp("aimock") / "fixtures.json"
    fixtures.write_text(json.dumps(aimock_fixtures()), encoding="utf-8")
    port = free_port()
    command = ["node", str(cli), "-p", str(port), "-f", str(fixtures), "--log-level", "silent"]
    process = subprocess.Popen(command)
    try:
        wait_for(f"http://127.0.0.1:{port}/__aimock/journal", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="session")
def real_model() -> Iterator[str]:
    """Run llama.cpp's own server with the real local model in a process of its own."""
    pytest.importorskip("xllamacpp", reason="the local extra is not installed")
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).parent / "serve_smollm2.py")], stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().decode().strip()
        yield url
    finally:
        process.terminate()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()


@pytest.fixture(scope="session")
def ollama_proxy(real_model: str) -> Iterator[str]:
    """Run ollama-proxy-plus in front of the real model; its name there is `real/smollm2`."""
    script = Path(sys.executable).with_name("ollama-proxy")
    if not script.exists():
        pytest.skip("ollama-proxy-plus is not installed")
    port = free_port()
    env = {**os.environ, "PROVIDERS_REAL_BASE_URL": f"{real_model}/v1"}
    command = [str(script), "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(
        command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/api/version", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)
