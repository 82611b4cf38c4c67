"""Charts of the ledger: `%llm plot KIND`, and in Python `llm.plot.KIND(ax=None)`, which gives Axes.

    from multimodel_magic import llm

    llm.plot.cost()                     what was spent, by model, over time
    llm.plot.latency()                  how long answers took, by model
    llm.plot.tradeoff()                 cost x latency (x quality), with the Pareto front
    llm.plot.fallbacks()                from which model to which requests went on
    llm.plot.tokens()                   tokens by kind and model
    llm.plot.complexity()               how complex prompts looked, with the cuts
    llm.plot.budget()                   what is left of the budgets, and how it went
    llm.plot.replay(llm.replay("cost")) what another strategy would have chosen, and its price

`llm.plot.of(...)` draws other requests than this session's; `multimodel_magic.plot` is the
kernel's `llm.plot`. matplotlib is imported on first use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from multimodel_magic import session as sessions
from multimodel_magic.client.fitting import fitting
from multimodel_magic.errors import UsageError, did_you_mean
from multimodel_magic.exchange import Books, books
from multimodel_magic.notebook.charts import budgets, flow, money, spread
from multimodel_magic.notebook.charts.budgets import Spending, spending
from multimodel_magic.notebook.declaration import CHARTS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from multimodel_magic.replay import Replay
    from multimodel_magic.session import Session

__all__ = [
    "ALL_KINDS",
    "KINDS",
    "Chart",
    "Plot",
    "alt_text",
    "budget_chart",
    "chart",
    "plot",
    "replay_chart",
    "spending",
    "unknown_kind",
]

KINDS: Mapping[str, Callable[[Books, Axes], str]] = {
    "cost": money.cost,
    "latency": spread.latency,
    "tradeoff": money.tradeoff,
    "fallbacks": flow.fallbacks,
    "tokens": spread.tokens,
    "complexity": spread.complexity,
}
"""By name: draws requests into the Axes, and returns in words what the chart says."""

ALL_KINDS = CHARTS
"""Those, and `budget`, which is of a session."""


@dataclass(frozen=True, slots=True)
class Plot:
    """Charts of a session's requests, or of those that `of` was given.

    Each method draws into `ax`, or into a new figure, and returns the Axes; `alt_text(axes)` says
    in words what the chart shows.
    """

    session: Session | None = None
    """Whose; None: the kernel's."""
    source: Books | None = None

    def __getattr__(self, name: str) -> NoReturn:
        """Name the chart that is nearest to one that there is not."""
        near = did_you_mean(name, ALL_KINDS, most=1)
        raise AttributeError(f"there is no chart {name!r}{near}")

    @fitting
    def of(self, source: Books) -> Plot:
        """Return the charts of these frames (`exchange.books(ledger, ...)`, `exchange.read`)."""
        return Plot(self.session, source)

    @fitting
    def cost(self, ax: Axes | None = None) -> Axes:
        """Draw what was spent so far (US$), by model, over time; unknown costs are counted."""
        return self._drawn("cost", ax)

    @fitting
    def latency(self, ax: Axes | None = None) -> Axes:
        """Draw which share of answers came within so many seconds, a panel a model."""
        return self._drawn("latency", ax)

    @fitting
    def tradeoff(self, ax: Axes | None = None) -> Axes:
        """Draw cost per answer against median latency, with quality where judged."""
        return self._drawn("tradeoff", ax)

    @fitting
    def fallbacks(self, ax: Axes | None = None) -> Axes:
        """Draw from which model to which requests went on after a failure."""
        return self._drawn("fallbacks", ax)

    @fitting
    def tokens(self, ax: Axes | None = None) -> Axes:
        """Draw tokens by kind and model."""
        return self._drawn("tokens", ax)

    @fitting
    def complexity(self, ax: Axes | None = None) -> Axes:
        """Draw how complex the prompts looked to `--strategy complexity`, with the cuts."""
        return self._drawn("complexity", ax)

    @fitting
    def budget(self, ax: Axes | None = None) -> Axes:
        """Draw what is left of the session's budgets (US$), and how it went; a panel each."""
        source = spending(self._whose())
        return _on(ax, lambda axes: budgets.budget(source, axes))

    @fitting
    def replay(self, found: Replay, ax: Axes | None = None) -> Axes:
        """Draw what a replay (`llm.replay("cost")`) changes: first models, cost, latency."""
        return _on(ax, lambda axes: _replay(found, axes))

    def _drawn(self, kind: str, ax: Axes | None) -> Axes:
        source = self._books()
        return _on(ax, lambda axes: KINDS[kind](source, axes))

    def _books(self) -> Books:
        if self.source is not None:
            return self.source
        session = self._whose()
        return books(session.ledger, session=session.id)

    def _whose(self) -> Session:
        return self.session or sessions.current()


plot = Plot()
"""The charts of the kernel's session."""


def _on(ax: Axes | None, draw: Callable[[Axes], str]) -> Axes:
    ax = _axes() if ax is None else ax
    if not hasattr(ax, "get_figure"):
        raise UsageError(f"ax is {ax!r:.60}: give matplotlib's Axes, or nothing")
    _draw(draw, ax)
    return ax


def _axes() -> Axes:
    import matplotlib.pyplot as plt

    from multimodel_magic.notebook.charts.figure import SIZE_IN, HouseFigure, arrange

    made = plt.figure(FigureClass=HouseFigure, figsize=SIZE_IN, facecolor="none")
    arrange(made)
    return made.add_subplot()


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
        from multimodel_magic.notebook.charts.figure import bundle

        return bundle(self.png, self.text)


def chart(kind: str, source: Books) -> Chart:
    """Draw a chart of requests without pyplot, so that it is shown once and where it is asked for.

    Raises
    ------
    UsageError
        For an unknown kind, with the nearest.
    """
    if kind not in KINDS:
        raise unknown_kind(kind)
    return _picture(f"%llm plot {kind}", lambda axes: KINDS[kind](source, axes))


def unknown_kind(kind: str) -> UsageError:
    """Return the error that names the nearest kind of chart, or all of them."""
    near = did_you_mean(kind, ALL_KINDS, most=1) or f" (one of {', '.join(ALL_KINDS)})"
    return UsageError(f"there is no chart {kind!r}{near}")


def budget_chart(source: Spending) -> Chart:
    """Draw what is left of budgets without pyplot, as `chart` does."""
    return _picture("%llm plot budget", lambda axes: budgets.budget(source, axes))


def replay_chart(found: Replay) -> Chart:
    """Draw a replay without pyplot, as `chart` does."""
    return _picture("%llm replay", lambda axes: _replay(found, axes))


def _picture(title: str, draw: Callable[[Axes], str]) -> Chart:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from multimodel_magic.notebook.charts.figure import SIZE_IN, HouseFigure, arrange, png

    figure = HouseFigure(figsize=SIZE_IN, facecolor="none")
    arrange(figure)
    FigureCanvasAgg(figure)
    said = _draw(draw, figure.add_subplot())
    return Chart(said, png(figure, {"Title": title, "Description": said}), figure)
