"""What a session does about replays. What that takes is imported on first use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.client.fitting import fitting
from multimodel_magic.ledger import Ledger
from multimodel_magic.types import Strategy

if TYPE_CHECKING:
    from multimodel_magic.catalogue import Catalogue
    from multimodel_magic.config import RoutingConfig
    from multimodel_magic.ledger.since import Since
    from multimodel_magic.replay.result import Replay

__all__ = ["Replaying", "Tell"]

Tell: TypeAlias = Callable[[str], None]
"""Shows a line: what calls will cost, and how far they are."""


class Replaying:
    """The part of a session that replays."""

    id: str
    client: UnifiedLLMClient
    ledger: Ledger
    config: RoutingConfig | None

    @fitting
    def replay(
        self,
        chooser: str | Path | RoutingConfig | Strategy | None = None,
        *,
        since: Since | None = None,
        everything: bool = False,
        named: bool = False,
        call: bool = False,
        tell: Tell = print,
    ) -> Replay:
        """Say what another strategy or configuration would have chosen over recorded requests.

        Parameters
        ----------
        chooser
            A strategy (its name, or itself), a configuration (its file, or itself), or None for
            what is in force now.
        since
            Only what began at this moment or later, or so long ago at most.
        everything
            All sessions of the ledger, not this one alone.
        named
            Also requests whose model the user named, as if that had been left to the strategy.
        call
            Ask the other models where nothing is recorded of them: through this session's client
            and within its budgets, a kept answer first. An interrupt stops it; what was answered
            by then is kept and costs nothing the next time.
        tell
            With `call`, is told what it will cost, before, and how far it is.

        Raises
        ------
        UsageError
            For a strategy that there is not, with the nearest.
        ConfigError
            For a file that cannot be read as a configuration.
        BudgetExceeded
            With `call`: what was answered by then is kept.

        Notes
        -----
        A provider counts as usable where it can be asked here now, or was asked by a replayed
        request. The same ledger, strategy and providers give the same figures.
        """
        from multimodel_magic import exchange
        from multimodel_magic.replay.estimate import Records, label_of
        from multimodel_magic.replay.figures import replayed
        from multimodel_magic.replay.votes import preferred
        from multimodel_magic.replay.ways import Ways, pairs_of, routed

        session = None if everything else self.id
        books = exchange.books(self.ledger, session=session, since=since)
        asked = frozenset(books.attempts["provider"].dropna())
        way = Ways(self.client, self._base_catalogue(), asked).to(chooser)
        found, left_out = routed(books, way, named=named)
        records = Records.of(books)
        failed = 0
        if call:
            from multimodel_magic.replay.calls import ask

            failed = ask(self.client, self.id, found, records, way=way, tell=tell)
        made = replayed(way, found, records)
        votes = preferred(self.ledger, pairs_of(found))
        label = label_of(books)
        return replace(made, votes=votes, left_out=left_out, label=label, failed_calls=failed)

    def _base_catalogue(self) -> Catalogue:
        """Return what names mean before any configuration; a session knows better."""
        return self.client.catalogue
