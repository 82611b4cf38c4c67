"""Compare without a notebook: one prompt, or a table of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.comparison.race import Race, line_up
from multimodel_magic.comparison.values import Comparison, Comparisons
from multimodel_magic.errors import Cancelled, UsageError, must_be, shown_as
from multimodel_magic.types import Request

__all__ = ["AT_ONCE", "INTERRUPTED", "compare"]

AT_ONCE = 8
"""How many requests of a table are under way at a time."""
INTERRUPTED = "interrupted: every contestant was stopped; what came is in llm.last_comparison"


async def compare(
    client: UnifiedLLMClient,
    asked: Request,
    prompts: str | Iterable[str],
    names: str | Iterable[str],
    *,
    blind: bool = False,
    at_once: int = AT_ONCE,
    keep: Callable[[Comparison], None],
) -> Comparison | Comparisons:
    """Put one prompt, or each of several, to every contestant.

    Parameters
    ----------
    client
        Asks.
    asked
        What all requests have in common; its prompt counts for nothing.
    prompts
        One text gives a `Comparison`, several give `Comparisons`.
    names
        The contestants: models, aliases, roles or strategies; a text is split at its commas.
    blind
        Deal the places by chance, for each prompt anew, and hide the names.
    at_once
        How many requests may be under way at a time.
    keep
        Told of every comparison when it has ended, an interrupted one included.

    Raises
    ------
    UsageError
        For contestants that are none, and prompts that are no text.
    """
    several = _texts(prompts)
    contestants = _names(names)
    gate = asyncio.Semaphore(max(at_once, 1))
    requests = (replace(asked, prompt=prompt) for prompt in several)
    lineups = [line_up(client, request, contestants, blind=blind) for request in requests]
    races = [Race(client, lineup, gate=gate) for lineup in lineups]
    try:
        async with asyncio.TaskGroup() as group:
            for race in races:
                group.create_task(race.run())
    except asyncio.CancelledError as error:
        shown_as(error, Cancelled(INTERRUPTED))
        raise
    finally:
        for race in races:
            keep(race.comparison)
    rows = tuple(race.comparison for race in races)
    return rows[0] if isinstance(prompts, str) else Comparisons(rows)


def _texts(prompts: str | Iterable[str]) -> Sequence[str]:
    must_be("the prompts", prompts, Iterable, "a text, or several")
    texts = [prompts] if isinstance(prompts, str) else list(prompts)
    if not texts:
        raise UsageError("there is no prompt to compare by")
    if wrong := [text for text in texts if not isinstance(text, str) or not text.strip()]:
        raise UsageError(f"a prompt is {wrong[0]!r:.60}: give text")
    return texts


def _names(names: str | Iterable[str]) -> tuple[str, ...]:
    must_be("the contestants", names, Iterable, "'fast,strong' or ['fast', 'strong']")
    given = names.split(",") if isinstance(names, str) else list(names)
    if not all(isinstance(name, str) for name in given):
        raise UsageError("contestants are named by text: 'fast,strong' or ['fast', 'strong']")
    return tuple(name.strip() for name in given if name.strip())
