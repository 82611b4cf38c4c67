"""`%llm stats by GROUP`, `stats routing` and `stats against MODEL`, as tables."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from multimodel_magic import exchange, metrics
from multimodel_magic.errors import UsageError
from multimodel_magic.exchange import Books
from multimodel_magic.notebook.files import scope
from multimodel_magic.notebook.receipt import seconds
from multimodel_magic.notebook.stats import (
    FEW,
    known,
    nothing,
    percentile,
    rate,
    share,
    stats,
    with_unknown,
)
from multimodel_magic.notebook.table import Report, Table
from multimodel_magic.session import Session

__all__ = ["groups"]


def groups(session: Session, arguments: str) -> Report:
    """Show what `by GROUP`, `routing` or `against PROVIDER:MODEL` asks, each with a scope.

    Raises
    ------
    UsageError
        For an unknown group or option, with the nearest.
    """
    words = arguments.split()
    what = "" if not words or words[0].startswith("--") else words.pop(0)
    value = words.pop(0) if what in ("by", "against") and words else ""
    meant = scope(session, words)
    if not what:
        return stats(session, meant)
    books = exchange.books(session.ledger, session=meant.session, since=meant.since)
    made = Report(_tables(session, books, what, value))  # what is misspelt is told here too
    return made if len(books.requests) else nothing(meant)


def _tables(session: Session, books: Books, what: str, value: str) -> tuple[Table, ...]:
    if what == "by":
        return (_by(books, value),)
    if what == "against":
        return (_against(session, books, value),)
    if what == "routing":
        return (_distribution(books), _fallbacks(books))
    raise UsageError("%llm stats [by GROUP|routing|against PROVIDER:MODEL] [--all] [--since 7d]")


def _against(session: Session, books: Books, model: str) -> Table:
    saved = metrics.savings(books.requests, model, price=session.client.price)
    try:
        kept = str(metrics.maintenance(books.requests, books.outcomes, model))
    except UsageError as error:
        kept = f"quality is unknown: {error}"
    return Table(f"Against all on {model}", (), (("savings", str(saved)), ("quality", kept)))


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
    columns = (
        *(group, "n", "success", "asked nobody", "fell back"),
        *("p50", "p95", "p99", "cost", "per answer"),
    )
    return Table(f"By {group} (requests)", columns, rows, FEW).without_empty()


def _row(name: str, row: Mapping[Hashable, Any]) -> tuple[str, ...]:
    marks = {95: row["p95_reliable"], 99: row["p99_reliable"]}
    return (
        name,
        f"{row['requests']:,}",
        rate(row) or "unknown",
        f"{row['asked_nobody']:,}" if row["asked_nobody"] else "",
        share(row["fallback_rate"]),
        *(percentile(row[f"latency_p{p}_s"], sure=marks.get(p, True)) for p in (50, 95, 99)),
        with_unknown(row["cost_usd"], row["unknown_cost"], of=row["requests"]),
        known(row["cost_per_answer_usd"]),
    )


def _distribution(books: Books) -> Table:
    made = metrics.distribution(books.requests)
    rows = tuple(
        (
            str(name),
            f"{row['chosen']:,}",
            share(row["chosen_share"]),
            f"{row['answered']:,}",
            share(row["answered_share"]),
        )
        for name, row in zip(made.index, made.to_dict("records"), strict=True)
    )
    note = str(metrics.accuracy(books.requests, books.outcomes))
    columns = ("model", "chosen", "share", "answered", "share")
    return Table("Chosen first, and who answered", columns, rows, note)


def _fallbacks(books: Books) -> Table:
    rows = tuple(
        (row["from"], row["to"], f"{row['n']:,}", row["error_type"], seconds(row["time_lost_s"]))
        for row in metrics.fallbacks(books.attempts).to_dict("records")
    )
    columns = ("from", "to", "n", "mostly", "time lost")
    return Table("Fallbacks", columns, rows, empty="none: no request went on to another model")
