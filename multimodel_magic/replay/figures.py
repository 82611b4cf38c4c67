"""Recorded requests and where they would go -> the figures of a replay."""

from __future__ import annotations

from collections.abc import Iterable

from multimodel_magic.replay.estimate import Figure, Records, compared
from multimodel_magic.replay.result import COLUMNS, Replay
from multimodel_magic.replay.ways import Routed, Way
from multimodel_magic.types import PriceOf

__all__ = ["replayed"]


def replayed(way: Way, routed: Iterable[Routed], records: Records) -> Replay:
    """Compare recorded requests with where they would go."""
    import pandas as pd

    costs, latencies, labels = [], [], []
    rows = []
    for one in routed:
        row = one.asking.row
        cost, latency, judged = _figures(one, records, way.price)
        was = records.by_request.get(row["request_id"])
        if cost is not None and latency is not None:
            costs.append((row["cost_usd"], cost))
            latencies.append((row["latency_s"], latency))
        if was is not None:
            labels.append((was, judged))
        rows.append(
            (
                *(row["request_id"], row["started_at"], one.asking.was, one.would, one.changed),
                *(one.why, row["cost_usd"], *_pair(cost), row["latency_s"], *_pair(latency)),
                *(was, judged.value, one.goes_up),
            )
        )
    frame = pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)
    return Replay(way.name, frame, compared(costs), compared(latencies), compared(labels))


def _pair(figure: Figure | None) -> tuple[float | None, str | None]:
    return (None, None) if figure is None else (figure.value, figure.source)


def _figures(
    one: Routed, records: Records, price: PriceOf
) -> tuple[Figure | None, Figure | None, Figure]:
    """Return cost, latency (None where the request has no answer that was asked for) and label."""
    row = one.asking.row
    asked = row["status"] == "answered" and not row["cached"]
    if not one.changed:
        kept = Figure(records.by_request.get(row["request_id"]), "kept")
        if not asked:
            return None, None, kept
        return Figure(row["cost_usd"], "kept"), Figure(row["latency_s"], "kept"), kept
    if one.would is None:
        nothing = Figure(None, "unknown")
        return (nothing, nothing, nothing) if asked else (None, None, nothing)
    label = records.label_of(one.asking, one.would)
    if not asked:
        return None, None, label
    latency = records.latency_of(one.asking, one.would)
    return records.cost_of(one.asking, one.would, price), latency, label
