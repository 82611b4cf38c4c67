"""A breaker per model: who failed too often of late rests, and is then tried with one request."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

__all__ = ["Breaker", "BreakerTerms", "Breakers", "Gate", "State"]

State: TypeAlias = Literal["closed", "open", "half-open"]
Gate: TypeAlias = Literal["free", "probe"]
"""How a request got past a breaker: as any other, or as the one that tries a resting model."""

LOOK_AGAIN_S = 0.1
"""How long who waits for somebody else's probe waits before it looks again."""


@dataclass(frozen=True, slots=True)
class BreakerTerms:
    """When a breaker opens, and for how long.

    Parameters
    ----------
    failures, of
        A breaker opens when so many of so many last attempts failed.
    rest_s, rest_most_s
        The first rest in seconds, doubled each time that the probe fails, and the longest one.
    """

    failures: int = 5
    of: int = 10
    rest_s: float = 5.0
    rest_most_s: float = 60.0


@dataclass(slots=True)
class Breaker:
    """What is known of one model's recent failures.

    `closed`: it is asked. `open`: it rests. `half-open`: the rest is over and one request at a
    time may try it.
    """

    clock: Callable[[], float]
    recent: deque[bool]
    """The last outcomes, oldest first; true is a failure."""
    rest_s: float
    """How long the next rest will be."""
    open_until_s: float | None = None
    probing: bool = False
    last_error: str = ""
    """The class of the last failure."""
    opened: int = field(default=0)
    """How often it opened."""

    @property
    def state(self) -> State:
        """`closed`, `open` or `half-open`."""
        if self.open_until_s is None:
            return "closed"
        return "open" if self.clock() < self.open_until_s else "half-open"

    @property
    def wait_s(self) -> float:
        """How long until it may be asked: 0 where it may be at once."""
        if self.open_until_s is None:
            return 0.0
        left_s = self.open_until_s - self.clock()
        if left_s > 0:
            return left_s
        return LOOK_AGAIN_S if self.probing else 0.0

    def __str__(self) -> str:
        state = self.state
        failed = f"{sum(self.recent)} of the last {len(self.recent)} failed"
        if state == "closed":
            return f"closed ({failed})"
        if state == "half-open":
            return "half-open: being tried" if self.probing else "half-open: the next request tries"
        return f"open for {self.wait_s:.0f} s more ({failed}, last: {self.last_error})"


class Breakers(Mapping[str, Breaker]):
    """The breakers of one client, by `provider:model`; models that never failed have none.

    Parameters
    ----------
    failures, of, rest_s, rest_most_s
        As in `BreakerTerms`.
    clock
        Monotonic seconds.

    Examples
    --------
    >>> now = [0.0]
    >>> breakers = Breakers(failures=2, of=4, rest_s=5.0, clock=lambda: now[0])
    >>> for _ in range(2):
    ...     breakers.leave("a:m", breakers.enter("a:m"), failed=True, error="Overloaded")
    >>> str(breakers["a:m"]), breakers.enter("a:m") is None
    ('open for 5 s more (2 of the last 2 failed, last: Overloaded)', True)
    >>> now[0] = 5.0
    >>> breakers.enter("a:m"), breakers.enter("a:m") is None
    ('probe', True)
    """

    def __init__(
        self,
        *,
        failures: int = 5,
        of: int = 10,
        rest_s: float = 5.0,
        rest_most_s: float = 60.0,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.terms = BreakerTerms(failures, of, rest_s, rest_most_s)
        self._clock = clock
        self._breakers: dict[str, Breaker] = {}

    def __getitem__(self, name: str) -> Breaker:
        return self._breakers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._breakers))

    def __len__(self) -> int:
        return len(self._breakers)

    def wait_s(self, name: str) -> float:
        """Return how long until the model may be asked; 0 where it may be at once."""
        breaker = self._breakers.get(name)
        return 0.0 if breaker is None else breaker.wait_s

    def enter(self, name: str, *, waited: bool = False) -> Gate | None:
        """Let a request pass, or not (None); `waited`: it has waited for the end of the rest."""
        breaker = self._breakers.get(name)
        if breaker is None or breaker.open_until_s is None:
            return "free"
        if breaker.probing or (breaker.wait_s > 0 and not waited):
            return None
        breaker.probing = True
        return "probe"

    def leave(
        self, name: str, gate: Gate | None, *, failed: bool | None, error: str | None = None
    ) -> None:
        """Take in how a request ended that had entered.

        Parameters
        ----------
        failed
            Whether the model is in trouble; None where the end says nothing of that, such as an
            interrupt.
        error
            The class of the failure.
        """
        breaker = self._breakers.get(name)
        if breaker is None:
            if not failed:
                return
            breaker = Breaker(self._clock, deque(maxlen=self.terms.of), self.terms.rest_s)
            self._breakers[name] = breaker
        if gate == "probe":
            breaker.probing = False
        if failed is None or (breaker.open_until_s is not None and gate != "probe"):
            return  # What was sent before it opened has had its say.
        breaker.recent.append(failed)
        if failed:
            breaker.last_error = error or ""
            if gate == "probe" or sum(breaker.recent) >= self.terms.failures:
                self._open(breaker)
        elif gate == "probe" or not any(breaker.recent):
            self._close(name, breaker)

    def use(self, terms: BreakerTerms) -> None:
        """Go by these terms from now on; who rests goes on resting."""
        for breaker in self._breakers.values():
            breaker.recent = deque(breaker.recent, maxlen=terms.of)
            if breaker.rest_s == self.terms.rest_s:
                breaker.rest_s = terms.rest_s
        self.terms = terms

    def forget(self) -> None:
        """Close all of them."""
        self._breakers.clear()

    def _open(self, breaker: Breaker) -> None:
        breaker.open_until_s = self._clock() + breaker.rest_s
        breaker.rest_s = min(2 * breaker.rest_s, self.terms.rest_most_s)
        breaker.opened += 1

    def _close(self, name: str, breaker: Breaker) -> None:
        if breaker.opened:
            breaker.open_until_s = None
            breaker.recent.clear()
            breaker.rest_s = self.terms.rest_s
        else:
            del self._breakers[name]
