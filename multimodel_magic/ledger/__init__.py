"""The append-only record of requests and attempts: two tables in, two frames out.

`request` has one row a request (`RequestRow`), `attempt` one a call to a model (`AttemptRow`),
whose docstrings say each column's meaning and unit; they join on `request_id`. `meta` holds the
schema's version. SQLAlchemy and pandas are imported on first use.
"""

from __future__ import annotations

from multimodel_magic.ledger.book import Ledger
from multimodel_magic.ledger.rows import AttemptRow, Recorded, RequestRow

__all__ = ["AttemptRow", "Ledger", "Recorded", "RequestRow"]
