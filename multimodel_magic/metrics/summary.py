"""The frame of requests -> how it went on the whole, and by strategy, task, tier, day, notebook."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from typing import TYPE_CHECKING

from multimodel_magic.errors import UsageError, did_you_mean
from multimodel_magic.metrics.numbers import (
    RELIABLE_P95_N,
    RELIABLE_P99_N,
    dollars,
    mean,
    quantile,
    ratio,
    tokens_per_s,
    total,
    wilson,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["GROUPS", "Summary", "by", "overall"]

GROUPS = ("strategy", "task", "user_tier", "day", "notebook", "session", "arm", "model")
"""What `by` groups requests by; `day` is the date in UTC, `model` the one that answered or was
asked last."""


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
    cost_per_request_usd: float
    """Mean over the requests whose cost is known as a whole."""
    cost_per_answer_usd: float
    """What those cost together, failed ones included, over the answers among them."""
    latency_n: int
    """Answers that were not cached: what the percentiles are of."""
    latency_p50_s: float
    latency_p95_s: float
    p95_reliable: bool
    """Whether `latency_n` is at least 20."""
    latency_p99_s: float
    p99_reliable: bool
    """Whether `latency_n` is at least 100."""
    ttft_n: int
    """Answers whose time to the first token is known."""
    ttft_p50_s: float
    ttft_p95_s: float
    """Within the attempt that answered."""
    input_tokens: int
    output_tokens: int
    """Over all attempts where they are given, else over the requests; unknown ones left out."""
    tokens_per_s: float
    """Output tokens over the latency of answers, waits and failed attempts included."""
    time_lost_s: float | None
    """Seconds spent in failed attempts; None where no attempts were given."""


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
    asked = answers[~answers["cached"].fillna(False).astype(bool)]
    low, high = wilson(len(answers), len(answers) + failed)
    fallbacks = int(answers["fallback_used"].sum())
    spent = requests if attempts is None else attempts
    return Summary(
        requests=len(requests),
        answered=len(answers),
        failed=failed,
        interrupted=len(requests) - len(answers) - failed,
        cached=len(answers) - len(asked),
        success_rate=ratio(len(answers), len(answers) + failed),
        success_low=low,
        success_high=high,
        fallbacks=fallbacks,
        fallback_rate=ratio(fallbacks, len(answers)),
        attempts=int(requests["attempts"].sum()),
        cost_usd=dollars(spent["cost_usd"].dropna()),
        unknown_cost=int(requests["cost_usd"].isna().sum()),
        cost_per_request_usd=mean(requests["cost_usd"]),
        cost_per_answer_usd=ratio(
            total(requests["cost_usd"]), int(answers["cost_usd"].notna().sum())
        ),
        latency_n=len(asked),
        latency_p50_s=quantile(asked["latency_s"], 0.5),
        latency_p95_s=quantile(asked["latency_s"], 0.95),
        p95_reliable=len(asked) >= RELIABLE_P95_N,
        latency_p99_s=quantile(asked["latency_s"], 0.99),
        p99_reliable=len(asked) >= RELIABLE_P99_N,
        ttft_n=int(asked["ttft_s"].notna().sum()),
        ttft_p50_s=quantile(asked["ttft_s"], 0.5),
        ttft_p95_s=quantile(asked["ttft_s"], 0.95),
        input_tokens=int(spent["input_tokens"].sum()),
        output_tokens=int(spent["output_tokens"].sum()),
        tokens_per_s=tokens_per_s(asked),
        time_lost_s=None if attempts is None else _time_lost_s(attempts),
    )


def by(group: str, requests: pd.DataFrame, attempts: pd.DataFrame | None = None) -> pd.DataFrame:
    """Sum up the requests of each strategy, task, tier, day, notebook, ...

    Parameters
    ----------
    group
        One of `GROUPS`.
    requests, attempts
        As for `overall`.

    Returns
    -------
    DataFrame
        The fields of `Summary` as columns (`cost_usd` as float64), a row a group in order, `<NA>`
        for the requests that have none. The same columns and dtypes when empty.

    Raises
    ------
    UsageError
        For a group that is not in `GROUPS`, with the nearest.
    """
    import pandas as pd

    keys = _keys(group, requests)
    tried = {} if attempts is None else _attempts_by(keys, requests, attempts)
    nothing = None if attempts is None else attempts.iloc[:0]
    rows = {
        key: overall(part, tried.get(_plain(key), nothing))
        for key, part in requests.groupby(keys, dropna=False)
    }
    index = pd.Index([_plain(key) for key in rows], name=group, dtype="string")
    columns = [field.name for field in fields(Summary)]
    made = pd.DataFrame([asdict(row) for row in rows.values()], index=index, columns=columns)
    return made.astype(_dtypes())


def _keys(group: str, requests: pd.DataFrame) -> pd.Series[str]:
    if group not in GROUPS:
        near = did_you_mean(group, GROUPS, most=1) or f" (one of {', '.join(GROUPS)})"
        raise UsageError(f"requests cannot be grouped by {group!r}{near}")
    if group == "day":
        requests = requests.assign(day=requests["started_at"].dt.strftime("%Y-%m-%d"))
    if group == "model":
        requests = requests.assign(model=requests["provider"] + ":" + requests["model"])
    keys: pd.Series[str] = requests[group].astype("string")
    return keys


def _attempts_by(
    keys: pd.Series[str], requests: pd.DataFrame, attempts: pd.DataFrame
) -> dict[str | None, pd.DataFrame]:
    by_id = keys.set_axis(requests["request_id"])
    theirs = attempts["request_id"].map(by_id).astype("string")
    return {_plain(key): part for key, part in attempts.groupby(theirs, dropna=False)}


def _plain(key: object) -> str | None:
    """Return a group's name; None for `<NA>`, which is equal to nothing."""
    return key if isinstance(key, str) else None


def _dtypes() -> dict[str, str]:
    kinds = {"int": "int64", "bool": "bool"}
    return {field.name: kinds.get(str(field.type), "float64") for field in fields(Summary)}


def _time_lost_s(attempts: pd.DataFrame) -> float:
    return total(attempts.loc[attempts["status"] == "failed", "latency_s"])
