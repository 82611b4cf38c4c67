"""Our own providers keep the laws that `multimodel_magic.testing` checks for their authors."""

from __future__ import annotations

from typing import Any

import pytest

from multimodel_magic.providers.anthropic import AnthropicProvider
from multimodel_magic.providers.openai import OpenAIProvider
from multimodel_magic.testing import check_provider

LONG = "one two three four five six seven eight nine ten " * 40


@pytest.mark.parametrize("api", ["anthropic", "chat", "responses"])
def test_own_providers_keep_the_laws(api: str, llmock: Any) -> None:
    for _ in range(12):
        llmock.reply(LONG)
    if api == "anthropic":
        check_provider(AnthropicProvider(timeout=2), model="claude-haiku-4-5")
    else:
        check_provider(OpenAIProvider(timeout=2, api=api), model="gpt-4o-mini")
