"""The SDK is imported ahead of time, and one that is missing or broken is said so."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest

from multimodel_magic.errors import ProviderMissing
from multimodel_magic.providers.anthropic import AnthropicProvider
from multimodel_magic.providers.ollama import OllamaProvider
from multimodel_magic.providers.openai import OpenAIProvider
from multimodel_magic.types import Request

pytestmark = pytest.mark.slow  # imports every SDK anew, in processes of their own

KINDS = pytest.mark.parametrize("kind", [AnthropicProvider, OpenAIProvider, OllamaProvider])
SERVER = "http://127.0.0.1:1"


@KINDS
def test_preparing_twice_costs_nothing(kind: Any) -> None:
    provider = kind(base_url=SERVER)
    provider.prepare()
    assert provider.package in sys.modules
    began = time.perf_counter()
    for _ in range(10_000):
        provider.prepare()
    assert (time.perf_counter() - began) / 10_000 < 1e-4


@KINDS
async def test_a_missing_sdk_is_said_with_the_command_that_mends_it(
    kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = kind(base_url=SERVER)
    monkeypatch.setitem(sys.modules, provider.package, None)
    why = f"the package {provider.package} is not installed; try: pip install {provider.package}"
    assert provider.unusable() == why
    await provider.warm()
    with pytest.raises(ProviderMissing, match="pip install"):
        await anext(provider.stream("m", Request("hi")))
    with pytest.raises(ProviderMissing, match="pip install"):
        await provider.models()
    monkeypatch.undo()
    assert provider.unusable() != why, "it was installed since"


async def test_an_ollama_without_its_sdk_is_not_probed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ollama", None)
    assert "pip install ollama" in str(await OllamaProvider(base_url=SERVER).probe())


@pytest.mark.parametrize(
    "fault", ["import no_such_dependency", "1 + 'a'", "raise RuntimeError", ")"]
)
async def test_a_broken_sdk_is_said_once_tried(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(OpenAIProvider):
        package = "broken_sdk"

    (tmp_path / "broken_sdk.py").write_text(f"{fault}\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    provider = Broken(base_url=SERVER)
    assert provider.unusable() is None
    await provider.warm()
    assert "broken_sdk cannot be imported" in str(provider.unusable())
    with pytest.raises(ProviderMissing, match="pip install --upgrade broken_sdk"):
        await anext(provider.stream("m", Request("hi")))
