"""The thread that extends a mirror, so that nobody who writes or reads waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from multimodel_magic.bridge import Worker

if TYPE_CHECKING:
    from multimodel_magic.ledger.mirror import Mirror

__all__ = ["IDLE_S", "Keeper"]

PATIENCE_S = 2.0
"""How long the end of a kernel waits, so that the first summary of the next one need not."""

IDLE_S = 1.0
"""How long a thread of the ledger waits for more to do; a ledger nobody holds goes with its last.

To start one takes a tenth of a millisecond."""


class Keeper:
    """Keeps a mirror up with its database, in a thread that begins with the first need of it.

    Parameters
    ----------
    mirror
        What to keep up; nobody else uses it.
    """

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._wanted = True
        # How long a kernel's end waits is for `stop` to say: the ledger calls it then.
        self._worker: Worker[None] = Worker(
            self._work, name="multimodel-magic-ledger-mirror", leave_s=0.0, idle_s=IDLE_S
        )

    def look(self) -> None:
        """Have the mirror extended where it is behind; returns at once."""
        self._wanted = True
        self._worker.put(None)

    def settle(self) -> None:
        """Wait until the mirror is as it was to become."""
        while not self._worker.flush():
            continue  # it gives up after a minute

    def stop(self) -> None:
        """Wait a little for what is under way, then break it off; what is done stays done."""
        if not self._worker.stop(PATIENCE_S):
            self._wanted = False
            self._worker.stop()

    def _work(self, _: list[None]) -> None:
        if self._wanted:
            self._mirror.keep_up(lambda: self._wanted)
