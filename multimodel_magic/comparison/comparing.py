"""What a session does about comparisons: makes them, and remembers them."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from multimodel_magic import bridge
from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.client.fitting import fitting
from multimodel_magic.comparison.ask import AT_ONCE, compare
from multimodel_magic.comparison.values import Comparison, Comparisons
from multimodel_magic.schemas import schema_of
from multimodel_magic.types import Option, Request

if TYPE_CHECKING:
    from multimodel_magic.experiments.votes import Vote

__all__ = ["KEPT", "Comparing"]

_log = logging.getLogger("multimodel_magic.comparison")

KEPT = 100
"""How many comparisons a session keeps in memory; the ledger keeps all requests."""


class Comparing:
    """The part of a session that compares.

    Attributes
    ----------
    comparisons
        The latest ones, oldest first, as they stand.
    """

    client: UnifiedLLMClient

    def __init__(self) -> None:
        self.comparisons: deque[Comparison] = deque(maxlen=KEPT)
        self.vote_watchers: list[Callable[[Vote], None]] = []
        """Told of every vote, in whatever thread it was cast; they must not raise."""

    def refresh(self) -> str | None:
        """Take up a changed configuration, and say so; a session knows how."""
        return None

    @property
    def last_comparison(self) -> Comparison | None:
        """The comparison that was begun last, finished or not."""
        return self.comparisons[-1] if self.comparisons else None

    def comparison(self, id: str) -> Comparison | None:  # noqa: A002 - the field's name
        """Return a remembered comparison as it now stands."""
        return next((one for one in tuple(self.comparisons) if one.id == id), None)

    def keep(self, comparison: Comparison) -> None:
        """Remember a comparison as it now stands; what was revealed stays so."""
        for place, known in enumerate(tuple(self.comparisons)):
            if known.id == comparison.id:
                stands = comparison.reveal() if known.revealed else comparison
                self.comparisons[place] = stands
                return
        self.comparisons.append(comparison)

    def voted(self, vote: Vote) -> None:
        """Tell the watchers of a vote; a person's reveals the names of a blind comparison."""
        if vote.judge is None and (known := self.comparison(vote.comparison)) is not None:
            self.keep(known.reveal())
        for tell in tuple(self.vote_watchers):
            tell(vote)

    @fitting
    async def acompare(
        self,
        prompts: str | Iterable[str],
        contestants: str | Iterable[str],
        *,
        blind: bool = False,
        system: str | None = None,
        max_tokens: int | None = None,
        timeout_s: float | None = None,
        retries: int | None = None,
        options: Mapping[str, Option] | None = None,
        schema: object = None,
        at_once: int = AT_ONCE,
    ) -> Comparison | Comparisons:
        """Put one prompt, or each of several, to several models or strategies.

        Parameters
        ----------
        prompts
            One text gives a `Comparison`; several give `Comparisons`, a table whose `frame()` has
            one row for each prompt and contestant.
        contestants
            Models, aliases, roles or strategies, as a list or in one text with commas.
        blind
            Deal the places by chance and hide the names until a vote.
        system, max_tokens, options
            What every vendor gets; `options` verbatim.
        schema
            What every answer must be; as in `llm(...)`.
        timeout_s, retries
            Patience of each request.
        at_once
            How many requests may be under way at a time.

        Returns
        -------
        Comparison or Comparisons
            A contestant that failed has its error in its response; the others' answers stand.

        Raises
        ------
        UsageError
            For contestants that are none, and prompts that are no text.

        Examples
        --------
        >>> from multimodel_magic.ledger import Ledger
        >>> from multimodel_magic.session import Session
        >>> llm = Session(ledger=Ledger(":memory:"))
        >>> llm.compare("Hi", "scripted:echo, scripted:answers").answered
        (0, 1)
        """
        if (said := self.refresh()) is not None:
            _log.warning(said)
        asked = Request(
            "",
            system=system,
            max_tokens=max_tokens,
            timeout_s=timeout_s,
            retries=retries,
            options=options or {},
            schema=None if schema is None else schema_of(schema),
        )
        return await compare(
            self.client,
            asked,
            prompts,
            contestants,
            blind=blind,
            at_once=at_once,
            keep=self.keep,
        )

    compare = bridge.blocking(acompare)
