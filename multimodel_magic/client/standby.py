"""Whoever is asked next is made ready while the one before is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from multimodel_magic.types import Provider

__all__ = ["standing_by"]

SLOW_S = 1.0
"""An SDK takes a second or two to import: not to be paid beside an answer that comes at once."""


@asynccontextmanager
async def standing_by(provider: Provider | None, *, after_s: float = SLOW_S) -> AsyncIterator[None]:
    """Have a provider load what it needs, if what is done here takes longer than `after_s`.

    A slow stream leaves a tenth of the time to the next model: too little to begin with imports.
    """
    if provider is None or getattr(provider, "is_warm", True):
        yield
        return
    readying = asyncio.create_task(_ready(provider, after_s))
    try:
        yield
    finally:
        readying.cancel()
        await asyncio.gather(readying, return_exceptions=True)


async def _ready(provider: Provider, after_s: float) -> None:
    await asyncio.sleep(after_s)
    await provider.warm()  # type: ignore[attr-defined]  # who says `is_warm` has it
