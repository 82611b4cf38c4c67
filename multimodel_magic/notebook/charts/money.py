"""What was spent, and what one gets for it: `cost` and `tradeoff`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from multimodel_magic import metrics
from multimodel_magic.exchange import Books
from multimodel_magic.notebook.charts.paint import (
    INK,
    REST,
    apart,
    colours,
    dress,
    heading,
    names,
    nothing,
    short,
    text,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["cost", "dollars", "tradeoff"]

MOST_LINES = 6


def dollars(amount: float) -> str:
    """Write US dollars with two digits that say something.

    Examples
    --------
    >>> [dollars(a) for a in (0.0, 0.000123, 0.25, 12.3456)]
    ['$0', '$0.00012', '$0.25', '$12.35']
    """
    if amount == 0:
        return "$0"
    digits = max(2, 1 - math.floor(math.log10(abs(amount))))
    return f"${amount:,.{min(digits, 8)}f}"


def cost(books: Books, ax: Axes) -> str:
    """Draw what was spent so far, by model, over time; returns what the chart says in words."""
    attempts = books.attempts
    known = attempts[attempts["cost_usd"].notna()].sort_values("started_at")
    title = f"Spent so far, by model (n = {len(known):,} attempts)"
    if known.empty:
        return nothing(ax, title, "no attempt of known cost yet")
    unknown = len(attempts) - len(known)
    spent = _spent(known)
    heading(ax, title, f"{unknown:,} attempts of unknown cost are not in it" if unknown else "")
    dress(ax, "time (UTC)", "cost so far (US$)")
    labelled = short(spent)
    hues = colours(attempts)
    for name, line in spent.items():
        ax.step(line.index, line, where="post", color=hues.get(name, REST), linewidth=2)
    _label_ends(ax, {labelled[n]: line.iloc[-1] for n, line in spent.items()},
                [hues.get(n, REST) for n in spent])  # fmt: skip
    _date_ticks(ax, known["started_at"])
    said = "; ".join(f"{labelled[n]} {dollars(line.iloc[-1])}" for n, line in spent.items())
    return f"{title}: {said}." + (f" {unknown:,} attempts of unknown cost." if unknown else "")


def _spent(known: pd.DataFrame) -> dict[str, pd.Series[float]]:
    """Return the running sums of the dearest models, and of the rest together, dearest first."""
    import pandas as pd

    model = names(known)
    totals = known["cost_usd"].groupby(model).sum().sort_values(ascending=False)
    shown = list(totals.index)
    if len(shown) > MOST_LINES:
        rest = f"{len(shown) - MOST_LINES + 1} others"
        model = model.where(model.isin(shown[: MOST_LINES - 1]), rest)
        shown = [*shown[: MOST_LINES - 1], rest]
    moments = pd.Index(known["started_at"])
    return {
        name: pd.Series(known["cost_usd"].where(model == name, 0.0).cumsum().to_numpy(), moments)
        for name in shown
    }


def _label_ends(ax: Axes, ends: Mapping[str, float], hues: Sequence[str]) -> None:
    top = max(ends.values()) or 1.0
    ax.set_ylim(-0.03 * top, 1.08 * top)
    ax.margins(x=0.01)
    beside = ax.get_yaxis_transform()
    places = apart(ends.values(), 0.085 * top)
    for (name, end), y, hue in zip(ends.items(), places, hues, strict=True):
        ax.plot([1.01, 1.03], [y, y], color=hue, linewidth=4, transform=beside, clip_on=False)
        text(ax, 1.04, y, f"{name}  {dollars(end)}", transform=beside)


def _date_ticks(ax: Axes, moments: pd.Series[pd.Timestamp]) -> None:
    import pandas as pd
    from matplotlib import dates

    # matplotlib takes a single moment for the middle of four days.
    last, least = moments.max(), pd.Timedelta(minutes=5)
    if last - moments.min() < least:
        ax.set_xlim(*dates.date2num([last - least, last]))  # type: ignore[no-untyped-call]  # above
    locator = dates.AutoDateLocator(maxticks=6)  # type: ignore[no-untyped-call]  # matplotlib's
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]  # as above
    ax.xaxis.get_offset_text().set_color(INK)


def tradeoff(books: Books, ax: Axes) -> str:
    """Draw cost against latency, with quality where it was judged; the Pareto front is filled."""
    found = _points(books)
    title = f"Cost and latency (n = {int(found['answered'].sum()):,} answers)"
    if found.empty:
        return nothing(ax, title, "no model has answers of known cost yet")
    judged = found["score"].notna().all()
    best = _front(found[["cost", "latency", "score"]].fillna(0.0).to_numpy().tolist())
    over = "cost, latency and quality" if judged else "cost and latency"
    heading(ax, title, f"filled: no other model is better in {over} at once")
    dress(ax, "latency, median (s)", "cost per answer (US$)", grid="both")
    _scales(ax, found)
    labelled, hues = short(found.index), colours(books.attempts)
    if not judged and sum(best) > 1:
        line = found[best].sort_values("latency")
        ax.plot(line["latency"], line["cost"], color=INK, linewidth=1, linestyle=":", zorder=1)
    for (name, row), filled in zip(found.iterrows(), best, strict=True):
        hue = hues.get(str(name), REST)
        face = hue if filled else "none"
        ax.scatter(
            *(row["latency"], row["cost"]), s=110, color=face, edgecolor=hue, linewidth=2, zorder=2
        )
    _label_points(ax, found, labelled)
    front = ", ".join(
        labelled[str(n)] for n, filled in zip(found.index, best, strict=True) if filled
    )
    said = "; ".join(
        f"{labelled[str(n)]} {dollars(r['cost'])} an answer, {r['latency']:.2f} s"
        for n, r in found.iterrows()
    )
    return f"{title}: {said}. On the Pareto front of {over}: {front}."


def _label_points(ax: Axes, found: pd.DataFrame, labelled: Mapping[str, str]) -> None:
    """Write beside each point whose it is, labels apart from each other."""
    ax.viewLim  # noqa: B018 - the limits are computed when they are looked at
    within = ax.transData - ax.transAxes
    at = within.transform(found[["latency", "cost"]].to_numpy())
    for (name, row), (x, y), place in zip(
        found.iterrows(), at, apart(at[:, 1], 0.115), strict=True
    ):
        quality = f", score {row['score']:.2f}" if not math.isnan(row["score"]) else ""
        said = f"{labelled[str(name)]}\nn = {row['answered']:.0f}{quality}"
        ax.plot([x, x + 0.035], [y, place], color=INK, linewidth=0.8, transform=ax.transAxes)
        text(ax, x + 0.04, place, said, fontsize=9.5, transform=ax.transAxes)


def _points(books: Books) -> pd.DataFrame:
    models = metrics.per_model(books.attempts)
    quality = metrics.quality(books.requests, books.outcomes)["score"]
    made = models[["answered", "cost_per_answer_usd", "latency_p50_s"]].join(quality)
    made.columns = ["answered", "cost", "latency", "score"]
    return made.dropna(subset=["cost", "latency"])


def _front(points: list[list[float]]) -> list[bool]:
    """Say which points (cost, latency, score) no other one beats: at least as good, better once."""

    def beats(one: list[float], other: list[float]) -> bool:
        better = (one[0] - other[0], one[1] - other[1], other[2] - one[2])
        return max(better) <= 0 and min(better) < 0

    return [not any(beats(other, point) for other in points) for point in points]


def _scales(ax: Axes, found: pd.DataFrame) -> None:
    from matplotlib.ticker import NullLocator

    cost, latency = found["cost"], found["latency"]
    if latency.min() > 0 and latency.max() > 5 * latency.min():
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter("{x:g}")
    paid = cost[cost > 0]
    if len(paid) and (cost.max() > 5 * cost.min()):
        # Not log: what runs here costs nothing.
        low, high = (math.floor(math.log10(end)) for end in (paid.min(), paid.max()))
        ax.set_yscale("symlog", linthresh=10.0**low, linscale=0.7)
        ax.set_yticks([0.0] * int(cost.min() == 0) + [10.0**e for e in range(low, high + 2)])
        ax.set_ylim(-1.2 * 10.0**low if cost.min() == 0 else 10.0**low, paid.max() * 2.5)
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter("${x:g}")
    ax.margins(x=0.1)
