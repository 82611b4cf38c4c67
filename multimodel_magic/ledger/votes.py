"""Votes on answers side by side: added, never changed, and read back as those that stand."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from multimodel_magic.ledger.database import tables
from multimodel_magic.ledger.manifest import parts
from multimodel_magic.ledger.rows import VoteRow

if TYPE_CHECKING:
    import pandas as pd
    from sqlalchemy import Connection

__all__ = ["add", "answered_by", "as_frame", "standing", "votes"]


def add(connection: Connection, rows: Sequence[VoteRow]) -> int:
    """Write votes, but for those that are there already; return how many were new."""
    vote = tables().vote
    known = _known(connection, [row.vote_id for row in rows])
    new = {row.vote_id: row for row in rows if row.vote_id not in known}
    if new:
        connection.execute(vote.insert(), [row._asdict() for row in new.values()])
    return len(new)


def _known(connection: Connection, vote_ids: Iterable[str]) -> set[str]:
    import sqlalchemy as sa

    column, known = tables().vote.c.vote_id, set[str]()
    for part in parts(vote_ids):
        known.update(connection.scalars(sa.select(column).where(column.in_(part))))
    return known


def votes(
    connection: Connection, *, session: str | None = None, comparison: str | None = None
) -> list[VoteRow]:
    """Return every vote of a session, or on a comparison, in the order in which they came."""
    import sqlalchemy as sa

    vote = tables().vote
    if not sa.inspect(connection).has_table(vote.name):
        return []  # a ledger of an earlier version that may only be read
    chosen = sa.select(vote)
    if session is not None:
        chosen = chosen.where(vote.c.session == session)
    if comparison is not None:
        chosen = chosen.where(vote.c.comparison == comparison)
    ordered = chosen.order_by(vote.c.recorded_at, vote.c.vote_id)
    return [VoteRow._make(row) for row in connection.execute(ordered)]


def standing(inorder: Iterable[VoteRow]) -> tuple[VoteRow, ...]:
    """Return the last vote of each judge, and of the person, on each comparison."""
    rows = list(inorder)
    last = {(row.comparison, row.judge): row.vote_id for row in rows}
    stand = set(last.values())
    return tuple(row for row in rows if row.vote_id in stand)


def answered_by(connection: Connection, request_ids: Iterable[str]) -> dict[str, str]:
    """Return who answered, `provider:model`, for each of these requests that was answered."""
    import sqlalchemy as sa

    request, found = tables().request, dict[str, str]()
    chosen = sa.select(request.c.request_id, request.c.provider, request.c.model)
    for part in parts(request_ids):
        of = request.c.request_id.in_(part), request.c.status == "answered"
        rows = connection.execute(chosen.where(*of))
        found.update((row.request_id, f"{row.provider}:{row.model}") for row in rows)
    return found


def as_frame(rows: Sequence[VoteRow]) -> pd.DataFrame:
    """Make the frame of votes, which may be none."""
    import pandas as pd

    from multimodel_magic.ledger.frames import frame

    made = frame(VoteRow, rows)
    named = ((row.preferred, json.loads(row.contestants)) for row in rows)
    winners = [None if place is None else names[place] for place, names in named]
    at = VoteRow._fields.index("preferred")
    made.insert(at, "winner", pd.Series(winners, dtype="string"))
    return made
