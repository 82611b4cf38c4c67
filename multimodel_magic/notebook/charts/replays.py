"""What a replay changes: whom requests would go to, and what they would cost, take, be worth."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from multimodel_magic.notebook.charts.lettering import fitted, short
from multimodel_magic.notebook.charts.money import dollars
from multimodel_magic.notebook.charts.paint import (
    COLOURS,
    INK,
    beside,
    dress,
    heading,
    nothing,
    text,
)
from multimodel_magic.notebook.receipt import seconds
from multimodel_magic.replay import Compared, Replay
from multimodel_magic.wording import number_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["replay"]

MOST_MODELS = 8

_NAME_PT = 10
_WAS, _WOULD = INK, COLOURS[0]


def replay(found: Replay, ax: Axes) -> str:
    """Draw a replay: hollow is what was recorded, filled what would have been."""
    n = len(found.requests)
    title = f"Replay of {found.strategy} (n = {number_of(n, 'request')})"
    if not n:
        return nothing(ax, title, "no recorded request can be replayed")
    about = "bars: 95 % of the change, over requests"
    heading(ax, title, f"hollow: recorded, filled: {found.strategy} instead; {about}", lift=14)
    ax.set_axis_off()
    counts = _counts(found)
    labelled = short(map(str, counts.index))
    brief = list(fitted(labelled.values()).values())
    left = beside(ax, brief, _NAME_PT)
    models = ax.inset_axes((left, 0.02, 0.56 - left, 0.92))
    said = [_models(models, counts, list(labelled.values()), brief)]
    measures = {
        "cost, all together (US$)": (found.cost_usd, found.cost_usd.n, dollars),
        "latency, mean (s)": (found.latency_s, 1, seconds),
        f"quality, mean {found.label}": (found.quality, 1, "{:.2f}".format),
    }
    for place, (name, (one, times, shown)) in enumerate(measures.items()):
        panel = ax.inset_axes((0.66, 0.74 - 0.36 * place, 0.34, 0.16))
        said.append(_measure(panel, name, one, times, shown))
    return f"{title}: " + "; ".join(said) + "."


def _counts(found: Replay) -> pd.DataFrame:
    """Count who was and who would be chosen first, most frequent first; the rest together."""
    import pandas as pd

    pairs = found.requests[["was", "would"]].fillna("(nobody)")
    made = pd.DataFrame({side: pairs[side].value_counts() for side in pairs}).fillna(0)
    made = made.astype("int64").assign(most=made.max(axis="columns"))
    made = made.sort_values("most", ascending=False, kind="stable").drop(columns="most")
    if len(made) > MOST_MODELS:
        rest = made.iloc[MOST_MODELS - 1 :].sum().rename(f"{len(made) - MOST_MODELS + 1} others")
        made = pd.concat([made.iloc[: MOST_MODELS - 1], rest.to_frame().T])
    return made


def _models(panel: Axes, counts: pd.DataFrame, labels: list[str], brief: list[str]) -> str:
    from matplotlib.ticker import MaxNLocator

    dress(panel, "requests that go there first", grid="x")
    places = range(len(counts))
    was, would = counts["was"].tolist(), counts["would"].tolist()
    panel.hlines(places, was, would, color=INK, linewidth=1.5, alpha=0.6)
    _dots(panel, was, list(places), filled=False)
    _dots(panel, would, list(places), filled=True)
    panel.set_yticks(list(places), brief)
    panel.set_ylim(len(counts) - 0.4, -0.6)
    most = max(*was, *would, 1)
    panel.set_xlim(-0.06 * most, 1.18 * most)
    panel.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    for place, (before, after) in enumerate(zip(was, would, strict=True)):
        panel.annotate(
            _turn(before, after), (max(before, after), place), (9, 0), textcoords="offset points",
            va="center", color=INK, fontsize=9,
        )  # fmt: skip
    turns = zip(labels, was, would, strict=True)
    return ", ".join(f"{name} {before:,} to {after:,}" for name, before, after in turns)


def _turn(before: int, after: int) -> str:
    return f"{after:,}" if before == after else f"{before:,} → {after:,}"


def _dots(panel: Axes, x: list[float], y: list[int], *, filled: bool) -> None:
    hue = _WOULD if filled else _WAS
    size, face = (52, hue) if filled else (90, "none")
    panel.scatter(x, y, s=size, facecolor=face, edgecolor=hue, linewidth=1.8, zorder=3)


def _measure(
    panel: Axes, name: str, one: Compared, times: int, shown: Callable[[float], str]
) -> str:
    dress(panel, grid="x")
    panel.set_yticks([])
    panel.spines["left"].set_visible(False)
    panel.set_title(name, loc="left", fontsize=9.5, color=INK, pad=14)
    if not one.n or (not one.changed and not name.startswith(("cost", "latency"))):
        panel.set_axis_off()
        panel.set_title(name, loc="left", fontsize=9.5, color=INK, pad=14)
        text(panel, 0, 0.6, "not known of both", fontsize=9, transform=panel.transAxes)
        return f"{name} is not known of both"
    was, would = one.was * times, one.would * times
    ends = [was, would]
    if not math.isnan(one.low):
        low, high = was + one.low * times, was + one.high * times
        panel.hlines([0], [low], [high], color=_WOULD, linewidth=2.4, alpha=0.8)
        ends += [low, high]
    _dots(panel, [was], [0], filled=False)
    _dots(panel, [would], [0], filled=True)
    least, most = min(ends), max(ends)
    room = 0.12 * (most - least) or abs(most) * 0.5 or 1.0
    panel.set_xlim(least - room, most + room)
    panel.set_ylim(-1, 1)
    panel.set_xticks([])
    panel.spines["bottom"].set_visible(False)
    about = "about " if one.estimated else ""
    line = f"{shown(was)} → {about}{shown(would)}   n = {one.n:,}"
    panel.annotate(
        line, (0, 1), (0, 2), xycoords="axes fraction", textcoords="offset points",
        color=INK, fontsize=9,
    )  # fmt: skip
    return f"{name} {shown(was)} to {about}{shown(would)} (n = {one.n:,})"
