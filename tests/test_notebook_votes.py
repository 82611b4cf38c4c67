"""`%llm vote`, `judge` and `ratings`: parsed, completed, and readable as text and as HTML."""

from __future__ import annotations

import pytest

from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.errors import UsageError
from multimodel_magic.ledger import Ledger
from multimodel_magic.notebook import votes
from multimodel_magic.notebook.completion import Vocabulary, offer
from multimodel_magic.notebook.options import parse_line
from multimodel_magic.providers.scripted import Say, ScriptedProvider
from multimodel_magic.session import Session

PLAYS = {
    "good": [[Say("Four.")]],
    "poor": [[Say("Five.")]],
    "judge": [[Say("verdict: A")], [Say("verdict: B")]],
}


@pytest.fixture
def llm() -> Session:
    client = UnifiedLLMClient({"scripted": ScriptedProvider(PLAYS)})
    return Session(client, ledger=Ledger(":memory:"))


@pytest.mark.parametrize(
    ("line", "subcommand", "arguments"),
    [
        ("vote left", "vote", "left"),
        ("vote scripted:good", "vote", "scripted:good"),
        ("judge", "judge", ""),
        ("judge strong", "judge", "strong"),
        ("ratings", "ratings", ""),
        ("ratings by model", "ratings", "by model"),
        ("ratings judge all here", "ratings", "judge all here"),
    ],
)
def test_the_line_is_a_subcommand(line: str, subcommand: str, arguments: str) -> None:
    options = parse_line(line)
    assert (options.subcommand, options.arguments) == (subcommand, arguments)


@pytest.mark.parametrize("line", ["vote", "vote for me", "ratings of films"])
def test_a_short_line_that_does_not_fit_is_no_paid_prompt(line: str) -> None:
    with pytest.raises(UsageError, match="no use of the subcommand"):
        parse_line(line)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("%llm vote ", ("left", "right", "tie", "bad")),
        ("%llm vote ri", ("right",)),
        ("%llm ratings ", ("by", "judge", "here")),
        ("%llm vote left ", ()),
        ("%llm tell me ", ()),
    ],
)
def test_the_words_of_a_vote_are_completed(line: str, words: tuple[str, ...]) -> None:
    found = offer(line, 0, len(line), Vocabulary)
    assert found is not None
    assert found.words == words


def test_a_vote_shows_who_stood_where(llm: Session) -> None:
    llm.compare("What is 2 + 2?", "scripted:good,scripted:poor", blind=True)
    names = llm.comparisons[-1].names
    shown = str(votes.vote(llm, "left"))
    assert shown.startswith("Your vote\n")
    assert f"A      {names[0]}" in shown
    assert f"A is better, which is {names[0]}" in shown
    assert str(votes.vote(llm, "1")).startswith("Your vote, as it was already\n")


def test_a_judgement_shows_both_orders_and_what_it_counts_as(llm: Session) -> None:
    llm.compare("What is 2 + 2?", "scripted:good,scripted:poor", blind=True)
    shown = str(votes.judge(llm, "scripted:judge"))
    assert shown.startswith("Judged (still blind)\n")
    assert "A preferred" in shown
    assert "scripted:good" not in shown
    assert "%llm ratings judge scripted:judge" in shown


def test_ratings_without_votes_say_how_to_vote(llm: Session) -> None:
    caption, line = str(votes.ratings(llm, "")).splitlines()
    assert caption == "Ratings: 0 votes of people"
    assert "%llm vote left|right|tie|bad" in line


def test_ratings_show_intervals_notes_places_and_agreement(llm: Session) -> None:
    for number in range(12):
        shown = llm.compare("What is 2 + 2?", "scripted:good,scripted:poor", blind=True).names
        better = "scripted:poor" if number % 4 == 0 else "scripted:good"
        llm.vote(shown.index(better) + 1)
    llm.judge(model="scripted:judge")
    report = votes.ratings(llm, "")
    shown = str(report)
    assert "12 votes of people: 12 prefer one, 0 tie, 0 all bad" in shown
    assert "9 of 12" in shown
    assert "all bad" not in report.tables[0].columns  # nobody was
    assert "fewer than 20 comparisons" in shown
    assert "chance 50%): too few to tell" in shown
    judged = str(votes.ratings(llm, "judge scripted:judge"))
    assert "no finite estimate" in judged
    assert "never beaten" in judged
    assert "agreement with people" in judged
    html = report._repr_mimebundle_()["text/html"]
    assert "<th" in html
    assert "9 of 12" in html


def test_a_name_is_escaped_in_html(llm: Session) -> None:
    llm.alias({"<img src=x onerror=alert(1)>": "scripted:good"})
    llm.compare("Hi", ["<img src=x onerror=alert(1)>", "scripted:poor"])
    llm.vote("left")
    html = votes.ratings(llm, "")._repr_mimebundle_()["text/html"]
    assert "&lt;img" in html
    assert "<img" not in html


def test_odd_arguments_of_ratings_are_one_line(llm: Session) -> None:
    with pytest.raises(UsageError, match=r"say \[by model\] \[judge NAME"):
        votes.ratings(llm, "of films")
