"""What was spent, and what one gets for it: `cost` and `tradeoff`."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from decimal import Decimal
from itertools import compress
from typing import TYPE_CHECKING, Any

from multimodel_magic import metrics, pricing
from multimodel_magic.exchange import Books
from multimodel_magic.notebook.charts.lettering import bold, fitted, short
from multimodel_magic.notebook.charts.paint import (
    INK,
    NOT_SHOWN,
    REST,
    SHORTEST,
    Look,
    apart,
    dress,
    heading,
    log_ticks,
    looks,
    names,
    no_answers,
    nothing,
    text,
    time_axis,
    whole,
)
from multimodel_magic.wording import number_of

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["cost", "dollars", "tradeoff"]

MOST_LINES = 6
MOST_POINTS = 12
_MARGIN = 0.03
_LOG_FROM = 5
"""Largest over smallest, from where on an axis is logarithmic."""
_MOST_ROOMY = 6
"""So many models have two lines each in the list beside the points."""


def dollars(amount: float) -> str:
    """Write US dollars with two digits that say something.

    Examples
    --------
    >>> [dollars(a) for a in (0.0, 0.000123, 0.25, 12.3456)]
    ['$0', '$0.00012', '$0.25', '$12.35']
    """
    return pricing.money(Decimal(float(amount)))


def cost(books: Books, ax: Axes) -> str:
    """Draw what was spent so far, by model, over time; returns what the chart says in words."""
    import pandas as pd

    attempts = books.attempts
    known = attempts[attempts["cost_usd"].notna()].sort_values("started_at")
    title = f"Spent so far, by model (n = {number_of(len(known), 'attempt')})"
    if not known["cost_usd"].any():
        return nothing(ax, title, _why_no_cost(attempts))
    unknown = len(attempts) - len(known)
    note = f"{number_of(unknown, *_OF_UNKNOWN_COST)} not in it" if unknown else ""
    heading(ax, title, note)
    dress(ax, "time (UTC)", "cost so far (US$)")
    spent, every = _spent(known), looks(attempts)
    labelled = short(spent)
    lines = [(labelled[name], line, every.get(name, REST)) for name, line in spent.items()]
    for _, line, look in lines:
        ax.step(
            *(line.index.to_numpy(), line.to_numpy()), where="post", color=look.hue,
            linestyle=look.dash, linewidth=2,
        )  # fmt: skip
    _label_ends(ax, {name: (float(line.iloc[-1]), look) for name, line, look in lines})
    moments = lines[0][1].index
    time_axis(ax, *(pd.Timestamp(moments[at], tz="UTC").to_pydatetime() for at in (0, -1)))
    said = "; ".join(f"{name} {dollars(line.iloc[-1])}" for name, line, _ in lines)
    return f"{title}: {said}." + (f" {note.capitalize()}." if note else "")


_OF_UNKNOWN_COST = ("attempt of unknown cost is", "attempts of unknown cost are")


def _why_no_cost(attempts: pd.DataFrame) -> str:
    if attempts.empty:
        return "no attempt yet"
    unknown = int(attempts["cost_usd"].isna().sum())
    if unknown < len(attempts):
        also = (
            f"; {number_of(unknown, 'attempt is', 'attempts are')} of unknown cost"
            if unknown
            else ""
        )
        return f"of {number_of(len(attempts), 'attempt')} none is known to have cost anything{also}"
    return (
        f"no cost is known of {number_of(len(attempts), 'attempt')}: "
        "their models have no price here "
        "(`prices:` in routing_config.yml gives them one)"
    )


def _spent(known: pd.DataFrame) -> dict[str, pd.Series[float]]:
    """Return the running sums of the dearest models, and of the rest together, dearest first.

    Each begins with $0 and ends with the sum, a little before and after all attempts. The index is
    in UTC without saying so: matplotlib takes such moments as an array, others one by one.
    """
    import pandas as pd

    model = names(known)
    totals = known["cost_usd"].groupby(model).sum().sort_values(ascending=False)
    shown = list(totals.index)
    if len(shown) > MOST_LINES:
        rest = f"{len(shown) - MOST_LINES + 1} others"
        model = model.where(model.isin(shown[: MOST_LINES - 1]), rest)
        shown = [*shown[: MOST_LINES - 1], rest]
    moments = known["started_at"].dt.tz_convert("UTC").dt.tz_localize(None)
    first, last = moments.iloc[0], moments.iloc[-1]
    room = max(last - first, pd.Timedelta(SHORTEST)) * _MARGIN

    def line(name: str) -> pd.Series[float]:
        own = model == name
        sums = known["cost_usd"][own].cumsum().tolist()
        return pd.Series(
            [0.0, *sums, sums[-1]], pd.DatetimeIndex([first - room, *moments[own], last + room])
        )

    return {name: line(name) for name in shown}


def _label_ends(ax: Axes, ends: Mapping[str, tuple[float, Look]]) -> None:
    top = max(end for end, _ in ends.values()) or 1.0
    ax.set_ylim(-0.03 * top, 1.08 * top)
    right = ax.get_yaxis_transform()
    places = apart((end for end, _ in ends.values()), 0.085 * top)
    short_names = fitted(ends).values()
    for name, (end, look), y in zip(short_names, ends.values(), places, strict=True):
        ax.plot(
            *([1.01, 1.05], [y, y]), color=look.hue, linestyle=look.dash, linewidth=3,
            transform=right, clip_on=False,
        )  # fmt: skip
        text(ax, 1.06, y, f"{name}  {dollars(end)}", transform=right)


def tradeoff(books: Books, ax: Axes) -> str:
    """Draw cost against latency, with quality where it was judged; the Pareto front is filled."""
    every, label = _points(books)
    title = f"Cost and latency (n = {number_of(int(every['answered'].sum()), 'answer')})"
    if every.empty:
        answered = bool((books.attempts["status"] == "answered").any())
        why = _why_no_cost if answered else no_answers
        return nothing(ax, title, why(books.attempts))
    found = every.nlargest(MOST_POINTS, "answered").sort_values("cost", ascending=False)
    judged = bool(found["score"].notna().all())
    over = "cost, latency and quality" if judged else "cost and latency"
    left = len(every) - len(found)
    more = "; larger: better judged" * judged
    more += f"; {number_of(left, *NOT_SHOWN)}" if left else ""
    heading(ax, title, f"filled: none is better in {over} at once{more}")
    dress(ax, "latency, median (s)", "cost per answer (US$)", grid="both")
    _scales(ax, found)
    labels = list(short(map(str, found.index)).values())
    best = _best(found, judged=judged)
    _dots(ax, found, best, looks(books.attempts), judged=judged)
    _list(ax, found, labels, label)
    _number(ax, found[["latency", "cost"]].to_numpy())
    said = "; ".join(
        f"{name} {dollars(row['cost'])} an answer, {row['latency']:.2f} s{_judged(row, label)}"
        for name, row in zip(labels, found.to_dict("records"), strict=True)
    )
    front = ", ".join(compress(labels, best))
    return f"{title}: {said}. On the Pareto front of {over}: {front}."


def _judged(row: Mapping[Hashable, Any], label: str) -> str:
    return "" if math.isnan(row["score"]) else f", {label} {row['score']:.2f}"


def _best(found: pd.DataFrame, *, judged: bool) -> list[bool]:
    """Say which models are on the front; by quality too only where all of them were judged."""
    scores = found["score"] if judged else found["score"] * 0
    points = found[["cost", "latency"]].assign(score=scores.fillna(0.0))
    return _front(points.to_numpy().tolist())


def _dots(
    ax: Axes, found: pd.DataFrame, best: list[bool], every: Mapping[str, Look], *, judged: bool
) -> None:
    if not judged and sum(best) > 1:
        line = found[best].sort_values("latency")
        ax.plot(line["latency"], line["cost"], color=INK, linewidth=1, linestyle=":", zorder=1)
    for (name, row), filled in zip(found.iterrows(), best, strict=True):
        hue = every.get(str(name), REST).hue
        face, size = hue if filled else "none", _size(row["score"]) if judged else 90
        ax.scatter(
            row["latency"], row["cost"], s=size, color=face, edgecolor=hue, linewidth=2, zorder=2
        )


def _size(score: float) -> float:
    """Return the area of a point, in square points: scores are in [0, 1] as a rule."""
    return 40 + 200 * min(1.0, max(0.0, score))


_SIDES = ((15, 0), (-15, 0), (0, 15), (0, -15), (13, 13), (-13, 13), (13, -13), (-13, -13))
"""Where a point's number may stand, in points from its middle, the best place first."""
_ROOM_PT = 13.0


def _number(ax: Axes, points: NDArray[np.float64]) -> None:
    """Write a number from 1 at each point, where no other point or number is."""
    figure = whole(ax)
    figure.draw_without_rendering()  # only now the axes have their size
    dots = ax.transData.transform(points) * 72 / figure.dpi
    taken = [tuple(dot) for dot in dots.tolist()]
    for number, (point, (x, y)) in enumerate(zip(points, dots.tolist(), strict=True), start=1):
        others = [place for place in taken if place != (x, y)]
        side = max(
            _SIDES,
            key=lambda s: min((_ROOM_PT, *(math.dist((x + s[0], y + s[1]), o) for o in others))),
        )
        taken.append((x + side[0], y + side[1]))
        ax.annotate(
            str(number), tuple(point), side, textcoords="offset points", color=INK, fontsize=9.5,
            ha="center", va="center", **bold(),
        )  # fmt: skip


def _list(ax: Axes, found: pd.DataFrame, labels: list[str], label: str) -> None:
    """Say at the right whose each number is, and what is known of it."""
    roomy = len(found) <= _MOST_ROOMY
    step = min(0.16 if roomy else 0.085, 1 / len(found))
    for place, (name, row) in enumerate(
        zip(fitted(labels).values(), found.to_dict("records"), strict=True)
    ):
        told = f"n = {row['answered']:,.0f}{_judged(row, label)}"
        y = 0.94 - step * place
        at = {"fontsize": 9.5 if roomy else 9, "transform": ax.transAxes}
        text(ax, 1.08, y, str(place + 1), ha="right", **bold(), **at)
        said = (
            f"{name}\n{row['latency']:.2g} s, {dollars(row['cost'])}, {told}"
            if roomy
            else f"{name}  {told}"
        )
        text(ax, 1.1, y, said, **at)


def _points(books: Books) -> tuple[pd.DataFrame, str]:
    """Return what is known of each model, and what its quality is called: a score or success."""
    models = metrics.per_model(books.attempts)
    judged = metrics.quality(books.requests, books.outcomes)
    label = "score" if judged["score"].notna().any() else "success"
    quality = judged["score" if label == "score" else "success_rate"]
    made = models[["answered", "cost_per_answer_usd", "latency_p50_s"]].join(quality)
    made.columns = ["answered", "cost", "latency", "score"]
    return made.dropna(subset=["cost", "latency"]), label


def _front(points: list[list[float]]) -> list[bool]:
    """Say which points (cost, latency, score) no other one beats: at least as good, better once."""

    def beats(one: list[float], other: list[float]) -> bool:
        better = (one[0] - other[0], one[1] - other[1], other[2] - one[2])
        return max(better) <= 0 and min(better) < 0

    return [not any(beats(other, point) for other in points) for point in points]


def _scales(ax: Axes, found: pd.DataFrame) -> None:
    from matplotlib.ticker import NullLocator

    cost, latency = found["cost"], found["latency"]
    if latency.min() > 0 and latency.max() > _LOG_FROM * latency.min():
        ax.set_xscale("log")
        ax.set_xticks(log_ticks(latency.min() / 1.6, latency.max() * 1.6))
        ax.set_xlim(latency.min() / 1.6, latency.max() * 1.6)
    else:
        ax.set_xlim(0, latency.max() * 1.15 or 1.0)
        ax.locator_params(axis="x", nbins=5)
    paid = cost[cost > 0]
    if cost.min() > 0 and cost.max() > _LOG_FROM * cost.min():
        ax.set_yscale("log")
        ax.set_ylim(cost.min() / 2, cost.max() * 2)
        ax.set_yticks(log_ticks(cost.min() / 2, cost.max() * 2))
    elif len(paid) and cost.min() == 0:
        # Not log: what runs here costs nothing.
        low, high = (math.floor(math.log10(end)) for end in (paid.min(), paid.max()))
        ax.set_yscale("symlog", linthresh=10.0**low, linscale=0.7)
        ax.set_yticks([0.0, *(10.0**e for e in range(low, high + 2))])
        ax.set_ylim(-0.5 * 10.0**low, paid.max() * 2.5)
    else:
        ax.set_ylim(-0.08 * (cost.max() or 1.0), cost.max() * 1.2 or 1.0)
        ax.locator_params(axis="y", nbins=5 if len(paid) else 1)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_major_formatter(lambda value, _: dollars(value))
