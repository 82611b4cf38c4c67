"""What all charts share: colours, ink, names, panels.

One picture must do in light and in dark Lab: nothing lies behind it, and its ink has the same
contrast, 4.2 : 1 or more, to white and to Lab's dark #111. The colours are those of Okabe and Ito
("Color universal design", 2008) that show on both; none of them says anything alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = [
    "COLOURS",
    "INK",
    "REST",
    "apart",
    "asked",
    "colours",
    "dress",
    "heading",
    "in_house_style",
    "names",
    "nothing",
    "panels",
    "short",
    "text",
]

INK = "#7b7b7b"
REST = "#9a9a9a"
"""What is not among those that have a colour."""

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7")

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

    with mpl.rc_context(_STYLE):  # type: ignore[arg-type]  # a plain dict is what it takes
        yield


def asked(attempts: pd.DataFrame) -> pd.DataFrame:
    """Return the attempts that asked somebody: those from our cache took no time and no tokens."""
    return attempts[~(attempts["price_source"] == "cache").fillna(False).astype(bool)]


def names(frame: pd.DataFrame) -> pd.Series[str]:
    """Return `provider:model` of each row."""
    return (frame["provider"] + ":" + frame["model"]).astype("string")


def colours(attempts: pd.DataFrame) -> Mapping[str, str]:
    """Give the models that were asked most a colour each; the same one in every chart."""
    counts = names(attempts).value_counts()
    order = sorted(counts.index, key=lambda name: (-counts[name], name))
    return dict(zip(order, COLOURS, strict=False))


def short(every: Iterable[str]) -> Mapping[str, str]:
    """Return a name for each model: without its provider, where that is enough."""
    every = list(dict.fromkeys(every))
    bare = [name.partition(":")[2] or name for name in every]
    return {
        name: one if bare.count(one) == 1 else name for name, one in zip(every, bare, strict=True)
    }


def heading(ax: Axes, title: str, note: str = "", *, lift: float = 0.0) -> None:
    """Write the title, and below it what must be known to read the chart.

    `lift` is how many points higher: over panels that have titles of their own.
    """
    pad = 9 + lift + 15 * bool(note)
    ax.set_title(title, loc="left", color=INK, fontsize=12.5, fontweight="bold", pad=pad)
    if note:
        at = {"xycoords": "axes fraction", "textcoords": "offset points"}
        ax.annotate(note, (0, 1), (0, 9 + lift), color=INK, fontsize=9.5, **at)  # type: ignore[arg-type]


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
    """Say that there is nothing to draw; returns what the chart says."""
    heading(ax, title)
    ax.set_axis_off()
    ax.text(0.5, 0.5, why, color=INK, ha="center", va="center", transform=ax.transAxes)
    return f"{title}: {why}."


def panels(
    ax: Axes, rows: int, columns: int = 1, *, share: Literal["x", "y"] = "x", gap: float = 0.5
) -> list[Axes]:
    """Divide axes into small multiples with one x or y axis, row by row from the top.

    `ax` keeps the title. `gap` between rows is a share of a panel's height.
    """
    high, wide = 1 / (rows + gap * (rows - 1)), 1 / (columns + 0.12 * (columns - 1))
    made: list[Axes] = []
    for row in range(rows):
        for column in range(columns):
            where = (column * wide * 1.12, 1 - high - row * high * (1 + gap), wide, high)
            first = made[0] if made else None
            shared = {"sharex": first} if share == "x" else {"sharey": first}
            made.append(ax.inset_axes(where, **shared))  # type: ignore[arg-type]
    ax.spines[:].set_visible(False)
    ax.patch.set_alpha(0)
    ax.set(xticks=[], yticks=[])
    return made


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
