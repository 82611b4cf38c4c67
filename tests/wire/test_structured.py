"""Schemas on the wire: each vendor's own option, and words where a server does not take it."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from multimodel_magic.errors import BadRequest, MultimodelError
from multimodel_magic.providers.anthropic import AnthropicProvider
from multimodel_magic.providers.ollama import OllamaProvider
from multimodel_magic.providers.openai import OpenAIProvider
from multimodel_magic.schemas import fault_of, schema_of
from multimodel_magic.types import Notice, Request
from tests.wire.wires import Chat

CITY = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "people": {"type": "integer"}},
    "required": ["name", "people"],
}
CLOSED = {**CITY, "additionalProperties": False}
OPEN = {"type": "object", "additionalProperties": {"type": "integer"}}
HELD = Request("Tell of Oslo.", schema=schema_of(CITY, "City"))
SAID = '{"name": "Oslo", "people": 7}'
REFUSALS = [
    (400, b'{"error": {"message": "This response_format type is unavailable now"}}'),
    (400, b'{"error": {"message": "Invalid schema for response_format \'City\'"}}'),
    (400, b'{"type": "error", "error": {"message": "output_config.format: not supported"}}'),
    (422, b'{"detail": [{"loc": ["body", "response_format"], "msg": "Extra inputs"}]}'),
    (400, b'{"error": "invalid format: expected \\"json\\" or a JSON schema"}'),
]


async def sent(
    wire: Any, raw: Any, ask: Any, request: Request, *, notices: int | None = None
) -> Any:
    raw.stream(wire, *wire.answer(SAID))
    answer = await ask(wire.provider(raw.url), request)
    told = sum(isinstance(event, Notice) for event in answer.events)
    assert (answer.text, notices in (None, told)) == (SAID, True)
    return json.loads(raw.bodies[-1])


def schema_sent(body: Any) -> Any:
    """Find the schema where the vendor looks for it."""
    places = (
        body.get("format"),
        body.get("response_format", {}).get("json_schema", {}).get("schema"),
        body.get("output_config", {}).get("format", {}).get("schema"),
        body.get("text", {}).get("format", {}).get("schema"),
    )
    return next((one for one in places if one is not None), None)


def refuse(raw: Any, body: bytes, status: int) -> None:
    raw.respond(body, status=status, more="connection: close\r\n")
    raw.then()


def words(body: Any) -> str:
    turns = body.get("messages", body.get("input"))
    system = next((turn["content"] for turn in turns if turn["role"] == "system"), "")
    return str(body.get("system") or body.get("instructions") or system)


async def test_each_vendors_own_option_holds_the_schema(wire: Any, raw: Any, ask: Any) -> None:
    body = await sent(wire, raw, ask, HELD, notices=0)
    strict = {"name": "City", "schema": CLOSED, "strict": True}
    option = {name: body[name] for name in body.keys() & OPTIONS}
    assert option in [
        # platform.claude.com/docs/en/build-with-claude/structured-outputs
        {"output_config": {"format": {"type": "json_schema", "schema": CLOSED}}},
        # platform.openai.com/docs/guides/structured-outputs: Chat Completions, then Responses
        {"response_format": {"type": "json_schema", "json_schema": strict}},
        {"text": {"format": {"type": "json_schema", **strict}}},
        # docs.ollama.com/capabilities/structured-outputs
        {"format": CITY},
    ]


OPTIONS = {"output_config", "response_format", "text", "format"}


async def test_without_a_schema_nothing_of_it_is_sent(wire: Any, raw: Any, ask: Any) -> None:
    body = await sent(wire, raw, ask, Request("Tell of Oslo."))
    assert not body.keys() & OPTIONS
    assert words(body) == ""


async def test_in_one_piece_it_is_the_same(wire: Any, raw: Any, ask: Any) -> None:
    raw.respond(wire.whole(SAID))
    request = Request("Tell of Oslo.", schema=HELD.schema, stream=False)
    assert (await ask(wire.provider(raw.url), request)).text == SAID
    assert schema_sent(json.loads(raw.bodies[0])) in (CLOSED, CITY)


async def test_what_may_stand_beside_it_stays(wire: Any, raw: Any, ask: Any) -> None:
    options = {"output_config": {"effort": "low"}, "text": {"verbosity": "low"}}
    request = Request("Tell of Oslo.", schema=HELD.schema, options=options)
    body = await sent(wire, raw, ask, request)
    if wire.name == "anthropic":
        assert body["output_config"]["effort"] == "low"
    if wire.name == "responses":
        assert body["text"]["verbosity"] == "low"
    assert schema_sent(body) in (CLOSED, CITY)


async def test_what_a_dialect_cannot_say_is_not_changed(wire: Any, raw: Any, ask: Any) -> None:
    body = await sent(wire, raw, ask, Request("Count.", schema=schema_of(OPEN, "Counts")))
    assert schema_sent(body) in (None, OPEN)  # whole, or in words alone
    assert "strict" not in json.dumps(body)
    assert json.dumps(OPEN, separators=(",", ":")) in words(body)


async def test_the_schema_never_stands_in_the_prompt(wire: Any, raw: Any, ask: Any) -> None:
    body = await sent(wire, raw, ask, Request("Oslo?", system="Be brief.", schema=HELD.schema))
    assert wire.prompt_of(body) == "Oslo?"
    assert words(body).startswith("Be brief.")


@pytest.mark.parametrize(("status", "refusal"), REFUSALS)
async def test_a_server_that_takes_no_schema_is_asked_in_words(
    wire: Any, raw: Any, ask: Any, status: int, refusal: bytes
) -> None:
    refuse(raw, refusal, status)
    provider = wire.provider(raw.url)
    raw.stream(wire, *wire.answer(SAID))
    answer = await ask(provider, HELD)
    notices = [event.text for event in answer.events if isinstance(event, Notice)]
    assert notices == [f"{provider.name}:m is told the schema in words, and not held to it"]
    assert answer.text == SAID
    held, told = (json.loads(body) for body in raw.bodies)
    assert schema_sent(held) in (CLOSED, CITY)
    assert schema_sent(told) is None
    assert '"required":["name","people"]' in words(told)


async def test_it_is_not_tried_again_with_the_same_schema(raw: Any, ask: Any) -> None:
    wire = Chat()
    provider = wire.provider(raw.url)
    refuse(raw, REFUSALS[0][1], 400)
    raw.stream(wire, *wire.answer(SAID))
    for _ in range(2):
        assert (await ask(provider, HELD)).text == SAID
    await ask(provider, Request("Other.", schema=schema_of({**CITY, "title": "Other"})))
    held = [schema_sent(json.loads(body)) is not None for body in raw.bodies]
    assert held == [True, False, False, True]


async def test_another_fault_is_not_asked_about_twice(wire: Any, raw: Any, ask: Any) -> None:
    raw.respond(b'{"error": {"message": "top_p must be below 1"}}', status=400)
    with pytest.raises(BadRequest):
        await ask(wire.provider(raw.url), HELD)
    assert len(raw.bodies) == 1


async def test_a_server_that_refuses_the_words_too_is_at_fault(
    wire: Any, raw: Any, ask: Any
) -> None:
    refuse(raw, REFUSALS[0][1], 400)
    raw.respond(b'{"error": {"message": "response_format again"}}', status=400)
    with pytest.raises(MultimodelError):
        await ask(wire.provider(raw.url), HELD)
    assert len(raw.bodies) == 2


async def test_servers_that_others_wrote_read_it(wire: Any, aimock: str, ask: Any) -> None:
    answer = await ask(wire.provider(aimock), Request("hello", schema=HELD.schema))
    assert answer.text == "Hello, wörld 🌍!"  # it plays what it was given, whatever is asked for
    asked = httpx2.get(f"{aimock}/__aimock/journal").json()[-1]["body"]
    assert "people" in json.dumps(asked)
    if wire.name == "chat":  # of the others it keeps what it has translated
        assert schema_sent(asked) == CLOSED


# --- a real model behind llama.cpp's own server, and ollama-proxy-plus before it


@pytest.fixture(params=["anthropic", "chat", "responses"])
def served(request: pytest.FixtureRequest, real_model: str) -> Any:
    return {
        "anthropic": AnthropicProvider(base_url=real_model, name="own"),
        "chat": OpenAIProvider(base_url=f"{real_model}/v1", name="own"),
        "responses": OpenAIProvider(base_url=f"{real_model}/v1", name="own", api="responses"),
    }[request.param]


@pytest.mark.local
async def test_a_server_of_ones_own_takes_it(served: Any, ask: Any) -> None:
    request = Request("Tell of Oslo.", schema=HELD.schema, max_tokens=60)
    answer = await ask(served, request)
    assert answer.stops
    if getattr(served, "api", "") == "chat":  # the wire of which llama.cpp takes the option
        assert fault_of(json.loads(answer.text), CITY) == ""


@pytest.mark.local
async def test_ollamas_wire_takes_it(ollama_proxy: str, ask: Any) -> None:
    request = Request("Tell of Oslo.", schema=HELD.schema, max_tokens=60)
    answer = await ask(OllamaProvider(base_url=ollama_proxy), request, model="real/smollm2")
    assert answer.stops
