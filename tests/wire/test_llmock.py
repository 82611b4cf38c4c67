"""The SDKs against llmock: Anthropic, OpenAI Chat and Responses."""
# ruff: noqa: FBT001, PLR0917 - pytest passes parameters by name

from __future__ import annotations

from typing import Any

import pytest

from multimodel_magic.errors import (
    AuthenticationFailed,
    BadRequest,
    ContextTooLong,
    MalformedAnswer,
    MultimodelError,
    Overloaded,
    RateLimited,
    Retryable,
    StreamInterrupted,
    TimedOut,
)
from multimodel_magic.providers.anthropic import AnthropicProvider
from multimodel_magic.providers.openai import OpenAIProvider
from multimodel_magic.providers.remote import Remote
from multimodel_magic.types import Request

STREAMED = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
LONG = "one two three four five six seven eight nine ten " * 4
MODELS = {"anthropic": "claude-haiku-4-5", "chat": "gpt-4o-mini", "responses": "gpt-4o-mini"}


@pytest.fixture(params=list(MODELS))
def provider(request: pytest.FixtureRequest, llmock: Any) -> Remote:
    """A provider that finds its key and address in the environment, which llmock sets."""
    if request.param == "anthropic":
        return AnthropicProvider(timeout=2)
    return OpenAIProvider(timeout=2, api=request.param)


@pytest.fixture
def model(request: pytest.FixtureRequest, provider: Remote) -> str:
    return MODELS["anthropic" if provider.name == "anthropic" else "chat"]


@STREAMED
async def test_an_answer(provider: Remote, model: str, llmock: Any, ask: Any, stream: bool) -> None:
    llmock.reply("Hello, wörld 🌍, this is the answer.")
    answer = await ask(provider, Request("hi", system="be kind", stream=stream), model=model)
    assert answer.text == "Hello, wörld 🌍, this is the answer."
    assert answer.usage.input_tokens
    assert answer.usage.output_tokens
    assert answer.stops[0].stop_reason in {"end_turn", "stop", "completed"}
    llmock.assert_resilient()


FAILS = [
    (400, BadRequest),
    (401, AuthenticationFailed),
    (429, RateLimited),
    (500, Overloaded),
    (503, Overloaded),
    (529, Overloaded),
]


@pytest.mark.parametrize(("status", "expected"), FAILS)
@STREAMED
async def test_a_failing_status_is_translated_and_asked_once(
    provider: Remote,
    model: str,
    llmock: Any,
    ask: Any,
    stream: bool,
    status: int,
    expected: type[MultimodelError],
) -> None:
    llmock.fail(status, times=None)
    with pytest.raises(expected):
        await ask(provider, Request("hi", stream=stream), model=model)
    assert len(llmock.requests) == 1


async def test_retry_after_is_kept(provider: Remote, model: str, llmock: Any, ask: Any) -> None:
    llmock.rate_limit(retry_after=3)
    with pytest.raises(RateLimited) as caught:
        await ask(provider, Request("hi"), model=model)
    assert caught.value.retry_after_s == 3


async def test_a_context_overflow(provider: Remote, model: str, llmock: Any, ask: Any) -> None:
    llmock.context_overflow()
    with pytest.raises(ContextTooLong):
        await ask(provider, Request("hi"), model=model)


@pytest.mark.parametrize("fault", ["disconnect", "truncate", "corrupt"])
@pytest.mark.parametrize("after", [0, 6])
async def test_a_stream_that_breaks_is_no_answer(
    provider: Remote, model: str, llmock: Any, ask: Any, new_answer: Any, fault: str, after: int
) -> None:
    llmock.reply(LONG)
    getattr(llmock, fault)(after_chunks=after)
    got = new_answer()
    with pytest.raises(StreamInterrupted if after else Retryable):
        await ask(provider, Request("hi"), model=model, into=got)
    assert got.stops == []
    assert bool(got.text) == bool(after)


async def test_a_stall_times_out(provider: Remote, model: str, llmock: Any, ask: Any) -> None:
    provider.timeout_s = 0.3
    llmock.reply(LONG).stall(after_chunks=6, seconds=1.5)
    with pytest.raises((StreamInterrupted, TimedOut)):
        await ask(provider, Request("hi"), model=model)


async def test_an_empty_answer_is_no_answer(
    provider: Remote, model: str, llmock: Any, ask: Any
) -> None:
    llmock.reply("")
    with pytest.raises(MalformedAnswer):
        await ask(provider, Request("hi"), model=model)


async def test_models_are_listed(provider: Remote, llmock: Any) -> None:
    assert await provider.models()
