"""Answers of servers that mean no good, and options that would undo the request."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import Any

import pytest

from multimodel_magic.errors import MultimodelError, QuotaExceeded, TimedOut, UsageError
from multimodel_magic.types import Request

HOSTILE = [["m-1"], {"m": 1}, 7, 1.5, True]


def spoiled(value: Any, model: Any) -> Any:
    """Return a JSON document whose `model` and `id` are all replaced."""
    if isinstance(value, list):
        return [spoiled(one, model) for one in value]
    if isinstance(value, dict):
        return {
            name: model if name in {"model", "id"} else spoiled(one, model)
            for name, one in value.items()
        }
    return value


@pytest.mark.parametrize("model", HOSTILE, ids=repr)
async def test_a_model_or_an_id_that_is_no_text_is_unknown(
    wire: Any, raw: Any, ask: Any, model: Any
) -> None:
    raw.respond(json.dumps(spoiled(json.loads(wire.whole("Hello")), model)).encode())
    answer = await ask(wire.provider(raw.url), Request("hi", stream=False))
    assert answer.text == "Hello"
    assert answer.stops[-1].response_model is None
    assert answer.stops[-1].response_id is None


@pytest.mark.parametrize("model", HOSTILE, ids=repr)
async def test_a_model_or_an_id_that_is_no_text_is_unknown_in_a_stream(
    wire: Any, raw: Any, ask: Any, model: Any
) -> None:
    def spoil(part: bytes) -> bytes:
        before, mark, data = part.rpartition(b"data: ")
        if data.strip() == b"[DONE]":
            return part
        return before + mark + json.dumps(spoiled(json.loads(data), model)).encode() + b"\n\n"

    parts = [one + b"\n\n" for part in wire.answer("Hello") for one in part.split(b"\n\n") if one]
    raw.stream(wire, *map(spoil, parts))
    answer = await ask(wire.provider(raw.url), Request("hi"))
    assert answer.text == "Hello"
    assert answer.stops[-1].response_model is None
    assert answer.stops[-1].response_id is None


@pytest.mark.parametrize("count", [True, -5, 10**10, 10**400, "many", [3], 1.5, None], ids=repr)
async def test_a_count_of_tokens_that_cannot_be_is_unknown(
    wire: Any, raw: Any, ask: Any, count: Any
) -> None:
    def spoil(value: Any) -> Any:
        if isinstance(value, list):
            return [spoil(one) for one in value]
        if isinstance(value, dict):
            return {
                name: count if isinstance(one, int) and name != "index" else spoil(one)
                for name, one in value.items()
                if name != "done"
            } | ({"done": True} if "done" in value else {})
        return value

    raw.respond(json.dumps(spoil(json.loads(wire.whole("Hello")))).encode())
    usage = (await ask(wire.provider(raw.url), Request("hi", stream=False))).usage
    assert (usage.input_tokens, usage.output_tokens) == (None, None)
    assert (usage.cache_read_tokens, usage.reasoning_tokens) == (None, None)


OURS = ["model", "messages", "input", "stream", "system", "instructions", "prompt", "Model"]


@pytest.mark.parametrize("name", OURS)
async def test_an_option_that_would_ask_another_model_or_drop_the_prompt_is_refused_unsent(
    wire: Any, raw: Any, ask: Any, name: str
) -> None:
    with pytest.raises(UsageError, match=name):
        await ask(wire.provider(raw.url), Request("hi", options={name: []}))
    assert raw.bodies == []


@pytest.mark.parametrize("status", [503, 529])
async def test_a_server_that_is_down_for_an_hour_is_not_waited_for(
    wire: Any, raw: Any, ask: Any, status: int
) -> None:
    raw.respond(wire.error("overloaded_error"), status=status, more="retry-after: 3600\r\n")
    with pytest.raises(QuotaExceeded, match="asks for a long wait") as caught:
        await ask(wire.provider(raw.url), Request("hi"))
    assert "quota" not in str(caught.value)


LISTS = {
    "anthropic": lambda names: {"data": [{"id": n, "type": "model"} for n in names]},
    "ollama": lambda names: {"models": [{"model": n} for n in names]},
}


async def test_models_lists_what_is_served_sorted(wire: Any, raw: Any) -> None:
    listed = LISTS.get(wire.name, LISTS["anthropic"])(["b", "a", "b"])
    raw.respond(json.dumps(listed).encode())
    assert await wire.provider(raw.url).models() == ("a", "b")


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"{}", b"null", b'{"data": 7}', b'{"data": [7, null, []]}',
     b'{"data": [{"id": 7}, {"id": ["x"]}, {"id": null}]}', b'{"models": [{"model": 7}, 3]}',
     b"[" * 100_000, b"\xff\xfe"],
)  # fmt: skip
async def test_models_of_a_server_that_lists_none_is_empty_or_an_error_of_ours(
    wire: Any, raw: Any, body: bytes
) -> None:
    raw.respond(body)
    with contextlib.suppress(MultimodelError):
        assert await wire.provider(raw.url).models() == ()


async def test_models_of_a_server_that_says_nothing_ends_after_two_seconds(
    wire: Any, raw: Any
) -> None:
    raw.play("hold")
    provider = wire.provider(raw.url, timeout=None)
    await provider.warm()
    began = time.perf_counter()
    with pytest.raises(TimedOut):
        await provider.models()
    assert 1.5 < time.perf_counter() - began < 3
    await asyncio.wait_for(raw.left.wait(), 1)


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("stream", [True, False])
async def test_json_that_is_nested_too_deep_is_an_error_of_ours(
    wire: Any, raw: Any, ask: Any, status: int, *, stream: bool
) -> None:
    raw.respond(b'{"error": ' + b"[" * 100_000 + b"\n\n", status=status)
    with pytest.raises(MultimodelError) as caught:
        await ask(wire.provider(raw.url), Request("hi", stream=stream))
    assert len(str(caught.value)) < 500
