"""`%llm stats by GROUP`, `stats routing` and `stats against MODEL`, as tables."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from decimal import Decimal
from typing import Any

from multimodel_magic import exchange, metrics
from multimodel_magic.errors import UsageError
from multimodel_magic.exchange import Books
from multimodel_magic.notebook.files import scope
from multimodel_magic.notebook.receipt import money, seconds
from multimodel_magic.notebook.table import Report, Table
from multimodel_magic.session import Session

__all__ = ["groups"]

_FEW = "? too few answers for the percentile (p95: 20, p99: 100)"


def groups(session: Session, arguments: str) -> Report:
    """Show what `by GROUP`, `routing` or `against PROVIDER:MODEL` asks, each with a scope.

    Raises
    ------
    UsageError
        For an unknown group or option, with the nearest.
    """
    what, *rest = arguments.split()
    value = rest.pop(0) if what != "routing" and rest else ""
    meant = scope(session, rest)
    books = exchange.books(session.ledger, session=meant.session, since=meant.since)
    if what == "by":
        return Report((_by(books, value),))
    if what == "against":
        said = metrics.savings(books.requests, value, price=session.client.price)
        return Report((Table(f"Against all on {value}", (), (("savings", str(said)),)),))
    if what == "routing":
        return Report((_distribution(books), _fallbacks(books)))
    raise UsageError("%llm stats [by GROUP|routing|against PROVIDER:MODEL]")


def _by(books: Books, group: str) -> Table:
    made = metrics.by(group, books.requests, books.attempts)
    rows = tuple(
        _row("(none)" if name is None else name, row)
        for name, row in zip(
            made.index.astype("object").where(made.index.notna(), None),
            made.to_dict("records"),
            strict=True,
        )
    )
    columns = (group, "n", "success", "fell back", "p50", "p95", "p99", "cost", "per answer")
    return Table(f"By {group} (requests)", columns, rows, _FEW)


def _row(name: str, row: Mapping[Hashable, Any]) -> tuple[str, ...]:
    unknown = f" + {row['unknown_cost']} unknown" if row["unknown_cost"] else ""
    low, high = row["success_low"], row["success_high"]
    rate = _share(row["success_rate"])
    marks = {95: row["p95_reliable"], 99: row["p99_reliable"]}
    return (
        name,
        f"{row['requests']:,}",
        f"{rate} ({low:.0%} to {high:.0%})" if rate else "unknown",
        _share(row["fallback_rate"]),
        *(_percentile(row[f"latency_p{p}_s"], sure=marks.get(p, True)) for p in (50, 95, 99)),
        money(Decimal(row["cost_usd"])) + unknown,
        _known(row["cost_per_answer_usd"]),
    )


def _share(rate: float) -> str:
    return "" if math.isnan(rate) else f"{rate:.0%}"


def _percentile(value: float, *, sure: bool) -> str:
    return "" if math.isnan(value) else seconds(value) + " ?" * (not sure)


def _known(cost_usd: float) -> str:
    return "" if math.isnan(cost_usd) else money(Decimal(cost_usd))


def _distribution(books: Books) -> Table:
    made = metrics.distribution(books.requests)
    rows = tuple(
        (
            str(name),
            f"{row['chosen']:,} {_share(row['chosen_share'])}".rstrip(),
            f"{row['answered']:,} {_share(row['answered_share'])}".rstrip(),
        )
        for name, row in zip(made.index, made.to_dict("records"), strict=True)
    )
    note = str(metrics.accuracy(books.requests, books.outcomes))
    return Table("Chosen first, and who answered", ("model", "chosen", "answered"), rows, note)


def _fallbacks(books: Books) -> Table:
    rows = tuple(
        (row["from"], row["to"], f"{row['n']:,}", row["error_type"], seconds(row["time_lost_s"]))
        for row in metrics.fallbacks(books.attempts).to_dict("records")
    )
    columns = ("from", "to", "n", "mostly", "time lost")
    return Table("Fallbacks", columns, rows, "" if rows else "none")
