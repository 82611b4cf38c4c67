"""The requests of a whole ledger that somebody judged, with what was said of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from multimodel_magic.ledger.rows import RequestRow

if TYPE_CHECKING:
    import pandas as pd
    from sqlalchemy import Connection

    from multimodel_magic.ledger.book import Ledger
    from multimodel_magic.ledger.database import Database

__all__ = ["judged"]


def judged(ledger: Ledger) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """Return the requests that have an outcome, and all outcomes; None where there are none.

    Imports no pandas for saying that there are none.
    """
    from multimodel_magic.ledger import reading

    found, kept = ledger._look(_rows)  # noqa: SLF001 - same package
    outcomes = ledger.outcomes_frame() if found or ledger._said else None  # noqa: SLF001 - same
    if outcomes is None:
        return None
    ids = set(outcomes["request_id"])
    ours = [one for one in kept if one.request.request_id in ids]
    return reading.framed(RequestRow, found or (), ours), outcomes


def _rows(database: Database) -> list[RequestRow]:
    mirror = database.mirror
    if mirror is not None and mirror.has_outcomes() is False:
        return []
    return database.read(_asked)


def _asked(connection: Connection) -> list[RequestRow]:
    import sqlalchemy as sa

    from multimodel_magic.ledger.database import columns, tables

    t = tables()
    if not sa.inspect(connection).has_table(t.outcome.name):
        return []  # a ledger of an earlier version that may only be read
    said = sa.select(t.outcome.c.request_id)
    chosen = sa.select(*columns(connection, RequestRow)).where(t.request.c.request_id.in_(said))
    return [RequestRow._make(row) for row in connection.execute(chosen)]
