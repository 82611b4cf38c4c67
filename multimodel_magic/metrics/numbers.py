"""Rates, quantiles and sums that are honest about few and unknown values."""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal
from statistics import NormalDist
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "RELIABLE_P95_N",
    "RELIABLE_P99_N",
    "Number",
    "dollars",
    "mean",
    "ratio",
    "student_t_95",
    "wilson",
]

Number: TypeAlias = int | float | bool

RELIABLE_P95_N = 20
"""From so many values on, one in twenty lies above the p95."""

RELIABLE_P99_N = 100
"""From so many values on, one in a hundred lies above the p99."""

_Z_95 = 1.959963984540054
"""The 97.5 % point of the standard normal distribution."""

_COST_STEP = Decimal("1e-12")
"""What the ledger's doubles resolve below $1000."""


def wilson(successes: float, n: int) -> tuple[float, float]:
    """Return Wilson's 95 % score interval of a rate; `nan` twice where `n` is 0.

    Notes
    -----
    E. B. Wilson, "Probable inference", JASA 22 (1927), without continuity correction.

    Examples
    --------
    >>> [round(limit, 3) for limit in wilson(9, 10)]
    [0.596, 0.982]
    """
    if n == 0:
        return math.nan, math.nan
    rate, z2 = successes / n, _Z_95**2
    middle = (rate + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z_95 / (1 + z2 / n) * math.sqrt(rate * (1 - rate) / n + z2 / (4 * n * n))
    # Rounding must not push the rate itself out of its interval at 0 and 1.
    return max(0.0, min(middle - half, rate)), min(1.0, max(middle + half, rate))


def student_t_95(degrees: float) -> float:
    """Return the 97.5 % point of Student's t; `nan` below one degree of freedom.

    Notes
    -----
    Exact to five digits from three degrees of freedom on, to 1.1 % between one and three.
    G. W. Hill, "Algorithm 396: Student's t-quantiles", CACM 13 (1970). scipy is no dependency.

    Examples
    --------
    >>> round(student_t_95(9), 4)
    2.2622
    """
    p, n = 0.05, degrees
    if not n >= 1:
        return math.nan
    if n == 1:
        return 1 / math.tan(p * math.pi / 2)
    a = 1 / (n - 0.5)
    b = 48 / a**2
    c = ((20700 * a / b - 98) * a - 16) * a + 96.36
    d = ((94.5 / (b + c) - 3) / b + 1) * math.sqrt(a * math.pi / 2) * n
    y = (d * p) ** (2 / n)
    if y <= 0.05 + a:
        near = 1 / (((n + 6) / (n * y) - 0.089 * d - 0.822) * (n + 2) * 3) + 0.5 / (n + 4)
        return math.sqrt(n * ((near * y - 1) * (n + 1) / (n + 2) + 1 / y))
    x = NormalDist().inv_cdf(p / 2)
    y = x * x
    if n < 5:  # noqa: PLR2004 - Hill's
        c += 0.3 * (n - 4.5) * (x + 0.6)
    c = (((0.05 * d * x - 5) * x - 7) * x - 2) * x + b + c
    y = (((((0.4 * y + 6.3) * y + 36) * y + 94.5) / c - y - 3) / b + 1) * x
    return math.sqrt(n * math.expm1(a * y * y))


def ratio(part: float, whole: float) -> float:
    """Return `part / whole`; `nan` where `whole` is 0."""
    return part / whole if whole else math.nan


def mean(values: pd.Series[float]) -> float:
    """Return the mean of the known values; `nan` where there is none."""
    # fsum rounds once.
    return ratio(math.fsum(values.dropna()), int(values.notna().sum()))


def dollars(costs: Iterable[float]) -> Decimal:
    """Sum up costs in US dollars, exact to 1e-12."""
    # fsum rounds once, at the end: adding up doubles as they come loses the 12th place.
    return Decimal(math.fsum(costs)).quantize(_COST_STEP)
