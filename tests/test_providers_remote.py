"""Who is usable, with which key and at which address; clients of several loops."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from multimodel_magic.errors import AuthenticationFailed, Misconfigured
from multimodel_magic.providers.anthropic import AnthropicProvider
from multimodel_magic.providers.http import Pools, patience, tls
from multimodel_magic.providers.ollama import OllamaProvider
from multimodel_magic.providers.openai import OpenAIProvider
from multimodel_magic.providers.remote import Remote
from multimodel_magic.types import Provider, Request

NAMES = ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "OLLAMA_API_KEY", "GROQ_API_KEY")


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (*NAMES, "ANTHROPIC_BASE_URL", "OPENAI_BASE_URL", "OLLAMA_HOST", "GROQ_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("provider", [AnthropicProvider(), OpenAIProvider(), OllamaProvider()])
def test_each_is_a_provider(provider: Remote) -> None:
    assert isinstance(provider, Provider)


@pytest.mark.parametrize("kind", [AnthropicProvider, OpenAIProvider])
async def test_without_a_key_it_says_which_to_set(
    kind: type[AnthropicProvider | OpenAIProvider], monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = kind()
    variable = f"{provider.name.upper()}_API_KEY"
    assert provider.unusable() == (
        f"{variable} is not set: put it into the environment or a .env file"
    )
    with pytest.raises(AuthenticationFailed, match=variable):
        await anext(provider.stream("m", Request("hi")))
    monkeypatch.setenv(variable, "sk-canary")
    assert provider.unusable() is None


def test_a_key_with_a_line_break_in_it_is_not_sent() -> None:
    assert "characters" in str(OpenAIProvider(api_key="sk-a\nb").unusable())


def test_openais_key_goes_to_no_other_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai")
    groq = OpenAIProvider(name="groq", base_url="https://api.groq.com/openai/v1")
    assert not groq.secret
    monkeypatch.setenv("GROQ_API_KEY", "gsk-1")
    assert groq.secret.reveal() == "gsk-1"


def test_a_server_of_ones_own_needs_no_key_unless_a_variable_is_named() -> None:
    assert OpenAIProvider(base_url="http://127.0.0.1:8000/v1").unusable() is None
    named = OpenAIProvider(base_url="http://127.0.0.1:8000/v1", name="vllm", key_env="VLLM")
    assert "VLLM is not set" in str(named.unusable())


def test_the_address_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://gateway:1")
    assert AnthropicProvider().base_url == "http://gateway:1"
    assert AnthropicProvider(base_url="http://mine:2").base_url == "http://mine:2"
    monkeypatch.setenv("OLLAMA_HOST", "0.0.0.0:5")
    assert OllamaProvider().base_url == "http://127.0.0.1:5"


def test_a_repr_shows_no_key_and_no_credentials_in_the_address() -> None:
    provider = OpenAIProvider(api_key="sk-canary", base_url="https://me:word@host/v1?k=v")
    assert repr(provider) == "OpenAIProvider(name='openai', base_url='https://host')"


async def test_an_ollama_that_was_not_asked_yet_says_so_and_one_that_is_down_says_how() -> None:
    provider = OllamaProvider(base_url="http://127.0.0.1:1")
    assert provider.unusable() == "not asked yet whether a server is there"
    why = "no Ollama server at http://127.0.0.1:1: start it with `ollama serve`"
    assert await provider.probe() == why
    assert provider.unusable() == why
    began = time.perf_counter()
    assert await provider.probe() == why
    assert time.perf_counter() - began < 0.2, "what was found stays known for 30 s"
    await provider.aclose()


async def test_an_address_that_is_none_is_misconfigured() -> None:
    provider = OpenAIProvider(base_url="nonsense", api_key="k")
    with pytest.raises(Misconfigured, match="base_url is no address"):
        await anext(provider.stream("m", Request("hi")))


def test_each_loop_has_its_own_client_and_its_end_closes_it() -> None:
    pools = Pools()

    async def client() -> object:
        first = await pools.client()
        assert first is await pools.client()
        assert first._transport._open == set()
        return first

    one, two = asyncio.run(client()), asyncio.run(client())
    assert one is not two
    assert one.is_closed  # type: ignore[attr-defined]
    gc.collect()


def test_the_tls_context_is_made_once() -> None:
    assert tls() is tls()


def test_silence_is_limited_by_what_the_provider_was_given() -> None:
    assert patience(0.5, stream=True).connect == 0.5
    assert (patience(None, stream=True).read, patience(None, stream=False).read) == (120, 600)


def test_importing_the_providers_loads_no_sdk() -> None:
    code = (
        "import sys, multimodel_magic.providers.anthropic, multimodel_magic.providers.openai,"
        " multimodel_magic.providers.ollama;"
        "print(sorted({'anthropic', 'openai', 'ollama', 'httpx', 'httpx2', 'pydantic', 'dotenv'}"
        " & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


MALFORMED = [
    (OllamaProvider, "OLLAMA_HOST", "localhost:abc", "its port is no number"),
    (OllamaProvider, "OLLAMA_HOST", ":abc", "its port is no number"),
    (OllamaProvider, "OLLAMA_HOST", "me:word-canary@host", "a user or a password"),
    (OpenAIProvider, "OPENAI_BASE_URL", "http://h:abc/v1", "its port is no number"),
    (OpenAIProvider, "OPENAI_BASE_URL", "http://h:99999/v1", "its port is no number"),
    (OpenAIProvider, "OPENAI_BASE_URL", "localhost:8000/v1", "begins with http"),
    (OpenAIProvider, "OPENAI_BASE_URL", "http://h/v1?key=word-canary", "a query or a fragment"),
    (OpenAIProvider, "OPENAI_BASE_URL", "http://h/v1#word-canary", "a query or a fragment"),
    (AnthropicProvider, "ANTHROPIC_BASE_URL", "http://[::1", "its host is broken"),
    (AnthropicProvider, "ANTHROPIC_BASE_URL", "http://h/a b", "white space"),
    (AnthropicProvider, "ANTHROPIC_BASE_URL", "http://me:word-canary@h", "a user or a password"),
]


@pytest.mark.parametrize(("kind", "variable", "address", "what"), MALFORMED)
async def test_a_malformed_address_makes_its_provider_unusable_in_one_line_and_nothing_else(
    kind: Any, variable: str, address: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
    monkeypatch.setenv(variable, address)
    for provider, name in ((kind(), variable), (kind(base_url=address), "base_url")):
        why = provider.unusable()
        assert why.startswith(f"{name} ")
        assert what in why
        assert "canary" not in why + repr(provider)
        if isinstance(provider, OllamaProvider):
            assert await provider.probe() == why
        with pytest.raises(Misconfigured, match=name):
            await anext(provider.stream("m", Request("hi")))


def test_white_space_around_an_address_is_pasted_and_dropped() -> None:
    assert OpenAIProvider(base_url=" http://h/v1\n").base_url == "http://h/v1"


@pytest.mark.parametrize("key", ["sk-a\nb", "sk-ключ"])
def test_a_key_given_in_code_that_cannot_be_sent_is_not_blamed_on_the_environment(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for provider in (OpenAIProvider(api_key=key), OllamaProvider(api_key=key)):
        why = str(provider.unusable())
        assert why == "the api_key given in code holds characters that no key has: copy it again"
    monkeypatch.setenv("OPENAI_API_KEY", key.replace("\n", "é"))
    assert str(OpenAIProvider().unusable()).startswith("OPENAI_API_KEY holds")
