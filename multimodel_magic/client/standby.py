"""Whoever is asked next is made ready while the one before is waited for."""

from __future__ import annotations

import asyncio

from multimodel_magic.types import Provider

__all__ = ["StandingBy"]

SLOW_S = 1.0
"""An SDK takes a second or two to import: not to be paid beside an answer that comes at once."""


class StandingBy:
    """Has a provider load what it needs, if what is done meanwhile takes longer than `after_s`.

    A slow stream leaves a tenth of the time to the next model: too little to begin with imports.

    Parameters
    ----------
    provider
        Who may be asked next; None is nobody.
    after_s
        In seconds.
    """

    def __init__(self, provider: Provider | None, *, after_s: float = SLOW_S) -> None:
        self._provider = provider
        self._after_s = after_s
        self._timer: asyncio.TimerHandle | None = None
        self._readying: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        if not getattr(self._provider, "is_warm", True):
            # A timer: a task that sleeps costs 30 us, and most answers come sooner.
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._after_s, self._begin)

    async def __aexit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._readying is not None:
            self._readying.cancel()
            await asyncio.gather(self._readying, return_exceptions=True)

    def _begin(self) -> None:
        warm = self._provider.warm()  # type: ignore[union-attr]  # who says `is_warm` has it
        self._readying = asyncio.get_running_loop().create_task(warm)
