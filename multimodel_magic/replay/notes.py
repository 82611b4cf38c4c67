"""What is noted at recording, so that a request can be replayed. Every session imports this."""

from __future__ import annotations

from multimodel_magic.types import Request

__all__ = ["ARROW", "FALLBACKS", "STRATEGY", "notes_of"]

ARROW = " > "
"""Between models in the ledger's rows."""

STRATEGY = "asked_strategy"
"""The label that holds the strategy that the request named."""

FALLBACKS = "asked_fallbacks"
"""The label that holds the fallbacks that the request named; empty text: none at all."""


def notes_of(request: Request) -> dict[str, str]:
    """Return labels for what a ledger's row does not say of a request and a replay must know."""
    notes: dict[str, str] = {}
    if request.strategy is not None:
        notes[STRATEGY] = request.strategy
    if request.fallbacks is not None:
        notes[FALLBACKS] = ARROW.join(request.fallbacks)
    return notes
