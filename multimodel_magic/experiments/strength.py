"""Bradley-Terry: how strong contestants are, from who was preferred to whom; numpy only.

The probability that i is preferred to j is 1 / (1 + exp(s_j - s_i)), with strengths s in log-odds.

Notes
-----
R. A. Bradley and M. E. Terry, "Rank analysis of incomplete block designs", Biometrika 39 (1952).
A finite maximum of the likelihood exists just where every contestant is reached from every other
through wins (L. R. Ford, "Solution of a ranking problem from binary comparisons", Am. Math. Monthly
64 (1957); D. R. Hunter, "MM algorithms for generalized Bradley-Terry models", Ann. Stat. 32 (2004),
assumption 1). Where it does not, the maximum falls apart into groups: within one the differences
are finite, between two they are infinite or unknown. `groups` finds them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["LEANING", "REPLICATES", "groups", "intervals", "reaches", "strengths"]

REPLICATES = 1_000
"""Bootstrap samples; the ends of a 95 % interval are then the 25th from either side."""

LEANING = 0.2
"""Ties with an average contestant that a bootstrap sample is given, a contestant.

Some samples hold no loss of somebody who lost once: without it their strength is infinite. Of
simulated votes without ties (3 contestants, n from 10 to 100) the 95 % intervals then held the
truth in 92 to 95 %."""

_STEPS = 100
_CLOSE = 1e-9


def reaches(wins: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Say from whom a chain of wins leads to whom; everybody reaches himself."""
    import numpy as np

    found: NDArray[np.bool_] = (wins > 0) | np.eye(len(wins), dtype=bool)
    while True:
        further: NDArray[np.bool_] = (found.astype(np.int64) @ found.astype(np.int64)) > 0
        if (further == found).all():
            return found
        found = further


def groups(wins: NDArray[np.float64]) -> list[list[int]]:
    """Return those between whom finite differences exist, the strongest group first."""
    reach = reaches(wins)
    mutual = reach & reach.T
    found = {tuple(row.nonzero()[0].tolist()) for row in mutual}
    # Whoever reaches more stands higher; among those who reach as many nothing is said.
    return [list(one) for one in sorted(found, key=lambda one: (-int(reach[one[0]].sum()), one))]


def strengths(wins: NDArray[np.float64], *, leaning: float = 0.0) -> NDArray[np.float64]:
    """Return the strengths that make the wins most likely.

    Parameters
    ----------
    wins
        `[..., i, j]`: how often i was preferred to j; a tie is half a win each way. Several
        matrices at once are fitted apart.
    leaning
        How many ties with an average contestant everybody is given besides.

    Returns
    -------
    array
        `[..., i]`, log-odds; each row's mean is 0.

    Notes
    -----
    Newton's method on the concave log-likelihood; no step is longer than 1.
    """
    import numpy as np

    games = wins + np.swapaxes(wins, -1, -2)
    won = wins.sum(-1)
    found = np.zeros(won.shape)
    place = np.arange(won.shape[-1])
    for _ in range(_STEPS):
        chance = _logistic(found[..., :, None] - found[..., None, :])
        against = _logistic(found)
        slope = won - (games * chance).sum(-1) + leaning * (0.5 - against)
        bend = games * chance * (1 - chance)
        curve = -bend
        curve[..., place, place] = bend.sum(-1) + leaning * against * (1 - against)
        # Strengths are known but for a constant: this fixes their mean and nothing else.
        curve += 1 / len(place)
        step = np.linalg.solve(curve, slope[..., None])[..., 0]
        longest = np.abs(step).max(-1, keepdims=True)
        found = found + step / np.maximum(longest, 1.0)
        found -= found.mean(-1, keepdims=True)
        if longest.max() < _CLOSE:
            break
    return found


def _logistic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np

    return np.asarray(1 / (1 + np.exp(-np.clip(x, -500, 500))))


def intervals(
    patterns: NDArray[np.float64], counts: NDArray[np.int64], *, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the 95 % bootstrap intervals of the strengths: lower and upper ends.

    Parameters
    ----------
    patterns
        `[pattern, i, j]`: the wins of one comparison of each kind.
    counts
        How many comparisons there are of each kind: they are what is drawn again.
    seed
        Of the draws: the same votes give the same intervals.

    Notes
    -----
    Percentiles of `REPLICATES` samples; for one look: they promise nothing to whoever stops as
    soon as they like what they see.
    """
    import numpy as np

    dice = np.random.default_rng(seed)
    drawn = dice.multinomial(int(counts.sum()), counts / counts.sum(), size=REPLICATES)
    found = strengths(np.tensordot(drawn.astype(float), patterns, 1), leaning=LEANING)
    low, high = np.quantile(found, [0.025, 0.975], axis=0)
    return low, high
