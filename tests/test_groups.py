"""`%llm stats by ...`: tables of what the metrics say."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.errors import UsageError
from multimodel_magic.ledger import Ledger
from multimodel_magic.notebook.groups import groups
from multimodel_magic.notebook.options import parse_line
from multimodel_magic.notebook.reports import history
from multimodel_magic.session import Session
from multimodel_magic.types import Attempt, Request, Response, Route, Usage

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def session() -> Session:
    made = Session(UnifiedLLMClient({}), ledger=Ledger(":memory:"))
    usage = Usage(100, 10)
    for task in ("code", "code", None):
        down = Attempt("openai", "a", 1, 0, NOON, 2.0, error_type="Overloaded", cost_usd=Decimal(0))
        last = Attempt("openai", "b", 2, 1, NOON, 1.0, 0.5, usage, Decimal("0.01"))
        request = Request("x", task=task, labels={"session": made.id})
        route = Route(("openai:a", "openai:b"), "cost")
        made.ledger.record(Response(request, "y", (down, last), route, None, 3.0, NOON))
    return made


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("by task", ["(none)", "code", "3.0 s ?", "100%"]),
        ("by day --all", ["2026-11-22", "$0.03"]),
        (
            "",
            ["openai:b", "first token", "per success", "n = 3", "1.0 s ?", "no answer was judged"],
        ),
        ("--all", ["openai:b", "100% (44% to 100%)", "6.0 s", "no answer was judged"]),
        ("routing", ["openai:a", "Overloaded", "6.0 s", "routing accuracy is unknown"]),
        ("against openai:gpt-4o", ["an estimate", "n = 3"]),
    ],
)
def test_tables_say_what_was_asked_for(arguments: str, said: list[str]) -> None:
    text = str(groups(session(), arguments))
    assert all(words in text for words in said), text


def test_a_share_says_what_it_is_of() -> None:
    assert "3 (100% of the answers)" in str(groups(session(), ""))


def test_a_mean_cost_says_of_how_many_where_some_are_unknown() -> None:
    one = session()
    for made in range(2):
        attempt = Attempt("openai", "new", 1, usage=Usage(5, 5), cost_usd=None)
        request = Request(f"x{made}", labels={"session": one.id})
        one.ledger.record(Response(request, "y", (attempt,), None, None, 1.0, NOON))
    assert "$0.01 (of the 3 whose cost is known)" in str(groups(one, ""))
    assert "(of the" not in str(groups(session(), ""))


def test_a_distribution_sets_counts_and_shares_apart() -> None:
    lines = str(groups(session(), "routing")).splitlines()
    assert lines[1].split() == ["model", "chosen", "share", "answered", "share"]
    assert lines[3].split() == ["openai:a", "3", "100%", "0", "0%"]


def said_nothing(made: Session, usage: Usage) -> None:
    attempt = Attempt("openai", "new", 1, 0, NOON, 1.0, 0.5, usage, None)
    request = Request("x", labels={"session": made.id})
    made.ledger.record(Response(request, "y", (attempt,), None, None, 1.0, NOON))


def cells(made: Session, model: str) -> str:
    table = str(groups(made, "")).partition("Cost (attempts)")[2]
    return next(line for line in table.splitlines() if line.startswith(model))


def test_tokens_that_nobody_counted_are_unknown_and_not_nothing() -> None:
    one = session()
    said_nothing(one, Usage(None, None))
    assert cells(one, "openai:new").split()[1:] == ["unknown", "unknown"]
    said_nothing(one, Usage(7, None))
    assert cells(one, "openai:new").endswith("7 → ? + 1 unknown")
    said_nothing(one, Usage(3, 4))
    assert cells(one, "openai:new").endswith("10 → 4 + 2 unknown")
    assert cells(one, "openai:b").endswith("300 → 30")


@pytest.mark.parametrize("arguments", ["", "--all"])
def test_a_misspelt_name_is_no_failure_of_any_model(arguments: str) -> None:
    one = session()
    before = str(groups(one, arguments))
    assert "asked nobody" not in before
    for strategy in ("complxity", "tsak"):
        with pytest.raises(UsageError):
            one("x", strategy=strategy)
    after = str(groups(one, arguments))
    rate = "100% (44% to 100%)"
    assert rate in before
    assert rate in after
    assert "asked nobody                 2 (a wrong name or option" in after
    by = str(groups(one, "by strategy")).splitlines()
    assert by[1].split()[:5] == ["strategy", "n", "success", "asked", "nobody"]
    assert next(line for line in by if "tsak" in line).split()[:4] == ["tsak", "1", "unknown", "1"]


@pytest.mark.parametrize("arguments", ["", "--all", "by task", "routing", "against a:b"])
def test_where_nothing_was_asked_one_line_says_how_rows_come_to_be_there(arguments: str) -> None:
    empty = Session(UnifiedLLMClient({}), ledger=Ledger(":memory:"))
    shown = groups(empty, arguments)
    caption, line = str(shown).splitlines()
    assert caption == "Statistics"
    assert "run a %%llm cell and it shows here" in line
    assert ("--all takes every session" in line) == ("--all" not in arguments)
    assert "<table" not in shown._repr_mimebundle_()["text/html"]


def test_an_empty_session_tells_a_misspelt_group_all_the_same() -> None:
    empty = Session(UnifiedLLMClient({}), ledger=Ledger(":memory:"))
    with pytest.raises(UsageError, match="did you mean 'task'"):
        groups(empty, "by tsk")


def test_an_empty_history_says_how_rows_come_to_be_there() -> None:
    empty = Session(UnifiedLLMClient({}), ledger=Ledger(":memory:"))
    caption, line = str(history(empty)).splitlines()
    assert caption == "History"
    assert "run a %%llm cell and it shows here" in line


def test_ones_own_measures_are_shown_by_model_and_empty_columns_are_not() -> None:
    one = session()
    first, second, _ = one.ledger.requests_frame()["request_id"]
    assert "Your own measures" not in str(groups(one, ""))
    one.ledger.keep_outcome(first, {"success": 1.0, "grounded": 0.25, "name": 2.0})
    one.ledger.keep_outcome(second, {"grounded": 0.75, "score": 0.5})
    text = str(groups(one, ""))
    assert "model     judged             success  n  score  n" in text
    own = text.partition("Your own measures (means)\n")[2].splitlines()
    assert [line.split() for line in (own[0], own[2])] == [
        ["model", "grounded", "n", "name", "n"],
        ["openai:b", "0.5", "2", "2", "1"],
    ]


def test_the_whole_ledgers_table_is_that_of_its_only_session() -> None:
    one = session()
    assert str(groups(one, "")) == str(groups(one, "--all"))


@pytest.mark.parametrize("arguments", ["", "--all"])
def test_quality_is_shown_with_how_much_of_the_dearest_models_was_kept(arguments: str) -> None:
    one = session()
    for row in one.ledger.last(3):
        one.record_outcome(row.request.request_id, {"score": 0.5, "success": 1})
    alone = str(groups(one, arguments))
    assert "openai:b  3" in alone
    assert "unknown: 0 routed answers of other models and 3 of its own were judged" in alone
    cheap = (Attempt("openai", "c", 1, cost_usd=Decimal("0.001"), started_at=NOON),)
    for prompt in ("u", "v"):
        answer = Response(Request(prompt), "y", cheap, Route(("openai:c",), "cost"))
        one.record(answer)
        one.record_outcome(answer.request_id, {"score": 0.25})
    assert "80% of the quality of openai:b kept" in str(groups(one, arguments))


def test_no_model_is_the_dearest_where_no_price_is_known() -> None:
    one = Session(UnifiedLLMClient({}), ledger=Ledger(":memory:"))
    for model in ("a", "b"):
        answer = Response(Request("x"), "y", (Attempt("openai", model, 1),))
        one.record(answer)
        one.record_outcome(answer.request_id, 0.5)
    assert "no judged model has a price" in str(groups(one, ""))


def test_what_judges_were_asked_is_told_apart_from_what_you_asked() -> None:
    one = session()
    for labels in ({}, {"judges": "01COMPARISON"}):
        tried = (Attempt("openai", "a", 1, cost_usd=Decimal("0.02")),)
        one.record(Response(Request("Which?", labels=labels), "A", tried, started_at=NOON))
    assert "(judge) Which?" in str(history(one))
    rows = {line.split()[0]: line for line in str(groups(one, "by purpose")).splitlines()}
    assert "$0.02" in rows["judge"]


def test_an_unknown_group_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'task'"):
        groups(session(), "by tasks")


@pytest.mark.parametrize(
    ("line", "subcommand"),
    [
        ("stats", "stats"),
        ("stats --all", "stats"),
        ("df --since 7d", "df"),
        ("attempts --all", "attempts"),
        ("df of what?", None),
        ("stats by task --since 7d", "stats"),
        ("stats routing", "stats"),
        ("stats against openai:gpt-4o --all", "stats"),
        ("stats of the last World Cup", None),
    ],
)
def test_what_is_no_subcommand_is_a_prompt(line: str, subcommand: str | None) -> None:
    assert parse_line(line).subcommand == subcommand
