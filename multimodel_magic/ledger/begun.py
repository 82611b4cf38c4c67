"""Requests under way: their rows, should the process die before they end."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from multimodel_magic.ledger.recording import recorded
from multimodel_magic.ledger.rows import Recorded
from multimodel_magic.types import UNFINISHED, Response

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["Begun", "remove_unfinished"]


@dataclass(frozen=True, slots=True)
class Begun:
    """A request that began; `so_far` is asked for only if it has not ended by the next writing."""

    request_id: str
    so_far: Callable[[], Response]
    store_text: bool

    def recorded(self) -> Recorded:
        """Return the rows of the request as it stands, marked as unfinished."""
        row = recorded(self.so_far(), store_text=self.store_text)
        attempts = tuple(
            one._replace(status="unfinished", error_type=None)
            if one.error_type == UNFINISHED
            else one
            for one in row.attempts
        )
        return Recorded(row.request._replace(status="unfinished", error_type=None), attempts)


def remove_unfinished(connection: Connection, request_ids: Collection[str]) -> None:
    """Remove what stands of requests as unfinished: it is about to be replaced."""
    import sqlalchemy as sa

    from multimodel_magic.ledger.database import tables
    from multimodel_magic.ledger.manifest import parts

    request, attempt = tables().request, tables().attempt
    for part in parts(request_ids):
        unfinished = request.c.request_id.in_(part), request.c.status == "unfinished"
        ids = sa.select(request.c.request_id).where(*unfinished)
        connection.execute(attempt.delete().where(attempt.c.request_id.in_(ids)))
        connection.execute(request.delete().where(*unfinished))
