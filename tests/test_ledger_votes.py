"""Votes in the ledger: added, never lost; files of versions 1 and 2 become version 3."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from multimodel_magic import exchange
from multimodel_magic.experiments.votes import Vote, row_of, vote_in, votes_in
from multimodel_magic.ledger import Ledger, VoteRow
from multimodel_magic.types import Attempt, Request, Response
from tests.test_ledger_outcomes import VERSION_1, schema

VERSION_2 = (
    VERSION_1
    + """
CREATE TABLE outcome (request_id VARCHAR(255) NOT NULL PRIMARY KEY, outcome TEXT,
    recorded_at VARCHAR(32));
UPDATE meta SET value = '2' WHERE name = 'schema_version';
UPDATE request SET labels = '{"config":"ab12","team":"blue"}' WHERE request_id = '01OLD';
INSERT INTO request (request_id, started_at, status, fallback_used, attempts, latency_s,
    usage_estimated, cached, prompt_sha256, labels) VALUES
    ('02OLD', '2026-11-02T12:00:00.000000+00:00', 'failed', 0, 0, 0.5, 0, 0, 'cd',
     '{"config":"ab12"}'),
    ('03OLD', '2026-11-03T12:00:00.000000+00:00', 'failed', 0, 0, 0.5, 0, 0, 'ef',
     '{"note":"config"}'),
    ('04OLD', '2026-11-04T12:00:00.000000+00:00', 'failed', 0, 0, 0.5, 0, 0, '01', NULL);
INSERT INTO outcome VALUES ('01OLD', '{"score": 0.5}', '2026-11-01T13:00:00.000000+00:00');
"""
)
"""As the package wrote it until commit de18a4e."""


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(tmp_path / "ledger.db")
    yield made
    made.close()


@pytest.fixture
def file_2(tmp_path: Path) -> Path:
    file = tmp_path / "two.db"
    connection = sqlite3.connect(file)
    connection.executescript(VERSION_2)
    connection.close()
    return file


def vote(comparison: str = "01C", preferred: int | None = 0, judge: str | None = None) -> Vote:
    return Vote(
        comparison=comparison,
        request_ids=("01A", "01B"),
        contestants=("fast", "strong"),
        verdict="tie" if preferred is None else "prefer",
        preferred=preferred,
        blind=True,
        shuffle=(1, 0),
        judge=judge,
    )


def response(request_id: str, model: str = "m") -> Response:
    request = Request("Hi", request_id=request_id, labels={"session": "S", "config": "ab12"})
    return Response(request, "So.", (Attempt("local", model, 1),))


def test_a_vote_is_read_back_as_it_was_given(ledger: Ledger) -> None:
    one = replace(vote(judge="local:j"), why="position-inconsistent: said fast, reversed tie")
    ledger.keep_vote(row_of(one, "S"))
    ledger.close()
    later = Ledger(ledger._address)
    (row,) = later.votes()
    later.close()
    assert vote_in(row) == one
    assert row.session == "S"


def test_of_one_person_the_last_vote_on_a_comparison_stands_and_none_is_lost(
    ledger: Ledger,
) -> None:
    votes = [vote(), vote(preferred=None), vote(preferred=1), vote("02C"), vote(judge="local:j")]
    for one in votes:
        ledger.keep_vote(row_of(one))
    assert [vote_in(row) for row in ledger.votes()] == votes[2:]
    assert [vote_in(row) for row in ledger.votes(comparison="01C", replaced=True)] == [
        *votes[:3],
        votes[4],
    ]
    assert ledger.votes(session="S") == ()


def test_votes_that_cannot_be_written_are_kept_and_shown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no folder")
    ledger = Ledger(tmp_path / "file" / "ledger.db")
    with caplog.at_level(logging.WARNING):
        ledger.keep_vote(row_of(vote()))
        assert len(ledger.votes()) == 1
    (tmp_path / "file").unlink()
    ledger.close()
    later = Ledger(ledger._address)
    assert len(later.votes()) == 1
    later.close()


def test_a_read_only_ledger_keeps_votes_in_memory(file_2: Path) -> None:
    ledger = Ledger(file_2, read_only=True)
    ledger.keep_vote(row_of(vote()))
    assert len(ledger.votes_frame()) == 1
    assert ledger.trouble is None
    ledger.close()
    assert b"CREATE TABLE vote" not in file_2.read_bytes()


@pytest.mark.parametrize("said", [False, True])
def test_the_frame_of_votes_has_the_same_dtypes_when_empty(ledger: Ledger, said: bool) -> None:  # noqa: FBT001
    if said:
        ledger.keep_vote(row_of(vote(preferred=1)))
    frame = ledger.votes_frame()
    dtypes = {name: str(dtype) for name, dtype in frame.dtypes.items()}
    assert set(dtypes) == {*VoteRow._fields, "winner"}
    assert dtypes["recorded_at"] == "datetime64[us, UTC]"
    assert (dtypes["blind"], dtypes["preferred"], dtypes["winner"]) == (
        "boolean",
        "Int64",
        "string",
    )
    assert frame["winner"].tolist() == ["strong"] * said


def test_votes_that_contradict_themselves_are_counted_and_not_read() -> None:
    good = row_of(vote())
    broken = [
        good._replace(preferred=None),
        good._replace(preferred=7),
        good._replace(verdict="best"),
        good._replace(request_ids='["01A"]'),
        good._replace(contestants="no JSON"),
        good._replace(contestants="3"),
        good._replace(shuffle="[0, 0]"),
        good._replace(recorded_at="2026-11-01T12:00:00"),
    ]
    assert votes_in([*broken, good]) == ((vote_in(good),), len(broken))


def test_who_really_answered_is_told_by_request(ledger: Ledger) -> None:
    for name in ("01A", "01B"):
        ledger.record(response(name, f"model-{name}"))
    assert ledger.answered_by({"01A", "01B", "01C"}) == {
        "01A": "local:model-01A",
        "01B": "local:model-01B",
    }


# --- the configuration's hash, and earlier versions


def test_the_configurations_hash_has_its_own_column(ledger: Ledger) -> None:
    ledger.record(response("01A"))
    (row,) = ledger.requests_frame().itertuples()
    assert (row.config, row.session) == ("ab12", "S")
    assert ledger.requests_frame()["labels"].isna().all()


def test_a_file_of_version_2_is_upgraded_without_loss(file_2: Path) -> None:
    ledger = Ledger(file_2)
    ledger.record(response("05NEW"))
    ledger.keep_vote(row_of(vote()))
    told = ledger.requests_frame()[["request_id", "config", "labels"]].fillna("")
    rows = {row.request_id: row for row in told.itertuples()}
    assert {name: row.config for name, row in rows.items()} == {
        "01OLD": "ab12",
        "02OLD": "ab12",
        "03OLD": "",
        "04OLD": "",
        "05NEW": "ab12",
    }
    assert json.loads(rows["01OLD"].labels) == {"team": "blue"}
    assert (rows["02OLD"].labels, rows["04OLD"].labels) == ("", "")
    assert json.loads(rows["03OLD"].labels) == {"note": "config"}
    assert len(ledger.attempts_frame()) == 2
    assert ledger.outcomes_frame()["score"].tolist() == [0.5]
    assert len(ledger.votes()) == 1
    ledger.close()


def test_files_of_every_version_get_the_same_tables(
    ledger: Ledger, file_2: Path, tmp_path: Path
) -> None:
    file_1 = tmp_path / "one.db"
    connection = sqlite3.connect(file_1)
    connection.executescript(VERSION_1)
    connection.close()
    for one in (ledger, Ledger(file_1), Ledger(file_2)):
        one.record(response("05NEW"))
        one.close()
    assert schema(file_1) == schema(file_2) == schema(Path(ledger._address))


def test_a_file_of_version_2_that_may_only_be_read_has_no_hash_and_no_votes(file_2: Path) -> None:
    ledger = Ledger(file_2, read_only=True)
    assert ledger.requests_frame()["config"].isna().all()
    assert ledger.request("01OLD").request.config is None
    assert [one.request.request_id for one in ledger.last(2)] == ["04OLD", "03OLD"]
    assert ledger.votes() == ()
    assert ledger.trouble is None
    ledger.close()


# --- as files


@pytest.mark.parametrize("ending", exchange.ENDINGS)
def test_votes_go_into_files_and_come_back_once(tmp_path: Path, ending: str) -> None:
    here, there = Ledger(":memory:"), Ledger(":memory:")
    here.record(response("01A"))
    for one in (vote(), vote(preferred=None), vote(judge="local:j")):
        here.keep_vote(row_of(one, "S"))
    elsewhere = replace(vote("09C"), request_ids=("09A", "09B"))
    here.keep_vote(row_of(elsewhere, "T"))
    assert exchange.export(here, tmp_path / f"day{ending}", session="S").votes == 3
    first = exchange.import_file(there, tmp_path / f"day{ending}")
    again = exchange.import_file(there, tmp_path / f"day{ending}")
    assert (first.votes, again.votes) == (3, 0)
    assert there.votes(replaced=True) == here.votes(replaced=True)[:3]


def test_an_export_of_an_earlier_version_has_no_votes(tmp_path: Path) -> None:
    ledger = Ledger(":memory:")
    ledger.record(response("01A"))
    exchange.export(ledger, tmp_path / "day.csv")
    (tmp_path / "day.votes.csv").unlink()
    assert exchange.read(tmp_path / "day.csv").votes.empty
    assert exchange.import_file(Ledger(":memory:"), tmp_path / "day.csv").requests == 1
