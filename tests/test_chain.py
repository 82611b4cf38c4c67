"""The seed's FallbackChain: its own call shapes, without its traps."""

import logging

import pytest

from multimodel_magic import FallbackChain
from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.errors import AllModelsFailed, BadRequest, Overloaded, UsageError
from multimodel_magic.providers.scripted import Fail, Say, ScriptedProvider

logger = logging.getLogger(__name__)


async def _ok(prompt):
    return f"answer to {prompt}"


async def _down(prompt):
    raise ConnectionError("no route to host")


async def _overloaded(prompt):
    raise Overloaded("busy")


async def _buggy(prompt):
    raise TypeError("unexpected keyword argument 'modle'")


async def test_the_seeds_usage_gives_the_seeds_three_keys():
    chain = FallbackChain([("claude-3-sonnet", _ok), ("gpt-4-turbo", _ok)])
    result = await chain.generate("Hi")
    assert result["content"] == "answer to Hi"
    assert result["model"] == "claude-3-sonnet"
    assert result["fallback_used"] is False


@pytest.mark.parametrize("fails", [_down, _overloaded])
async def test_the_next_model_answers_after_an_outage(fails):
    chain = FallbackChain([("claude-3-sonnet", fails), ("gpt-4-turbo", _ok)])
    result = await chain.generate("Hi")
    assert (result["model"], result["fallback_used"]) == ("gpt-4-turbo", True)
    assert len(result["response"].attempts) == 2


async def test_the_same_model_twice_counts_as_a_fallback():
    chain = FallbackChain([("m", _down), ("m", _ok)])
    assert (await chain.generate("Hi"))["fallback_used"] is True


async def test_a_bug_in_the_users_own_function_is_raised_at_once():
    asked = []

    async def second(prompt):
        asked.append(prompt)

    with pytest.raises(TypeError, match="modle"):
        await FallbackChain([("m", _buggy), ("n", second)]).generate("Hi")
    assert asked == []


async def test_when_all_fail_the_error_carries_every_attempt():
    chain = FallbackChain([("m", _down), ("n", _overloaded)])
    with pytest.raises(AllModelsFailed) as failed:
        await chain.generate("Hi")
    assert [a.error_type for a in failed.value.attempts] == ["ConnectionFailed", "Overloaded"]
    assert "m failed: ConnectionError: no route to host" in str(failed.value)
    assert [a.name for a in failed.value.attempts] == ["chain:m", "chain:n"]


async def test_functions_of_one_name_are_each_asked_and_a_name_may_hold_anything():
    chain = FallbackChain([("m:7b", _down), (" m:7b\n", _overloaded), ("", _ok)])
    result = await chain.generate("Hi")
    assert (result["model"], result["content"]) == ("", "answer to Hi")
    assert [a.model for a in result["response"].attempts] == ["m:7b", "m:7b#2", "#3"]


async def test_a_chain_of_names_is_asked_of_the_client():
    script = {"m": [[Fail(Overloaded("busy"))]], "n": [[Say("ok")]], "x": [[Fail(BadRequest("x"))]]}
    client = UnifiedLLMClient({"scripted": ScriptedProvider(script)})
    result = await FallbackChain(["scripted:m", "scripted:n"], client=client).generate("Hi")
    assert (result["content"], result["model"]) == ("ok", "scripted:n")
    with pytest.raises(BadRequest):
        await FallbackChain(["scripted:x", "scripted:n"], client=client).generate("Hi")


class RateLimitError(Exception):
    status_code = 429


async def _rate_limited(prompt):
    raise RateLimitError("slow down")


async def test_what_a_vendors_sdk_raises_leads_to_the_next_function():
    result = await FallbackChain([("a", _rate_limited), ("b", _ok)]).generate("Hi")
    assert result["fallback_used"] is True
    assert result["response"].attempts[0].error_type == "RateLimited"


def test_a_chain_without_models_is_refused():
    with pytest.raises(UsageError, match="at least one"):
        FallbackChain([])
