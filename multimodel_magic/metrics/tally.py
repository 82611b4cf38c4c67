"""Counts, exact sums and sorted times of a set of rows, which add up to those of a larger set.

What `overall` and `per_model` say is computed from these alone, so that a ledger can keep the
tallies of its older rows and count only the new ones. Frames are counted in `counting`; rows as a
database gives them are counted here, for numpy takes longer to import than a summary may take.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import accumulate, compress
from operator import and_, not_, or_
from typing import Any, TypeAlias

from multimodel_magic.metrics.counts import counts

__all__ = [
    "NOTHING",
    "PERCENTILES",
    "Sample",
    "Sum",
    "Tally",
    "Totals",
    "add_up",
    "quantile_of",
    "ranks_of",
    "tally_of",
    "totals_of",
]

Sum: TypeAlias = tuple[float, ...]
"""Numbers whose exact sum is meant; `math.fsum` rounds it once."""

Sample: TypeAlias = tuple[Sequence[float], ...]
"""Numbers in parts, each of them in ascending order."""

PERCENTILES = (0.5, 0.95, 0.99)
"""What the metrics give of every sample."""

_FEW = 128
"""So many values are sorted rather than searched."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What the metrics need of a set of requests, or of attempts."""

    n: int = 0
    answered: int = 0
    failed: int = 0
    """Without those that asked nobody."""
    asked_nobody: int = 0
    """Of requests only: see `counts.ASKED_NOBODY`."""
    cached: int = 0
    """Answers from our cache; they are in no time and in no tokens below."""
    fallbacks: int = 0
    """Answers from another model than the route's first; of requests only."""
    attempts: int = 0
    """Of requests only."""
    known_cost: int = 0
    """Rows whose cost is known."""
    priced: int = 0
    """Of these, how many asked somebody: no answers from our cache among them."""
    priced_answers: int = 0
    """Of these, how many are answers."""
    input_tokens: int = 0
    output_tokens: int = 0
    unknown_input_tokens: int = 0
    unknown_output_tokens: int = 0
    """Rows that asked somebody and do not say how many."""
    timed_tokens: int = 0
    """Output tokens of answers that were not cached."""
    cost_usd: Sum = ()
    timed_s: Sum = ()
    """Seconds, the latency of answers whose output tokens are in `timed_tokens`."""
    lost_s: Sum = ()
    """Seconds, the latency of failures."""
    latency_s: Sample = ()
    """Of answers that were not cached."""
    ttft_s: Sample = ()

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


NOTHING = Tally()


@dataclass(frozen=True, slots=True)
class Totals:
    """The tally of a set of requests, and those of their attempts by provider and model."""

    requests: Tally
    models: Mapping[tuple[str, str], Tally]


def add_up(parts: Iterable[Tally]) -> Tally:
    """Return the tally of all parts together."""
    return sum(parts, NOTHING)


# --- rows as a database gives them


def totals_of(
    requests: Iterable[Mapping[str, Any]], attempts: Iterable[Mapping[str, Any]]
) -> Totals:
    """Count rows, by the names of their columns; None is unknown."""
    tried: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for row in attempts:
        tried[row["provider"], row["model"]].append(row)
    return Totals(tally_of(requests), {name: tally_of(rows) for name, rows in tried.items()})


def tally_of(rows: Iterable[Mapping[str, Any]]) -> Tally:
    """Count rows of requests, or of attempts; `counting.tally` counts a frame of them."""
    return Tally(**counts(_OneByOne(list(rows))))


class _Marked(tuple[bool, ...]):
    """Which of some rows are meant."""

    __slots__ = ()

    def __and__(self, other: _Marked) -> _Marked:
        return _Marked(map(and_, self, other))

    def __or__(self, other: _Marked) -> _Marked:
        return _Marked(map(or_, self, other))

    def __invert__(self) -> _Marked:
        return _Marked(map(not_, self))


@dataclass(frozen=True, slots=True)
class _OneByOne:
    """Rows by the names of their columns; None is unknown."""

    rows: Sequence[Mapping[str, Any]]

    @property
    def every(self) -> _Marked:
        return _Marked([True] * len(self.rows))

    def among(self, name: str, *values: object) -> _Marked:
        return _Marked(row.get(name) in values for row in self.rows)

    def known(self, name: str) -> _Marked:
        return _Marked(row[name] is not None for row in self.rows)

    def count(self, rows: _Marked) -> int:
        return sum(rows)

    def total(self, name: str, rows: _Marked) -> int:
        return sum(row.get(name) or 0 for row in compress(self.rows, rows))

    def exact(self, name: str, rows: _Marked) -> Sum:
        return tuple(row[name] for row in compress(self.rows, rows & self.known(name)))

    def sample(self, name: str, rows: _Marked) -> Sample:
        found = sorted(self.exact(name, rows))
        return (found,) if found else ()


# --- percentiles


def quantile_of(sample: Sample, at: float) -> float:
    """Return a quantile of numbers that stand in parts; `nan` where there is none.

    Interpolates linearly, to the last bit as numpy does.
    """
    n = sum(map(len, sample))
    if not n:
        return math.nan
    low, high = _ranked(sample, *ranks_of(n, at))
    place = (n - 1) * at
    t, width = place - math.floor(place), high - low
    return low + width * t if t < 0.5 else high - width * (1 - t)  # noqa: PLR2004 - numpy's


def ranks_of(n: int, at: float) -> tuple[int, int]:
    """Return the ranks, from 0, between which a quantile of `n` numbers lies."""
    below = math.floor((n - 1) * at)
    return below, min(below + 1, n - 1)


def _ranked(sample: Sample, first: int, last: int) -> tuple[float, float]:
    """Return the values of two neighbouring ranks (from 0) among all that is in the sample."""
    if len(sample) == 1:
        return sample[0][first], sample[0][last]
    starts, ends = [0] * len(sample), list(map(len, sample))
    while sum(ends) - sum(starts) > _FEW:
        pivot = _middle(sample, starts, ends)
        parts = list(zip(sample, starts, ends, strict=True))
        under = [bisect_left(part, pivot, a, b) for part, a, b in parts]
        upto = [bisect_right(part, pivot, a, b) for part, a, b in parts]
        if last < sum(under):
            ends = under
        elif first >= sum(upto):
            starts = upto
        elif sum(under) <= first and last < sum(upto):
            return pivot, pivot
        else:  # the ranks lie on both sides of an edge of the pivot's run
            return _at_an_edge(sample, under, upto, first, pivot)
    left = sorted(v for part, a, b in zip(sample, starts, ends, strict=True) for v in part[a:b])
    return left[first - sum(starts)], left[last - sum(starts)]


def _middle(sample: Sample, starts: Sequence[int], ends: Sequence[int]) -> float:
    """Return the weighted median of the parts' medians: a quarter at least lies on each side."""
    medians = sorted(
        (part[(a + b) // 2], b - a)
        for part, a, b in zip(sample, starts, ends, strict=True)
        if b > a
    )
    half = (sum(ends) - sum(starts)) / 2
    seen = accumulate(weight for _, weight in medians)
    return next(value for (value, _), upto in zip(medians, seen, strict=True) if upto >= half)


def _at_an_edge(
    sample: Sample, under: Sequence[int], upto: Sequence[int], first: int, pivot: float
) -> tuple[float, float]:
    if first < sum(under):
        return max(part[a - 1] for part, a in zip(sample, under, strict=True) if a), pivot
    return pivot, min(part[b] for part, b in zip(sample, upto, strict=True) if b < len(part))
