"""Whether the answer shown first is preferred for being shown first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from multimodel_magic.experiments.intervals import LEAST_UNITS, ArmMean, cautious, half_width
from multimodel_magic.experiments.votes import Vote
from multimodel_magic.wording import number_of

__all__ = ["PositionBias", "position_bias"]


_UNSHUFFLED = ("vote on unshuffled answers says", "votes on unshuffled answers say")


@dataclass(frozen=True, slots=True)
class PositionBias:
    """How often the first answer shown was preferred, against chance. `str()` says it in words."""

    n: int
    """Votes that prefer one of answers whose places were dealt by chance."""
    first: int
    """Of these, how many prefer the first answer shown."""
    share: float | None
    """None where there is no vote."""
    chance: float | None
    """What it would be were the place of no matter; the mean of 1/N over votes on N answers."""
    low: float | None
    high: float | None
    """A 95 % interval of the share that stays valid however often one looks."""
    decided: bool
    """Whether the interval leaves chance out, and there are votes enough."""
    not_dealt: int
    """Votes that are left out: the answers stood as asked, and the place was the contestant's."""

    def __str__(self) -> str:
        left_out = f"; {number_of(self.not_dealt, *_UNSHUFFLED)} nothing of it"
        if self.share is None or self.chance is None or self.low is None or self.high is None:
            return f"position: no vote on shuffled answers yet{left_out * bool(self.not_dealt)}"
        if not self.decided:
            verdict = "no bias shown" if self.n >= LEAST_UNITS else "too few to tell"
        else:
            verdict = f"it is {'favoured' if self.share > self.chance else 'disfavoured'}"
        return (
            f"position: the first answer shown was preferred in {self.share:.0%} of "
            f"{number_of(self.n, 'vote')} ({self.low:.0%} to {self.high:.0%}, "
            f"chance {self.chance:.0%}): {verdict}"
            f"{left_out * bool(self.not_dealt)}"
        )


def position_bias(votes: Iterable[Vote], *, alpha: float = 0.05) -> PositionBias:
    """Measure how often the first answer shown is preferred.

    Parameters
    ----------
    votes
        Of one person or judge, or of several.
    alpha
        The probability with which the interval ever misses, over all looks.

    Notes
    -----
    Ties say nothing of places. The interval is `intervals.half_width` over the votes, with the
    variance of `intervals.cautious`.
    """
    preferring = [vote for vote in votes if vote.preferred is not None]
    dealt = [vote for vote in preferring if vote.dealt]
    n, not_dealt = len(dealt), len(preferring) - len(dealt)
    if not n:
        return PositionBias(0, 0, None, None, None, None, decided=False, not_dealt=not_dealt)
    first = sum(vote.preferred == 0 for vote in dealt)
    share, chance = first / n, sum(1 / len(vote.contestants) for vote in dealt) / n
    spread = share * (1 - share)
    variance = cautious(ArmMean(share, spread / n, n), spread, binary=True).variance
    half = half_width(variance, n, alpha=alpha)
    low, high = max(0.0, share - half), min(1.0, share + half)
    decided = n >= LEAST_UNITS and not low <= chance <= high
    return PositionBias(n, first, share, chance, low, high, decided=decided, not_dealt=not_dealt)
