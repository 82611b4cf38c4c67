"""What was spent by everybody who writes a ledger."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from multimodel_magic.ledger.database import tables
from multimodel_magic.ledger.queries import is_within

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from multimodel_magic.ledger.book import Ledger

__all__ = ["spent_elsewhere_usd"]

PLACES = Decimal("1e-12")
"""To which a sum of doubles is exact below $1000 (see `rows`)."""


def spent_elsewhere_usd(ledger: Ledger, since: datetime, *, session: str) -> Decimal | None:
    """Return what all other sessions spent from a moment on, in US dollars.

    Parameters
    ----------
    ledger
        Blocks until what was recorded before is written.
    session
        Whose own spending does not count.

    Returns
    -------
    Decimal | None
        Attempts of unknown cost count as nothing; None where the ledger cannot be read.
    """
    start = since.astimezone(UTC).isoformat(timespec="microseconds")
    found, kept = ledger._ask(lambda connection: _sum(connection, start, session))  # noqa: SLF001 - same package
    others = [
        row
        for row in kept
        if row.request.session != session and is_within(row, session=None, start=start)
    ]
    unwritten = sum(a.cost or Decimal(0) for row in others for a in row.attempts)
    return None if found is None else Decimal(found).quantize(PLACES) + unwritten


def _sum(connection: Connection, start: str, session: str) -> float:
    import sqlalchemy as sa

    t = tables()
    spent = sa.select(sa.func.sum(t.attempt.c.cost_usd)).join(
        t.request, t.request.c.request_id == t.attempt.c.request_id
    )
    others = t.request.c.session.is_distinct_from(session)
    found = connection.scalar(spent.where(t.attempt.c.started_at >= start, others))
    return float(found or 0.0)
