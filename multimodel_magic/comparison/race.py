"""The race: every contestant's own stream at once, each of which may be stopped and asked again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.comparison.values import Comparison, shuffled
from multimodel_magic.errors import UnknownModel, UsageError, did_you_mean
from multimodel_magic.types import Event, Finished, Request, Response, new_ulid

__all__ = ["MOST", "Hear", "Lineup", "Race", "line_up"]

MOST = 12
"""How many contestants one comparison may have: more do not fit a page."""

Hear: TypeAlias = Callable[[int, Event], None]
"""`(place, event)`: told of everything as it happens, on the race's loop; it must be quick."""


@dataclass(frozen=True, slots=True)
class Lineup:
    """Who is going to be asked what, in the order shown."""

    names: tuple[str, ...]
    requests: tuple[Request, ...]
    blind: bool
    seed: str
    id: str

    @property
    def prompt(self) -> str:
        """What all of them are asked."""
        return self.requests[0].prompt


def line_up(
    client: UnifiedLLMClient, asked: Request, names: Sequence[str], *, blind: bool = False
) -> Lineup:
    """Make a request for every contestant, in the order in which they are going to be shown.

    Parameters
    ----------
    client
        Knows the names.
    asked
        What all are asked; its own models and strategy count for nothing.
    names
        Models, aliases, roles or strategies. A name that is both is the model.
    blind
        Deal the places by chance.

    Raises
    ------
    UsageError
        For fewer than two contestants, more than twelve, one named twice, and unknown names.
    """
    _check(names)
    number = new_ulid()
    seed = number if blind else ""
    order = shuffled(len(names), seed) if blind else tuple(range(len(names)))
    shown = tuple(names[place] for place in order)
    requests = tuple(_request(client, asked, name, number) for name in shown)
    return Lineup(shown, requests, blind, seed, number)


def _check(names: Sequence[str]) -> None:
    if len(names) < 2:  # noqa: PLR2004 - one is no comparison
        raise UsageError(f"a comparison needs two contestants or more, not {len(names)}")
    if len(names) > MOST:
        raise UsageError(f"{len(names)} contestants are too many side by side: {MOST} at most")
    twice = next((name for name in names if list(names).count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"{twice!r} is named twice among the contestants")


def _request(client: UnifiedLLMClient, asked: Request, name: str, number: str) -> Request:
    is_strategy = _is_strategy(client, name)
    return replace(
        asked,
        models=() if is_strategy else (name,),
        strategy=name if is_strategy else None,
        request_id=new_ulid(),
        labels={**asked.labels, "comparison": number, "contestant": name},
    )


def _is_strategy(client: UnifiedLLMClient, name: str) -> bool:
    catalogue = client.catalogue.with_providers(client.providers)
    if name in client.strategies and name not in catalogue.names():
        return True
    try:
        catalogue.resolve(name)
    except UnknownModel as error:
        known = [*catalogue.names(), *client.strategies]
        if near := did_you_mean(name, known, most=2):
            told = f"no model, role, alias or strategy is called {name!r}{near}"
            raise UsageError(told) from error
        raise UsageError(str(error)) from error
    return False


class Race:
    """Ask every contestant of a lineup at once.

    Parameters
    ----------
    client
        Asks, prices and records.
    lineup
        Whom, and what.
    hear
        Told of every event of every place.
    gate
        How many may be asked at a time, shared by several races; None: all at once.
    """

    def __init__(
        self,
        client: UnifiedLLMClient,
        lineup: Lineup,
        hear: Hear | None = None,
        *,
        gate: asyncio.Semaphore | None = None,
    ) -> None:
        self._client = client
        self._lineup = lineup
        self._hear = hear
        self._gate = gate
        self._requests = list(lineup.requests)
        self._responses: list[Response | None] = [None] * len(lineup.requests)
        self._tasks: dict[int, asyncio.Task[None]] = {}
        """By place; only the race's own loop touches it."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._unwanted: set[int] = set()
        """Who was stopped before the race began."""

    @property
    def comparison(self) -> Comparison:
        """What has come of it so far; may be read from any thread."""
        lineup = self._lineup
        return Comparison(
            lineup.prompt,
            lineup.names,
            tuple(request.request_id for request in self._requests),
            tuple(self._responses),
            lineup.blind,
            seed=lineup.seed,
            id=lineup.id,
        )

    async def run(self) -> Comparison:
        """Ask all, and wait until every one has ended, asked again or not.

        Raises
        ------
        asyncio.CancelledError
            Where it was cancelled: all streams are then closed, and what came is in `comparison`.
        """
        self._loop = asyncio.get_running_loop()
        for place in range(len(self._requests)):
            self._begin(place)
        for place in tuple(self._unwanted):
            self._soon(partial(self._cancel, place))
        try:
            while running := [task for task in self._tasks.values() if not task.done()]:
                await asyncio.wait(running)
        finally:
            await self._end()
        return self.comparison

    def stop(self, place: int) -> None:
        """Stop one contestant, and keep what came; from any thread. Ended ones stay as they are."""
        if self._loop is None:
            self._unwanted.add(place)
        self._soon(partial(self._cancel, place))

    def retry(self, place: int) -> None:
        """Ask one contestant again, with a request of its own; from any thread.

        Nothing happens while it is still answering.
        """
        self._soon(partial(self._again, place))

    # --- on the race's own loop

    def _soon(self, work: Callable[[], None]) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(work)

    def _begin(self, place: int) -> None:
        # Its first step is taken before anything scheduled later can cancel it: an unentered
        # coroutine would record nothing.
        task = asyncio.get_running_loop().create_task(self._read(place))
        task.add_done_callback(partial(self._ended, place))
        self._tasks[place] = task

    def _cancel(self, place: int) -> None:
        if (task := self._tasks.get(place)) is not None:
            task.cancel()

    def _again(self, place: int) -> None:
        if not self._tasks[place].done():
            return
        self._requests[place] = replace(self._requests[place], request_id=new_ulid())
        self._responses[place] = None
        self._begin(place)

    async def _read(self, place: int) -> None:
        async with self._gate or nullcontext():
            stream = self._client.stream(self._requests[place])
            async with aclosing(stream) as events:
                async for event in events:
                    self._take(place, event)

    def _take(self, place: int, event: Event) -> None:
        if isinstance(event, Finished):
            self._responses[place] = event.response
        if self._hear is not None:
            self._hear(place, event)

    def _ended(self, place: int, task: asyncio.Task[None]) -> None:
        """Make an end of a contestant that a bug or a plugin's fault threw out of its stream."""
        if task.cancelled() or not isinstance(error := task.exception(), Exception):
            return
        self._take(place, Finished(Response(self._requests[place], "", error=error)))

    async def _end(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
