"""Of an answer without an end a page gets the beginning and a line; the response keeps it whole."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multimodel_magic.notebook.card import FORMATS, Card, LiveCard, answer_html
from multimodel_magic.notebook.compare.pane import Pane
from multimodel_magic.notebook.excerpt import LAYOUT_S, MOST_CHARS, Growing, excerpt, left_out
from multimodel_magic.types import Attempt, AttemptStarted, Finished, Request, Response, TextDelta

LONG = ("Some **prose** that goes on. " * 5 + "\n\n") * 8_000
SAID = f"the first 200,000 of {len(LONG):,} characters are shown; all of them: "
ATTEMPT = Attempt("a", "m", 1)
STARTED = AttemptStarted("a", "m", 1)


def finished(text):
    return Finished(Response(Request("Hi"), text, (ATTEMPT,)))


@pytest.mark.parametrize("text", ["", "x", "x" * MOST_CHARS, "a\n" * 9_999])
def test_what_a_page_takes_is_shown_whole(text):
    assert excerpt(text) == text
    assert left_out(text, "r.text") == ()


@given(
    whole=st.sampled_from([LONG[:250_000], "a\n" * 12_000, "\n" * 10_001, "x" * 200_001]),
    cuts=st.lists(st.integers(0, 250_000), max_size=20),
)
def test_what_grows_is_cut_where_the_whole_is(whole, cuts):
    growing = Growing("text", "r.text")
    for start, end in pairwise(sorted([0, *cuts, 250_000])):
        growing.add(whole[start:end])
    assert growing.text == excerpt(whole)
    assert growing.left_out() == left_out(whole, "r.text")


@pytest.mark.parametrize("wanted", FORMATS)
@pytest.mark.parametrize("text", [LONG, "x" * 5_000_000, "a\n" * 500_000])
def test_a_card_of_a_huge_answer_shows_its_beginning_and_says_so(text, wanted):
    card = Card(finished(text).response, wanted)
    assert len(card._repr_html_()) < 5 * MOST_CHARS
    assert len(str(card)) < MOST_CHARS + 1000
    assert f"of {len(text):,} characters are shown; all of them: _.text" in str(card)
    assert card.response.text == text


def test_json_that_is_indented_beyond_a_page_is_shown_as_it_came():
    rows = json.dumps([{"a": 1}] * 20_000)
    assert "<code" in answer_html(json.dumps([{"a": 1}]), "auto")
    assert answer_html(rows, "auto").count("\n") < 5


def test_an_answer_that_grows_costs_no_more_than_a_page():
    now_s, sent = [0.0], []

    def publish(bundle, _metadata, *, update):
        sent.append((now_s[0], len(bundle["text/html"]), bundle["text/plain"]))

    card = LiveCard(publisher=publish, clock=lambda: now_s[0])
    card.show(STARTED)
    for start in range(0, len(LONG), 1000):
        now_s[0] += 0.02
        card.show(TextDelta(LONG[start : start + 1000]))
    card.show(finished(LONG))
    assert max(chars for _, chars, _ in sent) < 3 * MOST_CHARS
    assert sum(chars for _, chars, _ in sent) * LAYOUT_S < now_s[0] / 5, "the page stays free"
    assert "the first 200,000 of" in sent[-2][2]
    assert SAID in sent[-1][2]


def test_a_pane_of_a_comparison_shows_no_more_than_a_page_either():
    pane = Pane(1, "a:m")
    pane.hear(STARTED)
    pane.hear(TextDelta(LONG))
    for _ in range(2):
        view = pane.view(hidden=True)
        assert len(view.html) < 3 * MOST_CHARS
        assert len(view.text) == MOST_CHARS
        assert f"{SAID}.texts[1] of the comparison" in view.notices
        pane.hear(finished(LONG))
