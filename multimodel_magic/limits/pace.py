"""How long models take to their first token: what a hedge waits for."""

from __future__ import annotations

from collections import deque

__all__ = ["Pace"]

KEPT = 100
ENOUGH = 20
"""A 95th percentile of fewer times says nothing."""


class Pace:
    """The last times to the first token, by `provider:model`."""

    def __init__(self) -> None:
        self._times: dict[str, deque[float]] = {}

    def note(self, name: str, ttft_s: float) -> None:
        """Take in one time, in seconds."""
        self._times.setdefault(name, deque(maxlen=KEPT)).append(ttft_s)

    def p95_s(self, name: str) -> float | None:
        """Return the 95th percentile (nearest rank); None where fewer than 20 are known."""
        times = sorted(self._times.get(name, ()))
        return times[-(-95 * len(times) // 100) - 1] if len(times) >= ENOUGH else None
