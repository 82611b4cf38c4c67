"""`Replay`: what came out of it, as a value that says itself in a few lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from multimodel_magic.replay.estimate import Compared
from multimodel_magic.replay.votes import Preferred
from multimodel_magic.wording import number_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLUMNS", "Replay"]

COLUMNS = {
    "request_id": "string",
    "started_at": "datetime64[us, UTC]",
    "was": "string",
    "would": "string",
    "changed": "bool",
    "why": "string",
    "cost_usd": "float64",
    "would_cost_usd": "float64",
    "cost_from": "string",
    "latency_s": "float64",
    "would_latency_s": "float64",
    "latency_from": "string",
    "label": "float64",
    "would_label": "float64",
    "goes_up": "bool",
}
"""Of `Replay.requests`: dtypes by name."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What another strategy would have chosen over recorded requests, and what that changes.

    `str()` says it in a few lines; `requests` holds every figure.
    """

    strategy: str
    """What was replayed."""
    requests: pd.DataFrame = field(repr=False)
    """A row a replayed request, oldest first: `request_id`, `started_at`, the first model `was`
    chosen and `would` be (`<NA>`: nobody could answer, `why` says so), `changed`; `cost_usd`
    (US dollars) and `latency_s` (seconds) as recorded and as they would have been, each with
    where that is from (`kept`, `recorded`, `estimate`, `unknown`; `<NA>`: the request
    has no answer that was asked for, so there is nothing to compare); the `label` of its answer;
    and `goes_up`, whether a cascade might have gone on from the first model."""
    cost_usd: Compared
    """US dollars a request."""
    latency_s: Compared
    """Seconds a request."""
    quality: Compared
    votes: Preferred = field(default_factory=Preferred)
    """On answers of the recorded and of the other model, side by side."""
    label: str = "score"
    """What `quality` is in: `score` or `success`."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Requests that were not replayed, by why."""
    failed_calls: int = 0
    """Models that were asked (`call`) and did not answer."""

    @property
    def changed(self) -> int:
        """Requests whose first model would have been another."""
        return int(self.requests["changed"].sum())

    @property
    def changes(self) -> pd.DataFrame:
        """The changed routes, most frequent first: `was`, `would`, `n` and what they change.

        `cost_usd` and `latency_s` are means of `would - was` over those of which both are known.
        """
        rows = self.requests[self.requests["changed"]]
        cost = rows["would_cost_usd"] - rows["cost_usd"]
        latency = rows["would_latency_s"] - rows["latency_s"]
        found = rows.assign(cost=cost, latency=latency).groupby(["was", "would"], dropna=False)
        made = found.agg(
            n=("request_id", "size"), cost_usd=("cost", "mean"), latency_s=("latency", "mean")
        ).reset_index()
        order = made.sort_values(["n", "was", "would"], ascending=[False, True, True])
        return order.reset_index(drop=True)

    @property
    def matrix(self) -> pd.DataFrame:
        """From which first model (rows) to which (columns): counts, unchanged ones included."""
        pairs = self.requests[["was", "would"]].fillna("(nobody)")
        found: pd.DataFrame = pairs.groupby(["was", "would"]).size().unstack(fill_value=0)  # noqa: PD010
        return found.astype("int64")

    def __str__(self) -> str:
        n = len(self.requests)
        of = number_of(n, "request")
        lines = [f"{self.strategy}: of {of} {self.changed:,} would go to another model"]
        lines += [f"  {row.was} -> {_known(row.would)}: {row.n:,}" for row in self._changes()]
        if n:
            lines += [f"  {one}" for one in (self._cost(), self._latency(), self._quality())]
        if self.votes != Preferred():
            lines.append(f"  {self.votes}")
        lines += [f"  not replayed: {count:,} {why}" for why, count in self.left_out.items()]
        return "\n".join(lines)

    def _changes(self) -> list[_Change]:
        rows = self.changes[["was", "would", "n"]].itertuples(index=False)
        return [_Change(str(was), would, int(n)) for was, would, n in rows]

    def _cost(self) -> str:
        one = self.cost_usd
        if not one.n:
            return f"cost: cannot be compared ({one.unknown:,} unknown)"
        total, low, high = (one.n * each for each in (one.difference, one.low, one.high))
        about = "about " if one.estimated else ""
        return (
            f"cost: ${one.n * one.would:.6f} instead of ${one.n * one.was:.6f}, {about}"
            f"{total:+.6f} [{low:+.6f}, {high:+.6f}] (n = {one.n:,}, of which "
            f"{number_of(one.estimated, 'estimate')}; {one.unknown:,} unknown)"
        )

    def _latency(self) -> str:
        one = self.latency_s
        if not one.n:
            return f"latency: cannot be compared ({one.unknown:,} unknown)"
        return (
            f"latency: {one.would:.2f} s a request instead of {one.was:.2f} s, "
            f"{one.difference:+.2f} [{one.low:+.2f}, {one.high:+.2f}] (n = {one.n:,}, of which "
            f"{number_of(one.estimated, 'estimate')}; {one.unknown:,} unknown)"
        )

    def _quality(self) -> str:
        one = self.quality
        if not one.changed:
            return "quality: unknown; no changed request has judged answers of both models"
        return (
            f"{self.label}: {one.would:.3g} instead of {one.was:.3g}, {one.difference:+.3g} "
            f"[{one.low:+.3g}, {one.high:+.3g}] (n = {one.n:,}, {one.changed:,} changed)"
        )


@dataclass(frozen=True, slots=True)
class _Change:
    was: str
    would: object
    n: int


def _known(name: object) -> str:
    return name if isinstance(name, str) else "(nobody)"
