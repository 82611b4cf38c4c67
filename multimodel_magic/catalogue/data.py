"""What is known of models as of `AS_OF`, as literals: reading it imports nothing.

Sources: context windows from genai-prices; retirement dates from
`anthropic.resources.messages.DEPRECATED_MODELS` and the docstring of
`openai.types.shared.chat_model`, in the releases that `SOURCES` names (a test compares them);
abilities from the vendors' model pages.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from multimodel_magic.types import Model

__all__ = [
    "AS_OF",
    "FAMILIES",
    "KNOWN",
    "OLLAMA_FAMILIES",
    "REPLACEMENTS",
    "ROLES",
    "SOURCES",
    "VENDORS",
]

AS_OF = date(2026, 11, 26)
"""The day on which these tables were true."""

SOURCES: Mapping[str, str] = {"anthropic": "2.14.0", "openai": "3.57.0", "genai-prices": "0.2.3"}
"""Package -> the release that the tables were read from; a later one may know more."""

ROLES: Mapping[str, tuple[str, ...]] = {
    # The last of each needs no key. Ollama is not among them: what its server holds differs from
    # machine to machine, and a route must not; users put theirs in front with `with_roles`.
    "fast": ("anthropic:claude-haiku-5-5", "openai:gpt-6-luna", "local:smollm2"),
    "balanced": ("anthropic:claude-sonnet-5-5", "openai:gpt-6.1-terra", "local:smollm2"),
    "strong": ("anthropic:claude-opus-5-5", "openai:gpt-6.1-sol", "local:smollm2"),
    "vision": ("anthropic:claude-sonnet-5-5", "openai:gpt-6.1-terra"),
}

_ALL = "vision tools json"

# (provider, abilities, context window in tokens, ISO date of retirement, names)
_TABLE: tuple[tuple[str, str, int | None, str | None, str], ...] = (
    ("anthropic", _ALL, 1_000_000, None, "claude-haiku-5-5 claude-sonnet-5-5 claude-opus-5-5"),
    ("anthropic", _ALL, 1_000_000, None, "claude-fable-5-2 claude-fable-5-1 claude-fable-5"),
    ("anthropic", _ALL, 1_000_000, None, "claude-sonnet-5 claude-opus-5 claude-mythos-5-2"),
    ("anthropic", _ALL, 1_000_000, None, "claude-opus-4-8 claude-opus-4-7 claude-opus-4-6"),
    ("anthropic", _ALL, 1_000_000, None, "claude-sonnet-4-6"),
    ("anthropic", _ALL, None, None, "claude-mythos-5-1 claude-mythos-5"),
    ("anthropic", _ALL, 200_000, None, "claude-haiku-4-5"),
    ("anthropic", _ALL, 200_000, "2027-01-22", "claude-opus-4-5"),
    ("anthropic", _ALL, 200_000, "2026-11-30", "claude-sonnet-4-5"),
    ("anthropic", _ALL, 200_000, "2026-06-15", "claude-opus-4-0 claude-sonnet-4-0"),
    ("anthropic", _ALL, None, "2026-06-30", "claude-mythos-preview"),
    ("anthropic", _ALL, 200_000, "2026-02-19", "claude-3-7-sonnet-latest"),
    ("anthropic", _ALL, 200_000, "2026-02-19", "claude-3-5-haiku-latest"),
    ("anthropic", _ALL, 200_000, "2026-01-05", "claude-3-opus"),
    ("anthropic", _ALL, 200_000, "2025-07-21", "claude-3-sonnet"),
    # Not in anthropic's package any more. Haiku: Google Cloud's date for the same model
    # (its page "partner models deprecations"); Sonnet: Anthropic's release notes of that day.
    ("anthropic", _ALL, 200_000, "2026-08-23", "claude-3-haiku"),
    ("anthropic", _ALL, 200_000, "2025-10-28", "claude-3-5-sonnet"),
    ("anthropic", "", 200_000, "2025-07-21", "claude-2.1 claude-2.0"),
    ("openai", _ALL, 1_050_000, None, "gpt-6-astra gpt-6.1-sol gpt-6.1-terra gpt-6-luna gpt-6-sol"),
    ("openai", _ALL, None, None, "gpt-6.2-astra gpt-6.2-sol"),
    ("openai", _ALL, 1_050_000, None, "gpt-5.6-sol gpt-5.6-terra gpt-5.6-luna gpt-5.4"),
    ("openai", _ALL, 1_000_000, None, "gpt-5.5"),
    ("openai", _ALL, 400_000, None, "gpt-5.4-mini gpt-5.2"),
    ("openai", _ALL, 400_000, "2027-04-01", "gpt-5.4-nano gpt-5.1"),
    ("openai", _ALL, 400_000, "2026-12-11", "gpt-5 gpt-5-mini gpt-5-nano"),
    ("openai", _ALL, 200_000, "2026-12-11", "o3"),
    ("openai", _ALL, 200_000, "2026-10-23", "o4-mini o1"),
    ("openai", "tools json", 200_000, "2026-10-23", "o3-mini"),
    ("openai", "", 128_000, "2025-10-27", "o1-mini"),
    ("openai", "", 128_000, "2025-07-28", "o1-preview"),
    ("openai", _ALL, 1_000_000, "2027-01-14", "gpt-4.1 gpt-4.1-mini"),
    ("openai", _ALL, 1_000_000, "2026-10-23", "gpt-4.1-nano"),
    ("openai", _ALL, 128_000, "2027-01-14", "gpt-4o gpt-4o-mini"),
    ("openai", _ALL, 128_000, "2026-10-23", "gpt-4o-2024-05-13"),
    ("openai", "vision", 128_000, "2026-02-17", "chatgpt-4o-latest"),
    ("openai", _ALL, 128_000, "2026-10-23", "gpt-4-turbo"),
    ("openai", "tools json", None, "2026-03-26", "gpt-4-turbo-preview"),
    ("openai", "vision", 128_000, "2024-12-06", "gpt-4-vision-preview"),
    ("openai", "vision", None, "2024-12-06", "gpt-4-vision"),
    ("openai", "tools", 8_192, "2026-10-23", "gpt-4"),
    ("openai", "tools", 32_000, "2025-06-06", "gpt-4-32k"),
    ("openai", "tools json", 16_385, "2026-10-23", "gpt-3.5-turbo"),
    ("openai", "tools", 16_385, "2024-09-13", "gpt-3.5-turbo-16k"),
    ("local", "json", 8_192, None, "smollm2"),
)

KNOWN: Mapping[str, Model] = {
    name: Model(provider, name, frozenset(needs.split()), context, retired)
    for provider, needs, context, retired, names in _TABLE
    for name in names.split()
}
"""Models by their bare name; a name belongs to one provider."""

REPLACEMENTS: Mapping[str, str] = {
    # Today's model of the same standing, for names that are or will be retired.
    "claude-2.0": "claude-sonnet-5-5",
    "claude-2.1": "claude-sonnet-5-5",
    "claude-3-haiku": "claude-haiku-5-5",
    "claude-3-5-haiku-latest": "claude-haiku-5-5",
    "claude-3-sonnet": "claude-sonnet-5-5",
    "claude-3-5-sonnet": "claude-sonnet-5-5",
    "claude-3-7-sonnet-latest": "claude-sonnet-5-5",
    "claude-sonnet-4-0": "claude-sonnet-5-5",
    "claude-sonnet-4-5": "claude-sonnet-5-5",
    "claude-3-opus": "claude-opus-5-5",
    "claude-opus-4-0": "claude-opus-5-5",
    "claude-opus-4-5": "claude-opus-5-5",
    "claude-mythos-preview": "claude-mythos-5-2",
    "gpt-3.5-turbo": "gpt-6-luna",
    "gpt-3.5-turbo-16k": "gpt-6-luna",
    "gpt-4.1-nano": "gpt-6-luna",
    "gpt-4o-mini": "gpt-6-luna",
    "gpt-5-nano": "gpt-6-luna",
    "gpt-5.4-nano": "gpt-6-luna",
    "gpt-4.1-mini": "gpt-6.1-terra",
    "gpt-5-mini": "gpt-6.1-terra",
    "o1-mini": "gpt-6.1-terra",
    "o3-mini": "gpt-6.1-terra",
    "o4-mini": "gpt-6.1-terra",
    "chatgpt-4o-latest": "gpt-6.1-sol",
    "gpt-4": "gpt-6.1-sol",
    "gpt-4-32k": "gpt-6.1-sol",
    "gpt-4-turbo": "gpt-6.1-sol",
    "gpt-4-turbo-preview": "gpt-6.1-sol",
    "gpt-4-vision": "gpt-6.1-sol",
    "gpt-4-vision-preview": "gpt-6.1-sol",
    "gpt-4.1": "gpt-6.1-sol",
    "gpt-4o": "gpt-6.1-sol",
    "gpt-4o-2024-05-13": "gpt-6.1-sol",
    "gpt-5": "gpt-6.1-sol",
    "gpt-5.1": "gpt-6.1-sol",
    "o1": "gpt-6.1-sol",
    "o1-preview": "gpt-6.1-sol",
    "o3": "gpt-6.1-sol",
}

FAMILIES: Mapping[str, str] = {
    # How a vendor's names begin (regular expression) -> provider, for models newer than this.
    r"claude-": "anthropic",
    r"gpt-\d": "openai",
    r"chatgpt-": "openai",
    r"ft:gpt-": "openai",
    r"o\d+(-|$)": "openai",
}

OLLAMA_FAMILIES = frozenset(
    # ollama.com/library: names that people type without a tag.
    [
        "codellama",
        "codestral",
        "command-r",
        "deepseek-coder",
        "deepseek-r1",
        "deepseek-v3",
        "devstral",
        "falcon3",
        "gemma",
        "gemma2",
        "gemma3",
        "gemma3n",
        "gpt-oss",
        "granite3.3",
        "granite4",
        "llama2",
        "llama3",
        "llama3.1",
        "llama3.2",
        "llama3.3",
        "llama4",
        "llava",
        "magistral",
        "mistral",
        "mistral-nemo",
        "mistral-small",
        "mixtral",
        "olmo2",
        "phi3",
        "phi4",
        "phi4-mini",
        "qwen2.5",
        "qwen2.5-coder",
        "qwen3",
        "qwen3-coder",
        "smollm",
        "tinyllama",
    ]
)

VENDORS = frozenset(
    # Vendors with an OpenAI-compatible URL: before a colon they mean a provider that is not set
    # up, never an Ollama model. (`mistral:7b` and the like are Ollama's, so not listed.)
    [
        "azure",
        "bedrock",
        "cerebras",
        "cohere",
        "fireworks",
        "gemini",
        "google",
        "groq",
        "huggingface",
        "nvidia",
        "openrouter",
        "perplexity",
        "sambanova",
        "together",
        "vertex",
        "vllm",
        "x-ai",
        "xai",
    ]
)
