"""The wires: how each vendor's server speaks, in bytes."""

from __future__ import annotations

import json
from typing import Any

from multimodel_magic.providers.anthropic import AnthropicProvider
from multimodel_magic.providers.ollama import OllamaProvider
from multimodel_magic.providers.openai import OpenAIProvider
from multimodel_magic.providers.remote import Remote

__all__ = ["CANARY", "WIRES", "Anthropic", "Chat", "Ollama", "Responses", "Wire", "named", "sse"]

CANARY = "sk-canary-0123456789abcdef"


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

    def error(self, kind: str, said: str = "said") -> bytes:
        """Return an error's body; it is one line."""
        return json.dumps({"error": {"type": kind, "message": said}}).encode()

    def event(self, data: bytes) -> bytes:
        """Return one event of a stream that holds `data`."""
        return b"data: " + data + b"\n\n"

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

    def error(self, kind: str, said: str = "said") -> bytes:
        return json.dumps({"error": said}).encode()

    def event(self, data: bytes) -> bytes:
        return data + b"\n"


WIRES: tuple[Wire, ...] = (Anthropic(), Chat(), Responses(), Ollama())
