"""Counts, exact sums and sorted times of a set of rows, which add up to those of a larger set.

What `overall` and `per_model` say is computed from these alone, so that a ledger can keep the
tallies of its older rows and count only the new ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]

__all__ = ["NOTHING", "Tally", "Totals", "add_up", "exact", "quantile_of", "tallies", "tally"]

Sum: TypeAlias = tuple[float, ...]
"""Numbers whose exact sum is meant; `math.fsum` rounds it once."""

_FEW = 2_048
"""So many values are sorted rather than searched."""

_HUGE = 1e290
"""From here on sums may leave what a double holds."""

_STEPS = 64
"""Into how many parts a search cuts the longest sample at a time."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What the metrics need of a set of requests, or of attempts."""

    n: int = 0
    answered: int = 0
    failed: int = 0
    cached: int = 0
    """Answers from our cache; they are in no time and in no tokens below."""
    fallbacks: int = 0
    """Answers from another model than the route's first; of requests only."""
    attempts: int = 0
    """Of requests only."""
    known_cost: int = 0
    """Rows whose cost is known."""
    priced: int = 0
    """Of these, how many were no answers from our cache."""
    priced_answers: int = 0
    """Of these, how many are answers."""
    input_tokens: int = 0
    output_tokens: int = 0
    timed_tokens: int = 0
    """Output tokens of answers that were not cached."""
    cost_usd: Sum = ()
    timed_s: Sum = ()
    """Seconds, the latency of answers whose output tokens are in `timed_tokens`."""
    lost_s: Sum = ()
    """Seconds, the latency of failures."""
    latency_s: tuple[Floats, ...] = ()
    """Of answers that were not cached: arrays in ascending order."""
    ttft_s: tuple[Floats, ...] = ()

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


NOTHING = Tally()


@dataclass(frozen=True, slots=True)
class Totals:
    """The tally of a set of requests, and those of their attempts by provider and model."""

    requests: Tally
    models: dict[tuple[str, str], Tally]


def add_up(parts: Iterable[Tally]) -> Tally:
    """Return the tally of all parts together."""
    return sum(parts, NOTHING)


def exact(values: Floats) -> Sum:
    """Return a few numbers whose exact sum is that of all `values`, which are finite.

    Notes
    -----
    S. M. Rump, T. Ogita, S. Oishi, "Accurate floating-point summation part I", SIAM J. Sci.
    Comput. 31 (2008), the extraction of algorithm 3.3: each turn splits off the leading bits that
    add up without rounding. `math.fsum` does the same one number at a time, ten times slower.
    """
    import numpy as np

    if not float(np.max(np.abs(values), initial=0.0)) < _HUGE:
        return (float(values.sum()),)
    parts = []
    spread = 2.0 ** math.ceil(math.log2(len(values) + 2))
    while (most := float(np.max(np.abs(values), initial=0.0))) > 0:
        sigma = spread * 2.0 ** math.ceil(math.log2(most))
        leading = (values + sigma) - sigma
        parts.append(float(leading.sum()))
        values = values - leading
    return tuple(parts)


def tally(rows: pd.DataFrame) -> Tally:
    """Count the frame of requests, or of attempts."""
    return _Columns(rows).tally(None)


def tallies(rows: pd.DataFrame, groups: Any) -> dict[Any, Tally]:  # noqa: ANN401 - as pandas
    """Count each group of a frame.

    Parameters
    ----------
    groups
        A series of names (unknown ones are a group too), or a list of columns.
    """
    if not len(rows):
        return {}
    columns = _Columns(rows)
    named = isinstance(groups, list)
    keys: list[pd.Series[Any]] = [rows[name] for name in groups] if named else [groups]
    codes = _codes(keys)
    order, bounds = _in_order(codes)
    names = rows[groups] if named else groups
    firsts = names.iloc[order[bounds[:-1]]]
    found = firsts.itertuples(index=False, name=None) if named else firsts
    return {
        name: columns.tally(order[start:end])
        for name, start, end in zip(found, bounds[:-1], bounds[1:], strict=True)
    }


def _codes(columns: list[pd.Series[Any]]) -> NDArray[np.int64]:
    """Return the number of each row's group, from 0.

    Over texts it takes a tenth of the time of `DataFrame.groupby`.
    """
    import numpy as np
    import pandas as pd

    codes = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        found, known = pd.factorize(column)
        codes = codes * (len(known) + 1) + found + 1
        codes = np.cumsum(np.bincount(codes) > 0)[codes] - 1  # without those that nobody has
    return codes


def _in_order(codes: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[int]]:
    """Return the rows group by group, and where each group begins and the last one ends."""
    import numpy as np

    counts = np.bincount(codes)
    few = len(counts) < np.iinfo(np.int16).max  # numpy sorts these by radix
    order = np.argsort(codes.astype(np.int16 if few else np.int64), kind="stable")
    return order, [0, *np.cumsum(counts).tolist()]


class _Columns:
    """The columns that are counted, as plain arrays; unknown numbers are NaN."""

    def __init__(self, rows: pd.DataFrame) -> None:
        import numpy as np

        self._answered = _is(rows, "status", "answered")
        self._failed = _is(rows, "status", "failed")
        nothing = np.zeros(len(rows), bool)
        # Requests say it in a column, attempts by what their price was.
        said = _true(rows, "cached", nothing)
        spared = _is(rows, "price_source", "cache") if "price_source" in rows else nothing
        self._cached = (said | spared) & self._answered
        self._fallback = _true(rows, "fallback_used", nothing) & self._answered
        named = ("latency_s", "ttft_s", "cost_usd", "input_tokens", "output_tokens")
        self._numbers = [rows[name].to_numpy("float64", na_value=np.nan) for name in named]
        self._attempts = (
            rows["attempts"].to_numpy("int64", na_value=0) if "attempts" in rows else None
        )

    def tally(self, at: NDArray[np.int64] | None) -> Tally:
        """Count the rows at these places; all of them by default."""
        import numpy as np

        def of(column: Any) -> Any:  # noqa: ANN401 - of any dtype
            return column if at is None else column[at]

        answered, failed, cached = of(self._answered), of(self._failed), of(self._cached)
        latency_s, ttft_s, cost_usd, tokens_in, tokens_out = map(of, self._numbers)
        asked = answered & ~cached
        timed = asked & ~np.isnan(tokens_out) & ~np.isnan(latency_s)
        known = ~np.isnan(cost_usd)
        return Tally(
            n=len(answered),
            answered=int(answered.sum()),
            failed=int(failed.sum()),
            cached=int(cached.sum()),
            fallbacks=int(of(self._fallback).sum()),
            attempts=0 if self._attempts is None else int(of(self._attempts).sum()),
            known_cost=int(known.sum()),
            priced=int((known & ~cached).sum()),
            priced_answers=int((known & asked).sum()),
            input_tokens=int(np.nansum(tokens_in[~cached])),
            output_tokens=int(np.nansum(tokens_out[~cached])),
            timed_tokens=int(tokens_out[timed].sum()),
            cost_usd=exact(cost_usd[known]),
            timed_s=exact(latency_s[timed]),
            lost_s=exact(_known(latency_s[failed])),
            latency_s=_sample(latency_s[asked]),
            ttft_s=_sample(ttft_s[asked]),
        )


def _is(rows: pd.DataFrame, name: str, value: str) -> NDArray[np.bool_]:
    return (rows[name] == value).to_numpy(bool, na_value=False)


def _true(rows: pd.DataFrame, name: str, nothing: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return rows[name].to_numpy(bool, na_value=False) if name in rows else nothing


def _known(values: Floats) -> Floats:
    import numpy as np

    return values[~np.isnan(values)]


def _sample(values: Floats) -> tuple[Floats, ...]:
    import numpy as np

    known = np.sort(_known(values))
    return (known,) if len(known) else ()


# --- percentiles


def quantile_of(sample: tuple[Floats, ...], at: float) -> float:
    """Return a quantile of arrays that are each in ascending order; `nan` where there is none.

    Interpolates linearly, to the last bit as numpy does.
    """
    n = sum(map(len, sample))
    if not n:
        return math.nan
    place = (n - 1) * at
    below = math.floor(place)
    low, high = _ranked(sample, below, min(below + 1, n - 1))
    t, width = place - below, high - low
    return low + width * t if t < 0.5 else high - width * (1 - t)  # noqa: PLR2004 - numpy's


def _ranked(sample: tuple[Floats, ...], first: int, last: int) -> tuple[float, float]:
    """Return the values of two neighbouring ranks (from 0) among all that is in the sample."""
    import numpy as np

    while sum(map(len, sample)) > _FEW:
        longest = max(sample, key=len)
        marks = longest[:: max(1, len(longest) // _STEPS)]
        under = sum(part.searchsorted(marks, "left") for part in sample)
        upto = sum(part.searchsorted(marks, "right") for part in sample)
        # The last mark with no more than `first` values below it, the first with `last` up to it.
        left = int(np.searchsorted(under, first, "right")) - 1
        right = int(np.searchsorted(upto, last, "right"))
        low = marks[left] if left >= 0 else -math.inf
        high = marks[right] if right < len(marks) else math.inf
        if low == high:
            return float(low), float(low)
        kept, dropped = _between(sample, low, high)
        if sum(map(len, kept)) == sum(map(len, sample)):
            break
        sample, first, last = kept, first - dropped, last - dropped
    merged = np.sort(np.concatenate(sample))
    return float(merged[first]), float(merged[last])


def _between(sample: tuple[Floats, ...], low: float, high: float) -> tuple[tuple[Floats, ...], int]:
    """Return the values from `low` to `high`, both included, and how many are below."""
    starts = [int(part.searchsorted(low, "left")) for part in sample]
    ends = [int(part.searchsorted(high, "right")) for part in sample]
    kept = (part[a:b] for part, a, b in zip(sample, starts, ends, strict=True))
    return tuple(part for part in kept if len(part)), sum(starts)
