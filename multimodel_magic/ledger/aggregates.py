"""Totals that PostgreSQL counts itself: a row a model comes back, and not a row a request.

What is counted is said in `metrics.counts`, as it is for frames; here it becomes SQL.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from multimodel_magic.ledger.database import tables
from multimodel_magic.metrics.counts import counts
from multimodel_magic.metrics.tally import Tally, Totals

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Function, RowMapping, Table

__all__ = ["totals"]


def totals(connection: Connection) -> Totals:
    """Return the totals of the whole database."""
    import sqlalchemy as sa

    request, attempt = tables().request, tables().attempt
    asked = connection.execute(sa.select(*_counted(request))).mappings().one()
    by = (attempt.c.provider, attempt.c.model)
    tried = connection.execute(sa.select(*by, *_counted(attempt)).group_by(*by)).mappings()
    return Totals(_tally(asked), {(row["provider"], row["model"]): _tally(row) for row in tried})


def _counted(table: Table) -> list[ColumnElement[Any]]:
    return [value.label(name) for name, value in counts(_Aggregates(table)).items()]


def _tally(row: RowMapping) -> Tally:
    """Read a row of aggregates: of no rows at all they are null."""
    return Tally(
        **{field.name: _KINDS[str(field.type)](row[field.name]) for field in fields(Tally)}
    )


_KINDS: Mapping[str, Any] = {
    "int": lambda found: int(found or 0),
    "Sum": lambda found: tuple(_doubles(found)),
    "Sample": lambda found: (sorted(_doubles(found)),) if found else (),
}
"""Of a field of `Tally` its type -> how it is read."""


def _doubles(sent: bytes | None) -> array[float]:
    """Read numbers as PostgreSQL sends them: eight bytes each, the highest first."""
    found = array("d", sent or b"")
    if sys.byteorder == "little":
        found.byteswap()
    return found


@dataclass(frozen=True, slots=True)
class _Aggregates:
    """The rows of a table; masks are conditions, and what is counted an aggregate over them."""

    table: Table

    @property
    def every(self) -> ColumnElement[bool]:
        import sqlalchemy as sa

        return sa.true()

    def among(self, name: str, *values: object) -> ColumnElement[bool]:
        import sqlalchemy as sa

        if name not in self.table.c:
            return sa.false()
        # Null is among no values, and so is its opposite true.
        return sa.func.coalesce(self.table.c[name].in_(values), sa.false())

    def known(self, name: str) -> ColumnElement[bool]:
        return self.table.c[name].is_not(None)

    def count(self, rows: ColumnElement[bool]) -> ColumnElement[Any]:
        import sqlalchemy as sa

        return sa.func.count().filter(rows)

    def total(self, name: str, rows: ColumnElement[bool]) -> ColumnElement[Any]:
        import sqlalchemy as sa

        return sa.func.sum(self.table.c.get(name, sa.literal(0))).filter(rows)

    def exact(self, name: str, rows: ColumnElement[bool]) -> ColumnElement[Any]:
        # Not sum(): what that gives depends on the order of the rows.
        return _sent(self.table.c[name]).filter(rows & self.known(name))

    def sample(self, name: str, rows: ColumnElement[bool]) -> ColumnElement[Any]:
        return self.exact(name, rows)  # put in order here: the server takes longer


def _sent(column: ColumnElement[float]) -> Function[bytes]:
    """Return the numbers of a column as one run of bytes: to write them as text takes longest."""
    import sqlalchemy as sa

    each = sa.func.float8send(column, type_=sa.LargeBinary)
    return sa.func.string_agg(each, sa.literal(b"", sa.LargeBinary), type_=sa.LargeBinary)
