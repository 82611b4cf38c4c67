"""Tables as values: the same cells in plain text and in HTML."""

from __future__ import annotations

import pytest

from multimodel_magic.notebook.table import Table

TIMES = Table(
    "Times",
    ("model", "n", "p50", "cost", "success", "seen"),
    (
        ("模型-1", "7", "340 ms", "$0.0002", "92% (80% to 97%)", "2026-11-22"),
        ("gpt-6", "1,024", "1.2 s ?", "cost unknown", "unknown", "2026-11-23"),
    ),
)


def test_a_figure_stays_on_one_line_and_a_sentence_may_be_broken() -> None:
    said = "too long for a narrow window, so that it goes on below"
    html = Table("Times", ("model", "p50"), (("m", "1.0 s"), ("n", said)))._repr_html_()
    cells = html.split("</td>")
    assert "white-space:pre;" in next(cell for cell in cells if "1.0 s" in cell)
    assert "white-space:pre-wrap;" in next(cell for cell in cells if said in cell)


def test_figures_stand_on_the_right_and_words_on_the_left_of_their_column() -> None:
    assert str(TIMES).splitlines() == [
        "Times",
        "model       n      p50          cost           success  seen",
        "------  -----  -------  ------------  ----------------  ----------",
        "模型-1      7   340 ms       $0.0002  92% (80% to 97%)  2026-11-22",
        "gpt-6   1,024  1.2 s ?  cost unknown           unknown  2026-11-23",
    ]


def test_a_notebook_sets_figures_and_their_heads_on_the_right_digit_under_digit() -> None:
    cells = TIMES._repr_html_().split("<t")
    for figure in ("1,024", "n", "$0.0002", "cost"):
        (cell,) = [one for one in cells if f">{figure}</t" in one]
        assert "text-align:right" in cell
        assert "tabular-nums" in cell
    for word in ("gpt-6", "model", "2026-11-22"):
        (cell,) = [one for one in cells if f">{word}</t" in one]
        assert "text-align:left" in cell


@pytest.mark.parametrize("said", ["unknown", "", "gpt-6", "0.25 ▇▇▇", "12:30:01", "2+2"])
def test_what_is_no_figure_stands_on_the_left(said: str) -> None:
    assert "text-align:right" not in Table("T", ("what",), ((said,),))._repr_html_()


def test_a_table_without_a_head_is_one_of_facts_and_stands_on_the_left() -> None:
    facts = Table("Overall", (), (("requests", "7"), ("answered", "6")))
    assert "text-align:right" not in facts._repr_html_()
    assert str(facts) == "Overall\nrequests  7\nanswered  6"


def test_a_table_without_rows_is_a_line_and_never_a_bare_head() -> None:
    bare = Table("Times", ("model", "n"), (), "p50 is the median", "nothing was asked yet")
    assert str(bare) == "Times\nnothing was asked yet"
    assert "<table" not in bare._repr_html_()
    assert "nothing was asked yet" in bare._repr_html_()
    assert str(Table("Times", ("model", "n"), (), "none")) == "Times\nnone"


def test_a_column_in_which_nothing_is_said_can_be_left_out() -> None:
    table = Table("Why", ("rule", "saw", "score"), (("fixed", "x", ""), ("role", "y", "")))
    assert table.without_empty().columns == ("rule", "saw")
    assert str(table.without_empty()) == "Why\nrule   saw\n-----  ---\nfixed  x\nrole   y"
    scored = Table("Why", ("rule", "score"), (("fixed", ""), ("role", "0.3")))
    assert scored.without_empty() is scored
    assert Table("Why", ("rule",), ()).without_empty().columns == ("rule",)
