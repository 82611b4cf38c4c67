"""What all charts share: looks, ink, names, panels, axes of time.

One picture must do in light and in dark Lab. Nothing lies behind it, and its ink has a contrast of
4.5 : 1 to white and to black, one of which `figure.bundle` puts behind it: that of Lab's theme, and
white where no theme is told (no ink has that to white and to Lab's dark #111). Every colour has
3 : 1 to all three (WCAG 2, 1.4.3 and 1.4.11), and differs from every other by 20 or more in CIELAB,
to those who see no red or no green too (Machado, Oliveira, Fernandes, 2009), and in dark Lab, where
all is brighter. None of them says anything alone: lines differ in their dashes, points have
numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from textwrap import fill
from typing import TYPE_CHECKING, Literal, TypeAlias

from multimodel_magic.notebook.charts.lettering import bold, drawable, families
from multimodel_magic.notebook.columns import width
from multimodel_magic.wording import number_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "COLOURS",
    "INK",
    "NOT_SHOWN",
    "REST",
    "SHORTEST",
    "Look",
    "apart",
    "asked",
    "beside",
    "dress",
    "heading",
    "in_house_style",
    "log_ticks",
    "looks",
    "names",
    "no_answers",
    "nothing",
    "panels",
    "text",
    "time_axis",
    "whole",
]

INK = "#767676"
COLOURS = ("#0072B2", "#D55E00", "#17745D", "#742EFF", "#D174A2", "#A28B5D")
Dash: TypeAlias = str | tuple[int, tuple[float, ...]]
_DASHES: tuple[Dash, ...] = ("-", (0, (5, 2)), (0, (1, 1)), (0, (6, 1.5, 1, 1.5)))

_NOTE_CHARACTERS = 96
_LOW_IN = 1.1

SHORTEST = timedelta(seconds=5)
"""That an axis of time shows."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a model is drawn, the same in every chart of a ledger."""

    hue: str
    dash: Dash = "-"


REST = Look("#8c8c8c")
"""Of several models drawn as one."""

_STYLE = {
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "font.size": 11.0,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.titlecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    # A model's name may hold dollars.
    "text.parse_math": False,
}


@contextmanager
def in_house_style() -> Iterator[None]:
    """Draw in this style, whatever the user's own is."""
    import matplotlib as mpl

    with mpl.rc_context({**_STYLE, "font.family": families()}):  # type: ignore[dict-item]
        yield


def asked(attempts: pd.DataFrame) -> pd.DataFrame:
    """Return the attempts that asked somebody: those from our cache took no time and no tokens."""
    return attempts[~(attempts["price_source"] == "cache").fillna(False).astype(bool)]


def names(frame: pd.DataFrame) -> pd.Series[str]:
    """Return `provider:model` of each row."""
    return (frame["provider"] + ":" + frame["model"]).astype("string")


def looks(attempts: pd.DataFrame) -> Mapping[str, Look]:
    """Give every model a look; who was asked most has the first colours."""
    counts = names(attempts).value_counts()
    order = sorted(counts.index, key=lambda name: (-counts[name], name))
    hues, dashes = len(COLOURS), len(_DASHES)
    return {
        # After the last colour each comes again with other dashes.
        name: Look(COLOURS[place % hues], _DASHES[(place + place // hues) % dashes])
        for place, name in enumerate(order)
    }


def whole(ax: Axes) -> Figure:
    """Return the figure that the axes are in at last."""
    figure = ax.get_figure(root=True)
    assert figure is not None, "axes without a figure cannot be drawn into"  # noqa: S101
    return figure


def beside(ax: Axes, said: Iterable[str], fontsize: float) -> float:
    """Return what share of the axes' width the longest of these texts takes, about."""
    wide_pt = ax.get_window_extent().width / whole(ax).dpi * 72
    return max(map(width, said), default=0) * 0.57 * fontsize / wide_pt


def heading(ax: Axes, title: str, note: str = "", *, lift: float = 0.0) -> None:
    """Write the title, and below it what must be known to read the chart.

    `lift` is how many points higher: over panels that have titles of their own.
    """
    title, note = drawable(title, is_bold=True), fill(drawable(note), _NOTE_CHARACTERS)
    lines = note.count("\n") + 1 if note else 0
    pad = 9 + lift + 3 * bool(note) + 12 * lines
    ax.set_title(title, loc="left", color=INK, fontsize=12.5, pad=pad, **bold())
    if note:
        at = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "bottom"}
        ax.annotate(note, (0, 1), (0, 7 + lift), color=INK, fontsize=9.5, **at)  # type: ignore[arg-type]


def dress(ax: Axes, x: str = "", y: str = "", *, grid: str = "y") -> None:
    """Take away what says nothing, and name the axes with their units."""
    ax.patch.set_alpha(0)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(INK)
    ax.tick_params(which="both", colors=INK, labelsize=10)
    ax.set_xlabel(x, color=INK)
    ax.set_ylabel(y, color=INK)
    if grid:
        ax.grid(axis=grid, color=INK, alpha=0.25, linewidth=0.6)  # type: ignore[arg-type]
    ax.set_axisbelow(True)


def text(ax: Axes, x: float, y: float, said: str, **how: object) -> None:
    """Write in the chart, in ink unless another colour is given."""
    how = {"color": INK, "fontsize": 10, "va": "center"} | how
    ax.text(x, y, said, **how)  # type: ignore[arg-type]


def nothing(ax: Axes, title: str, why: str) -> str:
    """Say that there is nothing to draw, in a picture no larger than that; returns the words."""
    from multimodel_magic.notebook.charts.figure import HouseFigure

    heading(ax, title, why)
    ax.set_axis_off()
    figure = whole(ax)
    if isinstance(figure, HouseFigure) and figure.axes == [ax]:
        figure.set_figheight(_LOW_IN)
    return f"{title}: {why}."


NOT_SHOWN = ("model with fewer answers is not shown", "models with fewer answers are not shown")
_FAILED = ("attempt failed or was stopped", "attempts failed or were stopped")


def no_answers(attempts: pd.DataFrame) -> str:
    """Say that nobody answered, and whether anybody was asked."""
    tried = len(attempts)
    return f"no answers: {number_of(tried, *_FAILED)}" if tried else "no answers yet"


def panels(
    ax: Axes,
    rows: int,
    columns: int = 1,
    *,
    share: Literal["x", "y"] | None = "x",
    gap: float = 0.5,
    left: float = 0.0,
    right: float = 1.0,
) -> list[Axes]:
    """Divide axes into small multiples with one x or y axis, row by row from the top.

    `ax` keeps the title. `gap` between rows is a share of a panel's height; `left` and `right`
    are where the panels begin and end in `ax`.
    """
    high, wide = 1 / (rows + gap * (rows - 1)), (right - left) / (columns + 0.12 * (columns - 1))
    made: list[Axes] = []
    for row in range(rows):
        for column in range(columns):
            where = (left + column * wide * 1.12, 1 - high - row * high * (1 + gap), wide, high)
            shared = {f"share{share}": made[0]} if share and made else {}
            made.append(ax.inset_axes(where, **shared))  # type: ignore[arg-type]
    ax.spines[:].set_visible(False)
    ax.patch.set_alpha(0)
    ax.set(xticks=[], yticks=[])
    return made


def time_axis(ax: Axes, first: datetime, last: datetime, *, date: bool = True) -> None:
    """Put few times below, in UTC, and their `date` at the end; `SHORTEST` at least is shown."""
    from matplotlib import dates

    # matplotlib takes a single moment for the middle of four days.
    ends = [first if last - first >= SHORTEST else last - SHORTEST, last]
    ax.set_xlim(*dates.date2num(ends))  # type: ignore[no-untyped-call]  # matplotlib's
    locator = dates.AutoDateLocator(UTC, 3, 7)  # type: ignore[no-untyped-call]  # as above
    ax.xaxis.set_major_locator(locator)
    form = dates.ConciseDateFormatter(locator, UTC, show_offset=date)  # type: ignore[no-untyped-call]  # as above
    form.formats[5] = form.zero_formats[5] = "%H:%M:%S"  # of seconds: alone they say too little
    form.offset_formats[5] = "%Y-%b-%d"
    ax.xaxis.set_major_formatter(form)
    ax.xaxis.get_offset_text().set_color(INK)


def log_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return round numbers from `low` to `high`, `most` at most, for a logarithmic axis.

    Examples
    --------
    >>> log_ticks(0.15, 12)
    [0.2, 0.5, 1.0, 2.0, 5.0, 10.0]
    >>> log_ticks(0.01, 500)
    [0.01, 0.1, 1.0, 10.0, 100.0]
    """
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks: list[float] = []
    for steps in ((1, 2, 5), (1, 3), (1,)):
        ticks = [float(f"{step}e{power}") for power in powers for step in steps]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) <= most:
            return ticks
    return ticks[:: math.ceil(len(ticks) / most)]


def apart(wanted: Iterable[float], least: float) -> list[float]:
    """Move positions apart until neighbours are `least` from each other, order and centre kept.

    Examples
    --------
    >>> apart([0.0, 0.0, 5.0], 1.0)
    [-0.5, 0.5, 5.0]
    """
    wanted = list(wanted)
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    # Clusters of positions that touch: their sum of wishes, and how many they are.
    clusters: list[tuple[float, int]] = []
    for index in order:
        clusters.append((wanted[index], 1))
        while len(clusters) > 1 and _touch(clusters[-2], clusters[-1], least):
            (first, n), (second, m) = clusters[-2:]
            clusters[-2:] = [((first * n + second * m) / (n + m), n + m)]
    placed = [
        middle + (place - (n - 1) / 2) * least for middle, n in clusters for place in range(n)
    ]
    return [at for _, at in sorted(zip(order, placed, strict=True))]


def _touch(low: tuple[float, int], high: tuple[float, int], least: float) -> bool:
    return high[0] - low[0] < (low[1] + high[1]) / 2 * least
