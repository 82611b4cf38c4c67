"""Votes between the models that a replay would change: which of the two was preferred."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from multimodel_magic.experiments.votes import votes_in
from multimodel_magic.metrics import wilson
from multimodel_magic.wording import number_of

if TYPE_CHECKING:
    from multimodel_magic.ledger import Ledger

__all__ = ["Preferred", "preferred"]


@dataclass(frozen=True, slots=True)
class Preferred:
    """How the votes on answers of the recorded and of the other model to one prompt went."""

    would: int = 0
    """Votes for the model that would have been asked."""
    was: int = 0
    """Votes for the one that was."""
    ties: int = 0
    """Votes for neither: in no share."""

    @property
    def share(self) -> float:
        """Share of the decided votes for the other model; `nan` where there is none."""
        decided = self.would + self.was
        return self.would / decided if decided else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of `share`."""
        return wilson(self.would, self.would + self.was)

    def __str__(self) -> str:
        if not self.would + self.was:
            return f"votes: none is decided between the two models ({number_of(self.ties, 'tie')})"
        low, high = self.interval
        return (
            f"votes: the other model was preferred in {self.would:,} of "
            f"{self.would + self.was:,} ({low:.0%} to {high:.0%}); {number_of(self.ties, 'tie')}"
        )


def preferred(ledger: Ledger, changes: Iterable[tuple[str, str]]) -> Preferred:
    """Count the votes between the models of changed routes, over the whole ledger.

    Parameters
    ----------
    changes
        Pairs of models, `provider:model`: who was asked, and who would be.

    Notes
    -----
    A vote counts where answers of both models of a change stood side by side. The prompts voted
    on are seldom a random sample of those replayed: the figure is about them.
    """
    pairs = set(changes)
    votes, _ = votes_in(ledger.votes() if pairs else ())
    answered = ledger.answered_by({one for vote in votes for one in vote.request_ids})
    counts: Counter[str] = Counter()
    for vote in votes:
        names = [answered.get(one) for one in vote.request_ids]
        winner = None if vote.preferred is None else names[vote.preferred]
        for was, would in pairs:
            if was in names and would in names:
                counts["ties" if vote.preferred is None else _for(winner, was, would)] += 1
    return Preferred(counts["would"], counts["was"], counts["ties"])


def _for(winner: str | None, was: str, would: str) -> str:
    return {was: "was", would: "would"}.get(winner or "", "neither")
