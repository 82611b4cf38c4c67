"""Ledgers written to files and read back: nothing changes on the way."""

from __future__ import annotations

import csv
import runpy
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from multimodel_magic import exchange
from multimodel_magic.errors import AllModelsFailed, Cancelled, Misconfigured, UsageError
from multimodel_magic.ledger import Ledger
from multimodel_magic.types import Attempt, Request, Response, Route, Usage

ENDINGS = sorted(exchange.ENDINGS)
NOON = datetime(2026, 11, 22, 12, 0, 0, 250, tzinfo=UTC)
NASTY = 'a "quoted",\r\nline; \x00 \u2028 ümlaut \U0001f600, \\N, NULL, NaN'


def response(
    prompt: str = "Hello",
    *,
    text: str = "Hi",
    at: datetime = NOON,
    session: str = "S",
    error: Exception | None = None,
    cost_usd: Decimal | None = Decimal("0.000123456789"),
) -> Response:
    word = None if error is None else type(error).__name__
    failed = Attempt("p", "slow", 1, 0, at, 2.5, error_type="Overloaded", error="busy")
    last = Attempt("p", "fast", 2, 1, at, 1 / 3, 0.1, Usage(7, None), cost_usd, error_type=word)
    request = Request(prompt, task="code", labels={"session": session, "team": "x"})
    route = Route(("p:slow", "p:fast"), "cost", arm="e:control", arm_probability=0.1)
    return Response(request, text, (failed, last), route, error, 2.9, at)


def day() -> list[Response]:
    return [
        response(),
        response(NASTY, text=""),
        response("=1+1", text="'", error=Cancelled("stopped"), cost_usd=None),
        response("'=1+1", text="@SUM(A1)", error=AllModelsFailed(())),
        response("old", at=NOON - timedelta(days=30), session="T"),
    ]


def ledger_of(*responses: Response) -> Ledger:
    ledger = Ledger(":memory:")
    for one in responses:
        ledger.record(one)
    ledger.flush()
    return ledger


def frames(ledger: Ledger) -> tuple[pd.DataFrame, ...]:
    by_id = ["request_id", "number"]
    outcomes = ledger.outcomes_frame()
    requests = ledger.requests_frame().sort_values("request_id", ignore_index=True)
    attempts = ledger.attempts_frame().sort_values(by_id, ignore_index=True)
    return requests, attempts, outcomes


@pytest.mark.parametrize("ending", ENDINGS)
def test_frames_come_back_as_they_went(tmp_path: Path, ending: str) -> None:
    ledger = ledger_of(*day())
    done = exchange.export(ledger, tmp_path / f"day{ending}")
    books = exchange.read(tmp_path / f"day{ending}")
    assert (done.requests, done.attempts, done.outcomes) == (5, 10, 0)
    assert_frame_equal(books.requests, ledger.requests_frame())
    assert_frame_equal(books.attempts, ledger.attempts_frame())


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_empty_ledger_keeps_its_columns_and_dtypes(tmp_path: Path, ending: str) -> None:
    ledger = Ledger(":memory:")
    exchange.export(ledger, tmp_path / f"none{ending}")
    books = exchange.read(tmp_path / f"none{ending}")
    assert_frame_equal(books.requests, ledger.requests_frame())
    assert_frame_equal(books.attempts, ledger.attempts_frame())


@pytest.mark.parametrize("ending", ENDINGS)
def test_another_ledger_takes_a_file_once(tmp_path: Path, ending: str) -> None:
    here, there = ledger_of(*day()), ledger_of()
    here.keep_outcome(here.last()[0].request.request_id, {"success": 1.0, "score": 0.25})
    exchange.export(here, tmp_path / f"day{ending}")
    first = exchange.import_file(there, tmp_path / f"day{ending}")
    again = exchange.import_file(there, tmp_path / f"day{ending}")
    assert (first.requests, first.known, first.attempts, first.outcomes) == (5, 0, 10, 1)
    assert (again.requests, again.known, again.attempts, again.outcomes) == (0, 5, 0, 0)
    for mine, theirs in zip(frames(here), frames(there), strict=True):
        assert_frame_equal(mine, theirs)


def test_what_the_ledger_held_before_stays(tmp_path: Path) -> None:
    one, two = response("one"), response("two")
    exchange.export(ledger_of(one), tmp_path / "one.jsonl")
    ledger = ledger_of(two)
    assert exchange.import_file(ledger, tmp_path / "one.jsonl").requests == 1
    assert set(ledger.requests_frame()["prompt"]) == {"one", "two"}


def test_of_two_outcomes_the_later_one_stands(tmp_path: Path) -> None:
    one = response()
    early, late = ledger_of(one), ledger_of(one)
    early.keep_outcome(one.request_id, {"score": 0.1})
    early.flush()
    late.keep_outcome(one.request_id, {"score": 0.9})
    exchange.export(early, tmp_path / "early.csv")
    exchange.export(late, tmp_path / "late.csv")
    assert exchange.import_file(late, tmp_path / "early.csv").outcomes == 0
    assert exchange.import_file(early, tmp_path / "late.csv").outcomes == 1
    assert early.outcomes_frame()["score"].tolist() == [0.9]


def test_session_and_time_choose_what_is_exported(tmp_path: Path) -> None:
    ledger = ledger_of(*day())
    recent = exchange.export(ledger, tmp_path / "a.csv", since=NOON - timedelta(days=1))
    theirs = exchange.export(ledger, tmp_path / "b.csv", session="T")
    assert (recent.requests, recent.attempts) == (4, 8)
    assert (theirs.requests, theirs.attempts) == (1, 2)


def test_a_spreadsheet_finds_no_formula_in_a_csv(tmp_path: Path) -> None:
    exchange.export(ledger_of(*day()), tmp_path / "day.csv")
    with (tmp_path / "day.csv").open(newline="") as file:
        cells = [cell for line in csv.DictReader(file) for cell in line.values()]
    assert "'@SUM(A1)" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "+", "@", "-", "\t", "\r"))]


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.text(st.characters(exclude_categories=("Cs",)) | st.sampled_from("'=@\r\n\""))))
def test_any_text_survives_every_format(tmp_path: Path, texts: list[str]) -> None:
    made = ledger_of().outcomes_frame()[["request_id", "outcome", "recorded_at"]]
    made = pd.DataFrame(
        {
            "request_id": pd.Series(texts, dtype="string"),
            "outcome": pd.Series(texts[::-1], dtype="string"),
            "recorded_at": pd.Series([NOON] * len(texts), dtype=made["recorded_at"].dtype),
        }
    )
    for ending in (".csv", ".jsonl"):
        kind, path = exchange.ENDINGS[ending], tmp_path / f"x{ending}"
        kind.write(path, made, exchange.OutcomeRow)
        assert_frame_equal(kind.read(path, exchange.OutcomeRow), made)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("day.parqet", "did you mean '.parquet'?"),
        ("day.json", "did you mean '.jsonl'?"),
        ("day.xlsx", "one of .parquet, .csv, .jsonl"),
        ("day", "needs an ending"),
    ],
)
def test_an_unknown_ending_names_the_nearest_in_one_line(
    tmp_path: Path, name: str, said: str
) -> None:
    with pytest.raises(UsageError) as caught:
        exchange.export(ledger_of(), tmp_path / name)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_failed_export_leaves_the_earlier_files_whole(tmp_path: Path) -> None:
    ledger = ledger_of(*day())
    exchange.export(ledger, tmp_path / "day.jsonl")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    requests, attempts, outcomes = frames(ledger)
    requests["why"] = pd.Series([object()] * len(requests), dtype="object")
    with pytest.raises(TypeError):
        exchange.write(exchange.Books(requests, attempts, outcomes), tmp_path / "day.jsonl")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_folder_that_is_not_there_is_said_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot write"):
        exchange.export(ledger_of(), tmp_path / "nowhere" / "day.csv")


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_that_is_something_else_is_refused(tmp_path: Path, ending: str) -> None:
    (tmp_path / f"x{ending}").write_text("a,b\n1,2\n")
    with pytest.raises(UsageError, match="cannot be read"):
        exchange.read(tmp_path / f"x{ending}")


def test_a_missing_file_and_a_stranger_column_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        exchange.read(tmp_path / "gone.csv")
    exchange.export(ledger_of(), tmp_path / "day.csv")
    text = (tmp_path / "day.csv").read_text().replace("task_value", "task_worth")
    (tmp_path / "day.csv").write_text(text)
    with pytest.raises(UsageError, match="task_worth"):
        exchange.read(tmp_path / "day.csv")


def test_attempts_of_other_requests_are_refused(tmp_path: Path) -> None:
    exchange.export(ledger_of(response()), tmp_path / "a.csv")
    exchange.export(ledger_of(response()), tmp_path / "b.csv")
    (tmp_path / "b.attempts.csv").replace(tmp_path / "a.attempts.csv")
    with pytest.raises(UsageError, match="2 attempts of requests that it does not hold"):
        exchange.read(tmp_path / "a.csv")


def test_a_read_only_ledger_takes_nothing(tmp_path: Path) -> None:
    exchange.export(ledger_of(response()), tmp_path / "a.csv")
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.flush()
    with pytest.raises(Misconfigured, match="read-only"):
        exchange.import_file(Ledger(":memory:", read_only=True), tmp_path / "a.csv")


def test_the_page_of_columns_is_made_from_the_rows_and_leaves_none_unsaid() -> None:
    root = Path(__file__).parents[1]
    made = runpy.run_path(str(root / "tools" / "ledger_columns.py"))
    written = (root / "docs" / "ledger.md").read_text(encoding="utf-8")
    assert written == made["page"](), f"run: {made['COMMAND']}"
    assert "|  |" not in written
