"""What a session does about kept answers: where they lie, and whether they are given again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.client.cache import Cache, Mode, mode_named
from multimodel_magic.ledger.answers import MOST_BYTES, LedgerAnswers
from multimodel_magic.ledger.book import Ledger

if TYPE_CHECKING:
    from multimodel_magic.config import CacheSettings, RoutingConfig

__all__ = ["Keeping"]


class Keeping:
    """The part of a session that keeps answers.

    Attributes
    ----------
    answers
        Those kept beside the ledger in use.
    """

    client: UnifiedLLMClient
    ledger: Ledger
    config: RoutingConfig | None

    def keep_answers(self, mode: Mode | None) -> None:
        """Give the client a place beside the ledger, unless it has one of its own."""
        self.answers = LedgerAnswers(lambda: self.ledger)
        found = self.client.cache or Cache(self.answers)
        if isinstance(found.answers, LedgerAnswers):  # A session's, be it another one's.
            found = replace(found, answers=self.answers)
        self.client.cache = found
        self._unconfigured_mode = found.mode
        self.cache_mode = mode

    @property
    def cache_mode(self) -> Mode | None:
        """Whether answers of before are given again; None: as the configuration says."""
        return self._cache_mode

    @cache_mode.setter
    def cache_mode(self, mode: str | None) -> None:
        self._cache_mode = None if mode is None else mode_named(mode)
        self.use_cache(None if self.config is None else self.config.cache)

    def use_cache(self, said: CacheSettings | None) -> None:
        """Take what a configuration says of it; what the session was told outweighs that."""
        self.answers.most_bytes = MOST_BYTES if said is None else round(said.max_mb * 2**20)
        if self.client.cache is not None:
            configured = self._unconfigured_mode if said is None else said.mode
            self.client.cache.mode = self._cache_mode or configured
