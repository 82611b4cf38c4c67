"""A loopback server that speaks two vendors' wires from prebuilt bytes, for benchmarks only.

    python bench/stub.py PORT

The model's name says what it does: `n16` answers with 16 tokens, `n1000` with 1000, `fail429`
and the like answer with that status. It is fast so that the clients' own CPU is what is measured;
it proves nothing about the wires themselves (tests/wire does, against servers not ours).
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from functools import cache

OPENAI = "/chat/completions"
USAGE = {"prompt_tokens": 9, "completion_tokens": 16, "total_tokens": 25}


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _head(status: int, kind: str, length: int) -> bytes:
    lines = f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n"
    return lines.encode()


def _sse(events: list[tuple[str | None, object]]) -> bytes:
    out = []
    for name, data in events:
        body = data if isinstance(data, bytes) else _json(data)
        out.append((f"event: {name}\n".encode() if name else b"") + b"data: " + body + b"\n\n")
    return b"".join(out)


def _openai_chunk(delta: dict[str, str], finish: str | None = None) -> dict[str, object]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {
        "id": "c",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "stub",
        "choices": [choice],
    }


def _openai(words: list[str], *, stream: bool) -> bytes:
    if stream:
        events: list[tuple[str | None, object]] = [
            (None, _openai_chunk({"content": w})) for w in words
        ]
        events.append((None, _openai_chunk({}, "stop")))
        events.append((None, {**_openai_chunk({}), "choices": [], "usage": USAGE}))
        return _sse([*events, (None, b"[DONE]")])
    message = {"role": "assistant", "content": "".join(words), "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    whole = {"id": "c", "object": "chat.completion", "created": 1, "model": "stub"}
    return _json({**whole, "choices": [choice], "usage": USAGE})


def _anthropic(words: list[str], *, stream: bool) -> bytes:
    usage = {"input_tokens": 9, "output_tokens": len(words)}
    whole = {"id": "m", "type": "message", "role": "assistant", "model": "stub"}
    if not stream:
        text = [{"type": "text", "text": "".join(words)}]
        end = {"stop_reason": "end_turn", "stop_sequence": None}
        return _json({**whole, "content": text, **end, "usage": usage})
    start = {**whole, "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    block = {"type": "text", "text": ""}
    deltas = [
        ("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": w}})
        for w in words
    ]
    events = [
        ("message_start", {"message": start}),
        ("content_block_start", {"index": 0, "content_block": block}),
        *deltas,
        ("content_block_stop", {"index": 0}),
        ("message_delta", {"delta": end, "usage": {"output_tokens": len(words)}}),
        ("message_stop", {}),
    ]
    return _sse([(name, {"type": name, **data}) for name, data in events])


@cache
def answer(path: str, model: str, stream: bool) -> bytes:  # noqa: FBT001 - a cache key
    """Return the whole HTTP answer for a request to `path`."""
    failed = re.search(r"fail(\d{3})", model)
    if failed:
        body = _json({"error": {"message": "stub failure", "type": "stub"}})
        return _head(int(failed[1]), "application/json", len(body)) + body
    count = re.search(r"n(\d+)", model)
    words = [f"tok{n % 10} " for n in range(int(count[1]) if count else 16)]
    build = _openai if path.endswith(OPENAI) else _anthropic
    body = build(words, stream=stream)
    return _head(200, "text/event-stream" if stream else "application/json", len(body)) + body


class Stub(asyncio.Protocol):
    """One kept-alive connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        self._transport = transport
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        """Answer each whole request in the buffer."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].decode("latin-1")
            length = re.search(r"content-length: *(\d+)", head, re.IGNORECASE)
            need = int(length[1]) if length else 0
            body = self._buffer[end + 4 : end + 4 + need]
            if len(body) < need:
                return
            self._buffer = self._buffer[end + 4 + need :]
            asked = json.loads(body or b"{}")
            path = head.split(" ", 2)[1]
            self._transport.write(  # type: ignore[attr-defined]
                answer(path, asked.get("model", ""), bool(asked.get("stream")))
            )


async def serve(port: int) -> None:
    """Serve on loopback until killed."""
    server = await asyncio.get_running_loop().create_server(Stub, "127.0.0.1", port)
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
