"""`%llm replay`: what another strategy would have chosen, as tables and a chart."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from multimodel_magic.errors import UsageError
from multimodel_magic.notebook.charts import Chart, replay_chart
from multimodel_magic.notebook.charts.money import dollars
from multimodel_magic.notebook.files import scope, words
from multimodel_magic.notebook.receipt import seconds
from multimodel_magic.notebook.table import Report, Table
from multimodel_magic.replay import Compared, Replay
from multimodel_magic.replay.votes import Preferred
from multimodel_magic.session import Session
from multimodel_magic.wording import number_of

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Line", "Replayed", "replay", "shown", "tables"]

MOST_CHANGES = 12

_OWN_OPTIONS = ("--call", "--named")


@dataclass(frozen=True, slots=True)
class Replayed:
    """A replay as a cell's value: tables and a chart; `found` holds every figure."""

    found: Replay
    report: Report
    chart: Chart

    @property
    def _parts(self) -> tuple[Report, Chart] | tuple[Report]:
        return (self.report, self.chart) if len(self.found.requests) else (self.report,)

    def __str__(self) -> str:
        return "\n\n".join(map(str, self._parts))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        parts = [part._repr_mimebundle_() for part in self._parts]
        html = "\n".join(part["text/html"] for part in parts)
        return {"text/plain": str(self), "text/html": html}


def replay(session: Session, arguments: str, tell: Callable[[str], None]) -> Replayed:
    """Do what `%llm replay [STRATEGY|FILE] [--since 7d] [--all] [--named] [--call]` asks.

    Raises
    ------
    UsageError
        For an unknown strategy or option, with the nearest.
    """
    said = words(arguments)
    own = {word for word in said if word in _OWN_OPTIONS}
    rest = [word for word in said if word not in own]
    chooser = rest.pop(0) if rest and not rest[0].startswith("-") else None
    meant = scope(session, rest)
    if meant.session not in (None, session.id):
        raise UsageError("%llm replay takes this session's requests, or all with --all or --since")
    found = session.replay(
        chooser,
        since=meant.since,
        everything=meant.session is None,
        named="--named" in own,
        call="--call" in own,
        tell=tell,
    )
    return shown(found)


def shown(found: Replay) -> Replayed:
    """Draw a replay."""
    return Replayed(found, tables(found), replay_chart(found))


class Line:
    """One line on the screen that says how far something is; the first one stays above it."""

    def __init__(self) -> None:
        self._shown: Any = None
        self._said = 0

    def __call__(self, line: str) -> None:
        """Show a line in place of the one before."""
        from IPython.display import display

        self._said += 1
        bundle = {"text/plain": line}
        if self._said > 2:  # noqa: PLR2004 - what it will cost, and the first count
            self._shown.update(bundle, raw=True)
        else:
            self._shown = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]  # IPython's


def tables(found: Replay) -> Report:
    """Show what a replay changes."""
    n = len(found.requests)
    share = f" ({found.changed / n:.0%})" if n else ""
    of = number_of(n, "request")
    caption = f"Replay of {found.strategy}: {found.changed:,} of {of}{share} go elsewhere"
    notes = " · ".join(_notes(found))
    measures = Table(caption, _MEASURES, tuple(_measures(found)) if n else (), notes)
    return Report((measures, _changes(found)) if found.changed else (measures,))


_MEASURES = ("", "recorded", "would be", "change (95 %)", "n", "estimates", "unknown")


def _measures(found: Replay) -> Iterator[tuple[str, ...]]:
    cost = found.cost_usd
    yield _measure("cost, all together", cost, dollars, times=cost.n)
    yield _measure("cost per request", cost, dollars)
    yield _measure("latency, mean", found.latency_s, seconds)
    if found.quality.changed:
        yield _measure(f"{found.label}, mean", found.quality, "{:.3g}".format)


def _measure(
    name: str, one: Compared, shown: Callable[[float], str], *, times: int = 1
) -> tuple[str, ...]:
    counts = (f"{one.n:,}", f"{one.estimated:,}", f"{one.unknown:,}")
    if not one.n:
        return (name, "", "", "not known of both", *counts)
    was, would, change, low, high = (
        times * each for each in (one.was, one.would, one.difference, one.low, one.high)
    )
    interval = "" if math.isnan(low) else f" ({_signed(low, shown)} to {_signed(high, shown)})"
    about = "about " if one.estimated else ""
    return (
        name,
        shown(was),
        f"{about}{shown(would)}",
        f"{_signed(change, shown)}{interval}",
        *counts,
    )


def _signed(value: float, shown: Callable[[float], str]) -> str:
    """Write a change with its sign.

    Examples
    --------
    >>> _signed(-0.25, dollars), _signed(0.25, dollars), _signed(0.0, dollars)
    ('-$0.25', '+$0.25', '$0')
    """
    sign = "" if value == 0 else "+" if value > 0 else "-"
    return f"{sign}{shown(abs(value))}"


def _notes(found: Replay) -> Iterator[str]:
    if not len(found.requests):
        yield "no recorded request can be replayed: run a %%llm cell that leaves the choice open"
    if found.cost_usd.estimated or found.latency_s.estimated:
        yield (
            "estimates: the same tokens at the other model's price, its mean latency; "
            "--call asks it"
        )
    if len(found.requests) and not found.quality.changed:
        yield "quality is unknown: no changed request has judged answers of both models"
    if found.votes != Preferred():
        yield str(found.votes)
    if found.requests["goes_up"].any():
        yield "a cascade's going up is not in it"
    if found.failed_calls:
        yield f"{found.failed_calls:,} that were asked did not answer"
    for why, count in found.left_out.items():
        hint = " (--named)" if why.startswith("whose model") else ""
        yield f"not replayed: {count:,} {why}{hint}"


def _changes(found: Replay) -> Table:
    changes = found.changes
    rows = tuple(
        (
            str(row["was"]),
            row["would"] if isinstance(row["would"], str) else "nobody",
            f"{row['n']:,}",
            _mean(row["cost_usd"], dollars),
            _mean(row["latency_s"], seconds),
        )
        for row in changes.head(MOST_CHANGES).to_dict("records")
    )
    more = len(changes) - len(rows)
    note = f"{more:,} rarer changes are not shown" if more > 0 else ""
    columns = ("from", "to", "n", "cost a request", "latency a request")
    return Table("Who would be asked instead", columns, rows, note)


def _mean(value: float, shown: Callable[[float], str]) -> str:
    return "unknown" if math.isnan(value) else _signed(value, shown)
