"""Whole answers on the four wires, from a raw socket: text, usage, stop, and what is sent."""
# ruff: noqa: FBT001 - pytest passes parameters by name

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from multimodel_magic.errors import ContentFiltered
from multimodel_magic.types import Message, Request, Stopped, TextDelta, Usage

CANARY = "sk-canary-0123456789abcdef"
STREAMED = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
PROMPTS = [
    '{"a": 1}',
    "$x$ {x} {{y}} {% raw %}",
    "tab\there\r\nwörld 🌍 \x00 \u2028 end  ",
    "x" * 200_000,
]


def play(raw: Any, wire: Any, stream: bool, *words: str) -> None:
    if stream:
        raw.stream(wire, *wire.answer(*words))
    else:
        raw.respond(wire.whole("".join(words)))


@STREAMED
async def test_an_answer_is_text_then_usage_then_one_stop(
    wire: Any, raw: Any, ask: Any, stream: bool
) -> None:
    play(raw, wire, stream, "Hello, ", "wörld ", "🌍!")
    answer = await ask(wire.provider(raw.url), Request("hi", stream=stream))
    assert answer.text == "Hello, wörld 🌍!"
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (25, 9)
    assert [stop.response_model for stop in answer.stops] == ["m-1"]
    assert isinstance(answer.events[-1], Stopped)


@pytest.mark.parametrize("prompt", PROMPTS, ids=["json", "marks", "unicode", "200 kB"])
async def test_the_prompt_arrives_byte_for_byte(wire: Any, raw: Any, ask: Any, prompt: str) -> None:
    play(raw, wire, True, "ok")
    await ask(wire.provider(raw.url), Request(prompt))
    assert wire.prompt_of(json.loads(raw.bodies[0])) == prompt


async def test_nothing_but_the_conversation_and_the_options_is_sent(
    wire: Any, raw: Any, ask: Any
) -> None:
    play(raw, wire, True, "ok")
    request = Request(
        "now",
        system="be brief",
        history=(Message("user", "before"), Message("assistant", "yes")),
        strategy="complexity",
        task="code",
        unit="user-7",
        user_tier="gold",
        experiment="secret-test",
        labels={"notebook": "private.ipynb"},
        max_tokens=77,
        options={"temperature": 0.25},
    )
    await ask(wire.provider(raw.url), request)
    sent = raw.bodies[0].decode()
    for word in ("complexity", "user-7", "gold", "secret-test", "private", request.request_id):
        assert word not in sent
    for word in ("be brief", "before", "yes", "now", "77", "0.25"):
        assert word in sent
    assert CANARY not in sent


@STREAMED
async def test_an_answer_cut_by_its_token_limit_is_an_answer(
    wire: Any, raw: Any, ask: Any, stream: bool
) -> None:
    if stream:
        raw.stream(wire, *wire.start(), wire.delta("half"), *wire.stop(wire.length))
    else:
        raw.respond(wire.whole("half", wire.length))
    answer = await ask(wire.provider(raw.url), Request("hi", stream=stream))
    assert (answer.text, answer.stops[0].stop_reason) == ("half", wire.length)


async def test_empty_and_explained_by_the_limit_is_an_answer(wire: Any, raw: Any, ask: Any) -> None:
    raw.stream(wire, *wire.start(), *wire.stop(wire.length))
    assert (await ask(wire.provider(raw.url), Request("hi"))).text == ""


async def test_a_complete_answer_on_a_socket_left_open_is_an_answer_at_once(
    wire: Any, raw: Any, ask: Any
) -> None:
    raw.stream(wire, *wire.answer("Hello"), "hold")
    began = time.perf_counter()
    answer = await ask(wire.provider(raw.url), Request("hi"))
    assert (answer.text, len(answer.stops)) == ("Hello", 1)
    assert time.perf_counter() - began < 0.5


async def test_bytes_that_drip_in_one_by_one_make_the_same_answer(
    wire: Any, raw: Any, ask: Any
) -> None:
    whole = b"".join(wire.answer("wörld 🌍", "!"))
    raw.stream(wire, *(whole[i : i + 1] for i in range(len(whole))))
    answer = await ask(wire.provider(raw.url), Request("hi"))
    assert answer.text == "wörld 🌍!"


async def test_a_character_cut_in_its_bytes_is_joined(wire: Any, raw: Any, ask: Any) -> None:
    event = wire.delta("🌍").replace(rb"\ud83c\udf0d", "🌍".encode())
    at = event.index("🌍".encode()) + 2
    raw.stream(wire, *wire.start(), event[:at], 0.02, event[at:], *wire.stop())
    assert (await ask(wire.provider(raw.url), Request("hi"))).text == "🌍"


async def test_a_surrogate_pair_cut_between_two_events_is_joined(
    wire: Any, raw: Any, ask: Any
) -> None:
    raw.stream(
        wire, *wire.start(), wire.delta("\ud83c"), 0.02, wire.delta("\udf0d ok"), *wire.stop()
    )
    assert (await ask(wire.provider(raw.url), Request("hi"))).text == "🌍 ok"


async def test_duplicate_stop_events_give_one_stop(wire: Any, raw: Any, ask: Any) -> None:
    raw.stream(wire, *wire.answer("Hello"), *wire.stop(), *wire.stop())
    answer = await ask(wire.provider(raw.url), Request("hi"))
    assert (answer.text, len(answer.stops)) == ("Hello", 1)


async def test_usage_that_never_comes_is_unknown_and_holds_nothing_back(
    raw: Any, ask: Any, chat: Any
) -> None:
    raw.stream(chat, chat.delta("Hello"), chat.chunk({}, "stop"), "hold")
    began = time.perf_counter()
    answer = await ask(chat.provider(raw.url), Request("hi"))
    assert answer.usage == Usage()
    assert time.perf_counter() - began < 0.6


async def test_events_of_one_network_chunk_make_one_delta(wire: Any, raw: Any, ask: Any) -> None:
    raw.stream(wire, b"".join(wire.answer("a", "b", "c")))
    answer = await ask(wire.provider(raw.url), Request("hi"))
    assert [e.text for e in answer.events if isinstance(e, TextDelta)] == ["abc"]


async def test_closing_the_generator_closes_the_servers_connection_at_once(
    wire: Any, raw: Any
) -> None:
    raw.chunked(wire, *wire.start(), wire.delta("Hello"), "hold")
    events = wire.provider(raw.url).stream("m", Request("hi"))
    async for event in events:
        if isinstance(event, TextDelta):
            break
    began = time.perf_counter()
    await events.aclose()
    await asyncio.wait_for(raw.left.wait(), 1)
    assert time.perf_counter() - began < 0.1


async def test_cancelling_before_the_first_token_closes_the_connection_at_once(
    wire: Any, raw: Any, ask: Any
) -> None:
    raw.play("hold")
    task = asyncio.create_task(ask(wire.provider(raw.url), Request("hi")))
    await asyncio.wait_for(raw.asked.wait(), 5)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    await asyncio.wait_for(raw.left.wait(), 1)


REFUSALS = {
    "anthropic": lambda w: [*w.start(), w.delta("I "), *w.stop("refusal")],
    "chat": lambda w: [w.chunk({"refusal": "I cannot help"}), *w.stop()],
    "responses": lambda w: [
        b'data: {"type": "response.refusal.delta", "delta": "I cannot help"}\n\n',
        *w.stop(),
    ],
}


async def test_a_refusal_is_content_filtered(wire: Any, raw: Any, ask: Any) -> None:
    if wire.name not in REFUSALS:
        pytest.skip("Ollama has no refusals")
    raw.stream(wire, *REFUSALS[wire.name](wire))
    with pytest.raises(ContentFiltered, match=r"refused to answer: (refusal|I cannot help)"):
        await ask(wire.provider(raw.url), Request("hi"))


async def test_a_second_burst_comes_over_the_first_ones_connections(
    wire: Any, keeping: Any, ask: Any
) -> None:
    keeping.chunked(wire, 0.05, *wire.answer("Hello"), b"")
    provider = wire.provider(keeping.url)
    for _ in range(2):
        answers = await asyncio.gather(*(ask(provider, Request("hi")) for _ in range(40)))
        assert {answer.text for answer in answers} == {"Hello"}
    assert (len(keeping.bodies), keeping.connections) == (80, 40)
    await provider.aclose()


async def test_a_second_answer_comes_over_the_first_ones_connection(
    wire: Any, keeping: Any, ask: Any
) -> None:
    keeping.chunked(wire, *wire.answer("Hello"), b"")
    provider = wire.provider(keeping.url)
    for _ in range(3):
        await ask(provider, Request("hi"))
    assert (len(keeping.bodies), keeping.connections) == (3, 1)
