"""The notebook's side of a comparison: panes, what a blind one hides, the twin, the vote."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from multimodel_magic.comparison import Comparison, Lineup
from multimodel_magic.comparison.values import letter
from multimodel_magic.errors import Cancelled, Overloaded, UsageError
from multimodel_magic.experiments.votes import Vote
from multimodel_magic.ledger import Ledger
from multimodel_magic.notebook.compare import cell, gallery, picture, table, twin
from multimodel_magic.notebook.compare.board import Board, Mark
from multimodel_magic.notebook.compare.pane import MARKS, Pane
from multimodel_magic.notebook.compare.voting import cast, head_of, verdicts
from multimodel_magic.notebook.completion import Vocabulary, offer
from multimodel_magic.notebook.options import Options, parse_cell
from multimodel_magic.session import Session
from multimodel_magic.types import (
    Attempt,
    AttemptFailed,
    AttemptStarted,
    Finished,
    Notice,
    Request,
    Response,
    Route,
    Routed,
    TextDelta,
    Usage,
)
from tests.hostile import HOSTILE

SECRET = "acme:secret-model"
FAILED = Attempt("acme", "secret-model", 1, error_type="Overloaded", error="acme is busy")


def answered(text="It is 42.", model="secret-model", error=None):
    attempt = Attempt("acme", model, 1, usage=Usage(3, 4), latency_s=1.0)
    if error is not None:
        attempt = replace(FAILED, model=model)
    route = Route((f"acme:{model}",), "fixed", notices=("acme's secret-model was retired",))
    return Response(Request("Hi"), text, (attempt,), route, error)


def compared(*responses, blind=True, revealed=False):
    names = tuple(f"acme:secret-model-{place}" for place in range(len(responses)))
    ids = tuple(f"id{place}" for place in range(len(responses)))
    seed = "seed" if blind else ""
    return Comparison("Hi", names, ids, tuple(responses), blind, revealed, seed)


def vote_on(comparison, verdict="prefer", preferred=None, judge=None):
    return Vote(
        comparison=comparison.id,
        request_ids=comparison.request_ids,
        contestants=comparison.names,
        verdict=verdict,
        preferred=preferred,
        blind=True,
        judge=judge,
    )


EVENTS = (
    Routed(Route((SECRET,), "fixed", notices=("secret-model was retired",))),
    AttemptStarted("acme", "secret-model", 1),
    TextDelta("It is "),
    AttemptFailed(FAILED),
    Notice("waiting for acme's secret-model"),
    AttemptStarted("acme", "secret-model", 2),
    TextDelta("It is 42."),
    Finished(answered()),
)


# --- the line


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--blind", "--compare A,B names them"),
        ("fast --blind", "--compare A,B names them"),
        ("--compare a,b fast", "a model of its own"),
        ("--compare a,b -m fast", "a model of its own"),
        ("--compare a,b -s cost", "-s"),
        ("--compare a,b -x", "-x"),
        ("--compare a,b -c", "-c"),
        ("--compare ,", "names nothing"),
    ],
)
def test_what_goes_with_one_answer_only_is_refused_in_a_line(line, said):
    with pytest.raises(UsageError, match=said):
        parse_cell(line)


def test_contestants_are_completed_at_every_comma():
    known = Vocabulary(models=("fast", "strong"), strategies=("cost",))
    for line in ("%%llm --compare ", "%%llm --compare fast,"):
        found = offer(line, 0, len(line), lambda: known)
        assert found.words == ("fast", "strong", "cost")


async def test_a_dry_run_says_whom_each_would_ask():
    session = Session(ledger=Ledger(":memory:"))
    options = Options(compare=("scripted:echo", "complexity"))
    shown = await cell.dry_run(session, options, Request("Hi"))
    assert [row[0] for row in shown.rows] == ["scripted:echo", "complexity"]
    assert shown.rows[0][1] == "scripted:echo"
    assert "complexity" in shown.rows[1][-1]
    assert not session.history


# --- panes


def test_a_pane_says_at_every_moment_what_it_does():
    pane = Pane(0, SECRET)
    seen = []
    for event in EVENTS:
        pane.hear(event)
        view = pane.view(hidden=False)
        seen.append((view.state, view.text, view.status))
    assert seen[1][2] == "asking acme:secret-model"
    assert seen[2] == ("answering", "It is ", "acme:secret-model answers")
    assert seen[5][1] == ""
    assert seen[-1][:2] == ("answered", "It is 42.")
    assert "3 → 4 tokens" in seen[-1][2]


@pytest.mark.parametrize("error", [None, Overloaded("acme's secret-model"), Cancelled("stop acme")])
def test_a_hidden_pane_tells_at_no_moment_who_it_is(error):
    pane = Pane(1, SECRET)
    for event in (*EVENTS[:-1], Finished(answered(error=error))):
        pane.hear(event)
        view = pane.view(hidden=True)
        assert view.title == "Answer B"
        said = repr(replace(view, elapsed=""))
        for betrays in ("acme", "secret", "tokens", "1.0 s", "retired"):
            assert betrays not in said
    assert "acme" in repr(pane.view(hidden=False))


def test_asking_again_begins_the_pane_anew():
    pane = Pane(0, SECRET)
    for event in EVENTS:
        pane.hear(event)
    pane.hear(Routed(Route((SECRET,), "fixed")))
    view = pane.view(hidden=False)
    assert (view.state, view.text, view.run) == ("waiting", "", 2)


def test_a_pane_without_its_last_event_was_stopped():
    pane = Pane(0, SECRET)
    pane.hear(TextDelta("It"))
    pane.stopped()
    assert pane.view(hidden=False).state == "stopped"
    pane.hear(Finished(answered()))
    pane.stopped()
    assert pane.view(hidden=False).state == "answered"


def test_every_state_is_a_sign_and_a_word():
    assert all(len(mark.split()) >= 2 for mark in MARKS.values())
    assert len(set(MARKS.values())) == len(MARKS)


# --- the twin


class Tags(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.found = []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_only_ever_text(text):
    error = Overloaded(text)
    named = replace(
        compared(answered(text), answered("", error=error), answered("x y z."), blind=False),
        names=(text, "b", "c"),
        prompt=text,
    )
    for hidden in (False, True):
        shown = replace(named, blind=hidden)
        for html in (twin.html(picture.still(shown, opened=True)), _table(shown)):
            allowed = {"script", "iframe", "img", "svg", "object", "form", "input", "link", "meta"}
            for tag, attributes in Tags(html).found:
                assert tag not in allowed
                assert not any(name.startswith("on") for name in attributes)
        assert "\x1b" not in twin.text(picture.still(shown))


def test_code_that_one_answer_alone_has_is_not_called_the_same():
    one = answered("It is 42.\n\n```python\nx = 1\n```")
    for other, said in ((one, "the same (all)"), (answered("It is 42."), "only in ")):
        shown = picture.still(compared(one, other, blind=False), opened=True)
        assert f"Code 1: {said}" in twin.html(shown)


def test_a_table_says_once_that_there_is_no_answer_and_why():
    broken = answered("", error=Overloaded("simulated: overloaded"))
    html = _table(compared(answered(), broken, blind=False))
    assert html.count("✗ no answer · acme:") == html.count("no answer") == 2  # of two rows
    assert html.count("simulated: overloaded") == 2


def _table(one):
    from multimodel_magic.comparison import Comparisons

    return table.html(Comparisons((one, one)))


def test_the_twin_of_a_hidden_comparison_tells_no_name():
    hidden = compared(answered("It is 42."), answered("It is 43.", "other"))
    shown = picture.still(hidden)
    said = twin.html(shown) + twin.text(shown) + str(picture.facts(hidden))
    assert "It is 42." in said
    for betrays in ("acme", "secret", "other", "tokens"):
        assert betrays not in said


def test_the_twin_of_a_revealed_one_tells_names_receipts_and_votes():
    open_one = compared(answered("It is 42."), answered("It is 43.", "other"), revealed=True)
    votes = (vote_on(open_one, preferred=1), vote_on(open_one, "tie", judge="acme:judge"))
    shown = picture.still(open_one, votes)
    text = twin.text(shown)
    assert "B · acme:secret-model-1 ★ preferred" in text
    assert "You voted, blind: B is better, which is acme:secret-model-1" in text
    assert "The judge acme:judge voted, blind: a tie" in text
    assert "numbers differ: 42, 43" in text
    assert text.count("3 → 4 tokens") == 2
    facts = picture.facts(open_one, votes)["multimodel_magic"]
    assert facts["votes"][0] == {"verdict": "prefer", "preferred": 1, "judge": None}


def test_that_one_model_gave_all_the_answers_is_said_unless_names_are_hidden():
    same = (answered("It is 42."), answered("It is 42."))
    told = twin.text(picture.still(compared(*same, blind=False)))
    assert "Agreement: one model gave them all (acme:" in told
    other = (answered("It is 42."), answered("It is 42.", "other"))
    for comparison in (compared(*other, blind=False), compared(*same)):
        assert "one model gave" not in twin.text(picture.still(comparison))


def test_one_answer_alone_agrees_with_nobody():
    alone = compared(answered("It is 42."), answered("", error=Overloaded("busy")), blind=False)
    assert "Agreement" not in twin.text(picture.still(alone))


# --- the vote


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ({"verdict": "prefer", "place": 0}, "prefer"),
        ({"verdict": "tie"}, "tie"),
        ({"verdict": "bad"}, "bad"),
        ({"verdict": "prefer", "place": 1}, None),
        ({"verdict": "prefer", "place": 7}, None),
        ({"verdict": "prefer", "place": "0"}, None),
        ({"verdict": "prefer"}, None),
        ({"verdict": "best"}, None),
        ({}, None),
    ],
)
def test_only_what_may_be_voted_is_a_vote(said, verdict):
    """The second contestant has no answer: it cannot be preferred."""
    hidden = compared(answered(), answered("", error=Overloaded("busy")), answered("Yes."))
    vote = cast(hidden, said)
    assert (vote and vote.verdict) == verdict
    if vote is not None:
        assert vote.blind
        assert vote.shuffle == hidden.shuffle
        assert vote.contestants == hidden.names


def test_the_page_is_asked_only_when_all_have_ended():
    growing = compared(answered(), None)
    asked = head_of(growing, (), over=False)
    assert not any(choice["open"] for choice in asked["choices"])
    ended = compared(answered(), answered("Yes."))
    asked = head_of(ended, (), over=True)
    assert [choice["label"] for choice in asked["choices"]][:4] == [
        "A (left) is better",
        "B (right) is better",
        "Tie",
        "Both bad",
    ]
    assert all(choice["open"] for choice in asked["choices"])
    keys = [choice["key"] for choice in asked["choices"]]
    assert len(set(keys)) == len(keys)


def test_after_the_vote_nothing_is_asked():
    ended = compared(answered(), answered("Yes."), revealed=True)
    assert head_of(ended, (), over=True)["choices"] == []
    assert verdicts(ended, ()) == ("Revealed without a vote.",)


# --- the board


def board(**options):
    session = Session(ledger=Ledger(":memory:"))
    requests = tuple(Request("Hi", models=("scripted:answers",)) for _ in range(2))
    lineup = Lineup(("scripted:a", "scripted:b"), requests, True, "seed", "01ID")
    made = Board(session, lineup, quiet=True, **options)
    gallery.hang(session, made)
    made.open()
    return session, made


async def test_a_race_is_remembered_from_its_beginning_to_its_vote():
    session, made = board()
    assert session.last_comparison.id == "01ID"
    assert session.last_comparison.hidden
    await made.run()
    made.settle()
    assert session.last_comparison.answered == (0, 1)
    made.clicked({"do": "vote", "verdict": "prefer", "place": 1})
    assert not session.last_comparison.hidden
    made.settle()
    assert made.votes[0].winner == "scripted:b"


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"do": "stop"},
        {"do": "stop", "place": 9},
        {"do": "retry", "place": "<b>"},
        {"do": "vote", "verdict": ["tie"]},
        {"do": "vote", "verdict": "tie"},
        {"do": "explode"},
    ],
)
def test_a_click_that_means_nothing_does_nothing(said):
    """Nobody has answered yet, so that there is nothing to vote on either."""
    session, made = board()
    made.clicked(said)
    made.settle()
    assert session.last_comparison.hidden
    assert made.votes == ()


def test_a_display_that_breaks_warns_once_and_fails_nothing():
    _, made = board()
    with pytest.warns(UserWarning, match="could not be displayed"):
        made.broke(ValueError("x"))
    made.broke(ValueError("y"))  # a second warning would be an error here


def test_only_the_latest_boards_are_live():
    retired = []
    session = Session(ledger=Ledger(":memory:"))
    requests = (Request("Hi"), Request("Hi"))

    class Counted(Board):
        def put(self, change):
            if change is Mark.RETIRE:
                retired.append(self.id)

    for n in range(12):
        lineup = Lineup(("a", "b"), requests, False, "", f"id{n}")
        gallery.hang(session, Counted(session, lineup, quiet=True))
    assert retired[-4:] == ["id0", "id1", "id2", "id3"]
    assert session.vote_watchers.count(gallery._tell) == 1


def test_there_is_nothing_to_show_again_before_the_first_comparison():
    with pytest.raises(UsageError, match="--compare A,B"):
        cell.again(Session(ledger=Ledger(":memory:")))


def test_letters_are_those_of_the_vote():
    assert [letter(place) for place in range(3)] == ["A", "B", "C"]
