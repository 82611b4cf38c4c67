"""The frame of requests -> how it went on the whole, and by strategy, task, tier, day, notebook."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from typing import TYPE_CHECKING, TypedDict

from multimodel_magic.errors import UsageError, did_you_mean
from multimodel_magic.metrics.counting import tallies, tally
from multimodel_magic.metrics.numbers import (
    RELIABLE_P95_N,
    RELIABLE_P99_N,
    dollars,
    ratio,
    wilson,
)
from multimodel_magic.metrics.tally import (
    NOTHING,
    Tally,
    Totals,
    add_up,
    quantile_of,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["GROUPS", "Summary", "by", "overall", "summed"]

GROUPS = (
    *("strategy", "task", "user_tier", "day", "notebook", "session", "arm", "model", "purpose"),
)
"""What `by` groups requests by; `day` is the date in UTC, `model` the one that answered or was
asked last, `purpose` is `judge` where a model was asked to judge answers, `replay` where a replay
asked, else `answer`."""

_PURPOSES = {"judge": '"judges":', "replay": '"replays":'}
"""By which label a request says what it was for."""


@dataclass(frozen=True, slots=True)
class Summary:
    """How a set of requests went; `nan` where there is nothing to compute from."""

    requests: int
    answered: int
    failed: int
    """Those that asked nobody because no model could be asked (a breaker, a key, a server) too."""
    asked_nobody: int
    """Requests that a wrong name or option, the configuration or a budget stopped before a model
    was asked (`counts.ASKED_NOBODY`): in no rate."""
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
    cost_n: int
    """Requests that asked somebody and whose cost is known as a whole."""
    cost_per_request_usd: float
    """Mean over `cost_n`."""
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
    ttft_p99_s: float
    """Within the attempt that answered; reliable from 20 and 100 `ttft_n` on."""
    input_tokens: int
    output_tokens: int
    """Over all attempts where they are given, else over the requests; unknown ones left out, and
    those of answers from our cache."""
    unknown_input_tokens: int
    unknown_output_tokens: int
    """Attempts, else requests, whose tokens are unknown: the sums are without them."""
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
    return summary(
        tally(requests, final=True), None if attempts is None else tally(attempts, final=True)
    )


def summary(asked: Tally, tried: Tally | None = None) -> Summary:
    """Sum up the tally of requests and, where it is given, that of their attempts."""
    low, high = wilson(asked.answered, asked.answered + asked.failed)
    spent = asked if tried is None else tried
    priced = math.fsum(asked.cost_usd)
    return Summary(
        requests=asked.n,
        answered=asked.answered,
        failed=asked.failed,
        asked_nobody=asked.asked_nobody,
        interrupted=asked.n - asked.answered - asked.failed - asked.asked_nobody,
        cached=asked.cached,
        success_rate=ratio(asked.answered, asked.answered + asked.failed),
        success_low=low,
        success_high=high,
        fallbacks=asked.fallbacks,
        fallback_rate=ratio(asked.fallbacks, asked.answered),
        attempts=asked.attempts,
        cost_usd=dollars(spent.cost_usd),
        unknown_cost=asked.n - asked.known_cost,
        cost_n=asked.priced,
        cost_per_request_usd=ratio(priced, asked.priced),
        cost_per_answer_usd=ratio(priced, asked.priced_answers),
        **_times(asked),
        input_tokens=spent.input_tokens,
        output_tokens=spent.output_tokens,
        unknown_input_tokens=spent.unknown_input_tokens,
        unknown_output_tokens=spent.unknown_output_tokens,
        tokens_per_s=ratio(asked.timed_tokens, math.fsum(asked.timed_s)),
        time_lost_s=None if tried is None else math.fsum(tried.lost_s),
    )


class _Times(TypedDict):
    latency_n: int
    latency_p50_s: float
    latency_p95_s: float
    p95_reliable: bool
    latency_p99_s: float
    p99_reliable: bool
    ttft_n: int
    ttft_p50_s: float
    ttft_p95_s: float
    ttft_p99_s: float


def _times(asked: Tally) -> _Times:
    n = asked.answered - asked.cached
    return {
        "latency_n": n,
        "latency_p50_s": quantile_of(asked.latency_s, 0.5),
        "latency_p95_s": quantile_of(asked.latency_s, 0.95),
        "p95_reliable": n >= RELIABLE_P95_N,
        "latency_p99_s": quantile_of(asked.latency_s, 0.99),
        "p99_reliable": n >= RELIABLE_P99_N,
        "ttft_n": sum(map(len, asked.ttft_s)),
        "ttft_p50_s": quantile_of(asked.ttft_s, 0.5),
        "ttft_p95_s": quantile_of(asked.ttft_s, 0.95),
        "ttft_p99_s": quantile_of(asked.ttft_s, 0.99),
    }


def summed(totals: Totals) -> Summary:
    """Sum up what a ledger has counted (`Ledger.totals`)."""
    return summary(totals.requests, add_up(totals.models.values()))


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
    nothing = None if attempts is None else NOTHING
    rows = {
        name: summary(asked, tried.get(name, nothing))
        for name, asked in _in_order(tallies(requests, keys, final=True))
    }
    index = pd.Index(list(rows), name=group, dtype="string")
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
    if group == "purpose":
        requests = requests.assign(purpose=_purposes(requests["labels"]))
    keys: pd.Series[str] = requests[group].astype("string")
    return keys


def _purposes(labels: pd.Series[str]) -> pd.Series[str]:
    import pandas as pd

    found = pd.Series("answer", index=labels.index, dtype="string")
    for purpose, label in _PURPOSES.items():
        found[labels.str.contains(label, regex=False).fillna(False).astype(bool)] = purpose
    return found


def _attempts_by(
    keys: pd.Series[str], requests: pd.DataFrame, attempts: pd.DataFrame
) -> dict[str | None, Tally]:
    by_id = keys.set_axis(requests["request_id"])
    theirs = attempts["request_id"].map(by_id).astype("string")
    return {_plain(key): found for key, found in tallies(attempts, theirs, final=True).items()}


def _in_order(found: Mapping[object, Tally]) -> list[tuple[str | None, Tally]]:
    """Return the groups by name, that of the requests that have none last."""
    named = [(_plain(key), asked) for key, asked in found.items()]
    return sorted(named, key=lambda one: (one[0] is None, one[0] or ""))


def _plain(key: object) -> str | None:
    """Return a group's name; None for `<NA>`, which is equal to nothing."""
    return key if isinstance(key, str) else None


def _dtypes() -> dict[str, str]:
    kinds = {"int": "int64", "bool": "bool"}
    return {field.name: kinds.get(str(field.type), "float64") for field in fields(Summary)}
