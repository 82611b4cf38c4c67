"""Many rows: from the mirror where there is one, else from the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

from multimodel_magic.ledger import queries
from multimodel_magic.ledger.rows import AttemptRow, Recorded, RequestRow, Row

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from sqlalchemy import Connection

    from multimodel_magic.ledger.mirror import Mirror
    from multimodel_magic.metrics.tally import Totals

__all__ = ["found", "framed", "totals", "totals_of"]

Found: TypeAlias = "Sequence[tuple[object, ...]] | pa.Table"


def found(
    connection: Connection,
    mirror: Mirror | None,
    row: type[Row],
    *,
    session: str | None,
    start: str | None,
) -> Found:
    """Return the requests of a session from a moment on, or their attempts, oldest first."""
    if mirror is not None and _are_many(connection, mirror, session=session, start=start):
        table = mirror.table(connection, row, session=session, start=start)
        if table is not None:
            return table
    return queries.rows(connection, row, session=session, start=start)


def totals(connection: Connection, mirror: Mirror | None) -> Totals:
    """Return the totals of the whole database."""
    if mirror is not None and _are_many(connection, mirror, session=None, start=None):
        mirrored = mirror.totals(connection)
        if mirrored is not None:
            return mirrored
    asked, tried = (
        queries.rows(connection, row, session=None, start=None) for row in (RequestRow, AttemptRow)
    )
    return totals_of(framed(RequestRow, asked), framed(AttemptRow, tried))


def totals_of(requests: pd.DataFrame, attempts: pd.DataFrame) -> Totals:
    """Count two frames."""
    from multimodel_magic.ledger.segments import totals_of

    return totals_of(requests, attempts)


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


def _are_many(
    connection: Connection, mirror: Mirror, *, session: str | None, start: str | None
) -> bool:
    return queries.are_there(connection, mirror.many, session=session, start=start)
