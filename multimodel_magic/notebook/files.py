"""`%llm export`, `%llm import` and `%llm plot`: which requests are meant, and what is done."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from multimodel_magic import exchange
from multimodel_magic.errors import UsageError, did_you_mean
from multimodel_magic.ledger.since import ago
from multimodel_magic.notebook.declaration import SCOPE
from multimodel_magic.session import Session

if TYPE_CHECKING:
    import pandas as pd

    from multimodel_magic.notebook.charts import Chart
    from multimodel_magic.notebook.options import Options

__all__ = ["Scope", "export", "frame", "import_file", "plot", "scope", "words"]


@dataclass(frozen=True, slots=True)
class Scope:
    """Which of the ledger's requests are meant; `None` is no limit."""

    session: str | None = None
    since: timedelta | None = None


def scope(session: Session, words: list[str]) -> Scope:
    """Read `--all`, `--since 7d` and `--session ID`; without any, this session's requests.

    `--since` alone means those of all sessions.

    Raises
    ------
    UsageError
        For another option, and for what is no duration.
    """
    found: dict[str, str] = {}
    left = iter(words)
    for word in left:
        if word not in SCOPE:
            near = did_you_mean(word, SCOPE, most=1) or f" (one of {', '.join(SCOPE)})"
            raise UsageError(f"{word!r} is unknown{near}")
        found[word] = "" if word == "--all" else next(left, "")
    since = ago(found["--since"]) if "--since" in found else None
    if "--session" in found:
        return Scope(session.id if found["--session"] == "this" else found["--session"], since)
    return Scope(None if found else session.id, since)


def words(arguments: str) -> list[str]:
    """Split arguments as a shell does; `UsageError` where a quote is not closed."""
    try:
        return shlex.split(arguments)
    except ValueError as error:
        raise UsageError(f"{arguments}: {error}") from error


def frame(session: Session, options: Options) -> pd.DataFrame:
    """Return the requests (`df`) or attempts of a scope: `[--all] [--since 7d]`."""
    meant = scope(session, words(options.arguments))
    books = session.ledger
    made = books.requests_frame if options.subcommand == "df" else books.attempts_frame
    return made(session=meant.session, since=meant.since)


def export(session: Session, arguments: str) -> exchange.Exported:
    """Write requests, attempts and outcomes into files: `FILE [--all] [--since 7d]`.

    Raises
    ------
    UsageError
        As `exchange.export` and `scope` do.
    """
    file, *rest = words(arguments)
    meant = scope(session, rest)
    return exchange.export(session.ledger, file, session=meant.session, since=meant.since)


def import_file(session: Session, arguments: str) -> exchange.Imported:
    """Add what was exported into a file to the session's ledger."""
    (file,) = words(arguments)
    return exchange.import_file(session.ledger, file)


def plot(session: Session, arguments: str) -> Chart:
    """Draw a chart: `KIND [--all] [--since 7d]`.

    Raises
    ------
    UsageError
        For no kind or an unknown one, and as `scope` does.
    """
    from multimodel_magic.notebook import charts

    kind, *rest = words(arguments) or [""]
    if not kind:
        raise UsageError(f"which chart? %llm plot {'|'.join(charts.ALL_KINDS)}")
    if kind not in charts.ALL_KINDS:
        raise charts.unknown_kind(kind)
    if kind == "budget":
        if rest:
            raise UsageError(f"%llm plot budget takes no {rest[0]}: each budget has its own span")
        return charts.budget_chart(charts.spending(session))
    meant = scope(session, rest)
    source = exchange.books(session.ledger, session=meant.session, since=meant.since)
    return charts.chart(kind, source)
