"""Charts of the ledger: `%llm plot KIND`, and in Python `plot.KIND(ax=None)`, which returns Axes.

    from multimodel_magic import plot

    plot.cost()                     what was spent, by model, over time
    plot.latency()                  which share of answers came within a time
    plot.tradeoff()                 cost x latency (x quality), with the Pareto front
    plot.fallbacks()                from which model to which requests went on
    plot.tokens()                   tokens by kind and model
    plot.complexity()               how complex prompts looked, with the cuts
    plot.replay(llm.replay("cost")) what another strategy would have chosen, and what that changes

`plot.of(...)` draws other requests than this session's. matplotlib is imported on first use.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING

from multimodel_magic import session as sessions
from multimodel_magic.errors import UsageError, did_you_mean
from multimodel_magic.exchange import Books, books
from multimodel_magic.notebook.charts import flow, money, spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from multimodel_magic.replay import Replay

__all__ = ["KINDS", "Chart", "Plot", "alt_text", "chart", "plot", "replay_chart"]

KINDS: Mapping[str, Callable[[Books, Axes], str]] = {
    "cost": money.cost,
    "latency": spread.latency,
    "tradeoff": money.tradeoff,
    "fallbacks": flow.fallbacks,
    "tokens": spread.tokens,
    "complexity": spread.complexity,
}
"""By name: draws into the Axes, and returns in words what the chart says."""

_SIZE_IN = (8.0, 4.2)
_DPI = 144


@dataclass(frozen=True, slots=True)
class Plot:
    """Charts of this session's requests, or of those that `of` was given.

    Each method draws into `ax`, or into a new figure, and returns the Axes; `alt_text(axes)` says
    in words what the chart shows.
    """

    source: Books | None = None

    def of(self, source: Books) -> Plot:
        """Return the charts of these frames (`exchange.books(ledger, ...)`, `exchange.read`)."""
        return Plot(source)

    def cost(self, ax: Axes | None = None) -> Axes:
        """Draw what was spent so far (US$), by model, over time; unknown costs are counted."""
        return self._drawn("cost", ax)

    def latency(self, ax: Axes | None = None) -> Axes:
        """Draw which share of answers came within so many seconds, a panel a model."""
        return self._drawn("latency", ax)

    def tradeoff(self, ax: Axes | None = None) -> Axes:
        """Draw cost per answer against median latency, with quality where judged."""
        return self._drawn("tradeoff", ax)

    def fallbacks(self, ax: Axes | None = None) -> Axes:
        """Draw from which model to which requests went on after a failure."""
        return self._drawn("fallbacks", ax)

    def tokens(self, ax: Axes | None = None) -> Axes:
        """Draw tokens by kind and model."""
        return self._drawn("tokens", ax)

    def complexity(self, ax: Axes | None = None) -> Axes:
        """Draw how complex the prompts looked to `--strategy complexity`, with the cuts."""
        return self._drawn("complexity", ax)

    def replay(self, found: Replay, ax: Axes | None = None) -> Axes:
        """Draw what a replay (`llm.replay("cost")`) changes: first models, cost, latency."""
        ax = _axes() if ax is None else ax
        _draw(lambda axes: _replay(found, axes), ax)
        return ax

    def _drawn(self, kind: str, ax: Axes | None) -> Axes:
        ax = _axes() if ax is None else ax
        _draw(lambda axes: KINDS[kind](self._books(), axes), ax)
        return ax

    def _books(self) -> Books:
        if self.source is not None:
            return self.source
        session = sessions.current()
        return books(session.ledger, session=session.id)


plot = Plot()
"""The charts of the kernel's session."""


def _axes() -> Axes:
    import matplotlib.pyplot as plt

    return plt.figure(figsize=_SIZE_IN, layout="constrained", facecolor="none").add_subplot()


def _replay(found: Replay, ax: Axes) -> str:
    from multimodel_magic.notebook.charts import replays

    return replays.replay(found, ax)


def _draw(draw: Callable[[Axes], str], ax: Axes) -> str:
    from multimodel_magic.notebook.charts.paint import in_house_style

    with in_house_style():
        said = draw(ax)
    ax.set_label(said)
    return said


def alt_text(ax: Axes) -> str:
    """Return in words what a chart of this package shows."""
    return str(ax.get_label())


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawn chart as a cell's value: a picture with its text, and the text alone."""

    text: str
    """What the chart says in words: its alt text."""
    png: bytes = field(repr=False)
    figure: Figure = field(repr=False)

    def __str__(self) -> str:
        return self.text

    @property
    def axes(self) -> Axes:
        """The chart's Axes, to change and save: `chart.axes.figure.savefig(...)`."""
        return self.figure.axes[0]

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        picture = b64encode(self.png).decode()
        html = (
            f'<img alt="{escape(self.text)}" style="max-width:100%" '
            f'width="{_SIZE_IN[0] * 96:.0f}" src="data:image/png;base64,{picture}">'
        )
        return {"text/plain": self.text, "text/html": html}


def chart(kind: str, source: Books) -> Chart:
    """Draw a chart without pyplot, so that it is shown once and where it is asked for.

    Raises
    ------
    UsageError
        For an unknown kind, with the nearest.
    """
    if kind not in KINDS:
        near = did_you_mean(kind, KINDS, most=1) or f" (one of {', '.join(KINDS)})"
        raise UsageError(f"there is no chart {kind!r}{near}")
    return _picture(f"%llm plot {kind}", lambda axes: KINDS[kind](source, axes))


def replay_chart(found: Replay) -> Chart:
    """Draw a replay without pyplot, as `chart` does."""
    return _picture("%llm replay", lambda axes: _replay(found, axes))


def _picture(title: str, draw: Callable[[Axes], str]) -> Chart:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE_IN, layout="constrained", facecolor="none")
    FigureCanvasAgg(figure)
    said = _draw(draw, figure.add_subplot())
    file = BytesIO()
    about = {"Title": title, "Description": said}
    figure.savefig(file, format="png", dpi=_DPI, transparent=True, metadata=about)
    return Chart(said, file.getvalue(), figure)
