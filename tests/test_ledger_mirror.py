"""The copy in columns: it says what the database says, whatever was written, changed or broken."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from multimodel_magic import metrics
from multimodel_magic.ledger import Ledger, columns
from multimodel_magic.ledger.begun import Begun
from multimodel_magic.ledger.mirror import Mirror
from multimodel_magic.types import UNFINISHED, Attempt, Request, Response, Usage

pytestmark = pytest.mark.slow  # files of a size that is worth a mirror

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
NEVER = 10**9


def opened(file: Path, *, many: int = 3, behind: int = 1, read_only: bool = False) -> Ledger:
    ledger = Ledger(file, read_only=read_only)
    ledger.last(1)
    mirror = Mirror(file, many=many, behind=behind, read_only=read_only)
    ledger._database.use_mirror(mirror)
    return ledger


def answer(number: int, *, second: int = 0, session: str = "a", failed: bool = False) -> Response:
    at = NOON + timedelta(seconds=second)
    cost = None if number % 5 == 0 else Decimal(number) / 1000
    attempts = (
        Attempt("p", "m", 1, 0, at, latency_s=0.5, error_type="Overloaded", cost_usd=Decimal(0)),
        Attempt(
            "p",
            f"m{number % 3}",
            2,
            0,
            at,
            latency_s=float(number),
            ttft_s=number / 2,
            usage=Usage(number, 2 * number),
            cost_usd=cost,
            error_type="Overloaded" if failed else None,
        ),
    )
    request = Request(f"prompt {number}", request_id=f"id{number:04d}", labels={"session": session})
    return Response(request, "So.", attempts, latency_s=number + 0.5, started_at=at)


def under_way(ledger: Ledger, response: Response) -> None:
    last = response.attempts[-1]
    so_far = Response(
        response.request,
        "",
        (*response.attempts[:-1], Attempt("p", last.model, 2, error_type=UNFINISHED)),
        started_at=response.started_at,
    )
    begun = Begun(response.request_id, lambda: so_far, store_text=True)
    ledger._do(lambda: ledger._write_begun([begun.recorded()]))


def check(file: Path, ledger: Ledger) -> None:
    """Compare every reading with that of the database alone."""
    plain = opened(file, many=NEVER)
    since = NOON + timedelta(seconds=2)
    for name in ("requests_frame", "attempts_frame"):
        for scope in ({}, {"session": "a", "since": since}):
            read = [getattr(one, name)(**scope) for one in (ledger, plain)]
            by = ["started_at", "request_id" if name == "requests_frame" else "number"]
            # Attempts of one moment and number have no order.
            made = [one.sort_values([*by, "request_id"], ignore_index=True) for one in read]
            assert_frame_equal(*made)
            assert read[0]["started_at"].is_monotonic_increasing
    requests, attempts = plain.requests_frame(), plain.attempts_frame()
    totals = ledger.totals()
    assert metrics.summed(totals) == metrics.overall(requests, attempts)
    assert metrics.of_models(totals.models).equals(metrics.per_model(attempts))
    plain.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def mirrored(file: Path) -> Iterator[Ledger]:
    ledger = opened(file)
    for number in range(1, 8):
        ledger.record(answer(number, second=number % 3, session="ab"[number % 2]))
    settle(ledger)
    assert segments(file)
    yield ledger
    ledger.close()


def settle(ledger: Ledger) -> None:
    """Have the copy extended now, which happens beside everything else."""
    ledger.requests_frame()
    ledger._database.keeper.settle()


def segments(file: Path) -> list[str]:
    said = json.loads(Path(f"{file}-mirror/segments.json").read_text())
    return [one["name"] for one in (*said["request"], *said["attempt"])]


STEP = st.one_of(
    st.tuples(st.just("record"), st.integers(0, 4), st.sampled_from("ab"), st.booleans()),
    st.tuples(st.just("begin"), st.integers(0, 4), st.sampled_from("ab"), st.booleans()),
    st.tuples(
        st.sampled_from(
            ["end", "read", "settle", "reopen", "vacuum", "change", "delete", "end by hand"]
        )
    ),
)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.lists(STEP, max_size=14))
def test_what_is_read_is_what_the_database_says(steps: list[tuple[object, ...]]) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "ledger.db"
        ledger = opened(file)
        waiting = []
        for number, (what, *rest) in enumerate([*steps, ("read",)], start=1):
            if what in ("record", "begin"):
                second, session, failed = rest
                made = answer(number, second=second, session=session, failed=failed)
                if what == "begin":
                    under_way(ledger, made)
                    waiting.append(made)
                else:
                    ledger.record(made)
            elif what == "end" and waiting:
                ledger.record(waiting.pop())
            elif what == "reopen":
                ledger.close()
                ledger = opened(file)
            elif what in BY_HAND:
                ledger.flush()
                by_hand(file, BY_HAND[what])
            elif what == "read":
                check(file, ledger)
            elif what == "settle":
                settle(ledger)
        ledger.close()


BY_HAND = {
    "end by hand": "UPDATE request SET status = 'failed' WHERE status = 'unfinished'",
    "vacuum": "VACUUM",
    "change": "UPDATE request SET prompt = NULL, session = 'b' WHERE request_id LIKE '%3'",
    "delete": "DELETE FROM request WHERE request_id IN (SELECT min(request_id) FROM request)",
}


def by_hand(file: Path, statement: str) -> None:
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute(statement)
    connection.close()


def test_what_is_under_way_is_shown_and_its_end_replaces_it(file: Path, mirrored: Ledger) -> None:
    under_way(mirrored, answer(20))
    assert "unfinished" in list(mirrored.requests_frame()["status"])
    mirrored.record(answer(21))
    check(file, mirrored)
    mirrored.record(answer(20))
    assert list(mirrored.requests_frame()["status"]) == ["answered"] * 9
    check(file, mirrored)


def test_a_row_that_takes_the_place_of_one_under_way_is_seen(file: Path, mirrored: Ledger) -> None:
    under_way(mirrored, answer(20))
    check(file, mirrored)
    mirrored.record(answer(20))  # SQLite gives it the rowid of the row that it replaces
    check(file, mirrored)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM request WHERE request_id = 'id0020'",
        "DELETE FROM attempt WHERE request_id = 'id0020' AND number = 2",
        "UPDATE request SET status = 'failed' WHERE request_id = 'id0020'",
    ],
)
def test_what_is_left_of_a_request_under_way_is_shown(
    file: Path, mirrored: Ledger, statement: str
) -> None:
    under_way(mirrored, answer(20))
    mirrored.record(answer(21))
    settle(mirrored)
    by_hand(file, statement)
    for number in (22, 23):
        mirrored.record(answer(number))
        check(file, mirrored)


def test_text_that_somebody_deletes_from_the_database_leaves_the_copy(
    file: Path, mirrored: Ledger
) -> None:
    before = segments(file)
    mirrored.flush()
    by_hand(file, "UPDATE request SET prompt = NULL")
    assert mirrored.requests_frame()["prompt"].isna().all()
    settle(mirrored)
    assert not set(before) & set(segments(file))
    mirrored.record(answer(30))
    mirrored.record(answer(31))
    settle(mirrored)
    names = {path.stem for path in Path(f"{file}-mirror").glob("*.arrow")}
    assert not names & set(before)


@pytest.mark.parametrize("pattern", ["*.json", "request-*.arrow", "attempt-*.arrow", "*.npy"])
@pytest.mark.parametrize("damage", ["cut", "gone", "noise"])
def test_a_damaged_copy_is_made_anew(
    file: Path, mirrored: Ledger, pattern: str, damage: str
) -> None:
    mirrored.close()
    for path in Path(f"{file}-mirror").glob(pattern):
        if damage == "gone":
            path.unlink()
        else:
            path.write_bytes(path.read_bytes()[:-9] if damage == "cut" else b"noise" * 9)
    again = opened(file)
    assert len(again.attempts_frame()) == 14
    check(file, again)
    assert again.trouble is None
    again.close()


def test_a_ledger_that_takes_the_place_of_another_is_not_taken_for_it(
    file: Path, mirrored: Ledger
) -> None:
    mirrored.close()
    file.unlink()
    other = opened(file)
    for number in range(1, 8):
        other.record(answer(number + 50))
    check(file, other)
    other.close()


def test_who_may_only_read_uses_the_copy_and_writes_none(file: Path, mirrored: Ledger) -> None:
    mirrored.close()
    before = segments(file)
    writer = opened(file, many=NEVER)
    for number in range(40, 45):
        writer.record(answer(number))
    writer.close()
    reader = opened(file, read_only=True)
    assert len(reader.requests_frame()) == 12
    settle(reader)
    assert segments(file) == before
    reader.close()


def test_another_kernel_extends_the_copy_meanwhile(file: Path, mirrored: Ledger) -> None:
    other = opened(file)
    for number in range(40, 60):
        (other if number % 2 else mirrored).record(answer(number, second=number % 7))
        other.flush()
        mirrored.flush()
        if number % 5 == 0:
            check(file, other if number % 2 else mirrored)
    other.close()


def test_a_copy_that_somebody_else_extends_at_the_moment_is_used_as_it_is(
    file: Path, mirrored: Ledger
) -> None:
    lock = Path(f"{file}-mirror/lock")
    lock.touch()
    before = segments(file)
    for number in range(40, 45):
        mirrored.record(answer(number))
    settle(mirrored)
    check(file, mirrored)
    assert segments(file) == before
    lock.unlink()
    settle(mirrored)
    check(file, mirrored)
    assert segments(file) != before


def test_small_ledgers_have_no_copy(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.record(answer(1))
    assert len(ledger.requests_frame()) == 1
    ledger.totals()
    ledger.close()
    assert [path.name for path in tmp_path.iterdir()] == ["ledger.db"]


def test_without_pyarrow_the_database_is_read(
    file: Path, mirrored: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columns, "find_spec", lambda name: None)
    check(file, mirrored)


def test_nobody_who_writes_or_reads_waits_for_the_copy(file: Path) -> None:
    ledger = opened(file)
    held, let_go = Event(), Event()

    def extend(wanted: object) -> None:
        held.set()
        let_go.wait(30)

    ledger._database.keeper._mirror = SimpleNamespace(keep_up=extend)
    for number in range(1, 9):
        ledger.record(answer(number))
    assert len(ledger.requests_frame()) == ledger.totals().requests.n == 8
    assert held.wait(30)
    ledger.record(answer(9))
    check(file, ledger)
    let_go.set()
    ledger.close()


def test_what_was_copied_when_it_was_broken_off_stays(file: Path) -> None:
    ledger = opened(file, many=NEVER)
    for number in range(1, 9):
        ledger.record(answer(number))
    ledger.close()
    asked = iter([True, False])
    Mirror(file, many=3, behind=1).keep_up(lambda: next(asked, False))
    assert [name.partition("-")[0] for name in segments(file)] == ["request"]
    again = opened(file)
    check(file, again)
    again.close()


def test_attempts_of_an_unknown_provider_are_copied_too(file: Path, mirrored: Ledger) -> None:
    by_hand(file, "UPDATE attempt SET provider = NULL WHERE request_id LIKE '%3'")  # an import
    settle(mirrored)
    check(file, mirrored)
    assert (None, "m0") in mirrored.totals().models
    assert segments(file)


def test_a_process_that_ends_meanwhile_leaves_the_copy_as_it_is(
    file: Path, mirrored: Ledger
) -> None:
    before = segments(file)
    mirrored.close()
    more = opened(file, many=NEVER)
    for number in range(40, 45):
        more.record(answer(number))
    more.close()
    # What extends a copy cannot be imported once the interpreter ends.
    script = """
        import atexit, sys
        from multimodel_magic.ledger.mirror import Mirror
        atexit.register(Mirror(sys.argv[1], many=3, behind=1).keep_up)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script), str(file)], check=True)
    assert set(before) <= set(segments(file))


def test_a_locked_database_leaves_its_copy_alone(file: Path, mirrored: Ledger) -> None:
    before = segments(file)
    mirrored.close()
    file.rename(file.with_suffix(".away"))
    assert Mirror(file).totals() is None
    assert segments(file) == before
    file.with_suffix(".away").rename(file)
