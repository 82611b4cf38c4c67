"""`llm.dashboard()`: what the session spends, how fast who answers, and what fails; kept current.

It is told when a request ends and paints at most twice a second. Nothing runs while nothing
ends: no timer, no thread, nothing per token. It is an ordinary output, not an HTML widget, so the
saved notebook holds it as it stood; the Close button alone is a widget.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from multimodel_magic.notebook.receipt import seconds
from multimodel_magic.notebook.safe_markdown import plain
from multimodel_magic.notebook.stats import ends, with_unknown
from multimodel_magic.notebook.table import Report, Table
from multimodel_magic.notebook.widgets import look
from multimodel_magic.notebook.widgets.busy import busy_label
from multimodel_magic.notebook.widgets.stage import (
    NOTHING,
    Bundle,
    Paced,
    Place,
    has_front_end,
    show_controls,
)
from multimodel_magic.notebook.widgets.tally import ModelTally, Tally
from multimodel_magic.pricing import money
from multimodel_magic.wording import number_of

if TYPE_CHECKING:
    from multimodel_magic.limits import Breaker
    from multimodel_magic.session import Session
    from multimodel_magic.types import Response

__all__ = ["Dashboard", "Guards", "bundle", "dashboard"]

EVERY_S = 0.5
BAR = 8
"""Blocks of the longest bar."""
CLOSED = "closed: llm.dashboard() opens another one"
REPLACED = "replaced by another llm.dashboard()"
TWIN = "Session card, as it stood when the notebook was saved; llm.dashboard() opens a live one."


@dataclass(frozen=True, slots=True)
class Guards:
    """What limits the session: its budget, and models that rest after failures."""

    spent_usd: Decimal = Decimal(0)
    limit_usd: Decimal | None = None
    """Of this session; None where there is none."""
    spent_today_usd: Decimal = Decimal(0)
    day_limit_usd: Decimal | None = None
    resting: tuple[tuple[str, str], ...] = ()
    """Model and in which state its breaker is."""
    rehearsed: tuple[tuple[str, str], ...] = ()
    """Whose faults are rehearsed (`%llm chaos`), and which."""

    @classmethod
    def of(cls, session: Session, at: datetime) -> Guards:
        """Read them off a session."""
        client = session.client
        resting = tuple(
            (name, _rest(breaker, at))
            for name, breaker in tuple(client.breakers.items())
            if breaker.state != "closed"
        )
        return cls(
            client.purse.spent_usd,
            client.budget.session_usd,
            client.purse.spent_today_usd,
            client.budget.day_usd,
            resting,
            tuple(client.rehearsed.items()),
        )


def _rest(breaker: Breaker, at: datetime) -> str:
    """Say until when a model rests: a moment stays true while nothing is painted."""
    if breaker.state != "open":
        return str(breaker)
    until = at + timedelta(seconds=breaker.wait_s)
    return f"open: rests until {_clock(until)} (last: {breaker.last_error})"


def dashboard(session: Session) -> Dashboard:
    """Open a card of the session that follows what its cells do; an earlier one is closed."""
    if (before := _OPEN.get(session)) is not None:
        before.close(REPLACED)
    _OPEN[session] = opened = Dashboard(session)
    return opened


_OPEN: WeakKeyDictionary[Session, Dashboard] = WeakKeyDictionary()


class Dashboard:
    """A session's card; shown where it is a cell's value.

    Parameters
    ----------
    session
        Whose requests are counted, earlier ones included as far as its history reaches.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.tally = Tally.of(tuple(session.history))
        self.ended = ""
        """Why it no longer follows the session; empty while it does."""
        self.place = Place(self._bundle())
        self._painting = Paced(self._paint, EVERY_S)
        self._button: Any = None
        self._controls: list[Place] = []
        session.watchers.append(self._told)

    def __str__(self) -> str:
        return str(self._bundle()["text/plain"])

    def __repr__(self) -> str:
        return f"<dashboard: {self.ended or number_of(self.tally.requests, 'request')}>"

    def _ipython_display_(self) -> None:
        if not has_front_end():
            print(self)  # noqa: T201 - a terminal's display
            return
        self._paint()
        self.place.show()
        if not self.ended:
            import ipywidgets as widgets

            row = widgets.HBox([self.button, busy_label()], layout={"flex_flow": "row wrap"})
            self._controls.append(show_controls(row, TWIN))

    @property
    def button(self) -> Any:  # noqa: ANN401 - an ipywidgets button
        """The Close button; made when it is first shown."""
        if self._button is None:
            import ipywidgets as widgets

            tip = "No longer follow the session; what is shown stays"
            self._button = widgets.Button(description="Close", tooltip=tip)
            self._button.on_click(lambda _: self.close())
        return self._button

    def close(self, why: str = CLOSED) -> None:
        """No longer follow the session; what was shown last stays, and says so."""
        if self.ended:
            return
        self.ended = why
        if self._told in self.session.watchers:
            self.session.watchers.remove(self._told)
        if self._button is not None:
            self._button.close()
        for place in self._controls:
            place.fill(NOTHING)
        self._paint()

    def _told(self, response: Response) -> None:
        self.tally.take(response)
        self._painting.call()

    def _paint(self) -> None:
        self.place.fill(self._bundle())

    def _bundle(self) -> Bundle:
        at = datetime.now(UTC)
        return bundle(self.tally, Guards.of(self.session, at), at, self.ended)


def bundle(tally: Tally, guards: Guards, at: datetime, ended: str = "") -> Bundle:
    """Return the card as an output.

    Parameters
    ----------
    tally, guards
        What is shown.
    at
        The moment that it shows, UTC.
    ended
        Why it is the last one; empty where more follow.
    """
    stands = f"as of {_clock(at)} UTC{f' · {ended}' if ended else ''}"
    overall = Table("Session", (), _overall(tally, guards), stands)
    tables = (overall, *_tables(tally, guards))
    html = look.panel(
        "Session",
        look.facts(_facts(tally, guards)),
        *(look.notice(said) for said in _notices(guards)),
        look.columns(*_sides(_tables(tally, guards))),
        look.line(stands),
    )
    return {"text/plain": plain(str(Report(tables))), "text/html": html}


def _clock(at: datetime) -> str:
    return f"{at:%H:%M:%S}"


def _overall(tally: Tally, guards: Guards) -> tuple[tuple[str, str], ...]:
    return (
        ("requests", f"{tally.requests} ({ends(tally)})"),
        ("cost", f"{_cost(tally)}, {_limits(guards)}"),
        ("fell back", str(tally.fallbacks)),
        *(("!", said) for said in _notices(guards)),
    )


def _cost(tally: Tally) -> str:
    unknown = f" + {tally.unknown_cost} of unknown cost" if tally.unknown_cost else ""
    return f"{money(tally.cost_usd)}{unknown}"


def _limits(guards: Guards) -> str:
    said = []
    if guards.limit_usd is not None:
        said.append(f"{_share(guards):.0%} of the session's {money(guards.limit_usd)}")
    if guards.day_limit_usd is not None:
        day = f"{money(guards.spent_today_usd)} of {money(guards.day_limit_usd)} today"
        said.append(day)
    return ", ".join(said) or "no budget is set"


def _share(guards: Guards) -> float:
    if not guards.limit_usd:
        return 1.0
    return float(guards.spent_usd / guards.limit_usd)


def _notices(guards: Guards) -> list[str]:
    said = [f"chaos is on for {who}: {faults}" for who, faults in guards.rehearsed]
    if guards.limit_usd is not None and guards.spent_usd >= guards.limit_usd:
        said.append("the session's budget is spent: only models that cost nothing answer")
    return said


def _facts(tally: Tally, guards: Guards) -> list[str]:
    cost = look.fact("cost", _cost(tally), _limits(guards))
    if guards.limit_usd is not None:
        words = f"{money(guards.spent_usd)} spent of {money(guards.limit_usd)}"
        bar = look.meter(_share(guards), words)
        cost = f'<div style="min-width:12em">{cost}{bar}</div>'
    failed = look.fact("fell back", str(tally.fallbacks), "answered by a later model")
    return [look.fact("requests", str(tally.requests), ends(tally)), cost, failed]


def _tables(tally: Tally, guards: Guards) -> tuple[Table, ...]:
    tables = [_models(tally)]
    if guards.resting:
        tables.append(Table("Resting after failures", ("model", "breaker"), guards.resting))
    if tally.faults:
        rows = tuple(
            (_clock(fault.at), fault.who, f"{fault.kind}: {fault.what}")
            for fault in reversed(tuple(tally.faults))
        )
        tables.append(Table("Last errors", ("UTC", "model", "what"), rows))
    return tuple(tables)


def _sides(tables: Sequence[Table]) -> list[Sequence[Table]]:
    """Set the models on the left, what went wrong on the right."""
    return [side for side in (tables[:1], tables[1:]) if side]


def _models(tally: Tally) -> Table:
    most_s = max((m.latency_p50_s or 0.0 for m in tuple(tally.models.values())), default=0.0)
    rows = tuple(_row(name, model, most_s) for name, model in tuple(tally.models.items()))
    columns = ("model", "answered", "first token", "latency", "", "cost")
    note = "times are medians of the latest answers; bars compare the latencies"
    nothing = "nothing was asked yet: run a %%llm cell and it shows here"
    return Table("Models", columns, rows, note, nothing)


def _row(name: str, model: ModelTally, most_s: float) -> tuple[str, ...]:
    latency_s, ttft_s = model.latency_p50_s, model.ttft_p50_s
    blocks = round(BAR * latency_s / most_s) if latency_s and most_s else 0
    return (
        name,
        f"{model.answered} of {model.asked}",
        "" if ttft_s is None else seconds(ttft_s),
        "" if latency_s is None else seconds(latency_s),
        "▇" * blocks,
        with_unknown(model.cost_usd, model.unknown_cost, of=model.asked),
    )
