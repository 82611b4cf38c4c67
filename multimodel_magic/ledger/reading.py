"""Many rows: from the mirror where there is one, else from the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from multimodel_magic.ledger.rows import AttemptRow, Recorded, RequestRow, Row
from multimodel_magic.ledger.segments import COUNTED
from multimodel_magic.metrics.tally import Totals, totals_of

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from sqlalchemy import Connection

    from multimodel_magic.ledger.database import Database

__all__ = ["counted", "found", "framed", "totals"]

Found: TypeAlias = "Sequence[tuple[object, ...]] | pa.Table"

_FEW = 20_000
"""So many rows are counted one by one: importing pandas takes longer."""


def found(database: Database, row: type[Row], *, session: str | None, start: str | None) -> Found:
    """Return the requests of a session from a moment on, or their attempts, oldest first."""
    from multimodel_magic.ledger import queries

    mirror, keeper = database.mirror, database.keeper
    if mirror is not None and keeper is not None:
        many = mirror.many

        def are_many(connection: Connection) -> bool:
            return queries.are_there(connection, many, session=session, start=start)

        if database.read(are_many):
            keeper.look()
            if session is None and start is None and mirror.is_far_behind():
                keeper.settle()
            table = mirror.table(row, session=session, start=start)
            if table is not None:
                return table
    return database.read(lambda one: queries.rows(one, row, session=session, start=start))


def totals(database: Database) -> Totals:
    """Return the totals of the whole database; of a file without importing SQLAlchemy."""
    mirror, keeper = database.mirror, database.keeper
    if mirror is not None and keeper is not None:
        keeper.look()
        if mirror.is_far_behind():
            keeper.settle()  # to count the rows takes as long
        made = mirror.totals()
        if made is not None:
            return made
    return database.read(_all_counted)


def _all_counted(connection: Connection) -> Totals:
    from multimodel_magic.ledger import aggregates, queries

    if connection.dialect.name == "postgresql":
        return aggregates.totals(connection)
    return counted(*(queries.all_rows(connection, row, names) for row, names in COUNTED.items()))


def counted(requests: Sequence[tuple[Any, ...]], attempts: Sequence[tuple[Any, ...]]) -> Totals:
    """Count rows that hold the columns `COUNTED`."""
    found = {RequestRow: requests, AttemptRow: attempts}
    if len(requests) + len(attempts) <= _FEW:
        named = {
            row: [dict(zip(COUNTED[row], one, strict=True)) for one in rows]
            for row, rows in found.items()
        }
        return totals_of(named[RequestRow], named[AttemptRow])
    from multimodel_magic.ledger.frames import frame
    from multimodel_magic.metrics import counting

    asked, tried = (frame(row, rows, COUNTED[row]) for row, rows in found.items())
    return Totals(counting.tally(asked), counting.tallies(tried, ["provider", "model"]))


def framed(row: type[Row], rows: Found, kept: Sequence[Recorded] = ()) -> pd.DataFrame:
    """Return the frame of what was found, and after it that of what is not written yet."""
    from multimodel_magic.ledger.frames import frame

    ours = [one for recorded in kept for one in recorded.of(row)]
    if isinstance(rows, Sequence):
        return frame(row, [*rows, *ours])
    import pandas as pd

    from multimodel_magic.ledger.columns import as_frame

    made = as_frame(row, rows)
    return pd.concat([made, frame(row, ours)], ignore_index=True) if ours else made
