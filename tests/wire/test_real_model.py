"""The SDKs against a real model: llama.cpp's own server, and ollama-proxy-plus before it."""
# ruff: noqa: FBT001 - pytest passes parameters by name

from __future__ import annotations

from typing import Any

import pytest

from multimodel_magic.errors import ContextTooLong
from multimodel_magic.providers.anthropic import AnthropicProvider
from multimodel_magic.providers.ollama import OllamaProvider
from multimodel_magic.providers.openai import OpenAIProvider
from multimodel_magic.types import Request

pytestmark = pytest.mark.local
# Greedy, because llama.cpp sends Anthropic's `message_start` with its first token only: an answer
# that happens to begin with an emoji (half a character in the first token) comes without it, and
# so without its usage.
GREEDY = {"temperature": 0.0}
STREAMED = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])


@STREAMED
@pytest.mark.parametrize("name", ["anthropic", "chat", "responses"])
async def test_a_real_model_answers(real_model: str, ask: Any, name: str, stream: bool) -> None:
    provider = {
        "anthropic": AnthropicProvider(base_url=real_model, name="own"),
        "chat": OpenAIProvider(base_url=f"{real_model}/v1", name="own"),
        "responses": OpenAIProvider(base_url=f"{real_model}/v1", name="own", api="responses"),
    }[name]
    answer = await ask(provider, Request("Say hello.", max_tokens=8, stream=stream, options=GREEDY))
    assert answer.text.strip()
    assert answer.usage.input_tokens
    assert 0 < (answer.usage.output_tokens or 0) <= 8
    assert len(answer.stops) == 1


async def test_a_real_context_overflow(real_model: str, ask: Any) -> None:
    provider = OpenAIProvider(base_url=f"{real_model}/v1", name="own")
    with pytest.raises(ContextTooLong):
        await ask(provider, Request("word " * 6000, max_tokens=4))


@STREAMED
async def test_a_real_model_answers_as_ollama(ollama_proxy: str, ask: Any, stream: bool) -> None:
    provider = OllamaProvider(base_url=ollama_proxy)
    request = Request("Say hello.", max_tokens=8, stream=stream, options=GREEDY)
    answer = await ask(provider, request, model="real/smollm2")
    assert answer.text.strip()
    assert answer.usage.output_tokens
    assert (len(answer.stops), provider.unusable()) == (1, None)
