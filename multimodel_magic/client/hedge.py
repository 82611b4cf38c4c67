"""A hedge: a second model is asked when the first says nothing for too long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from multimodel_magic.client.asking import ask, let_go, prepare
from multimodel_magic.client.run import Place, Run
from multimodel_magic.errors import Cancelled
from multimodel_magic.types import AttemptFailed, Event, Notice, TextDelta

__all__ = ["hedged"]

Step = tuple[Place, Event | None]
"""What a model's attempt says; None is its end."""


async def hedged(
    run: Run, first: Place, second: Place, delay_s: float
) -> AsyncGenerator[Event, None]:
    """Ask `first`, and `second` too when nothing was said for `delay_s`; the first text wins.

    The loser is cancelled: its attempt is on the books, with what it cost, before the winner's.
    """
    race = _Race(run)
    race.start(first)
    opens_s: float | None = asyncio.get_running_loop().time() + delay_s
    try:
        while race.tasks:
            try:
                async with asyncio.timeout_at(opens_s):
                    place, event = await race.steps.get()
            except TimeoutError:
                opens_s = None
                if race.enter(second):
                    yield Notice(f"{first.name} said nothing for {delay_s:g} s; asking another too")
                continue
            if place.rank not in race.tasks:
                continue  # What the loser said last.
            if event is None:
                await race.tasks.pop(place.rank)
            if race.is_won(place, event):
                opens_s = None
                for loser in await race.end(place):
                    yield loser
            if event is not None:
                yield event
            elif place.failure is not None:
                opens_s = None
    finally:
        await race.stop()
        let_go(run, second)
        race.put_winner_last()


class _Race:
    """The attempts under way, each in a task of its own."""

    def __init__(self, run: Run) -> None:
        self.tasks: dict[int, asyncio.Task[None]] = {}
        self.steps: asyncio.Queue[Step] = asyncio.Queue()
        self._run = run
        self._places: dict[int, Place] = {}
        self._is_over = False

    def start(self, place: Place) -> None:
        self._places[place.rank] = place
        pumped = _pump(ask(self._run, place), place, self.steps.put_nowait)
        self.tasks[place.rank] = asyncio.get_running_loop().create_task(pumped)

    def enter(self, place: Place) -> bool:
        place.gate = self._run.means.breakers.enter(place.name)
        if place.gate is None:
            return False
        prepare(self._run, place)
        self.start(place)
        return True

    def is_won(self, place: Place, event: Event | None) -> bool:
        if self._is_over:
            return False
        return place.failure is None if event is None else isinstance(event, TextDelta)

    async def end(self, winner: Place) -> list[AttemptFailed]:
        """Cancel whoever else is under way."""
        self._is_over = True
        self._run.call = winner.call
        said: list[AttemptFailed] = []
        for rank in [rank for rank in self.tasks if rank != winner.rank]:
            loser = self._places[rank]
            if loser.call is not None:
                loser.call.lost = True
            task = self.tasks.pop(rank)
            task.cancel()
            before = len(self._run.attempts)
            await asyncio.gather(task, return_exceptions=True)
            loser.failure = loser.failure or Cancelled("another model answered first")
            said += map(AttemptFailed, self._run.attempts[before:])
        return said

    def put_winner_last(self) -> None:
        """See to it that the attempt that answered is the last one on the books."""
        number = self._run.call.number if self._is_over and self._run.call else None
        self._run.attempts.sort(key=lambda attempt: attempt.number == number)

    async def stop(self) -> None:
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)


async def _pump(
    events: AsyncGenerator[Event, None], place: Place, put: Callable[[Step], None]
) -> None:
    try:
        async with aclosing(events):
            async for event in events:
                put((place, event))
    finally:
        put((place, None))
