"""What is asked of the tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from multimodel_magic.ledger.database import columns, tables
from multimodel_magic.ledger.manifest import parts
from multimodel_magic.ledger.rows import AttemptRow, Recorded, RequestRow, Row

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

__all__ = ["all_rows", "are_there", "by_id", "is_within", "newest", "rows"]


def rows(
    connection: Connection, row: type[Row], *, session: str | None, start: str | None
) -> list[Row]:
    """Return the requests of a session from a moment on, or their attempts, oldest first."""
    import sqlalchemy as sa

    t = tables()
    wanted: list[ColumnElement[bool]] = []
    if session is not None:
        wanted.append(t.request.c.session == session)
    if start is not None:
        wanted.append(t.request.c.started_at >= start)
    table = t.of(row)
    if table is t.attempt and wanted:
        wanted = [table.c.request_id.in_(sa.select(t.request.c.request_id).where(*wanted))]
    within = table.c.number if table is t.attempt else table.c.request_id
    statement = (
        sa.select(*columns(connection, row)).where(*wanted).order_by(table.c.started_at, within)
    )
    return [row._make(found) for found in connection.execute(statement).all()]


def all_rows(
    connection: Connection, row: type[Row], names: Sequence[str]
) -> Sequence[tuple[Any, ...]]:
    """Return some columns of all rows, in no order."""
    import sqlalchemy as sa

    chosen = {column.name: column for column in columns(connection, row)}
    statement = sa.select(*(chosen[name] for name in names))
    return connection.execute(statement).all()


def are_there(connection: Connection, n: int, *, session: str | None, start: str | None) -> bool:
    """Return whether there are `n` requests of a session from a moment on; counts no further."""
    import sqlalchemy as sa

    request = tables().request
    wanted = [] if session is None else [request.c.session == session]
    if start is not None:
        wanted.append(request.c.started_at >= start)
    counted = sa.select(sa.literal(1)).select_from(request).where(*wanted).limit(n).subquery()
    return (connection.scalar(sa.select(sa.func.count()).select_from(counted)) or 0) >= n


def is_within(kept: Recorded, *, session: str | None, start: str | None) -> bool:
    """Return whether `rows` would give a request that is not written yet."""
    request = kept.request
    return session in (None, request.session) and (start is None or request.started_at >= start)


def by_id(connection: Connection, request_id: str) -> Recorded | None:
    """Return a request with its attempts."""
    import sqlalchemy as sa

    request = tables().request
    chosen = sa.select(*columns(connection, RequestRow))
    found = connection.execute(chosen.where(request.c.request_id == request_id)).first()
    return None if found is None else _with_attempts(connection, [RequestRow._make(found)])[0]


def newest(connection: Connection, n: int, session: str | None) -> list[Recorded]:
    """Return the last `n` requests with their attempts, newest first."""
    import sqlalchemy as sa

    request = tables().request
    wanted = [] if session is None else [request.c.session == session]
    newest_first = (request.c.started_at.desc(), request.c.request_id.desc())
    chosen = sa.select(*columns(connection, RequestRow)).where(*wanted)
    statement = chosen.order_by(*newest_first).limit(n)
    found = [RequestRow._make(row) for row in connection.execute(statement)]
    return _with_attempts(connection, found)


def _with_attempts(connection: Connection, found: list[RequestRow]) -> list[Recorded]:
    attempts: dict[str, list[AttemptRow]] = {row.request_id: [] for row in found}
    for ids in parts(attempts):
        for attempt in _attempts(connection, ids):
            attempts[attempt.request_id].append(attempt)
    return [Recorded(row, tuple(attempts[row.request_id])) for row in found]


def _attempts(connection: Connection, ids: Sequence[str]) -> Iterator[AttemptRow]:
    import sqlalchemy as sa

    attempt = tables().attempt
    statement = sa.select(attempt).where(attempt.c.request_id.in_(ids)).order_by(attempt.c.number)
    return (AttemptRow._make(row) for row in connection.execute(statement))
