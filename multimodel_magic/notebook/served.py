"""What each provider that can be asked here says that it serves."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.errors import MultimodelError
from multimodel_magic.types import Provider

__all__ = ["Served", "served"]

Served: TypeAlias = Mapping[str, Sequence[str] | str]
"""Provider -> its models, or a line that says why it did not tell."""

PATIENCE_S = 3.0
"""How long a list may take: a report must not hang on one server."""


async def served(client: UnifiedLLMClient, unusable: Mapping[str, str]) -> Served:
    """Ask every usable provider for its list, all at the same time."""
    usable = {name: p for name, p in client.providers.items() if name not in unusable}
    lists = await asyncio.gather(*map(_list, usable.values()))
    return dict(zip(usable, lists, strict=True))


async def _list(provider: Provider) -> Sequence[str] | str:
    try:
        async with asyncio.timeout(PATIENCE_S):
            return sorted(await provider.models())
    except MultimodelError as error:
        return str(error)
    except TimeoutError:
        return f"said nothing within {PATIENCE_S:g} s"
