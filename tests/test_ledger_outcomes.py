"""What came of requests: kept once a request, whenever it is said, in ledgers of any age."""

from __future__ import annotations

import json
import logging
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from multimodel_magic.errors import UsageError
from multimodel_magic.experiments import LedgerStore, analyze, assigned_from, record_outcome
from multimodel_magic.ledger import Ledger, OutcomeRow, RequestRow
from multimodel_magic.ledger.database import VERSION, tables, upgrade
from multimodel_magic.ledger.judged import judged
from multimodel_magic.strategies import Experiment
from multimodel_magic.types import Attempt, Request, Response

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
TEST = Experiment.split("trial", control="local:a", treatment="local:b", share=0.5)

# Every line as the first version of the package wrote it (commit 0ef7514).
VERSION_1 = """
CREATE TABLE attempt (request_id VARCHAR(255), number BIGINT, rank BIGINT, provider TEXT,
    model TEXT, response_model TEXT, response_id TEXT, started_at VARCHAR(32), latency_s DOUBLE,
    ttft_s DOUBLE, input_tokens BIGINT, output_tokens BIGINT, cache_read_tokens BIGINT,
    cache_write_tokens BIGINT, reasoning_tokens BIGINT, usage_estimated BOOLEAN, cost_usd DOUBLE,
    price_source TEXT, stop_reason TEXT, error_type TEXT, error TEXT, status TEXT);
CREATE INDEX attempt_request_id ON attempt (request_id);
CREATE TABLE meta (name VARCHAR(255) NOT NULL, value TEXT, PRIMARY KEY (name));
CREATE TABLE request (request_id VARCHAR(255) NOT NULL, started_at VARCHAR(32),
    session VARCHAR(255), notebook TEXT, cell TEXT, strategy TEXT, asked TEXT, route TEXT,
    why TEXT, arm TEXT, arm_probability DOUBLE, experiment TEXT, task TEXT, user_tier TEXT,
    task_value TEXT, needs TEXT, unit TEXT, status TEXT, error_type TEXT, error TEXT,
    provider TEXT, model TEXT, fallback_used BOOLEAN, attempts BIGINT, input_tokens BIGINT,
    output_tokens BIGINT, cache_read_tokens BIGINT, cache_write_tokens BIGINT,
    reasoning_tokens BIGINT, usage_estimated BOOLEAN, cost_usd DOUBLE, latency_s DOUBLE,
    ttft_s DOUBLE, stop_reason TEXT, cached BOOLEAN, max_tokens BIGINT, options TEXT,
    prompt_sha256 TEXT, prompt TEXT, system TEXT, history TEXT, answer TEXT, reasons TEXT,
    left_out TEXT, labels TEXT, PRIMARY KEY (request_id));
CREATE INDEX request_session ON request (session);
CREATE INDEX request_started_at ON request (started_at);
INSERT INTO meta VALUES ('schema_version', '1');
INSERT INTO request (request_id, started_at, status, arm, arm_probability, unit, route, provider,
    model, fallback_used, attempts, cost_usd, latency_s, usage_estimated, cached, prompt_sha256)
VALUES ('01OLD', '2026-11-01T12:00:00.000000+00:00', 'answered', 'trial:treatment', 0.5, 'ann',
    'local:b', 'local', 'b', 0, 1, 0.0, 1.5, 0, 0, 'ab');
INSERT INTO attempt (request_id, number, rank, provider, model, started_at, latency_s,
    usage_estimated, price_source, status)
VALUES ('01OLD', 1, 0, 'local', 'b', '2026-11-01T12:00:00.000000+00:00', 1.5, 0, 'local',
    'answered');
"""


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(tmp_path / "ledger.db")
    yield made
    made.close()


@pytest.fixture
def old_file(tmp_path: Path) -> Path:
    file = tmp_path / "old.db"
    connection = sqlite3.connect(file)
    connection.executescript(VERSION_1)
    connection.close()
    return file


def dealt(unit: str | None = "ann", *, experiment: Experiment = TEST, minutes: int = 0) -> Response:
    request = Request("Hi", unit=unit)
    attempt = Attempt("local", "b", 1)
    at = NOON + timedelta(minutes=minutes)
    return Response(request, "So.", (attempt,), experiment.route(request), None, 1.5, at)


def test_outcome_of_a_request_is_read_back_in_a_later_kernel(ledger: Ledger) -> None:
    response = dealt()
    ledger.record(response)
    record_outcome(LedgerStore(ledger), response.request_id, {"success": True, "score": 0.8})
    ledger.close()
    later = Ledger(ledger._address)
    (one,) = LedgerStore(later).assigned("trial")
    later.close()
    assert (one.request_id, one.unit, one.arm) == (response.request_id, "ann", TEST.arm_of("ann"))
    assert one.outcome == {"success": 1.0, "score": 0.8}


def test_outcome_said_again_is_the_same_and_a_late_one_adds(ledger: Ledger) -> None:
    response, store = dealt(), LedgerStore(ledger)
    ledger.record(response)
    assert record_outcome(store, response.request_id, True)
    assert not record_outcome(store, response.request_id, True)
    assert record_outcome(store, response.request_id, {"score": 0.3})
    assert ledger.dealt_request(response.request_id)[1] == {"success": 1.0, "score": 0.3}
    assert len(ledger.outcomes_frame()) == 1


def test_unknown_id_is_one_line(ledger: Ledger) -> None:
    with pytest.raises(UsageError, match="no request '01NONE' is known here"):
        record_outcome(LedgerStore(ledger), "01NONE", 1)


def test_outcome_of_a_request_outside_any_experiment_is_kept(ledger: Ledger) -> None:
    ledger.record(Response(Request("outside any experiment", request_id="01OUT"), "So."))
    assert record_outcome(LedgerStore(ledger), "01OUT", 1)
    assert list(ledger.outcomes_frame()["request_id"]) == ["01OUT"]


@pytest.mark.parametrize(
    ("unit", "what"), [("unit", "ann"), ("request", "01ID"), ("session", "s1"), ("cell", "01ID")]
)
def test_unit_is_what_the_experiment_dealt(ledger: Ledger, unit: str, what: str) -> None:
    request = Request("Hi", unit="ann", labels={"session": "s1"}, request_id="01ID")
    response = Response(request, "So.", (Attempt("local", "b", 1),))
    response = replace(response, route=replace(TEST, unit=unit).route(request))
    ledger.record(response)
    (one,) = LedgerStore(ledger).assigned("trial")
    assert one.unit == what == assigned_from(response).unit


def test_only_the_experiment_of_exactly_that_name_is_read(ledger: Ledger) -> None:
    for name in ("trial", "trial2", "Trial", "trial:b", "tri_l"):
        ledger.record(dealt(experiment=replace(TEST, name=name)))
    assert [row.arm.rpartition(":")[0] for row, _ in ledger.dealt("trial")] == ["trial"]
    assert [row.arm.rpartition(":")[0] for row, _ in ledger.dealt("trial:b")] == ["trial:b"]
    assert ledger.dealt("nothing") == []


def test_requests_come_oldest_first_with_and_without_outcome(ledger: Ledger) -> None:
    late, early = dealt(minutes=2), dealt(minutes=1)
    for response in (late, early):
        ledger.record(response)
    record_outcome(LedgerStore(ledger), late.request_id, 0.5)
    found = ledger.dealt("trial")
    assert [row.request_id for row, _ in found] == [early.request_id, late.request_id]
    assert [outcome for _, outcome in found] == [{}, {"score": 0.5}]


def test_results_of_an_experiment_come_from_the_ledger(ledger: Ledger) -> None:
    for number in range(40):
        response = dealt(f"unit-{number}")
        ledger.record(response)
        good = response.route.arm == "trial:treatment"
        record_outcome(LedgerStore(ledger), response.request_id, good)
    arms = {arm.arm: arm for arm in analyze("trial", LedgerStore(ledger).assigned("trial")).arms}
    assert (arms["treatment"].success, arms["control"].success) == (1.0, 0.0)
    assert arms["treatment"].n + arms["control"].n == 40


@pytest.mark.parametrize("said", [False, True])
def test_frame_of_outcomes_has_the_same_dtypes_when_empty(ledger: Ledger, said: bool) -> None:  # noqa: FBT001
    if said:
        ledger.keep_outcome("01A", {"success": 1.0})
    frame = ledger.outcomes_frame()
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == {
        "request_id": "string",
        "outcome": "string",
        "recorded_at": "datetime64[us, UTC]",
        "success": "float64",
        "score": "float64",
    }
    assert len(frame) == said


def test_frame_of_outcomes_has_ones_own_measures_by_name(ledger: Ledger) -> None:
    ledger.keep_outcome("01A", {"success": 1.0, "words": 3.0, "cost_usd": 0.1, "outcome": 7.0})
    ledger.keep_outcome("01B", {"grounded": 0.5, "words": 5.0})
    frame = ledger.outcomes_frame()
    # Not `cost_usd`: the requests' own column is called that, and a merge would rename both.
    assert [*frame.columns] == [*OutcomeRow._fields, "success", "score", "grounded", "words"]
    assert frame["words"].tolist() == [3.0, 5.0]
    assert frame["grounded"].isna().tolist() == [True, False]
    assert json.loads(frame["outcome"][0])["cost_usd"] == 0.1


def test_frame_of_outcomes_joins_with_the_requests(ledger: Ledger) -> None:
    response = dealt()
    ledger.record(response)
    ledger.keep_outcome(response.request_id, {"success": 0.0, "words": 3.0})
    (row,) = ledger.requests_frame().merge(ledger.outcomes_frame(), on="request_id").itertuples()
    assert (row.unit, row.success, row.outcome) == ("ann", 0.0, '{"success": 0.0, "words": 3.0}')
    assert row.score != row.score  # NaN: unknown


def test_judged_requests_are_read_without_all_the_others(ledger: Ledger) -> None:
    first, second = dealt("ann"), dealt("bob", minutes=1)
    for one in (first, second):
        ledger.record(one)
    assert judged(ledger) is None
    ledger.keep_outcome(second.request_id, {"score": 0.5})
    found = judged(ledger)
    assert found is not None
    requests, outcomes = found
    assert list(requests["request_id"]) == list(outcomes["request_id"]) == [second.request_id]


def test_outcomes_that_cannot_be_written_are_kept_and_shown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no folder")
    ledger = Ledger(tmp_path / "file" / "ledger.db")
    response = dealt()
    with caplog.at_level(logging.WARNING):
        ledger.record(response)
        assert record_outcome(LedgerStore(ledger), response.request_id, 0.5)
        assert [outcome for _, outcome in ledger.dealt("trial")] == [{"score": 0.5}]
        assert ledger.dealt_request(response.request_id)[1] == {"score": 0.5}
        assert len(ledger.outcomes_frame()) == len(judged(ledger)[0]) == 1
    assert len(caplog.records) == 1
    (tmp_path / "file").unlink()
    ledger.close()
    later = Ledger(ledger._address)
    assert later.dealt_request(response.request_id)[1] == {"score": 0.5}
    later.close()


def test_file_of_version_1_is_upgraded_without_loss(old_file: Path) -> None:
    ledger = Ledger(old_file)
    new = dealt()
    ledger.record(new)
    for request_id in ("01OLD", new.request_id):
        assert record_outcome(LedgerStore(ledger), request_id, True)
    old = ledger.request("01OLD")
    assert (old.request.unit, old.request.latency_s, len(old.attempts)) == ("ann", 1.5, 1)
    assert [outcome for _, outcome in ledger.dealt("trial")] == [{"success": 1.0}] * 2
    assert len(ledger.attempts_frame()) == 2
    ledger.close()


@pytest.mark.slow
def test_processes_that_meet_a_file_of_version_1_upgrade_it_once(old_file: Path) -> None:
    code = """
import sys
from multimodel_magic.ledger import Ledger
from multimodel_magic.types import Attempt, Request, Response
ledger = Ledger(sys.argv[1])
sys.stdin.readline()
for n in range(20):
    ledger.record(Response(Request("Hi", request_id=f"{sys.argv[2]}-{n}"), "So."))
    ledger.keep_outcome("01OLD", {f"by-{sys.argv[2]}": n})
ledger.flush()
assert ledger.trouble is None, ledger.trouble
"""
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(old_file), str(n)], stdin=subprocess.PIPE)
        for n in range(4)
    ]
    for process in started:
        process.stdin.write(b"go\n")
        process.stdin.flush()
    assert [process.wait(60) for process in started] == [0] * 4
    for process in started:
        process.stdin.close()
    ledger = Ledger(old_file)
    assert len(ledger.requests_frame()) == 1 + 4 * 20
    (outcome,) = ledger.outcomes_frame()["outcome"]
    assert json.loads(outcome) == {f"by-{n}": 19.0 for n in range(4)}  # none undid another's
    ledger.close()


def schema(file: Path) -> set[tuple[str, str]]:
    connection = sqlite3.connect(file)
    found = connection.execute("SELECT type, name FROM sqlite_master").fetchall()
    columns = [connection.execute(f"PRAGMA table_info({n})").fetchall() for t, n in found]
    version = connection.execute("SELECT value FROM meta").fetchall()
    connection.close()
    assert version == [(str(VERSION),)]
    return {(f"{kind} {name}", str(c)) for (kind, name), c in zip(found, columns, strict=True)}


def test_upgraded_and_new_files_have_the_same_tables_and_indexes(
    ledger: Ledger, old_file: Path
) -> None:
    upgraded = Ledger(old_file)
    for one in (ledger, upgraded):
        one.record(dealt())
        one.close()
    assert schema(old_file) == schema(Path(ledger._address))


def test_file_of_version_1_that_may_only_be_read_has_no_outcomes_yet(old_file: Path) -> None:
    ledger = Ledger(old_file, read_only=True)
    ((row, outcome),) = ledger.dealt("trial")
    assert (row.request_id, outcome) == ("01OLD", {})
    assert ledger.outcomes_frame().empty
    assert record_outcome(LedgerStore(ledger), "01OLD", 0.5)
    assert ledger.dealt_request("01OLD")[1] == {"score": 0.5}
    assert ledger.trouble is None
    ledger.close()
    assert b"outcome" not in old_file.read_bytes()


def test_upgrade_that_breaks_off_leaves_version_1(old_file: Path) -> None:
    import sqlalchemy as sa

    engine = sa.create_engine(f"sqlite:///{old_file}", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        with pytest.raises(sa.exc.OperationalError):
            upgrade(connection, {1: ("CREATE TABLE outcome (x TEXT)", "NO SQL AT ALL")})
        connection.rollback()
        assert connection.scalar(sa.select(tables().meta.c.value)) == "1"
    engine.dispose()
    assert len(Ledger(old_file).dealt("trial")) == 1


def test_experiments_ask_the_index_and_not_the_whole_table(ledger: Ledger) -> None:
    ledger.record(dealt())
    ledger.close()
    connection = sqlite3.connect(ledger._address)
    plan = connection.execute("EXPLAIN QUERY PLAN SELECT * FROM request WHERE arm IN ('trial:a')")
    assert "request_arm" in str(plan.fetchall())
    connection.close()


def test_row_of_the_request_is_whole(ledger: Ledger) -> None:
    response = dealt()
    ledger.record(response)
    ledger.keep_outcome(response.request_id, {"score": 1.0})
    ((row, _),) = ledger.dealt("trial")
    assert isinstance(row, RequestRow)
    assert row == ledger.request(response.request_id).request
