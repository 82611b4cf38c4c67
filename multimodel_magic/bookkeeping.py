"""What a session says of its books: frames, metrics, files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from multimodel_magic.client.fitting import fitting

if TYPE_CHECKING:
    import pandas as pd

    from multimodel_magic.client import UnifiedLLMClient
    from multimodel_magic.exchange import Exported, Imported
    from multimodel_magic.ledger import Ledger
    from multimodel_magic.ledger.since import Since
    from multimodel_magic.metrics import Metrics

__all__ = ["Bookkeeping"]


class Bookkeeping:
    """The part of a session that reads its ledger.

    Attributes
    ----------
    id
        The label `session` of its requests.
    """

    id: str
    client: UnifiedLLMClient
    ledger: Ledger

    @property
    def df(self) -> pd.DataFrame:
        """The session's requests, one a row; the columns stand in `multimodel_magic.ledger`.

        `llm.ledger.requests_frame` gives those of other sessions, and since a moment.
        """
        return self.ledger.requests_frame(session=self.id)

    @property
    def attempts(self) -> pd.DataFrame:
        """The session's attempts, one a row, failed and interrupted ones included."""
        return self.ledger.attempts_frame(session=self.id)

    @fitting
    def metrics(self, *, since: Since | None = None, everything: bool = False) -> Metrics:
        """Return the figures of this session.

        Parameters
        ----------
        since
            Only of what began so long ago at most: `timedelta(days=7)`, `"7d"`; or since a moment.
        everything
            Of all sessions of the ledger, not this one alone.

        Returns
        -------
        Metrics
            The overall figures as attributes (`requests`, `success_rate`, `cost_usd`, ...), and
            `models`, `distribution`, `fallback_pairs`, `fallback_matrix`, `accuracy`, `by(group)`,
            `savings(baseline)`, `quality(reference)`, `maintenance(reference)`.
        """
        from multimodel_magic.metrics import Metrics

        session = None if everything else self.id
        requests = self.ledger.requests_frame(session=session, since=since)
        attempts = self.ledger.attempts_frame(session=session, since=since)
        said = self.ledger.outcomes_frame()
        ours = said[said["request_id"].isin(requests["request_id"])]
        return Metrics(requests, attempts, ours, self.client.price)

    @fitting
    def export(
        self, file: str | Path, *, since: Since | None = None, everything: bool = False
    ) -> Exported:
        """Write requests, attempts, outcomes and votes to files (.parquet, .csv or .jsonl).

        Parameters
        ----------
        file
            Where the requests go; the others stand beside it.
        since
            Only what began so long ago at most.
        everything
            All sessions of the ledger, not this one alone.

        Raises
        ------
        UsageError
            For an ending that is none of the three.
        """
        from multimodel_magic import exchange

        session = None if everything else self.id
        return exchange.export(self.ledger, file, session=session, since=since)

    @fitting
    def import_file(self, file: str | Path) -> Imported:
        """Add what `export` wrote, here or elsewhere, to the ledger; what it holds stays as it is.

        The requests keep the session that they were asked in: `llm.df` shows its own alone.

        Raises
        ------
        UsageError
            For a file that is not there or holds something else.
        Misconfigured
            Where the ledger cannot be written.
        """
        from multimodel_magic import exchange

        return exchange.import_file(self.ledger, file)
