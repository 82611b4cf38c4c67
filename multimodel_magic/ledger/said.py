"""What was said of requests, outcomes and votes, as long as it is not written yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from multimodel_magic.ledger.rows import OutcomeRow, VoteRow

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["Said"]


class Said:
    """Outcomes and votes that wait to be written, and are read beside those that are."""

    def __init__(self) -> None:
        self._outcomes: dict[str, OutcomeRow] = {}
        self._votes: dict[str, VoteRow] = {}

    def __bool__(self) -> bool:
        return bool(self._outcomes or self._votes)

    def take(self, row: OutcomeRow | VoteRow) -> None:
        """Take what is said now; an outcome adds to one that waits already."""
        if isinstance(row, VoteRow):
            self._votes[row.vote_id] = row
        else:
            from multimodel_magic.ledger.outcomes import merged

            self._outcomes[row.request_id] = merged(self._outcomes.get(row.request_id), row)

    def write(self, connection: Connection) -> None:
        """Write all of it; it goes on waiting until `clear`, for the transaction may fail."""
        from multimodel_magic.ledger import outcomes, votes

        outcomes.merge(connection, list(self._outcomes.values()))
        votes.add(connection, list(self._votes.values()))

    def clear(self) -> None:
        """Forget what is written."""
        self._outcomes.clear()
        self._votes.clear()

    def outcome(self, request_id: str, written: OutcomeRow | None) -> OutcomeRow | None:
        """Return a request's outcome: what is written with what waits."""
        from multimodel_magic.ledger.outcomes import merged

        said = self._outcomes.get(request_id)
        return written if said is None else merged(written, said)

    def outcomes(self, written: Mapping[str, OutcomeRow]) -> dict[str, OutcomeRow]:
        """Return every outcome by its request's id."""
        from multimodel_magic.ledger.outcomes import merged

        ours = {name: merged(written.get(name), said) for name, said in self._outcomes.items()}
        return {**written, **ours}

    def votes(
        self, written: Iterable[VoteRow], *, session: str | None, comparison: str | None
    ) -> tuple[VoteRow, ...]:
        """Return every vote of a session or on a comparison, oldest first."""
        ours = [
            row
            for row in self._votes.values()
            if session in (None, row.session) and comparison in (None, row.comparison)
        ]
        inorder = sorted([*written, *ours], key=lambda row: (row.recorded_at, row.vote_id))
        return tuple({row.vote_id: row for row in inorder}.values())
