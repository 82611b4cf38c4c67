"""Ratings from votes, against independent computations; and what they must not claim."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multimodel_magic.experiments import strength
from multimodel_magic.experiments.agreement import agreement
from multimodel_magic.experiments.position import position_bias
from multimodel_magic.experiments.ratings import ELO, INCONSISTENT, Ratings, ratings
from multimodel_magic.experiments.votes import Vote
from multimodel_magic.metrics.numbers import wilson

NUMBERS = itertools.count()


def vote(names: str | Sequence[str], said: str, *, judge: str | None = None, **more) -> Vote:
    """Make a vote on contestants of one letter: who is preferred, `tie` or `bad`."""
    number = more.pop("comparison", None) or f"C{next(NUMBERS)}"
    return Vote(
        comparison=number,
        request_ids=tuple(f"{number}-{name}" for name in names),
        contestants=tuple(names),
        verdict=said if said in ("tie", "bad") else "prefer",
        preferred=None if said in ("tie", "bad") else list(names).index(said),
        judge=judge,
        **more,
    )


def rated(result: Ratings) -> dict[str, float | None]:
    return {one.name: one.log_odds for one in result.contestants}


CYCLE = [
    *[vote("ab", "a")] * 7,
    *[vote("ab", "b")] * 3,
    *[vote("bc", "b")] * 6,
    *[vote("bc", "c")] * 2,
    *[vote("ac", "a")] * 4,
    *[vote("ac", "c")] * 1,
    *[vote("ac", "tie")] * 2,
    *[vote("abc", "c")] * 2,
    *[vote("abc", "tie")] * 1,
]


# --- oracles


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 20))
@settings(deadline=None, max_examples=25)
def test_two_contestants_have_the_log_odds_of_their_wins(won: int, lost: int, ties: int) -> None:
    wins = np.array([[0, won + ties / 2], [lost + ties / 2, 0]])
    found = strength.strengths(wins)
    assert found[0] - found[1] == pytest.approx(math.log(wins[0, 1] / wins[1, 0]), abs=1e-9)
    assert found.sum() == pytest.approx(0, abs=1e-12)


def minorised(wins: np.ndarray, rounds: int = 20_000) -> np.ndarray:
    """Hunter's MM algorithm (2004), equation 3: another way to the same maximum."""
    games, worth = wins + wins.T, np.ones(len(wins))
    for _ in range(rounds):
        worth = wins.sum(1) / (games / (worth[:, None] + worth[None, :])).sum(1)
        worth /= np.exp(np.log(worth).mean())
    return np.log(worth)


def test_newton_finds_what_the_mm_algorithm_finds() -> None:
    dice = np.random.default_rng(3)
    wins = dice.integers(1, 30, size=(6, 6)).astype(float)
    np.fill_diagonal(wins, 0)
    assert strength.strengths(wins) == pytest.approx(minorised(wins), abs=1e-7)


def test_several_fits_at_once_are_the_fits_one_by_one() -> None:
    dice = np.random.default_rng(4)
    many = dice.integers(1, 9, size=(5, 3, 3)).astype(float)
    alone = np.array([strength.strengths(one) for one in many])
    assert strength.strengths(many) == pytest.approx(alone, abs=1e-9)


@pytest.mark.slow  # scipy takes seconds to import
def test_ratings_maximise_the_likelihood_as_scipy_finds_it() -> None:
    optimize = pytest.importorskip("scipy.optimize")
    pairs = [("a", "b", 7), ("b", "a", 3), ("b", "c", 6), ("c", "b", 2), ("a", "c", 4)]
    pairs += [("c", "a", 1), ("a", "c", 1), ("c", "a", 1)]  # two ties
    pairs += [("c", "a", 2), ("c", "b", 2)]  # the best of three, twice
    pairs += [(x, y, 0.5) for x, y in itertools.permutations("abc", 2)]  # a tie of three
    at = {name: place for place, name in enumerate("abc")}

    def surprise(free: np.ndarray) -> float:
        s = np.append(free, -free.sum())
        return sum(n * math.log1p(math.exp(s[at[y]] - s[at[x]])) for x, y, n in pairs)

    best = optimize.minimize(surprise, [0.0, 0.0], tol=1e-12).x
    found = rated(ratings(CYCLE))
    assert [found["a"], found["b"]] == pytest.approx(best, abs=1e-4)
    assert sum(found.values()) == pytest.approx(0)


def test_the_rating_is_on_elos_scale() -> None:
    result = ratings([*[vote("ab", "a")] * 10, vote("ab", "b")])
    strong, weak = result.contestants
    assert strong.rating - weak.rating == pytest.approx(400)
    assert (strong.rating + weak.rating) / 2 == pytest.approx(1000)
    assert pytest.approx(173.7178) == ELO


def test_counts_and_win_rates_are_those_of_the_votes() -> None:
    result = ratings([*CYCLE, vote("ab", "bad")])
    of = {one.name: one for one in result.contestants}
    assert (result.n, result.prefer, result.tie, result.bad) == (29, 25, 3, 1)
    assert (of["a"].n, of["a"].wins, of["a"].pairs, of["a"].bad) == (20, 7 + 4 + 1 + 1, 21, 1)
    assert of["a"].win_rate == pytest.approx(13 / 21)
    assert (of["a"].win_low, of["a"].win_high) == wilson(20 * 13 / 21, 20)
    assert of["c"].bad == 0


# --- laws


def test_neither_the_order_of_votes_nor_that_of_the_panes_matters() -> None:
    turned = [
        vote(one.contestants[::-1], one.winner or one.verdict, comparison=one.comparison)
        for one in reversed(CYCLE)
    ]
    assert ratings(turned).contestants == ratings(CYCLE).contestants


def test_bad_orders_nobody_and_is_counted() -> None:
    plain, with_bad = ratings(CYCLE), ratings([*CYCLE, *[vote("abc", "bad")] * 5])
    assert rated(plain) == rated(with_bad)
    assert [one.bad for one in with_bad.contestants] == [5, 5, 5]


def test_an_interval_holds_its_estimate_and_narrows_with_votes() -> None:
    few, many = ratings(CYCLE), ratings(CYCLE * 9)
    for one, other in zip(few.contestants, many.contestants, strict=True):
        assert one.low < one.log_odds < one.high
        assert other.high - other.low < 0.5 * (one.high - one.low)


def test_no_votes_make_an_empty_table_with_all_columns() -> None:
    empty, full = ratings([]).frame(), ratings(CYCLE).frame()
    assert empty.empty
    assert (empty.dtypes == full.dtypes).all()
    assert str(ratings([])).startswith("0 votes of people")


# --- what cannot be said


def test_who_was_never_beaten_has_no_finite_rating() -> None:
    result = ratings([*[vote("ab", "a")] * 12, *CYCLE_WITHOUT_A])
    first = result.contestants[0]
    assert (first.name, first.group, first.rating, first.low) == ("a", 1, None, None)
    assert any("a has no finite rating (never beaten): above b, c" in n for n in result.notes)
    found = rated(result)
    assert found["b"] == pytest.approx(-found["c"])
    assert found["b"] - found["c"] == pytest.approx(math.log(3))


CYCLE_WITHOUT_A = [*[vote("bc", "b")] * 9, *[vote("bc", "c")] * 3]


def test_who_never_won_stands_last() -> None:
    result = ratings([vote("ab", "a"), vote("ab", "a")])
    assert [(one.name, one.rating) for one in result.contestants] == [("a", None), ("b", None)]
    assert "b has no finite rating (never won): below a" in result.notes
    assert "no finite rating" in str(result)


def test_those_who_were_never_compared_are_not_ranked_against_each_other() -> None:
    apart = [*CYCLE_WITHOUT_A, *[vote("de", "d")] * 5, *[vote("de", "e")] * 6]
    result = ratings(apart)
    groups = {one.name: one.group for one in result.contestants}
    assert groups["b"] == groups["c"] != groups["d"] == groups["e"]
    assert any("not ordered against" in note for note in result.notes)
    assert {one.name: one.rating for one in result.contestants}["b"] > 1000


def test_few_comparisons_and_only_ties_give_no_interval() -> None:
    few = ratings([vote("ab", "a"), vote("ab", "b")])
    ties = ratings([vote("ab", "tie")] * 30)
    for one in (*few.contestants, *ties.contestants):
        assert (one.rating, one.low, one.high) == (pytest.approx(1000), None, None)


def test_by_model_an_answer_of_nobody_and_two_of_one_model_order_nothing() -> None:
    votes = [vote("ab", "a", comparison="1"), vote("ab", "b", comparison="2")]
    votes += [vote("abc", "c", comparison="3")]
    models = {"1-a": "m", "1-b": "m", "2-a": "m", "3-a": "m", "3-b": "n", "3-c": "m"}
    result = ratings(votes, answered_by=models)
    assert (result.by, result.n) == ("model", 3)
    assert [(one.name, one.wins, one.n) for one in result.contestants] == [
        ("m", 1.0, 1),
        ("n", 0.0, 1),
    ]


# --- places


def test_a_preference_for_the_first_place_is_told_in_words() -> None:
    favoured = [vote("ab", "a", blind=True)] * 90 + [vote("ab", "b", blind=True)] * 10
    bias = position_bias(favoured)
    assert (bias.n, bias.first, bias.share, bias.chance, bias.decided) == (100, 90, 0.9, 0.5, True)
    assert bias.low > 0.5
    assert "90% of 100 votes" in str(bias)
    assert "it is favoured" in str(bias)


def test_places_that_were_not_dealt_by_chance_say_nothing() -> None:
    bias = position_bias([vote("ab", "a")] * 50 + [vote("ab", "tie", blind=True)])
    assert (bias.n, bias.share, bias.not_dealt, bias.decided) == (0, None, 50, False)
    assert "50 votes on unshuffled answers say nothing of it" in str(bias)


def test_chance_is_one_over_the_answers_shown() -> None:
    bias = position_bias([vote("abcd", "c", blind=True), vote("ab", "a", shuffle=(0, 1))])
    assert bias.chance == pytest.approx((1 / 4 + 1 / 2) / 2)
    assert "too few to tell" in str(bias)


# --- judges


def test_agreement_is_cohens_kappa_on_the_same_comparisons() -> None:
    said = [("a", "a")] * 20 + [("a", "b")] * 5 + [("b", "a")] * 10 + [("b", "b")] * 15
    votes = []
    for number, (person, model) in enumerate(said):
        votes.append(vote("ab", person, comparison=f"K{number}"))
        votes.append(vote("ba", model, comparison=f"K{number}", judge="local:j"))
    votes.append(vote("ab", "a"))
    found = agreement(votes, "local:j")
    # Cohen's own way by hand: 35 of 50 agree; by chance 0.5 * 0.6 + 0.5 * 0.4.
    assert (found.n, found.agree, found.share) == (50, 35, 0.7)
    assert found.kappa == pytest.approx((0.7 - 0.5) / 0.5)
    assert found.kappa_low < found.kappa < found.kappa_high
    assert (found.low, found.high) == wilson(35, 50)
    assert "35 of 50 (70%" in str(found)
    assert agreement(votes, "local:other").n == 0


def test_kappa_is_unknown_where_one_side_never_varies() -> None:
    votes = [vote("ab", "a", comparison="K"), vote("ab", "a", comparison="K", judge="j")]
    found = agreement(votes, "j")
    assert (found.share, found.kappa) == (1.0, None)
    assert "kappa unknown" in str(found)


def test_verdicts_that_changed_with_the_order_are_counted() -> None:
    turned = vote("ab", "tie", judge="j", why=f"{INCONSISTENT}: said a, reversed b")
    result = ratings([turned, vote("ab", "tie", judge="j")], judge="j")
    assert (result.tie, result.inconsistent) == (2, 1)
    assert "1 of 2 verdicts changed with the order" in str(result)


@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    truth = {"a": 0.7, "b": 0.0, "c": -0.7}
    dice = np.random.default_rng(7)
    held = []
    for _ in range(200):
        votes = []
        for _ in range(60):
            one, other = dice.choice(list(truth), 2, replace=False)
            wins = dice.random() < 1 / (1 + math.exp(truth[other] - truth[one]))
            votes.append(vote((one, other), one if wins else other))
        for contestant in ratings(votes).contestants:
            if contestant.low is not None:
                held.append(contestant.low <= truth[contestant.name] <= contestant.high)
    assert 0.91 < np.mean(held) < 0.99
