"""Attached pictures as each vendor's wire has them: the bytes that arrive are the file's."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from multimodel_magic.types import Attachment, Message, Request

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4


def texts(value: Any) -> Iterator[str]:
    """Give every text of a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from texts(item)


def pictures(body: dict[str, Any]) -> list[bytes]:
    longest = (text.rpartition("base64,")[2] for text in texts(body) if len(text) > len(PNG))
    return [base64.b64decode(text, validate=True) for text in longest]


async def sent(wire: Any, raw: Any, ask: Any, request: Request) -> Any:
    raw.stream(wire, *wire.answer("ok"))
    assert (await ask(wire.provider(raw.url), request)).text == "ok"
    return json.loads(raw.bodies[0])


async def test_a_picture_arrives_byte_for_byte_with_its_type(wire: Any, raw: Any, ask: Any) -> None:
    picture = Attachment("private-name.png", "image/png", PNG)
    body = await sent(wire, raw, ask, Request("What is it?", attachments=(picture,)))
    assert pictures(body) == [PNG]
    assert "What is it?" in list(texts(body))
    assert "private-name" not in json.dumps(body)
    if wire.name != "ollama":  # it looks at the bytes
        assert "image/png" in json.dumps(body)


async def test_the_blocks_are_the_vendors_own(wire: Any, raw: Any, ask: Any) -> None:
    picture = Attachment("a", "image/png", PNG)
    body = await sent(wire, raw, ask, Request("?", attachments=(picture,)))
    turn = body.get("messages", body.get("input"))[-1]
    data = base64.b64encode(PNG).decode()
    url = f"data:image/png;base64,{data}"
    source = {"type": "base64", "media_type": "image/png", "data": data}
    assert turn in [
        # platform.claude.com/docs/en/build-with-claude/vision
        {
            "role": "user",
            "content": [{"type": "image", "source": source}, {"type": "text", "text": "?"}],
        },
        # platform.openai.com/docs/guides/images: Chat Completions, then Responses
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": url}},
                {"type": "text", "text": "?"},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "input_image", "image_url": url},
                {"type": "input_text", "text": "?"},
            ],
        },
        # docs.ollama.com/api/chat
        {"role": "user", "content": "?", "images": [data]},
    ]


async def test_a_picture_of_an_earlier_turn_is_sent_in_its_place(
    wire: Any, raw: Any, ask: Any
) -> None:
    picture = Attachment("a", "image/png", PNG)
    history = (Message("user", "What is it?", (picture,)), Message("assistant", "A cat."))
    body = await sent(wire, raw, ask, Request("Sure?", history=history))
    turns = body.get("messages", body.get("input"))
    assert [len(pictures(turn)) for turn in turns] == [1, 0, 0]
    assert wire.prompt_of(body) == "Sure?"


@pytest.mark.parametrize("kind", ["image/gif", "image/jpeg", "image/webp"])
async def test_each_kind_keeps_its_type(wire: Any, raw: Any, ask: Any, kind: str) -> None:
    body = await sent(wire, raw, ask, Request("?", attachments=(Attachment("a", kind, PNG),)))
    assert pictures(body) == [PNG]
    assert wire.name == "ollama" or kind in json.dumps(body)
