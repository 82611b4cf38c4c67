"""The four wires, a raw-socket server for faults below HTTP, and servers that others wrote."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from multimodel_magic.providers.anthropic import AnthropicProvider
from multimodel_magic.providers.ollama import OllamaProvider
from multimodel_magic.providers.openai import OpenAIProvider
from multimodel_magic.providers.remote import Remote
from multimodel_magic.types import ProviderEvent, Request, Stopped, TextDelta, Usage

CANARY = "sk-canary-0123456789abcdef"
CACHE = Path(__file__).parents[2] / ".cache" / "aimock"
AIMOCK = "@copilotkit/aimock@1.43.0"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = str(Path(__file__).parent)
    for item in items:
        if str(item.path).startswith(here):
            item.add_marker(pytest.mark.wire)


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


# --- the wires


def sse(*events: Any) -> list[bytes]:
    return [
        b"data: " + (event if isinstance(event, bytes) else json.dumps(event).encode()) + b"\n\n"
        for event in events
    ]


def named(*events: dict[str, Any]) -> list[bytes]:
    return [b"event: " + e["type"].encode() + b"\n" + sse(e)[0] for e in events]


class Wire:
    """How one vendor's server speaks."""

    name: str
    path = ""
    content_type = b"text/event-stream"

    def provider(
        self, url: str, *, timeout: float | None = 5.0, key: str = CANARY, **given: Any
    ) -> Remote:
        raise NotImplementedError

    def start(self) -> list[bytes]:
        raise NotImplementedError

    def delta(self, text: str) -> bytes:
        raise NotImplementedError

    def stop(self, reason: str | None = None) -> list[bytes]:
        raise NotImplementedError

    def whole(self, text: str, reason: str | None = None) -> bytes:
        raise NotImplementedError

    def error(self, kind: str) -> bytes:
        return json.dumps({"error": {"type": kind, "message": "said"}}).encode()

    def answer(self, *words: str) -> list[bytes]:
        return [*self.start(), *map(self.delta, words), *self.stop()]

    length = "length"

    def prompt_of(self, body: dict[str, Any]) -> str:
        said: str = body["messages"][-1]["content"]
        return said


class Anthropic(Wire):
    name = "anthropic"
    length = "max_tokens"

    def provider(
        self, url: str, *, timeout: float | None = 5.0, key: str = CANARY, **given: Any
    ) -> Remote:
        return AnthropicProvider(base_url=url, api_key=key, timeout=timeout, **given)

    def start(self) -> list[bytes]:
        usage = {"input_tokens": 20, "cache_read_input_tokens": 4, "output_tokens": 1}
        usage["cache_creation_input_tokens"] = 1
        message = {"id": "msg_1", "model": "m-1", "content": [], "usage": usage}
        return named({"type": "message_start", "message": message}, {"type": "ping"})

    def delta(self, text: str) -> bytes:
        delta = {"type": "text_delta", "text": text}
        return named({"type": "content_block_delta", "index": 0, "delta": delta})[0]

    def stop(self, reason: str | None = None) -> list[bytes]:
        last = {"delta": {"stop_reason": reason or "end_turn"}, "usage": {"output_tokens": 9}}
        return named({"type": "message_delta", **last}, {"type": "message_stop"})

    def whole(self, text: str, reason: str | None = None) -> bytes:
        usage = {"input_tokens": 20, "cache_read_input_tokens": 4, "output_tokens": 9}
        usage["cache_creation_input_tokens"] = 1
        content = [{"type": "text", "text": text}] if text else []
        told = {"id": "msg_1", "type": "message", "model": "m-1", "content": content}
        told |= {"stop_reason": reason or "end_turn", "usage": usage}
        return json.dumps(told).encode()


class Chat(Wire):
    name = "chat"

    def provider(
        self, url: str, *, timeout: float | None = 5.0, key: str = CANARY, **given: Any
    ) -> Remote:
        return OpenAIProvider(base_url=f"{url}/v1", api_key=key, timeout=timeout, **given)

    def chunk(self, delta: dict[str, Any], reason: str | None = None, **more: Any) -> bytes:
        choices = [{"index": 0, "delta": delta, "finish_reason": reason}]
        return sse({"id": "msg_1", "model": "m-1", "choices": choices, **more})[0]

    usage = {  # noqa: RUF012
        "prompt_tokens": 25,
        "completion_tokens": 9,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }

    def start(self) -> list[bytes]:
        return [self.chunk({"role": "assistant", "content": ""})]

    def delta(self, text: str) -> bytes:
        return self.chunk({"content": text})

    def stop(self, reason: str | None = None) -> list[bytes]:
        usage = {"id": "msg_1", "model": "m-1", "choices": [], "usage": self.usage}
        return [self.chunk({}, reason or "stop"), *sse(usage, b"[DONE]")]

    def whole(self, text: str, reason: str | None = None) -> bytes:
        choice = {"index": 0, "message": {"content": text}, "finish_reason": reason or "stop"}
        told = {"id": "msg_1", "model": "m-1", "choices": [choice], "usage": self.usage}
        return json.dumps(told).encode()


class Responses(Wire):
    name = "responses"
    length = "max_output_tokens"

    def provider(
        self, url: str, *, timeout: float | None = 5.0, key: str = CANARY, **given: Any
    ) -> Remote:
        return OpenAIProvider(
            base_url=f"{url}/v1", api_key=key, timeout=timeout, api="responses", **given
        )

    def prompt_of(self, body: dict[str, Any]) -> str:
        said: str = body["input"][-1]["content"]
        return said

    def body(self, text: str, reason: str | None = None) -> dict[str, Any]:
        part = {"type": "output_text", "text": text}
        usage = {"input_tokens": 25, "output_tokens": 9}
        usage |= {"input_tokens_details": {"cached_tokens": 4}}
        usage |= {"output_tokens_details": {"reasoning_tokens": 2}}
        return {
            "id": "msg_1",
            "model": "m-1",
            "error": None,
            "status": "incomplete" if reason else "completed",
            "incomplete_details": {"reason": reason} if reason else None,
            "output": [{"type": "message", "content": [part] if text else []}],
            "usage": usage,
        }

    def start(self) -> list[bytes]:
        return named({"type": "response.created", "response": {"id": "msg_1", "error": None}})

    def delta(self, text: str) -> bytes:
        return named({"type": "response.output_text.delta", "delta": text})[0]

    def stop(self, reason: str | None = None) -> list[bytes]:
        kind = "response.incomplete" if reason else "response.completed"
        return named({"type": kind, "response": self.body("", reason)})

    def whole(self, text: str, reason: str | None = None) -> bytes:
        return json.dumps(self.body(text, reason)).encode()


class Ollama(Wire):
    name = "ollama"
    content_type = b"application/x-ndjson"

    def provider(
        self, url: str, *, timeout: float | None = 5.0, key: str = CANARY, **given: Any
    ) -> Remote:
        return OllamaProvider(base_url=url, api_key=key, timeout=timeout, **given)

    def line(self, text: str, **more: Any) -> bytes:
        message = {"role": "assistant", "content": text}
        return json.dumps({"model": "m-1", "message": message, "done": False, **more}).encode()

    def start(self) -> list[bytes]:
        return []

    def delta(self, text: str) -> bytes:
        return self.line(text) + b"\n"

    def stop(self, reason: str | None = None) -> list[bytes]:
        return [self.whole("", reason) + b"\n"]

    def whole(self, text: str, reason: str | None = None) -> bytes:
        counts = {"prompt_eval_count": 25, "eval_count": 9}
        return self.line(text, done=True, done_reason=reason or "stop", **counts)

    def error(self, kind: str) -> bytes:
        return json.dumps({"error": "said"}).encode()


@pytest.fixture(params=[Anthropic(), Chat(), Responses(), Ollama()], ids=lambda wire: wire.name)
def wire(request: pytest.FixtureRequest) -> Wire:
    found: Wire = request.param
    return found


@pytest.fixture
def chat() -> Wire:
    return Chat()


# --- below HTTP

RESET, CLOSE, HOLD = "reset", "close", "hold"


@dataclass
class Raw:
    """A server that plays bytes, pauses (seconds), RESET, CLOSE and HOLD."""

    url: str = ""
    script: list[bytes | float | str] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a client closed a connection that was held."""
    keeps: bool = False
    """Whether a connection serves one request after another."""
    connections: int = 0

    def play(self, *steps: bytes | float | str) -> None:
        self.script = list(steps)

    def stream(self, wire: Wire, *steps: bytes | float | str) -> None:
        """Play a body whose end is the connection's."""
        head = b"HTTP/1.1 200 OK\r\ncontent-type: " + wire.content_type
        self.play(head + b"\r\nconnection: close\r\n\r\n", *steps)

    def chunked(self, wire: Wire, *steps: bytes | float | str) -> None:
        """Play a chunked body; an ending is the script's own affair."""
        head = b"HTTP/1.1 200 OK\r\ncontent-type: " + wire.content_type
        framed = [b"%x\r\n%s\r\n" % (len(s), s) if isinstance(s, bytes) else s for s in steps]
        self.play(head + b"\r\ntransfer-encoding: chunked\r\n\r\n", *framed)

    def respond(
        self, body: bytes, *, status: int = 200, kind: bytes = b"application/json", more: str = ""
    ) -> None:
        head = b"HTTP/1.1 %d S\r\ncontent-type: %s\r\ncontent-length: %d\r\n%s\r\n"
        self.play(head % (status, kind, len(body), more.encode()), body)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self._one(reader, writer)
            while self.keeps:
                await self._one(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            self.left.set()
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        lengths = [h for h in head.lower().split(b"\r\n") if h.startswith(b"content-length:")]
        self.heads.append(head)
        self.bodies.append(await reader.readexactly(int(lengths[0][15:]) if lengths else 0))
        self.asked.set()
        for step in self.script:
            if isinstance(step, bytes):
                writer.write(step)
                await writer.drain()
            elif isinstance(step, float):
                await asyncio.sleep(step)
            elif step == HOLD:
                while await reader.read(4096):
                    pass
                self.left.set()
            elif step == RESET:
                await asyncio.sleep(0.05)  # what was written is read first
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, linger
                )
                writer.transport.abort()


@contextlib.asynccontextmanager
async def listening(server: Raw) -> AsyncIterator[Raw]:
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, limit=2**22)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    yield server
    listener.close()
    await listener.wait_closed()


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
        subprocess.run(["npm", "install", *options, AIMOCK], check=True, timeout=120)
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
