"""Requests and tokens per minute: token buckets, configured or learned from a vendor's headers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from multimodel_magic.errors import must_be_amounts
from multimodel_magic.types import RateHint

__all__ = ["Lease", "Limiter", "Rate", "Window"]

BURST_S = 10.0
"""A bucket holds what comes in so many seconds: vendors count by shorter spans than a minute."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What a provider or a model may be asked per minute; None is as much as one likes."""

    requests: float | None = None
    tokens: float | None = None
    """Input and output together."""

    def __post_init__(self) -> None:
        must_be_amounts(self, "requests", "tokens", give="so many a minute")


@dataclass(slots=True)
class _Bucket:
    """Fills at `per_s` up to `capacity`; may be owed to: a lease is taken before it is there."""

    capacity: float
    per_s: float
    balance: float
    at_s: float

    def wait_s(self, need: float, now_s: float) -> float:
        self._fill(now_s)
        # What is larger than the bucket goes when the bucket is full.
        return max(0.0, (min(need, self.capacity) - self.balance) / self.per_s)

    def take(self, need: float, now_s: float) -> None:
        self._fill(now_s)
        self.balance -= need

    def left(self, now_s: float) -> float:
        self._fill(now_s)
        return self.balance

    def _fill(self, now_s: float) -> None:
        self.balance = min(self.capacity, self.balance + (now_s - self.at_s) * self.per_s)
        self.at_s = now_s


@dataclass(frozen=True, slots=True)
class Window:
    """What is left of one limit at one moment."""

    name: str
    """A provider or `provider:model`."""
    kind: str
    """`requests` or `tokens`, and whether the vendor's headers said it."""
    left: float
    """Below 0: so much is owed to requests that wait already."""
    most: float
    """What may be asked at once."""
    per_minute: float


@dataclass(frozen=True, slots=True)
class Lease:
    """What one request took from the buckets."""

    name: str
    tokens: int


class Limiter:
    """The token buckets of one client.

    Parameters
    ----------
    rates
        By provider or `provider:model`; both count where both are given.
    clock
        Monotonic seconds.

    Examples
    --------
    >>> now = [0.0]
    >>> limiter = Limiter({"a": Rate(requests=6)}, clock=lambda: now[0])
    >>> limiter.wait_s("a:m", 0), limiter.take("a:m", 0), limiter.wait_s("a:m", 0)
    (0.0, Lease(name='a:m', tokens=0), 10.0)
    """

    def __init__(
        self,
        rates: Mapping[str, Rate] | None = None,
        *,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.rates: Mapping[str, Rate] = {}
        self._clock = clock
        self._buckets: dict[tuple[str, str], _Bucket] = {}
        self.use(rates or {})

    def __bool__(self) -> bool:
        return bool(self._buckets)

    def use(self, rates: Mapping[str, Rate]) -> None:
        """Take these rates instead; what stays as it was, and what was learned, goes on."""
        before, self.rates = self.rates, dict(rates)
        for name in before.keys() | rates.keys():
            if before.get(name) != rates.get(name):
                rate = rates.get(name, Rate())
                self._fill_in(name, "requests", rate.requests, least=1.0)
                self._fill_in(name, "tokens", rate.tokens, least=1000.0)

    def windows(self) -> tuple[Window, ...]:
        """Say what is left of every limit at this moment."""
        now_s = self._clock()
        return tuple(
            Window(name, kind, bucket.left(now_s), bucket.capacity, bucket.per_s * 60)
            for (name, kind), bucket in self._buckets.items()
        )

    def wait_s(self, name: str, tokens: int) -> float:
        """Return how long a request of so many tokens must wait; 0 where it need not."""
        now_s = self._clock()
        waits = (b.wait_s(need, now_s) for b, need in self._of(name, 1, tokens))
        return max(waits, default=0.0)

    def take(self, name: str, tokens: int) -> Lease:
        """Take what a request needs, also where it is not there yet: who comes later waits longer.

        Call `wait_s` before, and wait.
        """
        now_s = self._clock()
        for bucket, need in self._of(name, 1, tokens):
            bucket.take(need, now_s)
        return Lease(name, tokens)

    def give_back(self, lease: Lease) -> None:
        """Undo a `take`: nothing was sent."""
        self._correct(lease, -1, -lease.tokens)

    def settle(self, lease: Lease, tokens: int) -> None:
        """Correct a lease by the tokens that were really used."""
        self._correct(lease, 0, tokens - lease.tokens)

    def learn(self, name: str, hint: RateHint) -> None:
        """Take in what a vendor's headers say; what is far from its limit is not worth keeping."""
        self._learn(name, "requests", hint.requests, hint.requests_left, hint.requests_reset_s)
        self._learn(name, "tokens", hint.tokens, hint.tokens_left, hint.tokens_reset_s)

    def _learn(
        self, name: str, kind: str, limit: int | None, left: int | None, reset_s: float | None
    ) -> None:
        key = name, f"{kind}, as the vendor says"
        if limit is None or left is None or not reset_s or left * 2 > limit:
            self._buckets.pop(key, None)
            return
        per_s = (limit - left) / reset_s
        self._buckets[key] = _Bucket(float(limit), per_s, float(left), self._clock())

    def _correct(self, lease: Lease, requests: int, tokens: int) -> None:
        now_s = self._clock()
        for bucket, need in self._of(lease.name, requests, tokens):
            bucket.take(need, now_s)

    def _of(self, name: str, requests: int, tokens: int) -> Iterator[tuple[_Bucket, int]]:
        provider = name.partition(":")[0]
        for (whose, kind), bucket in self._buckets.items():
            if whose in {name, provider}:
                yield bucket, requests if kind.startswith("requests") else tokens

    def _fill_in(self, name: str, kind: str, per_minute: float | None, *, least: float) -> None:
        if per_minute is None:
            self._buckets.pop((name, kind), None)
            return
        per_s = per_minute / 60
        capacity = max(min(least, per_minute), per_s * BURST_S)
        self._buckets[name, kind] = _Bucket(capacity, per_s, capacity, self._clock())
