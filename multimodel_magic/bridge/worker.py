"""`Worker`: a thread that works through what it is handed, and goes when it has nothing to do."""

from __future__ import annotations

import atexit
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Worker"]

T = TypeVar("T")


class _Last(threading.Event):
    """Waits as any other event for the work before it, and has the thread end after that."""


class Worker(Generic[T]):
    """A daemon thread that is handed items and works through them in batches.

    The thread begins with the first item, and again with the first one after its end. Where no
    thread can be had (the process ends, or has too many), who hands an item over does the work.

    Parameters
    ----------
    work
        Called in the thread with every batch. What it raises is its own affair: it must not.
    name
        The thread's name.
    linger_s
        How long the thread lets a batch grow before it works on it.
    leave_s
        How long the end of the process waits for what is left to do.
    idle_s
        How long the thread waits for the next item before it ends; None: for ever. A thread holds
        its worker and whatever `work` belongs to: these can be collected once it has ended.
    """

    def __init__(
        self,
        work: Callable[[list[T]], None],
        *,
        name: str,
        linger_s: float = 0.05,
        leave_s: float = 60.0,
        idle_s: float | None = None,
    ) -> None:
        self._work = work
        self._name = name
        self._linger_s, self._leave_s, self._idle_s = linger_s, leave_s, idle_s
        self._items: queue.SimpleQueue[T | threading.Event] = queue.SimpleQueue()
        self._hurry = threading.Event()
        self._thread: threading.Thread | None = None
        self._starting = threading.RLock()

    def put(self, item: T) -> None:
        """Hand over one item; returns at once."""
        self._items.put(item)
        if self._thread is None:
            self._start()

    def flush(self, timeout_s: float = 60.0) -> bool:
        """Wait until everything handed over before has been worked on; False on timeout."""
        return self._wait_for(threading.Event(), timeout_s)

    def stop(self, timeout_s: float = 60.0) -> bool:
        """Do as `flush`, and end the thread unless more is handed over; a later item is welcome."""
        thread = self._thread
        if not self._wait_for(_Last(), timeout_s):
            return False
        if thread is not None and thread is not self._thread:
            thread.join()
        return True

    def _wait_for(self, done: threading.Event, timeout_s: float) -> bool:
        thread = self._thread
        if self._items.empty() if thread is None else not thread.is_alive():
            return True  # Not alive: in a forked child, which has the queue but not the thread.
        self._items.put(done)
        self._hurry.set()
        if self._thread is None:
            self._start()
        return done.wait(timeout_s)

    def _start(self) -> None:
        with self._starting:
            if self._thread is not None:
                return
            thread = threading.Thread(target=self._loop, name=self._name, daemon=True)
            try:
                thread.start()
            except RuntimeError:
                self._work_here()
                return
            self._thread = thread
            atexit.register(self.flush, self._leave_s)

    def _work_here(self) -> None:
        while not self._items.empty():
            _tell(self._turn() or [])

    # --- in the thread

    def _loop(self) -> None:
        has_ended = False
        while not has_ended:
            waiting = self._turn()
            may_end = waiting is None or any(isinstance(one, _Last) for one in waiting)
            has_ended = may_end and self._end()
            _tell(waiting or [])

    def _turn(self) -> list[threading.Event] | None:
        """Work on one batch and hold nothing of it any more.

        Returns
        -------
        list of Event or None
            Who waits for that; None where nothing came within `idle_s`.
        """
        try:
            batch = [self._items.get(timeout=self._idle_s)]
        except queue.Empty:
            return None
        self._hurry.wait(self._linger_s)
        self._hurry.clear()
        with contextlib.suppress(queue.Empty):
            while True:
                batch.append(self._items.get_nowait())
        items = [item for item in batch if not isinstance(item, threading.Event)]
        if items:
            self._work(items)
        return [item for item in batch if isinstance(item, threading.Event)]

    def _end(self) -> bool:
        """Take the thread off duty unless an item has come; whoever puts one now starts another."""
        with self._starting:
            # In this order: an item that is put before the look is seen, one after it starts.
            thread, self._thread = self._thread, None
            if not self._items.empty():
                self._thread = thread
                return False
            atexit.unregister(self.flush)
            return True


def _tell(waiting: list[threading.Event]) -> None:
    for done in waiting:
        done.set()
