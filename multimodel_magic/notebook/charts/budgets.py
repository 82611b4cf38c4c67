"""What is left of a budget, and how it went: `budget`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from multimodel_magic.limits import Budget
from multimodel_magic.notebook.charts.money import dollars
from multimodel_magic.notebook.charts.paint import (
    COLOURS,
    INK,
    SHORTEST,
    dress,
    heading,
    nothing,
    panels,
    time_axis,
)
from multimodel_magic.wording import number_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from multimodel_magic.session import Session

__all__ = ["Spending", "budget", "spending"]

_LEFT, _OVER = COLOURS[0], COLOURS[1]


@dataclass(frozen=True, slots=True)
class Spending:
    """A session's limits, and the attempts that count against them."""

    limits: Budget
    session: pd.DataFrame
    """The session's attempts."""
    today: pd.DataFrame
    """Those of all sessions of the ledger since midnight UTC."""
    now: datetime


def spending(session: Session, now: datetime | None = None) -> Spending:
    """Read from the ledger what counts against a session's budgets."""
    now = now or datetime.now(UTC)
    ledger = session.ledger
    return Spending(
        session.client.budget,
        ledger.attempts_frame(session=session.id),
        ledger.attempts_frame(since=_midnight(now)),
        now,
    )


_COUNT_AS_NOTHING = (
    "attempt of unknown cost counts as nothing",
    "attempts of unknown cost count as nothing",
)


def _midnight(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def budget(source: Spending, ax: Axes) -> str:
    """Draw what is left of the budgets of the session, the day and a call; a panel each."""
    limits, unknown = source.limits, int(source.session["cost_usd"].isna().sum())
    title = f"Budget (n = {number_of(len(source.session), 'attempt')} in this session)"
    if not limits:
        spent = dollars(float(source.session["cost_usd"].sum()))
        return nothing(
            ax, title, f"no budget is set: {spent} spent so far; %llm budget $1 sets one"
        )
    note = number_of(unknown, *_COUNT_AS_NOTHING) if unknown else ""
    heading(ax, title, "; ".join(filter(None, ["dashed: the budget", note])), lift=14)
    made = panels(ax, sum(limit is not None for limit in _of(limits)), share=None, gap=1.1)
    said = [draw(panel) for draw, panel in zip(_drawings(source), made, strict=True)]
    made[-1].set_xlabel("time (UTC)", color=INK)
    return f"{title}: {'; '.join(said)}." + (f" {note.capitalize()}." if note else "")


def _of(limits: Budget) -> tuple[Decimal | None, ...]:
    return limits.session_usd, limits.call_usd, limits.day_usd


def _drawings(source: Spending) -> Iterator[Callable[[Axes], str]]:
    """Yield what draws each limit that is set."""
    for limit_usd, draw in zip(_of(source.limits), (_session, _calls, _day), strict=True):
        if limit_usd is not None:
            yield partial(draw, source, float(limit_usd))


def _session(source: Spending, limit: float, panel: Axes) -> str:
    tried = source.session
    first = _first(tried, source.now)
    what = f"this session, since {first:%H:%M}"
    return _burn_down(panel, what, tried, limit, (first, source.now, source.now))


def _first(tried: pd.DataFrame, now: datetime) -> datetime:
    """Return when the first attempt began, or `SHORTEST` ago."""
    first: datetime = now if tried.empty else tried["started_at"].min().to_pydatetime()
    return min(first, now - SHORTEST)


def _day(source: Spending, limit: float, panel: Axes) -> str:
    first = _midnight(source.now)
    tried = source.today[source.today["started_at"] >= first]
    others = tried[~tried["request_id"].isin(source.session["request_id"])]
    what = f"{first:%Y-%m-%d} (UTC), all kernels"
    said = _burn_down(panel, what, tried, limit, (first, source.now, first + timedelta(days=1)))
    return f"{said} ({dollars(float(others['cost_usd'].sum()))} in other sessions)"


def _burn_down(
    panel: Axes,
    what: str,
    tried: pd.DataFrame,
    limit: float,
    span: tuple[datetime, datetime, datetime],
) -> str:
    """Draw what was left after each attempt; `span`: where the line begins, ends, and the axis."""
    begin, now, end = span
    ordered = tried.sort_values("started_at")
    left = [limit, *(limit - ordered["cost_usd"].fillna(0.0).cumsum())]
    moments = [begin, *ordered["started_at"].dt.to_pydatetime(), now]
    left = [*left, left[-1]]
    hue = _LEFT if left[-1] >= 0 else _OVER
    panel.step(moments, left, where="post", color=hue, linewidth=2)
    panel.fill_between(moments, left, step="post", color=hue, alpha=0.18, linewidth=0)
    _limit(panel, limit, low=min(left), high=limit)
    dress(panel, "", "left (US$)")
    time_axis(panel, begin, end, date=False)
    state = f"{dollars(left[-1])} left" if left[-1] >= 0 else f"{dollars(-left[-1])} too much"
    return _titled(panel, f"{what}: {dollars(limit - left[-1])} spent of {dollars(limit)}, {state}")


def _limit(panel: Axes, limit: float, *, low: float, high: float) -> None:
    panel.axhline(limit, color=INK, linewidth=1.2, linestyle="--")
    top = max(limit, high)
    panel.set_ylim(1.1 * min(low, -0.02 * top), 1.12 * top or 1.0)
    panel.set_yticks([0, limit / 2, limit] if limit else [0])
    panel.yaxis.set_major_formatter(lambda value, _: dollars(value))


def _titled(panel: Axes, said: str) -> str:
    panel.set_title(said, loc="left", fontsize=9.5, color=INK, pad=3)
    return said


def _calls(source: Spending, limit: float, panel: Axes) -> str:
    """Draw what each request cost, all its attempts together, against the most that one may."""
    grouped = source.session.groupby("request_id")
    costs, moments = grouped["cost_usd"].sum(), grouped["started_at"].min()
    most, over = float(costs.max()) if len(costs) else 0.0, costs > limit
    for these, hue, mark in ((~over, _LEFT, "o"), (over, _OVER, "X")):
        panel.plot(moments[these], costs[these], mark, color=hue, markersize=4, clip_on=False)
    _limit(panel, limit, low=0.0, high=most)
    dress(panel, "", "cost (US$)")
    time_axis(panel, _first(source.session, source.now), source.now, date=False)
    beyond = f", {int(over.sum()):,} cost more" if over.any() else ""
    what = f"one request: the dearest {dollars(most)} of {dollars(limit)}{beyond}"
    return _titled(panel, f"{what} (n = {number_of(len(costs), 'request')})")
