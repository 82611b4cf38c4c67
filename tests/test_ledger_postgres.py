"""The ledger of a team: the same rows and frames from a real PostgreSQL, two writers at once."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from tempfile import mkdtemp

import pytest
from pandas.testing import assert_frame_equal

from multimodel_magic import metrics
from multimodel_magic.errors import BreakerOpen, BudgetExceeded, Cancelled, UsageError
from multimodel_magic.experiments import LedgerStore
from multimodel_magic.ledger import Ledger, VoteRow, database
from multimodel_magic.ledger.database import VERSION
from multimodel_magic.ledger.judged import judged
from multimodel_magic.types import Attempt, Request, Response, Route, Usage

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="needs PostgreSQL")]

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def program(name: str) -> str | None:
    found = [str(path) for path in Path("/usr/lib/postgresql").glob(f"*/bin/{name}")]
    return shutil.which(name) or (max(found) if found else None)


@dataclass(frozen=True, slots=True)
class Server:
    """A PostgreSQL of our own, as a user who is not root: it refuses to run as one."""

    folder: Path
    port: int

    def run(self, *command: str) -> str:
        root = os.geteuid() == 0
        user = {"user": "postgres", "group": "postgres", "extra_groups": []} if root else {}
        done = subprocess.run(
            command, cwd="/", capture_output=True, text=True, timeout=120, check=False, **user
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self) -> None:
        data, log = str(self.folder / "data"), str(self.folder / "log")
        self.run(program("initdb"), "-D", data, "-A", "trust", "-U", "ledger", "--no-sync")
        said = f"-p {self.port} -h 127.0.0.1 -k {self.folder} -F"
        self.run(program("pg_ctl"), "-D", data, "-l", log, "-w", "-o", said, "start")

    def stop(self) -> None:
        self.run(program("pg_ctl"), "-D", str(self.folder / "data"), "-m", "immediate", "stop")

    def new(self) -> str:
        """Make a database and return its URL."""
        name = f"books_{time.monotonic_ns()}"
        import psycopg

        address = f"host=127.0.0.1 port={self.port} user=ledger dbname=postgres"
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql://ledger:canary@127.0.0.1:{self.port}/{name}"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    if program("initdb") is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    folder = Path(mkdtemp(prefix="mm-pg-", dir="/tmp"))
    if os.geteuid() == 0:
        postgres = pwd.getpwnam("postgres")
        os.chown(folder, postgres.pw_uid, postgres.pw_gid)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made = Server(folder, port)
    made.start()
    yield made
    made.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def url(server: Server) -> str:
    return server.new()


def answer(number: int, *, session: str = "a") -> Response:
    at = NOON + timedelta(seconds=number)
    cost = None if number % 3 == 0 else Decimal(number) / 1000
    attempts = (
        Attempt("p", "m", 1, 0, at, latency_s=0.5, error_type="Overloaded", cost_usd=Decimal(0)),
        Attempt("p", "n", 2, 1, at, latency_s=1.5, usage=Usage(number, 7), cost_usd=cost),
    )
    request = Request(f"prompt {number}", request_id=f"id{number}", labels={"session": session})
    route = Route(("p:m", "p:n"), "ab", arm=f"trial:{'control' if number % 2 else 'treatment'}")
    return Response(request, "So.", attempts, route, latency_s=2.5, started_at=at)


def test_frames_are_those_of_an_sqlite_ledger(url: str, tmp_path: Path) -> None:
    team, mine = Ledger(url), Ledger(tmp_path / "ledger.db")
    for ledger in (team, mine):
        for number in range(9):
            ledger.record(answer(number, session="ab"[number % 2]))
        for scope in ({}, {"session": "a"}, {"since": NOON + timedelta(seconds=4)}):
            assert len(ledger.requests_frame(**scope)) in (9, 5)
    assert team.trouble is None
    for name in ("requests_frame", "attempts_frame"):
        by = ["request_id"] if name == "requests_frame" else ["request_id", "number"]
        made = [getattr(one, name)().sort_values(by, ignore_index=True) for one in (team, mine)]
        assert_frame_equal(*made)
    assert metrics.summed(team.totals()) == metrics.summed(mine.totals())
    assert team.last(1)[0] == mine.last(1)[0]
    team.close()
    mine.close()


def odd(number: int, dice: Random) -> Response:
    """A request that failed, was stopped, asked nobody, was kept, or says little of itself."""
    at = NOON + timedelta(seconds=number)
    request = Request(f"prompt {number}", request_id=f"odd{number}")
    error = (None, UsageError("x"), BudgetExceeded("x"), BreakerOpen("x"), Cancelled("x"))[
        number % 5
    ]
    if error is not None and number % 2:
        return Response(request, "", error=error, latency_s=dice.random(), started_at=at)
    attempt = Attempt(
        "pq"[number % 2],
        f"m{number % 3}",
        1,
        started_at=at,
        latency_s=dice.random(),
        ttft_s=dice.choice([None, dice.random()]),
        usage=Usage(dice.choice([None, number]), dice.choice([None, number])),
        cost_usd=dice.choice([None, Decimal(repr(round(dice.random(), 12)))]),
        price_source=dice.choice(["catalogue", "cache"]),
        error_type=None if error is None else type(error).__name__,
    )
    spared = error is None and attempt.cached
    return Response(
        request, "So.", (attempt,), None, error, dice.random(), started_at=at, cached=spared
    )


def test_what_the_server_counts_is_what_the_frames_hold_to_the_last_bit(url: str) -> None:
    dice, team = Random(7), Ledger(url)  # noqa: S311 - rows, not secrets
    nothing = metrics.overall(team.requests_frame(), team.attempts_frame())
    assert repr(metrics.summed(team.totals())) == repr(nothing)
    for number in range(200):
        team.record(odd(number, dice))
    team.flush()
    totals, attempts = team.totals(), team.attempts_frame()
    whole = metrics.overall(team.requests_frame(), attempts)
    assert (whole.asked_nobody, whole.cached > 5, whole.unknown_output_tokens > 5) == (
        40,
        True,
        True,
    )
    assert repr(metrics.summed(totals)) == repr(whole)
    assert_frame_equal(metrics.of_models(totals.models), metrics.per_model(attempts))
    team.close()


def test_two_processes_write_one_ledger_and_no_row_is_lost(url: str) -> None:
    script = """
        import sys
        from multimodel_magic.ledger import Ledger
        from multimodel_magic.types import Attempt, Request, Response
        ledger = Ledger(sys.argv[1])
        for number in range(300):
            ledger.record(Response(Request("Why?"), "So.", (Attempt("p", "m", 1),)))
            if number % 7 == 0:
                ledger.flush()
        ledger.flush()
        print(ledger.trouble)
    """
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(script), url]
    pipe = subprocess.PIPE
    writers = [subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) for _ in range(2)]
    ends = [(*writer.communicate(timeout=120), writer.returncode) for writer in writers]
    assert ends == [("None\n", "", 0)] * 2
    ledger = Ledger(url)
    assert len(ledger.requests_frame()) == len(ledger.attempts_frame()) == 600
    ledger.close()


def test_outcomes_votes_and_experiments_are_kept(url: str) -> None:
    ledger = Ledger(url)
    for number in range(6):
        ledger.record(answer(number))
        ledger.keep_outcome(f"id{number}", {"success": 1.0})
        ledger.keep_outcome(f"id{number}", {"score": number / 10})
    vote = VoteRow(
        *("v1", "c1", "a", None, '["id1", "id2"]', '["m", "n"]', "prefer", 1, True, None, None),
        "2026-11-22T12:00:00.000000+00:00",
    )
    ledger.keep_vote(vote)
    ledger.close()
    again = Ledger(url)
    outcomes = again.outcomes_frame()
    assert sorted(outcomes["score"]) == [number / 10 for number in range(6)]
    assert (outcomes["success"] == 1.0).all()
    assert len(judged(again)[0]) == 6
    assert again.votes() == (vote,)
    assert len(LedgerStore(again).assigned("trial")) == 6
    assert again.trouble is None
    again.close()


def test_a_request_under_way_is_replaced_by_its_end(url: str) -> None:
    ledger = Ledger(url)
    made = answer(1)
    ledger.begin(made.request_id, lambda: made)
    ledger.record(answer(2))
    for _ in range(200):
        if len(ledger.requests_frame()) == 2:
            break
        time.sleep(0.05)
    assert sorted(ledger.requests_frame()["status"]) == ["answered", "unfinished"]
    ledger.record(made)
    assert list(ledger.requests_frame()["status"]) == ["answered"] * 2
    assert len(ledger.attempts_frame()) == 4
    ledger.close()


def test_values_that_postgresql_refuses_cost_no_row(url: str) -> None:
    ledger = Ledger(url)
    odd = answer(1)
    request = Request("a\x00b \ud83d", request_id="odd")
    ledger.record(Response(request, "So\x00", odd.attempts, latency_s=1.0, started_at=NOON))
    ledger.record(answer(2))
    assert sorted(ledger.requests_frame()["request_id"]) == ["id2", "odd"]
    assert ledger.trouble is None
    ledger.close()


def test_a_ledger_of_the_first_version_is_upgraded_without_loss(url: str) -> None:
    import psycopg

    ledger = Ledger(url)
    ledger.record(answer(1))
    ledger.close()
    with psycopg.connect(url) as connection:
        connection.execute("DROP TABLE vote")
        connection.execute("DROP TABLE outcome")
        connection.execute("ALTER TABLE request DROP COLUMN config")
        connection.execute('UPDATE request SET labels = \'{"config":"abc"}\'')
        connection.execute("UPDATE meta SET value = '1' WHERE name = 'schema_version'")
    again = Ledger(url)
    frame = again.requests_frame()
    assert list(frame["request_id"]) == ["id1"]
    assert list(frame["config"]) == ["abc"]
    again.keep_outcome("id1", {"score": 1.0})
    assert len(again.outcomes_frame()) == 1
    again.close()
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT value FROM meta WHERE name = 'schema_version'")
        assert found.fetchone() == (str(VERSION),)


def test_no_password_is_shown_and_a_server_that_is_gone_fails_no_call(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ledger = Ledger("postgresql://ledger:canary@127.0.0.1:9/books")
    ledger.record(answer(1))
    assert len(ledger.requests_frame()) == 1
    assert "canary" not in f"{ledger!r} {ledger.trouble} {caplog.text}"
    ledger.close()


def test_without_psycopg_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "find_spec", lambda name: None)
    ledger = Ledger("postgresql://127.0.0.1:9/books")
    ledger.record(answer(1))
    ledger.flush()
    assert ledger.trouble.endswith("psycopg: pip install 'multimodel_magic[postgres]'")
    ledger.close()
