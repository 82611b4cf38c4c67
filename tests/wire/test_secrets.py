"""No key where it does not belong: not in errors or logs, and not at another address."""

from __future__ import annotations

import base64
import json
import logging
import pickle
import traceback
from typing import Any

import pytest

from multimodel_magic.errors import MultimodelError
from multimodel_magic.types import Request

CANARY = "sk-canary-0123456789abcdef"


def holds(value: Any, seen: set[int]) -> list[str]:
    """Return the paths below a value at which the canary stands."""
    if id(value) in seen:
        return []
    seen.add(id(value))
    if isinstance(value, str | bytes):
        text = value if isinstance(value, str) else value.decode("latin-1")
        return [f": {text[:60]!r}"] if "canary-0123" in text else []
    below: dict[str, Any] = {}
    if isinstance(value, dict):
        below = {f"[{name!r}]": one for name, one in (*value.items(), *((k, k) for k in value))}
    elif isinstance(value, list | tuple | set | frozenset):
        below = {f"[{number}]": one for number, one in enumerate(value)}
    elif not isinstance(value, type) and not callable(value):
        below = {f".{name}": one for name, one in getattr(value, "__dict__", {}).items()}
    if isinstance(value, BaseException):
        for name in ("args", "__cause__", "__context__", "doc", "object"):
            below[f".{name}"] = getattr(value, name, None)
        below["str"] = str(value)
    return [path + found for path, one in below.items() for found in holds(one, seen)]


ECHOES = {
    "401": (401, {"error": {"type": "x", "message": f"bad {CANARY}"}, "h": {CANARY: [CANARY]}}),
    "500": (500, f"<html>{CANARY}</html>"),
    "garbage": (200, f"no JSON: {CANARY}"),
    "no answer": (200, {"told": CANARY}),
    "an error": (200, {"error": {"message": CANARY, "type": "overloaded_error"}}),
    "bad UTF-8": (200, b'{"told": "' + CANARY.encode() + b'\xff"}'),
}


@pytest.mark.parametrize("echo", ECHOES)
@pytest.mark.parametrize("what", ["stream", "whole", "models"])
async def test_an_echoed_key_stays_in_no_cause_of_an_error(
    wire: Any, raw: Any, ask: Any, echo: str, what: str
) -> None:
    status, body = ECHOES[echo]
    data = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else None
    data = json.dumps(body).encode() if data is None else data
    raw.respond(data + b"\n\n", status=status, more=f"x-echo: {CANARY}\r\n")
    provider = wire.provider(raw.url)
    request = Request("hi", stream=what == "stream")
    try:
        await (provider.models() if what == "models" else ask(provider, request))
    except MultimodelError as failure:
        error = failure
    else:
        assert (what, echo) in {("models", "an error"), ("models", "no answer")}, "no model there"
        return
    assert CANARY.encode() in raw.heads[0], "the canary was sent as the key"
    shown = "".join(traceback.format_exception(error)) + repr(error) + repr(error.__cause__)
    assert CANARY not in shown
    assert holds(error, set()) == []
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301


@pytest.mark.parametrize("before", range(20, 60))
async def test_a_key_that_is_cut_off_with_the_beginning_of_a_page_is_not_half_shown(
    wire: Any, raw: Any, ask: Any, before: int
) -> None:
    coded = base64.b64encode(CANARY.encode()).decode()
    for key in (CANARY, coded, CANARY.encode().hex()):
        raw.respond(b"x" * before + b" " + key.encode() + b"\n\n")
        with pytest.raises(MultimodelError) as failure:
            await ask(wire.provider(raw.url), Request("hi", stream=False))
        assert key[:6] not in str(failure.value)


async def test_an_error_of_the_callers_own_is_left_as_it_is(wire: Any, raw: Any, ask: Any) -> None:
    raw.respond(b"{}", status=500)
    mine = ValueError(CANARY)
    try:
        raise mine
    except ValueError:
        with pytest.raises(MultimodelError):
            await ask(wire.provider(raw.url), Request("hi"))
    assert mine.args == (CANARY,)


@pytest.mark.parametrize("status", [200, 401])
async def test_no_log_holds_a_key_at_any_level(
    wire: Any, raw: Any, ask: Any, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx2", "httpcore2", "httpx", "anthropic", "openai", "ollama"):
        caplog.set_level(logging.DEBUG, logger=name)
    body = wire.whole("Hello") if status == 200 else wire.error("authentication_error")
    more = f"x-echo: {CANARY}\r\nx-request-id: {CANARY}\r\nrequest-id: {CANARY}\r\n"
    raw.respond(body, status=status, more=more)
    try:
        await ask(wire.provider(raw.url), Request("hi", stream=False))
    except MultimodelError as error:
        logging.getLogger("openai._base_client").debug("said %s", CANARY, exc_info=error)
    assert "httpcore2.http11" in {record.name for record in caplog.records}
    assert "x-echo" in caplog.text
    assert CANARY not in caplog.text


VARIABLES = {
    "ANTHROPIC_AUTH_TOKEN": "canary-0123-token",
    "ANTHROPIC_CUSTOM_HEADERS": "x-secret: canary-0123\nauthorization: Bearer canary-0123",
    "OLLAMA_API_KEY": "canary-0123-ollama",
    "OPENAI_ADMIN_KEY": "canary-0123-admin",
    "OPENAI_API_KEY": "canary-0123-openai",
    "OPENAI_CUSTOM_HEADERS": "x-secret: canary-0123\nauthorization: Bearer canary-0123",
    "OPENAI_ORG_ID": "org-canary-0123",
    "OPENAI_PROJECT_ID": "proj-canary-0123",
}


@pytest.fixture
def _vendors_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("_vendors_own")
@pytest.mark.parametrize("key", ["own-key-12345", ""])
@pytest.mark.parametrize("what", ["stream", "models"])
async def test_the_environments_headers_for_the_vendor_go_to_no_other_server(
    wire: Any, raw: Any, ask: Any, what: str, key: str
) -> None:
    raw.respond(b"{}", status=500)
    provider = wire.provider(raw.url, name="foreign", key=key)
    with pytest.raises(MultimodelError):
        await (provider.models() if what == "models" else ask(provider, Request("hi")))
    head = raw.heads[0].lower()
    assert b"canary" not in head
    assert b"x-secret" not in head
    assert b"openai-organization" not in head
    assert (b"bearer own-key-12345" in head) == bool(key)
    if not key:
        assert b"authorization" not in head
        assert b"x-api-key" not in head
