"""llama.cpp in this process: loaded once, stopped at any time, reachable by nobody else.

`xllamacpp` insists on serving HTTP: it is given a Unix socket in a directory of ours (mode 0700)
and a random key, and the socket is removed as soon as it stands.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import re
import secrets
import tempfile
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from multimodel_magic.bridge import Worker
from multimodel_magic.errors import BadRequest, MalformedAnswer, ProviderMissing
from multimodel_magic.types import Notice, Option

__all__ = ["Chunk", "Setup", "chunks", "loading"]

Chunk: TypeAlias = Mapping[str, Any]
"""What llama.cpp says, in the shape of OpenAI's chat completion chunks."""

_Job: TypeAlias = Callable[[], None]

BATCH_TOKENS = 32
"""Tokens between two looks at the stop flag while a prompt is read: 0.2 s on one core, at four
fifths of the speed of 64 (measured: 123 against 152 tokens/s)."""

_QUANTISATION = re.compile(r"[.-](I?Q\d\w*|B?F16|F32)$", re.IGNORECASE)

POLL_S = 0.01
"""How often a request that waits for its turn looks again: turns pass between event loops."""

GRACE_S = 0.3
"""How long a stopped request waits for the engine to notice."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What a loaded model depends on: the key under which the process keeps it."""

    path: Path
    context_tokens: int
    parallel: int
    threads: int

    @property
    def label(self) -> str:
        """The model's own name, without its quantisation."""
        return _QUANTISATION.sub("", self.path.stem)


class _Engine:
    """A loaded model, and whose turn it is: first come, first served, in all event loops."""

    def __init__(self, server: Any, parallel: int) -> None:  # noqa: ANN401 - no type stubs
        self._server = server
        self._lock = threading.Lock()
        self._waiting: deque[object] = deque()
        self._calls: set[_Call] = set()
        self._free = [Worker(_work, name=f"local-{n}", linger_s=0.0) for n in range(parallel)]
        for worker in self._free:
            worker.put(_idle)  # starts it, and registers its wait at exit, before our stop
        atexit.register(self.stop)

    async def turn(self) -> Worker[_Job]:
        """Wait for a free worker and take it; `start` sees that it is given back."""
        ticket = object()
        self._waiting.append(ticket)
        try:
            while (worker := self._take(ticket)) is None:  # noqa: ASYNC110 - an Event has one loop
                await asyncio.sleep(POLL_S)
        finally:
            with contextlib.suppress(ValueError):  # taken: no longer waiting
                self._waiting.remove(ticket)
        return worker

    def _take(self, ticket: object) -> Worker[_Job] | None:
        with self._lock:
            if not self._free or self._waiting[0] is not ticket:
                return None
            self._waiting.popleft()
            return self._free.pop()

    def start(self, worker: Worker[_Job], body: dict[str, Option], call: _Call) -> None:
        """Let the worker answer; the engine releases the GIL while it computes."""
        self._calls.add(call)
        worker.put(lambda: self._chat(worker, body, call))

    def _chat(self, worker: Worker[_Job], body: dict[str, Option], call: _Call) -> None:
        error: Exception | None = None
        try:
            self._server.handle_chat_completions(body, call)
        except (TypeError, ValueError, RuntimeError) as raised:
            error = raised
        finally:
            with self._lock:
                self._calls.discard(call)
                self._free.append(worker)
            call.finish(error)

    def stop(self) -> None:
        """Stop all answers: the process ends, and must not wait until they are told."""
        for call in tuple(self._calls):
            call.stopped = True


def _work(jobs: list[_Job]) -> None:
    for job in jobs:
        job()


def _idle() -> None:
    """Do nothing: the job that starts a worker."""


# State of the process, not of a session: weights are too big to be held twice.
_engines: dict[Setup, _Engine] = {}
_loading_lock = threading.Lock()


async def loading(setup: Setup) -> AsyncGenerator[Notice, None]:
    """Load the model where that has not happened yet, and tell the user of it.

    Raises
    ------
    ProviderMissing
        The file cannot be loaded.
    """
    if setup in _engines:
        return
    yield Notice(f"loading {setup.label} on this machine ...")
    await asyncio.sleep(0.02)  # let the line be shown: the engine holds the GIL while it loads
    started = time.perf_counter()
    await asyncio.to_thread(_load, setup)
    yield Notice(f"loaded {setup.label} in {time.perf_counter() - started:.1f} s")


def _load(setup: Setup) -> None:
    with _loading_lock:
        if setup not in _engines:
            _engines[setup] = _Engine(_server(setup), setup.parallel)


def _server(setup: Setup) -> Any:  # noqa: ANN401 - no type stubs
    import xllamacpp

    _read_ahead(setup.path)
    with tempfile.TemporaryDirectory(prefix="mm-", ignore_cleanup_errors=True) as folder:  # 0700
        params = _params(xllamacpp.CommonParams(), setup)
        params.hostnames = [str(Path(folder, "s.sock"))]
        params.api_keys = [secrets.token_urlsafe(32)]
        try:
            return xllamacpp.Server(params)
        except RuntimeError as error:
            raise ProviderMissing(
                f"llama.cpp cannot load {setup.path} ({error}); is it a whole GGUF file?"
            ) from error


def _params(params: Any, setup: Setup) -> Any:  # noqa: ANN401 - no type stubs
    params.model.path = str(setup.path)
    params.n_ctx = setup.context_tokens
    params.n_parallel = setup.parallel
    params.kv_unified = True  # one window for all, instead of a share for each
    params.n_batch = params.n_ubatch = BATCH_TOKENS
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = setup.threads
    params.n_threads_http = 1  # nobody comes
    params.cache_ram_mib = 0  # 8 GB by default
    params.fit_params = False  # no look for a graphics card
    params.warmup = False
    params.verbosity = -1
    params.ui = params.endpoint_slots = params.endpoint_props = params.endpoint_metrics = False
    return params


def _read_ahead(path: Path) -> None:
    """Bring the file into memory with the GIL released; the engine would hold it meanwhile."""
    with path.open("rb", buffering=0) as file:
        while file.read(1 << 22):
            continue


_END: Chunk = {}


class _Call:
    """What the engine's thread calls back, and what the event loop reads."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.arrived: asyncio.Queue[Chunk] = asyncio.Queue()
        self.over: asyncio.Future[Exception | None] = self._loop.create_future()
        self.stopped = False

    def __call__(self, chunk: Chunk) -> bool:
        """Hand over a chunk; True stops the engine."""
        if not self.stopped:
            self._tell(lambda: self.arrived.put_nowait(chunk))
        return self.stopped

    def finish(self, error: Exception | None) -> None:
        """Hand over the end, and what went wrong."""
        self._tell(lambda: self._end(error))

    def _end(self, error: Exception | None) -> None:
        self.over.set_result(error)
        self.arrived.put_nowait(_END)

    def _tell(self, news: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(news)
        except RuntimeError:  # the loop is closed: nobody reads any more
            self.stopped = True


async def chunks(setup: Setup, body: dict[str, Option]) -> AsyncGenerator[Chunk, None]:
    """Answer with a model that has been loaded; closing the generator stops the engine.

    Raises
    ------
    BadRequest
        The body cannot be told to the engine.
    MalformedAnswer
        The engine broke off.
    """
    engine = _engines[setup]
    worker = await engine.turn()
    call = _Call()
    engine.start(worker, body, call)
    try:
        while (chunk := await call.arrived.get()) is not _END:
            yield chunk
        _check(call.over.result())
    finally:
        call.stopped = True
        await asyncio.wait({call.over}, timeout=GRACE_S)


def _check(error: Exception | None) -> None:
    if isinstance(error, RuntimeError):
        raise MalformedAnswer(f"llama.cpp broke off: {error}") from error
    if error is not None:  # a lone surrogate, an option that is no JSON
        raise BadRequest(f"llama.cpp cannot read the request: {error}") from error
