"""One prepared cell, and how its events are read to the end, whoever owns the loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from multimodel_magic import bridge
from multimodel_magic.notebook.card import LiveCard
from multimodel_magic.notebook.options import Options
from multimodel_magic.types import Event, Finished, Request, Response

__all__ = ["TICK_S", "Asked", "read", "read_async", "read_here"]

TICK_S = 0.25
"""How often a card counts up while nothing comes; nothing is silent for more than a second."""


@dataclass(slots=True)
class Asked:
    """One prepared cell: the request, its card, and the response once it is there."""

    options: Options
    request: Request
    card: LiveCard | None
    response: Response | None = None

    def show(self, event: Event | None) -> None:
        """Take in one event; None is the passing of time."""
        if isinstance(event, Finished):
            self.response = event.response
        if self.card is not None:
            self.card.tick() if event is None else self.card.show(event)

    def interrupted(self) -> None:
        """Mark the card where no last event came."""
        if self.response is None and self.card is not None:
            self.card.interrupted()


def read(events: Any, asked: Asked) -> None:  # noqa: ANN401 - bridge's generator
    """Read a stream to its end; an interrupt is in the response then."""
    try:
        bridge.consume(events, asked.show)
    except KeyboardInterrupt:
        asked.interrupted()


async def read_async(
    stream: AsyncGenerator[Event | None, None] | AsyncGenerator[Event, None], asked: Asked
) -> None:
    """As `read`, awaited: the interrupt is a cancellation then."""
    try:
        async with aclosing(stream) as events:
            async for event in events:
                asked.show(event)
    except (asyncio.CancelledError, KeyboardInterrupt):
        asked.interrupted()


async def read_here(stream: AsyncGenerator[Event, None], asked: Asked) -> None:
    """As `read_async`, on the loop that also asks: time passes there, too."""
    ticking = asyncio.create_task(_tick(asked))
    try:
        await read_async(stream, asked)
    finally:
        ticking.cancel()
        await asyncio.gather(ticking, return_exceptions=True)


async def _tick(asked: Asked) -> None:
    while True:
        await asyncio.sleep(TICK_S)
        asked.show(None)
