"""Votes: what may be said of a comparison, what is kept, and what a session tells of it."""

from __future__ import annotations

from datetime import datetime

import pytest

from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.errors import UsageError
from multimodel_magic.experiments.votes import Vote, vote_on
from multimodel_magic.ledger import Ledger
from multimodel_magic.providers.scripted import Say, ScriptedProvider
from multimodel_magic.session import Session

PLAYS = {"good": [[Say("Four.")]], "poor": [[Say("Five.")]]}


@pytest.fixture
def llm() -> Session:
    client = UnifiedLLMClient({"scripted": ScriptedProvider(PLAYS)})
    return Session(client, ledger=Ledger(":memory:"))


def compared(llm: Session, *, names: str = "scripted:good,scripted:poor", blind: bool = False):
    return llm.compare("What is 2 + 2?", names, blind=blind)


WRONG = [
    ({"contestants": ("a",), "request_ids": ("1",)}, "two or more"),
    ({"request_ids": ("1",)}, "one id each"),
    ({"verdict": "best"}, "none of prefer, tie, bad"),
    ({"preferred": None}, "needs the place"),
    ({"verdict": "tie"}, "no other verdict"),
    ({"preferred": 2}, "place 2 of 2"),
    ({"preferred": -1}, "place -1 of 2"),
    ({"shuffle": (0, 0)}, "no order"),
    ({"at": datetime(2026, 11, 23)}, "time zone"),  # noqa: DTZ001 - that is the point
]


@pytest.mark.parametrize(("said", "complaint"), WRONG)
def test_a_vote_that_contradicts_itself_is_refused_in_one_line(said, complaint) -> None:
    fine = {
        "comparison": "01C",
        "request_ids": ("1", "2"),
        "contestants": ("a", "b"),
        "verdict": "prefer",
        "preferred": 0,
    }
    assert Vote(**fine).winner == "a"
    with pytest.raises(UsageError, match=complaint):
        Vote(**{**fine, **said})


@pytest.mark.parametrize(
    ("word", "verdict", "place"),
    [
        ("left", "prefer", 0),
        ("RIGHT", "prefer", 1),
        ("1", "prefer", 0),
        (2, "prefer", 1),
        ("b", "prefer", 1),
        ("scripted:poor", "prefer", 1),
        ("tie", "tie", None),
        ("bad", "bad", None),
    ],
)
def test_a_vote_is_a_side_a_place_a_name_or_none(llm: Session, word, verdict, place) -> None:
    vote = vote_on(compared(llm), word)
    assert (vote.verdict, vote.preferred) == (verdict, place)


def test_a_hidden_contestant_is_preferred_by_letter_and_not_by_name(llm: Session) -> None:
    comparison = compared(llm, blind=True)
    assert vote_on(comparison, "b").preferred == 1
    with pytest.raises(UsageError, match="say left, right, tie, bad, 1 to 2 or A, B"):
        vote_on(comparison, "scripted:good")


def test_a_misspelled_vote_names_the_nearest(llm: Session) -> None:
    with pytest.raises(UsageError, match="did you mean 'left'"):
        vote_on(compared(llm), "lfet")


def test_a_contestant_without_an_answer_cannot_be_preferred(llm: Session) -> None:
    comparison = compared(llm, names="scripted:good,scripted:refuses")
    assert vote_on(comparison, "left").winner == "scripted:good"
    with pytest.raises(UsageError, match="scripted:refuses gave no answer"):
        vote_on(comparison, "right")


def test_without_a_comparison_a_vote_says_how_to_make_one(llm: Session) -> None:
    with pytest.raises(UsageError, match=r"nothing was compared yet.*--compare"):
        llm.vote("left")


def test_a_vote_said_twice_counts_once_and_a_changed_mind_replaces(llm: Session) -> None:
    compared(llm)
    assert [llm.vote(word) for word in ("left", "1", "right", "right", "tie")] == [
        True,
        False,
        True,
        False,
        True,
    ]
    assert llm.votes["verdict"].tolist() == ["tie"]
    assert len(llm.ledger.votes(replaced=True)) == 3


def test_a_vote_reveals_and_only_what_came_before_was_blind(llm: Session) -> None:
    compared(llm, blind=True)
    llm.vote("left")
    assert not llm.comparisons[-1].hidden
    (row,) = llm.votes.itertuples()
    assert (row.blind, row.shuffle in ("[0, 1]", "[1, 0]")) == (True, True)
    llm.vote("right")
    assert llm.votes["blind"].tolist() == [False]


def test_the_session_shows_its_votes_and_rates_by_those_of_all_sessions(llm: Session) -> None:
    compared(llm)
    llm.vote("left")
    other = Session(llm.client, ledger=llm.ledger)
    compared(other)
    other.vote("right")
    assert (len(llm.votes), len(other.votes)) == (1, 1)
    assert llm.ratings().n == 2
    assert llm.ratings(everything=False).n == 1


def test_ratings_by_model_go_by_who_really_answered(llm: Session) -> None:
    llm.alias({"first": "scripted:good", "second": "scripted:poor"})
    compared(llm, names="first,second")
    llm.vote("first")
    assert [one.name for one in llm.ratings().contestants] == ["first", "second"]
    by_model = llm.ratings(by="model")
    assert [one.name for one in by_model.contestants] == ["scripted:good", "scripted:poor"]
    with pytest.raises(UsageError, match="say 'name' or 'model'"):
        llm.ratings(by="vendor")
