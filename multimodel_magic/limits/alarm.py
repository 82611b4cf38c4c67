"""`Alarm`: ends waits that take too long, with one timer for all the waits of a stream."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Self, TypeVar

__all__ = ["Alarm"]

T = TypeVar("T")

LOOK_S = 5.0
"""How often a wait that is allowed longer is looked at."""


class Alarm:
    """Do as `asyncio.timeout` for one wait after the other, without a timer for each.

    A stream waits once a token, and hardly ever too long: a timer that is set and taken back for
    each wait costs 5 us. The one that is set here looks, once it goes off, how long the wait under
    way may still take, and is set anew where it may.

    Parameters
    ----------
    look_s
        After how many seconds at most it goes off to look.
    """

    def __init__(self, *, look_s: float = LOOK_S) -> None:
        self._look_s = look_s
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: asyncio.Task[object] | None = None
        self._until_s = 0.0
        self._rang = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop()

    async def within(self, limit_s: float, step: Awaitable[T]) -> T:
        """Return what `step` gives.

        Raises
        ------
        TimeoutError
            Where that takes longer than `limit_s` seconds; `step` is then cancelled.
        """
        task = asyncio.current_task()
        assert task is not None, "awaited in a task"  # noqa: S101
        before = task.cancelling()
        self._until_s = asyncio.get_running_loop().time() + limit_s
        self._set()
        self._waiting, self._rang = task, False
        try:
            return await step
        except asyncio.CancelledError as error:
            # Who is cancelled by somebody else, too, is cancelled: as in asyncio.timeout.
            if self._rang and task.cancelling() - 1 <= before:
                raise TimeoutError from error
            raise
        finally:
            self._waiting = None
            if self._rang:
                task.uncancel()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self) -> None:
        if self._timer is None or self._timer.when() > self._until_s:
            self._stop()
            loop = asyncio.get_running_loop()
            # Soon: the next wait may have less time than this one, and needs no timer then.
            self._timer = loop.call_at(min(self._until_s, loop.time() + self._look_s), self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._waiting is None:
            return  # the next wait sets it
        if asyncio.get_running_loop().time() < self._until_s:
            self._set()
            return
        self._rang = True
        self._waiting.cancel()
