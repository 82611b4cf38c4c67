"""The append-only record of requests and attempts, and what came of them, as tables and frames.

`request` has one row a request (`RequestRow`), `attempt` one a call to a model (`AttemptRow`),
`outcome` one a request that was judged later (`OutcomeRow`), `vote` one a verdict on answers side
by side (`VoteRow`); their docstrings say each column's meaning and unit, and they join on
`request_id`. `meta` holds the schema's version.
SQLAlchemy and pandas are imported on first use.
"""

from __future__ import annotations

from multimodel_magic.ledger.book import Ledger
from multimodel_magic.ledger.rows import AttemptRow, OutcomeRow, Recorded, RequestRow, VoteRow

__all__ = ["AttemptRow", "Ledger", "OutcomeRow", "Recorded", "RequestRow", "VoteRow"]
