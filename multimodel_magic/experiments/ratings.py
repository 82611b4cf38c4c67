"""Ratings from votes: who is preferred to whom, with intervals, and what cannot be said yet."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, TypeAlias

from multimodel_magic.experiments import strength
from multimodel_magic.experiments.agreement import Agreement
from multimodel_magic.experiments.position import PositionBias, position_bias
from multimodel_magic.experiments.votes import EVERYBODY, Vote
from multimodel_magic.metrics.numbers import wilson
from multimodel_magic.wording import number_of

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["ELO", "FEW", "INCONSISTENT", "LEAST", "MEAN_RATING", "Rated", "Ratings", "ratings"]

ELO = 400 / math.log(10)
"""Points a unit of log-odds: on Elo's scale 400 more is ten wins to one loss."""

MEAN_RATING = 1000.0
"""The mean rating of each group."""

LEAST = 10
"""Fewer comparisons within a group give no interval: samples of them hardly differ."""

FEW = 20
"""Below so many comparisons a bootstrap interval is marked: its ends are guesses."""

INCONSISTENT = "position-inconsistent"
"""How the `why` of a judge's vote begins whose verdict did not survive the swap."""

_Order: TypeAlias = "tuple[tuple[str, ...], str | None]"
"""The contestants that a vote orders, and the one preferred; None: a tie."""


@dataclass(frozen=True, slots=True)
class Rated:
    """One contestant's record; None means that the votes do not say it."""

    name: str
    n: int
    """Comparisons it was in that order their answers: one preferred, or a tie."""
    wins: float
    """Over pairs: the one preferred beats each other shown; a tie is half a win each way."""
    pairs: int
    win_rate: float | None
    """`wins / pairs`."""
    win_low: float | None
    win_high: float | None
    """Wilson's 95 % interval of the win rate, for `n` comparisons."""
    group: int
    """Ratings are comparable within a group; group 1 stands highest."""
    log_odds: float | None
    """Bradley-Terry strength; the mean of its group is 0. None: no finite estimate."""
    low: float | None
    high: float | None
    """Its 95 % bootstrap interval, for one look; None of too few comparisons."""
    bad: int
    """Comparisons it was in of which no answer was any good; they order nothing."""

    @property
    def rating(self) -> float | None:
        """The strength on Elo's scale: the mean of its group is 1000, 400 more wins 10 to 1."""
        return _elo(self.log_odds)

    @property
    def rating_low(self) -> float | None:
        """The lower end of the rating's interval."""
        return _elo(self.low)

    @property
    def rating_high(self) -> float | None:
        """The upper end of the rating's interval."""
        return _elo(self.high)


def _elo(log_odds: float | None) -> float | None:
    return None if log_odds is None else MEAN_RATING + ELO * log_odds


@dataclass(frozen=True, slots=True)
class Ratings:
    """What votes say of contestants so far. `str()` of it is the report."""

    contestants: tuple[Rated, ...]
    """Those in the first group first; within a group the strongest first."""
    prefer: int
    tie: int
    bad: int
    inconsistent: int
    """Of the ties, how many are a judge's verdicts that did not survive the swap."""
    position: PositionBias
    notes: tuple[str, ...]
    """What the ratings do not say, in plain lines."""
    judge: str | None = None
    """Whose votes count: people's (None), this judge model's, or `all`."""
    by: str = "name"
    agreement: Agreement | None = None
    """Of a judge with people."""

    @property
    def n(self) -> int:
        """Votes in all."""
        return self.prefer + self.tie + self.bad

    @property
    def said(self) -> str:
        """How many votes of which kind, and whose, in a line."""
        swapped = f" ({self.inconsistent} {INCONSISTENT})" if self.inconsistent else ""
        kinds = f"{self.prefer} prefer one, {self.tie} tie{swapped}, {self.bad} all bad"
        known: Mapping[str | None, str] = {None: "people", EVERYBODY: "people and judges"}
        whose = known.get(self.judge, f"judge {self.judge}")
        return f"{number_of(self.n, 'vote')} of {whose}" + (f": {kinds}" if self.n else "")

    @property
    def places(self) -> str:
        """What is known of the places' influence, in a line: people's, or the judge's."""
        if self.judge in (None, EVERYBODY):
            return str(self.position)
        return (
            f"position: asked in both orders, {self.inconsistent} of "
            f"{number_of(self.n, 'verdict')} changed "
            "with the order and count as ties"
        )

    def __str__(self) -> str:
        rows = (
            f"  {one.name}: {_shown(one)}, "
            f"won {one.wins:g} of {number_of(one.pairs, 'pair')}, n {one.n}"
            for one in self.contestants
        )
        agreed = [str(self.agreement)] if self.agreement is not None else []
        return "\n".join([self.said, *rows, *self.notes, self.places, *agreed])

    def frame(self) -> pd.DataFrame:
        """Return a DataFrame with a row a contestant, in order.

        Returns
        -------
        DataFrame
            Index `contestant`; `rating`, `rating_low`, `rating_high` (Elo's scale), and the fields
            of `Rated`. NaN where there is no finite estimate.
        """
        import pandas as pd

        columns = [
            *("contestant", "rating", "rating_low", "rating_high", "n", "wins", "pairs"),
            *("win_rate", "win_low", "win_high", "group", "log_odds", "low", "high", "bad"),
        ]
        rows = (
            {
                **asdict(one),
                "contestant": one.name,
                "rating": one.rating,
                "rating_low": one.rating_low,
                "rating_high": one.rating_high,
            }
            for one in self.contestants
        )
        made = pd.DataFrame(list(rows), columns=columns)
        whole = ("n", "pairs", "group", "bad")
        kinds = {name: "int64" if name in whole else "float64" for name in columns[1:]}
        return made.astype({"contestant": "str", **kinds}).set_index("contestant")


def _shown(one: Rated) -> str:
    if one.rating is None:
        return "no finite rating"
    if one.rating_low is None or one.rating_high is None:
        return f"{one.rating:.0f}"
    return f"{one.rating:.0f} [{one.rating_low:.0f}, {one.rating_high:.0f}]"


def ratings(
    votes: Iterable[Vote],
    *,
    answered_by: Mapping[str, str] | None = None,
    judge: str | None = None,
    broken: int = 0,
    seed: int = 0,
) -> Ratings:
    """Rate contestants by the votes on them.

    Parameters
    ----------
    votes
        One of each person or judge and comparison: those that stand.
    answered_by
        Where contestants are to be the models that really answered: their names by request id. A
        request that nobody answered takes no part then; two answers of one model order nothing.
        None: contestants are what the user named.
    judge
        Whose votes they are, for the report.
    broken
        How many votes could not be read, for the report.
    seed
        Of the bootstrap: the same votes give the same intervals.

    Notes
    -----
    Bradley-Terry (see `strength`): the one preferred of N beats each other shown, a tie is half a
    win each way, `bad` orders nothing. The bootstrap draws whole comparisons again, so pairs of
    one comparison are not taken for independent.
    """
    votes = list(votes)
    named = [(vote, _names(vote, answered_by)) for vote in votes]
    ordering = [one for vote, names in named if (one := _order(vote, names)) is not None]
    bad = Counter(name for vote, names in named if vote.verdict == "bad" for name in set(names))
    rated, notes = _rated(ordering, bad, seed)
    kinds = Counter(vote.verdict for vote in votes)
    return Ratings(
        rated,
        kinds["prefer"],
        kinds["tie"],
        kinds["bad"],
        sum((vote.why or "").startswith(INCONSISTENT) for vote in votes),
        position_bias(vote for vote in votes if vote.judge is None),
        notes
        + ((f"{number_of(broken, 'vote')} of the ledger could not be read",) if broken else ()),
        judge,
        "name" if answered_by is None else "model",
    )


def _names(vote: Vote, answered_by: Mapping[str, str] | None) -> tuple[str | None, ...]:
    """Return who stands in each place; None where nobody answered."""
    if answered_by is None:
        return vote.contestants
    return tuple(answered_by.get(request_id) for request_id in vote.request_ids)


def _order(vote: Vote, names: tuple[str | None, ...]) -> _Order | None:
    """Return whom a vote orders; None where it orders nobody."""
    winner = None if vote.preferred is None else names[vote.preferred]
    known = tuple(sorted({name for name in names if name is not None}))
    tells = vote.verdict == "tie" or winner is not None
    return (known, winner) if tells and len(known) > 1 else None


# --- numbers


def _rated(
    ordering: Sequence[_Order], bad: Counter[str | None], seed: int
) -> tuple[tuple[Rated, ...], tuple[str, ...]]:
    """Rate whoever is in the votes, and say what the votes leave open."""
    import numpy as np

    n = Counter(name for known, _ in ordering for name in known)
    names = sorted({*n, *filter(None, bad)})
    patterns, counts = _patterns(names, ordering)
    wins = np.tensordot(counts.astype(float), patterns, 1)
    found = strength.groups(wins)
    rows: list[Rated] = []
    for group, members in enumerate(found, start=1):
        fits = _fits(patterns[np.ix_(range(len(patterns)), members, members)], counts, seed)
        placed = [
            Rated(name, n[name], *_record(wins[at], wins[:, at], n[name]), group, *fit, bad[name])
            for at, fit in zip(members, fits, strict=True)
            for name in (names[at],)
        ]
        rows += sorted(placed, key=lambda one: (-(one.log_odds or 0.0), one.name))
    return tuple(rows), tuple(_notes(names, wins, found))


def _patterns(
    names: Sequence[str], ordering: Sequence[_Order]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the wins of each kind of comparison, and how many there are of it."""
    import numpy as np

    counted = Counter(ordering)
    # In an order of their own: the same votes must give the same samples, however they came.
    kinds = sorted(counted, key=lambda kind: (kind[0], kind[1] or ""))
    at = {name: place for place, name in enumerate(names)}
    patterns = np.zeros((len(kinds), len(names), len(names)))
    for pattern, (known, winner) in zip(patterns, kinds, strict=True):
        places = [at[name] for name in known]
        won = places if winner is None else [at[winner]]
        pattern[np.ix_(won, places)] = 0.5 if winner is None else 1.0
        np.fill_diagonal(pattern, 0.0)
    return patterns, np.array([counted[kind] for kind in kinds], dtype=np.int64)


_Fit: TypeAlias = "tuple[float | None, float | None, float | None]"


def _fits(patterns: NDArray[np.float64], counts: NDArray[np.int64], seed: int) -> list[_Fit]:
    """Return strength and interval of each member of a group."""
    import numpy as np

    if patterns.shape[-1] == 1:
        return [(None, None, None)]
    best = strength.strengths(np.tensordot(counts.astype(float), patterns, 1)).tolist()
    within = patterns.any((1, 2))
    if counts[within].sum() < LEAST or within.sum() == 1:  # of one kind, samples are all the same
        return [(one, None, None) for one in best]
    low, high = strength.intervals(patterns[within], counts[within], seed=seed)
    # The samples lean a little to the middle; the estimate does not, and is within its interval.
    ends = zip(best, low.tolist(), high.tolist(), strict=True)
    return [(one, min(lower, one), max(upper, one)) for one, lower, upper in ends]


def _record(
    won: NDArray[np.float64], lost: NDArray[np.float64], n: int
) -> tuple[float, int, float | None, float | None, float | None]:
    """Return wins, pairs, and the win rate with its interval."""
    wins, pairs = float(won.sum()), round(float((won + lost).sum()))
    if not pairs:
        return wins, pairs, None, None, None
    rate = wins / pairs
    # For n comparisons and not for all their pairs, which are not independent.
    return wins, pairs, rate, *wilson(rate * n, n)


# --- what cannot be said


def _notes(
    names: Sequence[str], wins: NDArray[np.float64], found: Sequence[Sequence[int]]
) -> Iterable[str]:
    if len(found) == 1 and len(found[0]) > 1:
        return
    reach = strength.reaches(wins) if len(wins) else wins
    for number, members in enumerate(found, start=1):
        one = members[0]
        others = [at for at in range(len(names)) if at not in members]
        above = [names[at] for at in others if reach[one, at]]
        below = [names[at] for at in others if reach[at, one]]
        open_ = [names[at] for at in others if not reach[one, at] and not reach[at, one]]
        said = [
            f"{words} {', '.join(whom)}"
            for words, whom in (
                ("above", above),
                ("below", below),
                ("not ordered against", open_),
            )
            if whom
        ]
        yield f"{_who(names, members, number, above, below)}: {'; '.join(said) or 'nobody to beat'}"


def _who(
    names: Sequence[str],
    members: Sequence[int],
    number: int,
    above: Sequence[str],
    below: Sequence[str],
) -> str:
    if len(members) > 1:
        inside = ", ".join(names[at] for at in members)
        return f"group {number} ({inside}) is rated within itself"
    record = "never beaten" if above and not below else "never won" if below and not above else ""
    return f"{names[members[0]]} has no finite rating{f' ({record})' if record else ''}"
