"""How sure a model was of its words, as each wire tells it; who cannot tell answers too."""

from __future__ import annotations

import json
from typing import Any

import pytest

from multimodel_magic.errors import BadRequest
from multimodel_magic.types import Request
from tests.wire.wires import Chat, Ollama, sse

WEIGHED = Request("Hello", logprobs=True)
TOKENS = [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -1.5}, {"token": "?"}]
REFUSALS = [
    (400, b'{"error": {"type": "invalid_request_error", "message": "logprobs is not supported"}}'),
    (400, b'{"error": {"message": "Logprobs is not enabled for this model"}}'),
    (422, b'{"detail": [{"loc": ["body", "logprobs"], "msg": "Extra inputs are not permitted"}]}'),
]


def chat_with_logprobs() -> list[bytes]:
    wire = Chat()
    choice = {"index": 0, "delta": {"content": "ok"}, "logprobs": {"content": TOKENS}}
    weighed = sse({"id": "msg_1", "model": "m-1", "choices": [choice]})
    return [*wire.start(), *weighed, *wire.stop()]


async def test_every_wire_answers_though_it_may_not_tell(wire: Any, raw: Any, ask: Any) -> None:
    raw.stream(wire, *wire.answer("ok"))
    answer = await ask(wire.provider(raw.url), WEIGHED)
    assert (answer.text, answer.stops[0].mean_logprob) == ("ok", None)
    asked = json.loads(raw.bodies[0]).get("logprobs")
    assert asked is (True if wire.name in {"chat", "ollama"} else None)


async def test_chat_completions_tell_the_mean_of_their_tokens(raw: Any, ask: Any) -> None:
    raw.stream(Chat(), *chat_with_logprobs())
    answer = await ask(Chat().provider(raw.url), WEIGHED)
    assert answer.stops[0].mean_logprob == -1.0


async def test_a_completion_in_one_piece_tells_them_too(raw: Any, ask: Any) -> None:
    body = json.loads(Chat().whole("ok"))
    # What is not among OpenAI's first 20 is written as -9999.
    tokens = [{"token": "a", "logprob": 0.0}, {"token": "b", "logprob": -9999.0}]
    body["choices"][0]["logprobs"] = {"content": tokens}
    raw.respond(json.dumps(body).encode())
    answer = await ask(Chat().provider(raw.url), Request("Hello", logprobs=True, stream=False))
    assert answer.stops[0].mean_logprob == -10.0


async def test_ollama_tells_them_line_by_line(raw: Any, ask: Any) -> None:
    wire = Ollama()
    lines = [wire.line("o", logprobs=TOKENS[:1]), wire.line("k", logprobs=TOKENS[1:])]
    raw.stream(wire, *(line + b"\n" for line in lines), *wire.stop())
    answer = await ask(wire.provider(raw.url), WEIGHED)
    assert (answer.text, answer.stops[0].mean_logprob) == ("ok", -1.0)


@pytest.mark.parametrize(
    "told", [[], "x", {"content": None}, {"content": "x"}, {"content": [1, None]}]
)
async def test_what_is_no_log_probability_says_nothing(told: Any, raw: Any, ask: Any) -> None:
    body = json.loads(Chat().whole("ok"))
    body["choices"][0]["logprobs"] = told
    raw.respond(json.dumps(body).encode())
    answer = await ask(Chat().provider(raw.url), Request("Hello", logprobs=True, stream=False))
    assert (answer.text, answer.stops[0].mean_logprob) == ("ok", None)


@pytest.mark.parametrize(("status", "body"), REFUSALS)
async def test_a_model_that_refuses_them_is_asked_without_and_never_again_with(
    raw: Any, ask: Any, status: int, body: bytes
) -> None:
    raw.respond(body, status=status, more="connection: close\r\n")
    raw.then()
    raw.stream(Chat(), *Chat().answer("ok"))
    provider = Chat().provider(raw.url)
    for _ in range(2):
        answer = await ask(provider, WEIGHED)
        assert (answer.text, answer.stops[0].mean_logprob) == ("ok", None)
    assert [json.loads(body).get("logprobs") for body in raw.bodies] == [True, None, None]


async def test_another_mistake_is_not_mended_by_asking_without(raw: Any, ask: Any) -> None:
    raw.respond(b'{"error": {"message": "messages: wrong"}}', status=400)
    with pytest.raises(BadRequest):
        await ask(Chat().provider(raw.url), WEIGHED)
    assert raw.posts == 1
