"""Who stood in for whom: `fallbacks`, as bands from the models that failed to those asked next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from multimodel_magic import metrics
from multimodel_magic.exchange import Books
from multimodel_magic.notebook.charts.lettering import fitted, short
from multimodel_magic.notebook.charts.paint import (
    INK,
    beside,
    heading,
    looks,
    nothing,
)
from multimodel_magic.wording import number_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["fallbacks"]

MOST_BANDS = 12
_GAP = 0.12
"""Between the nodes of a side, as a share of all that flows."""

Spans = Mapping[str, list[float]]
"""By node: where it begins, ends, and how far it is taken."""


def fallbacks(books: Books, ax: Axes) -> str:
    """Draw from which model to which requests went on after a failure."""
    every = metrics.fallbacks(books.attempts)
    n = int(every["n"].sum())
    title = f"Fallbacks (n = {n:,} in {number_of(len(books.requests), 'request')})"
    if every.empty:
        failed = int((books.attempts["status"] == "failed").sum())
        also = f"; {number_of(failed, 'attempt')} failed" if failed else ""
        return nothing(ax, title, f"no request went on to another model{also}")
    pairs = every.head(MOST_BANDS)
    lost_s = float(every["time_lost_s"].sum())
    more = (
        f"; drawn are the {MOST_BANDS} most frequent of {len(every)} ways"
        if len(every) > MOST_BANDS
        else ""
    )
    heading(
        ax, title, f"left: failed, right: asked next; {lost_s:,.1f} s were lost in failures{more}"
    )
    ax.set_axis_off()
    labelled = short([*pairs["from"], *pairs["to"]])
    brief = dict(zip(labelled, fitted(labelled.values()).values(), strict=True))
    hues = {name: look.hue for name, look in looks(books.attempts).items()}
    _draw(ax, pairs, brief, hues)
    said = "; ".join(
        f"{labelled[row['from']]} to {labelled[row['to']]} {number_of(row['n'], 'time')}, mostly "
        f"{row['error_type']}, {row['time_lost_s']:.1f} s lost"
        for row in pairs.to_dict("records")
    )
    return f"{title}: {said}."


def _draw(ax: Axes, pairs: pd.DataFrame, brief: Mapping[str, str], hues: Mapping[str, str]) -> None:
    left, right = _spans(pairs, "from"), _spans(pairs, "to")
    for row in pairs.itertuples(index=False):
        source, target, count = str(row[0]), str(row[1]), int(row[2])
        _band(ax, _take(left[source], count), _take(right[target], count), hues[source])
    for spans, x, align, off_pt in ((left, 0.0, "right", -6), (right, 1.0, "left", 6)):
        for name, (start, end, _) in spans.items():
            ax.annotate(
                f"{brief[name]}  {end - start:,.0f}", (x, (start + end) / 2), (off_pt, 0),
                textcoords="offset points", ha=align, va="center", color=INK, fontsize=10,
            )  # fmt: skip
            ax.plot([x, x], [start, end], color=hues[name], linewidth=4, solid_capstyle="butt")
    _make_room(ax, *([f"{brief[name]}  1,000" for name in spans] for spans in (left, right)))
    ax.invert_yaxis()


def _make_room(ax: Axes, left: list[str], right: list[str]) -> None:
    """Set the x axis so that the bands, from 0 to 1, leave room for these names."""
    shares = [beside(ax, said, 10) for said in (left, right)]
    wide = max(0.2, 1 - sum(shares))
    ax.set_xlim(-shares[0] / wide, 1 + shares[1] / wide)


def _spans(pairs: pd.DataFrame, side: str) -> dict[str, list[float]]:
    """Stack the nodes of a side, largest first, about the same middle."""
    totals = pairs.groupby(side)["n"].sum().sort_values(ascending=False)
    gap = _GAP * float(totals.sum())
    at = -(float(totals.sum()) + gap * (len(totals) - 1)) / 2
    made: dict[str, list[float]] = {}
    for name, total in totals.items():
        made[str(name)] = [at, at + float(total), at]
        at += float(total) + gap
    return made


def _take(span: list[float], count: int) -> tuple[float, float]:
    start = span[2]
    span[2] += count
    return start, span[2]


def _band(ax: Axes, source: tuple[float, float], target: tuple[float, float], hue: str) -> None:
    import numpy as np

    x = np.linspace(0, 1, 60)
    bend = x * x * (3 - 2 * x)
    low = source[0] + (target[0] - source[0]) * bend
    high = source[1] + (target[1] - source[1]) * bend
    ax.fill_between(x, low, high, color=hue, alpha=0.45, linewidth=0)
    for edge in (low, high):  # what lies over another still has its own border
        ax.plot(x, edge, color=hue, linewidth=0.8)
