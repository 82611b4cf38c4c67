"""Frames of the ledger -> the numbers of `%llm stats`: per model, and over all requests.

What counts as what, everywhere here:

- A *success rate* is answered / (answered + failed). What the user interrupted, and what never
  finished, says nothing of the model; it is counted beside.
- *Latency* and ttft are those of answers: a model that fails at once is not quick. The time that
  failures cost is `time_lost_s`.
- *Cost* and tokens are those of every attempt, failed ones included. An unknown cost is counted
  (`unknown_cost`), never added as 0.
- *Percentiles* interpolate linearly (numpy's default). A p95 of fewer than 20 values is one of
  the two largest: it is given, and marked as not reliable.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RELIABLE_P95_N", "Summary", "overall", "per_model", "wilson"]

RELIABLE_P95_N = 20
"""From so many values on, one in twenty lies above the p95."""

_Z_95 = 1.959963984540054
"""The 97.5 % point of the standard normal distribution."""

_COST_STEP = Decimal("1e-12")
"""What the ledger's doubles resolve below $1000."""

_DTYPES = {
    "n": "int64",
    "answered": "int64",
    "failed": "int64",
    "interrupted": "int64",
    "success_rate": "float64",
    "success_low": "float64",
    "success_high": "float64",
    "latency_p50_s": "float64",
    "latency_p95_s": "float64",
    "p95_reliable": "bool",
    "ttft_p50_s": "float64",
    "cost_usd": "float64",
    "unknown_cost": "int64",
    "input_tokens": "int64",
    "output_tokens": "int64",
    "tokens_per_s": "float64",
    "time_lost_s": "float64",
}

Number: TypeAlias = int | float | bool


@dataclass(frozen=True, slots=True)
class Summary:
    """How a set of requests went; `nan` where there is nothing to compute from."""

    requests: int
    answered: int
    failed: int
    interrupted: int
    """By the user, or never finished: in no rate."""
    cached: int
    """Answers from our cache."""
    success_rate: float
    """answered / (answered + failed), in [0, 1], measured on requests."""
    success_low: float
    success_high: float
    """Wilson's 95 % interval of `success_rate`."""
    fallbacks: int
    """Answers that came from another model than the first of the route."""
    fallback_rate: float
    """fallbacks / answered, in [0, 1]."""
    attempts: int
    cost_usd: Decimal
    """US dollars, over all attempts whose cost is known, exact to 1e-12."""
    unknown_cost: int
    """Requests that hold an attempt of unknown cost: `cost_usd` is without it."""
    latency_n: int
    """Answers that were not cached: what the percentiles are of."""
    latency_p50_s: float
    latency_p95_s: float
    p95_reliable: bool
    """Whether `latency_n` is at least 20."""
    input_tokens: int
    output_tokens: int
    """Over all attempts where they are given, else over the requests; unknown ones left out."""
    time_lost_s: float | None
    """Seconds spent in failed attempts; None where no attempts were given."""


def wilson(successes: int, n: int) -> tuple[float, float]:
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


def per_model(attempts: pd.DataFrame) -> pd.DataFrame:
    """Return one row a model from the frame of attempts.

    Returns
    -------
    DataFrame
        Index `model` (`provider:model`, sorted). Columns: `n`, `answered`, `failed`,
        `interrupted` (unfinished ones too), `success_rate` with `success_low` and `success_high`
        (Wilson, 95 %), `latency_p50_s`, `latency_p95_s`, `p95_reliable` (`answered` >= 20),
        `ttft_p50_s`, `cost_usd` (of known costs), `unknown_cost` (attempts), `input_tokens`,
        `output_tokens`, `tokens_per_s` (output tokens over the latency of answers) and
        `time_lost_s` (in failed attempts). The same columns and dtypes when empty.
    """
    import pandas as pd

    names = attempts["provider"] + ":" + attempts["model"]
    rows = {str(name): _model_row(group) for name, group in attempts.groupby(names)}
    index = pd.Index(list(rows), name="model", dtype="string")
    made = pd.DataFrame(list(rows.values()), index=index, columns=list(_DTYPES))
    return made.astype(_DTYPES)


def _model_row(attempts: pd.DataFrame) -> dict[str, Number]:
    answers = attempts[attempts["status"] == "answered"]
    failures = attempts[attempts["status"] == "failed"]
    judged = len(answers) + len(failures)
    low, high = wilson(len(answers), judged)
    return {
        "n": len(attempts),
        "answered": len(answers),
        "failed": len(failures),
        "interrupted": len(attempts) - judged,
        "success_rate": _ratio(len(answers), judged),
        "success_low": low,
        "success_high": high,
        "latency_p50_s": _quantile(answers["latency_s"], 0.5),
        "latency_p95_s": _quantile(answers["latency_s"], 0.95),
        "p95_reliable": len(answers) >= RELIABLE_P95_N,
        "ttft_p50_s": _quantile(answers["ttft_s"], 0.5),
        "cost_usd": math.fsum(attempts["cost_usd"].dropna()),
        "unknown_cost": int(attempts["cost_usd"].isna().sum()),
        "input_tokens": int(attempts["input_tokens"].sum()),
        "output_tokens": int(attempts["output_tokens"].sum()),
        "tokens_per_s": _tokens_per_s(answers),
        "time_lost_s": math.fsum(failures["latency_s"]),
    }


def _tokens_per_s(answers: pd.DataFrame) -> float:
    known = answers[answers["output_tokens"].notna()]
    return _ratio(int(known["output_tokens"].sum()), math.fsum(known["latency_s"]))


def overall(requests: pd.DataFrame, attempts: pd.DataFrame | None = None) -> Summary:
    """Sum up the frame of requests.

    Parameters
    ----------
    requests
        As `Ledger.requests_frame` gives it.
    attempts
        The attempts of those requests. With them, cost and tokens are summed over attempts, so
        that the known part of a request whose cost is unknown counts too.
    """
    answers = requests[requests["status"] == "answered"]
    failed = int((requests["status"] == "failed").sum())
    asked = answers.loc[~answers["cached"].fillna(False).astype(bool), "latency_s"]
    low, high = wilson(len(answers), len(answers) + failed)
    fallbacks = int(answers["fallback_used"].sum())
    spent = requests if attempts is None else attempts
    return Summary(
        requests=len(requests),
        answered=len(answers),
        failed=failed,
        interrupted=len(requests) - len(answers) - failed,
        cached=len(answers) - len(asked),
        success_rate=_ratio(len(answers), len(answers) + failed),
        success_low=low,
        success_high=high,
        fallbacks=fallbacks,
        fallback_rate=_ratio(fallbacks, len(answers)),
        attempts=int(requests["attempts"].sum()),
        cost_usd=_dollars(spent["cost_usd"].dropna()),
        unknown_cost=int(requests["cost_usd"].isna().sum()),
        latency_n=len(asked),
        latency_p50_s=_quantile(asked, 0.5),
        latency_p95_s=_quantile(asked, 0.95),
        p95_reliable=len(asked) >= RELIABLE_P95_N,
        input_tokens=int(spent["input_tokens"].sum()),
        output_tokens=int(spent["output_tokens"].sum()),
        time_lost_s=None if attempts is None else _time_lost_s(attempts),
    )


def _time_lost_s(attempts: pd.DataFrame) -> float:
    return math.fsum(attempts.loc[attempts["status"] == "failed", "latency_s"])


def _dollars(costs: Iterable[float]) -> Decimal:
    # fsum rounds once, at the end: adding up doubles as they come loses the 12th place.
    return Decimal(math.fsum(costs)).quantize(_COST_STEP)


def _quantile(values: pd.Series[float], at: float) -> float:
    return float(values.quantile(at))


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan
