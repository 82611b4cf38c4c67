"""What came of requests: written, and read back beside those that were dealt in an experiment."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

from multimodel_magic.ledger.database import columns, tables
from multimodel_magic.ledger.rows import OutcomeRow, RequestRow

if TYPE_CHECKING:
    import pandas as pd
    from sqlalchemy import Connection, Row, Select

__all__ = [
    "all_outcomes",
    "as_frame",
    "dealt",
    "is_of",
    "keep",
    "merge",
    "merged",
    "numbers",
    "of_request",
    "outcome_row",
]

Judged: TypeAlias = "tuple[RequestRow, OutcomeRow | None]"
"""A request, and what came of it as far as that is known."""


def outcome_row(request_id: str, outcome: Mapping[str, float]) -> OutcomeRow:
    """Return the row of an outcome that is said now."""
    said = {name: float(number) for name, number in outcome.items()}
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    return OutcomeRow(request_id, json.dumps(said), now)


def numbers(row: OutcomeRow | None) -> Mapping[str, float]:
    """Return the numbers of an outcome; none where there is none."""
    return {} if row is None else json.loads(row.outcome)


def is_of(arm: str | None, experiment: str) -> bool:
    """Whether `EXPERIMENT:ARM` is an arm of the experiment; its name may hold colons itself."""
    return arm is not None and arm.rpartition(":")[0] == experiment


def keep(connection: Connection, rows: Sequence[OutcomeRow]) -> None:
    """Write outcomes; each takes the place of an earlier one of its request."""
    outcome = tables().outcome
    # No two databases spell "insert or replace" alike.
    for row in rows:
        connection.execute(outcome.delete().where(outcome.c.request_id == row.request_id))
        connection.execute(outcome.insert(), row._asdict())


def merge(connection: Connection, rows: Sequence[OutcomeRow]) -> None:
    """Add to what is there of each request, name by name, in the transaction under way.

    No other process comes between the reading and the writing: SQLite's transaction is the only
    one that writes, and elsewhere the request's own row is locked (its outcome may not exist yet).
    """
    import sqlalchemy as sa

    request, outcome = tables().request, tables().outcome
    # Always in this order: two processes that lock several requests must not wait for each other.
    for row in sorted(rows):
        this = request.c.request_id == row.request_id
        connection.execute(sa.select(request.c.request_id).where(this).with_for_update())
        held = sa.select(outcome).where(outcome.c.request_id == row.request_id)
        found = connection.execute(held.with_for_update()).first()
        keep(connection, [merged(None if found is None else OutcomeRow._make(found), row)])


def merged(before: OutcomeRow | None, said: OutcomeRow) -> OutcomeRow:
    """Return an outcome with what is said of it now."""
    if before is None:
        return said
    both = {**numbers(before), **numbers(said)}
    return OutcomeRow(said.request_id, json.dumps(both), max(before.recorded_at, said.recorded_at))


def all_outcomes(connection: Connection) -> dict[str, OutcomeRow]:
    """Return every outcome by its request's id."""
    import sqlalchemy as sa

    if not _has_outcomes(connection):
        return {}
    found = connection.execute(sa.select(tables().outcome))
    return {row.request_id: OutcomeRow._make(row) for row in found}


def dealt(connection: Connection, experiment: str) -> list[Judged]:
    """Return the requests that were dealt in an experiment, oldest first."""
    import sqlalchemy as sa

    request = tables().request
    # Not LIKE, nor a range of names: what these match is up to the database's collation.
    every = connection.scalars(
        sa.select(request.c.arm).where(request.c.arm.is_not(None)).distinct()
    )
    arms = [arm for arm in every if is_of(arm, experiment)]
    chosen = _judged(connection).where(request.c.arm.in_(arms))
    ordered = chosen.order_by(request.c.started_at, request.c.request_id)
    return [_split(row) for row in connection.execute(ordered)]


def of_request(connection: Connection, request_id: str) -> Judged | None:
    """Return one request, or None."""
    at = tables().request.c.request_id == request_id
    found = connection.execute(_judged(connection).where(at)).first()
    return None if found is None else _split(found)


def as_frame(rows: Mapping[str, OutcomeRow]) -> pd.DataFrame:
    """Make the frame of outcomes, which may be none."""
    import pandas as pd

    from multimodel_magic.ledger.frames import frame

    inorder = sorted(rows.values(), key=lambda row: (row.recorded_at, row.request_id))
    made = frame(OutcomeRow, inorder)
    said = [numbers(row) for row in inorder]
    for name in ("success", "score", *_own(said)):
        made[name] = pd.Series([one.get(name) for one in said], dtype="float64")
    return made


def _own(said: Sequence[Mapping[str, float]]) -> list[str]:
    """Return the names of measures of one's own, but for those of columns that frames have."""
    known = {"success", "score", *OutcomeRow._fields, *RequestRow._fields}
    return sorted({name for one in said for name in one} - known)


def _judged(connection: Connection) -> Select[tuple[object, ...]]:
    import sqlalchemy as sa

    request, outcome = tables().request, tables().outcome
    if not _has_outcomes(connection):
        nothing = (sa.null().label(name) for name in OutcomeRow._fields)
        return sa.select(*columns(connection, RequestRow), *nothing)
    beside = request.outerjoin(outcome, outcome.c.request_id == request.c.request_id)
    return sa.select(*columns(connection, RequestRow), *outcome.c).select_from(beside)


def _split(row: Row[tuple[object, ...]]) -> Judged:
    width = len(RequestRow._fields)
    request, outcome = RequestRow._make(row[:width]), row[width:]
    return request, None if outcome[0] is None else OutcomeRow._make(outcome)


def _has_outcomes(connection: Connection) -> bool:
    """Whether there is a table of them: a ledger of version 1 that may only be read has none."""
    import sqlalchemy as sa

    return sa.inspect(connection).has_table(tables().outcome.name)
