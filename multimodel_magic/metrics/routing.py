"""Who was chosen, who answered, and who stood in for whom."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["distribution", "fallback_matrix", "fallbacks"]


def distribution(requests: pd.DataFrame) -> pd.DataFrame:
    """Return how requests were spread over models.

    Returns
    -------
    DataFrame
        Index `model` (sorted). `chosen`: requests whose route began with it; `answered`: requests
        that it answered (cached answers name no model); `chosen_share` and `answered_share` in
        [0, 1], NaN where there is nothing to share. The same columns and dtypes when empty.
    """
    import pandas as pd

    answered = requests[(requests["status"] == "answered") & requests["model"].notna()]
    # Routes and pairs are few, requests may be a million: counted first, named then.
    chosen: Counter[str] = Counter()
    for route, n in requests["route"].value_counts().items():
        chosen[str(route).partition(" > ")[0]] += int(n)
    pairs = answered.groupby(["provider", "model"]).size().items()
    by_name = {":".join(pair): int(n) for pair, n in pairs}  # type: ignore[arg-type]  # of two
    counts = pd.DataFrame(
        {
            "chosen": pd.Series(chosen, dtype="float64"),
            "answered": pd.Series(by_name, dtype="float64"),
        }
    )
    made = counts.fillna(0).astype("int64").sort_index()
    made.index = made.index.astype("string").rename("model")
    for name in ("chosen", "answered"):
        made[f"{name}_share"] = (made[name] / made[name].sum()).astype("float64")
    return made


_FALLBACKS = {
    "from": "string",
    "to": "string",
    "n": "int64",
    "error_type": "string",
    "time_lost_s": "float64",
}


def fallbacks(attempts: pd.DataFrame) -> pd.DataFrame:
    """Return from which model to which one requests went on after a failure.

    Going up a cascade (after a poor answer) and asking the same place of the route again are not
    fallbacks.

    Returns
    -------
    DataFrame
        `from`, `to` (`provider:model`), `n`, `error_type` (the last failure's, the most frequent)
        and `time_lost_s` (in all failed attempts at `from`, its retries included); most frequent
        first. The same columns and dtypes when empty.
    """
    import pandas as pd

    left = _left(attempts)
    if left.empty:
        return pd.DataFrame({n: pd.Series([], dtype=t) for n, t in _FALLBACKS.items()})
    made = left.groupby(["from", "to"], as_index=False).agg(
        n=("request_id", "size"),
        error_type=("error_type", lambda types: types.mode().iloc[0]),
        time_lost_s=("lost_s", "sum"),
    )
    ordered = made.sort_values(["n", "from", "to"], ascending=[False, True, True])
    return ordered.reset_index(drop=True)[list(_FALLBACKS)].astype(_FALLBACKS)


def fallback_matrix(attempts: pd.DataFrame) -> pd.DataFrame:
    """Return `fallbacks` as counts: a row a model that failed, a column a model asked next."""
    pairs = fallbacks(attempts)
    matrix = pairs.pivot_table(index="from", columns="to", values="n", fill_value=0, aggfunc="sum")
    return matrix.astype("int64")


def _left(attempts: pd.DataFrame) -> pd.DataFrame:
    """Return the last attempt at each model that a request left after a failure."""
    tried = attempts.sort_values(["request_id", "number"], ignore_index=True)
    name, after = tried["provider"] + ":" + tried["model"], tried.shift(-1)
    failed = tried["status"] == "failed"
    goes_on = (tried["request_id"] == after["request_id"]) & (tried["rank"] != after["rank"])
    lost_s = tried["latency_s"].where(failed, 0.0)
    changes = tried[["request_id", "rank"]] != tried[["request_id", "rank"]].shift()
    place = changes.fillna(True).any(axis="columns").cumsum()
    tried["from"], tried["to"] = name, name.shift(-1)
    tried["lost_s"] = lost_s.groupby(place).transform("sum")
    return tried[(failed & goes_on).fillna(False).astype(bool)]
