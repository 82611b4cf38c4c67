"""How often a judge model says what people say, and how much of that is more than chance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from multimodel_magic.experiments.strength import REPLICATES
from multimodel_magic.experiments.votes import Vote
from multimodel_magic.metrics.numbers import wilson

__all__ = ["Agreement", "agreement"]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of people and a judge on the same comparisons. `str()` says it in words."""

    n: int
    """Comparisons on which both voted."""
    agree: int
    """Of these, on how many both prefer the same answer, or both say `tie`, or both `bad`."""
    share: float | None
    low: float | None
    high: float | None
    """Wilson's 95 % interval of the share."""
    kappa: float | None
    """Cohen's kappa: 1 is perfect, 0 what chance gives. None: everybody always says the same."""
    kappa_low: float | None
    kappa_high: float | None
    """Its 95 % bootstrap interval over comparisons; None where samples give no kappa."""

    def __str__(self) -> str:
        if self.share is None or self.low is None or self.high is None:
            return "agreement with people: unknown, they voted on none of these comparisons"
        said = (
            f"agreement with people: {self.agree} of {self.n} ({self.share:.0%}, "
            f"{self.low:.0%} to {self.high:.0%})"
        )
        if self.kappa is None:
            return f"{said}; kappa unknown: one side never varies"
        interval = ""
        if self.kappa_low is not None and self.kappa_high is not None:
            interval = f" [{self.kappa_low:.2f}, {self.kappa_high:.2f}]"
        return f"{said}; Cohen's kappa {self.kappa:.2f}{interval} (0 is chance)"


def agreement(votes: Iterable[Vote], judge: str, *, seed: int = 0) -> Agreement:
    """Compare a judge's votes with people's votes on the same comparisons.

    Parameters
    ----------
    votes
        Those that stand, of people and judges.
    judge
        `provider:model`.
    seed
        Of the bootstrap.

    Notes
    -----
    J. Cohen, "A coefficient of agreement for nominal scales", Educ. Psychol. Meas. 20 (1960). The
    categories are the contestants' names, `tie` and `bad`: by place instead, one strong
    contestant would pass for agreement beyond chance.
    """
    votes = list(votes)
    people = {vote.comparison: vote for vote in votes if vote.judge is None}
    judged = {vote.comparison: vote for vote in votes if vote.judge == judge}
    pairs = Counter(
        (_category(people[one]), _category(judged[one])) for one in people.keys() & judged.keys()
    )
    n, agree = pairs.total(), sum(count for (a, b), count in pairs.items() if a == b)
    if not n:
        return Agreement(0, 0, None, None, None, None, None, None)
    return Agreement(n, agree, agree / n, *wilson(agree, n), *_kappas(pairs, seed))


def _category(vote: Vote) -> tuple[str, str]:
    return vote.verdict, vote.winner or ""


_Pairs = Counter[tuple[tuple[str, str], tuple[str, str]]]


def _kappas(pairs: _Pairs, seed: int) -> tuple[float | None, float | None, float | None]:
    """Return Cohen's kappa with its interval."""
    import numpy as np

    inorder = sorted(pairs)
    said = sorted({one for pair in inorder for one in pair})
    firsts = np.array([[pair[0] == one for one in said] for pair in inorder], dtype=float)
    seconds = np.array([[pair[1] == one for one in said] for pair in inorder], dtype=float)
    same = np.array([pair[0] == pair[1] for pair in inorder], dtype=float)
    counts = np.array([pairs[pair] for pair in inorder], dtype=np.int64)
    n = int(counts.sum())
    drawn = np.random.default_rng(seed).multinomial(n, counts / n, size=REPLICATES)
    shares = np.vstack([counts, drawn]) / n
    by_chance = ((shares @ firsts) * (shares @ seconds)).sum(1)
    defined = by_chance < 1 - 1e-12
    kappas = ((shares @ same) - by_chance)[defined] / (1 - by_chance[defined])
    if not defined[0]:
        return None, None, None
    low, high = np.quantile(kappas, [0.025, 0.975])
    return float(kappas[0]), float(low), float(high)
