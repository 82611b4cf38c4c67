"""A strategy and a provider, as a third party would write them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from multimodel_magic.errors import ModelNotFound
from multimodel_magic.types import (
    ProviderEvent,
    Reason,
    Request,
    Route,
    Stopped,
    TextDelta,
    Usage,
)

MODELS = ("parrot-1", "parrot-2")


@dataclass(frozen=True, slots=True)
class AlwaysFast:
    """Ask the fast parrot first, and the other where that one fails."""

    name: str = "always_fast"

    def route(self, request: Request) -> Route:
        """Return the same two models for every request."""
        reason = Reason(self.name, f"{len(request.prompt)} characters are soon repeated")
        return Route(tuple(f"acme:{model}" for model in MODELS), self.name, (reason,))


class AcmeProvider:
    """Repeats the prompt."""

    name = "acme"

    async def stream(self, model: str, request: Request) -> AsyncGenerator[ProviderEvent, None]:
        """Say the prompt again, a word at a time."""
        if model not in MODELS:
            raise ModelNotFound(f"acme has no {model}; it has {', '.join(MODELS)}")
        words = request.prompt.split()
        pieces = [f"{word} " for word in words] if request.stream else [f"{' '.join(words)} "]
        for piece in pieces:
            await asyncio.sleep(0)
            yield TextDelta(piece)
        yield Usage(len(words), len(words))
        yield Stopped("stop", response_model=model)

    def unusable(self) -> str | None:
        """Never: it needs no key."""
        return None

    async def models(self) -> tuple[str, ...]:
        """List the parrots."""
        return MODELS

    async def aclose(self) -> None:
        """Close nothing."""
