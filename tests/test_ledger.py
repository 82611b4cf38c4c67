"""The ledger: what is recorded can be read, and nothing that a database does fails a call."""

from __future__ import annotations

import gc
import json
import logging
import pickle
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from time import sleep
from typing import get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multimodel_magic.errors import AllModelsFailed, Cancelled, Overloaded
from multimodel_magic.ledger import AttemptRow, Ledger, RequestRow
from multimodel_magic.ledger.book import MOST_KEPT
from multimodel_magic.ledger.database import VERSION, tables, upgrade
from multimodel_magic.ledger.frames import dtypes, frame
from multimodel_magic.ledger.recording import HIDDEN, recorded
from multimodel_magic.ledger.rows import kinds
from multimodel_magic.types import (
    Attempt,
    LeftOut,
    Message,
    Reason,
    Request,
    Response,
    Route,
    Usage,
)

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
FAILED = Attempt(
    "openai",
    "gpt-6.1-sol",
    1,
    started_at=NOON,
    latency_s=2.0,
    error_type="Overloaded",
    error="openai is overloaded",
    cost_usd=Decimal("0.0001"),
)
ANSWER = Attempt(
    "anthropic",
    "claude-haiku-5-5",
    2,
    rank=1,
    started_at=NOON + timedelta(seconds=2),
    latency_s=1.2,
    ttft_s=0.4,
    usage=Usage(312, 88, 12, 0, 5),
    cost_usd=Decimal("0.0002"),
    price_source="catalogue",
    stop_reason="end_turn",
    response_model="claude-haiku-5-5-20260901",
    response_id="msg_1",
)
ROUTE = Route(
    ("openai:gpt-6.1-sol", "anthropic:claude-haiku-5-5"),
    "complexity",
    (Reason("complexity", "complexity 0.25 < 0.30", 0.25),),
    arm="new_model:treatment",
    arm_probability=0.1,
    left_out=(LeftOut("ollama:x", "no vision"),),
)


def answered(prompt: str = "Why?", **labels: str) -> Response:
    request = Request(prompt, system="Be brief", labels=labels)
    return Response(request, "So.", (FAILED, ANSWER), ROUTE, latency_s=3.3, started_at=NOON)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(tmp_path / "folder" / "ledger.db")
    yield made
    made.close()


def test_a_response_is_read_back_as_it_was_recorded(ledger: Ledger) -> None:
    response = answered(session="s1", notebook="a.ipynb", cell="3", team="red")
    ledger.record(response)
    kept = ledger.request(response.request_id)
    assert kept == recorded(response)
    assert kept.request.cost == Decimal("0.0003")
    assert (kept.request.session, kept.request.notebook, kept.request.cell) == (
        "s1",
        "a.ipynb",
        "3",
    )
    assert json.loads(kept.request.labels or "") == {"team": "red"}
    assert [attempt.status for attempt in kept.attempts] == ["failed", "answered"]


def test_rows_that_say_unlike_things_are_written_together_and_read_back(ledger: Ledger) -> None:
    plain = Response(Request("x"), "y", (Attempt("local", "m", 1),), started_at=NOON)
    nobody = Response(Request("x"), "", error=AllModelsFailed(()), started_at=NOON)
    ledger.record(plain)
    ledger.record(nobody)
    ledger.record(answered())
    kept = {one.request.request_id: one for one in ledger.last(3)}
    assert kept[plain.request_id] == recorded(plain)
    assert kept[nobody.request_id] == recorded(nobody)
    assert len(kept) == 3


def test_the_request_row_says_who_answered_why_and_what_it_cost() -> None:
    row = recorded(answered()).request
    assert row.model == "claude-haiku-5-5"
    assert row.route == "openai:gpt-6.1-sol > anthropic:claude-haiku-5-5"
    assert (row.why, row.arm) == ("complexity 0.25 < 0.30", "new_model:treatment")
    assert (row.status, row.fallback_used, row.attempts) == ("answered", True, 2)
    assert (row.input_tokens, row.cache_read_tokens, row.reasoning_tokens) == (312, 12, 5)
    assert json.loads(row.left_out or "") == [{"model": "ollama:x", "why": "no vision"}]
    assert row.started_at == "2026-11-22T12:00:00.000000+00:00"


@pytest.mark.parametrize(
    ("error", "status"),
    [(AllModelsFailed((FAILED,)), "failed"), (Cancelled("stopped"), "interrupted")],
)
def test_failures_and_interrupts_are_rows_too(
    ledger: Ledger, error: Exception, status: str
) -> None:
    attempt = replace(FAILED, error_type=type(error).__name__)
    ledger.record(replace(answered(), attempts=(attempt,), error=error, text="So f"))
    request, attempts = ledger.last()[0]
    assert (request.status, request.error_type, request.answer) == (
        status,
        type(error).__name__,
        "So f",
    )
    assert attempts[0].status == status


def test_a_request_whose_routing_failed_has_a_row_without_attempts(ledger: Ledger) -> None:
    request = Request("x", strategy="cost", models=("fast", "strong"))
    ledger.record(Response(request, "", error=Overloaded("x")))
    row, attempts = ledger.last()[0]
    assert (row.strategy, row.asked, row.route, row.model, attempts) == (
        "cost",
        "fast > strong",
        None,
        None,
        (),
    )


@pytest.mark.parametrize("store_text", [True, False])
@pytest.mark.parametrize(
    "response",
    [
        answered(session="s1", notebook="a.ipynb", cell="3", config="c0ffee", team="red"),
        replace(answered(), attempts=(FAILED,), error=AllModelsFailed((FAILED,)), text="So f"),
        Response(Request("x", needs=frozenset({"json"})), "", error=Overloaded("x")),
    ],
    ids=["answered", "failed", "without a route"],
)
def test_every_column_of_a_row_holds_its_own_kind_or_nothing(
    response: Response, *, store_text: bool
) -> None:
    request, attempts = recorded(response, store_text=store_text)
    for row in (request, *attempts):
        for (name, kind), value in zip(kinds(type(row)).items(), row, strict=True):
            assert value is None or type(value) is kind, name


def test_an_unknown_cost_stays_unknown_and_zero_stays_zero(ledger: Ledger) -> None:
    for cost in (None, Decimal(0)):
        ledger.record(replace(answered(), attempts=(replace(ANSWER, cost_usd=cost), FAILED)))
    costs = ledger.attempts_frame()["cost_usd"]
    assert sorted(costs.fillna(-1)) == [-1, 0, 0.0001, 0.0001]
    assert ledger.requests_frame()["cost_usd"].isna().sum() == 1


def test_text_is_kept_only_where_wanted_and_the_hash_always(ledger: Ledger) -> None:
    ledger.store_text = False
    request = Request("private", history=(Message("user", "private too"),), system="private")
    ledger.record(replace(answered(), request=request, text="private answer"))
    row = ledger.last()[0].request
    assert not [value for value in row if "private" in str(value)]
    assert row.prompt_sha256.startswith(
        "715dc8493c36579a5b116995100f635e3572fdf8703e708ef1a08d943b36774e"
    )


@pytest.mark.parametrize(
    "value", ["sk-proj-0a1b2c3d4e5f6g", "Bearer 0a1b2c3d4e5f", "gsk_0a1b2c3d4e5f"]
)
def test_an_option_whose_value_looks_like_a_key_is_hidden(ledger: Ledger, value: str) -> None:
    request = Request("x", options={"user": value, "stop": ["key-points", value], "seed": 7})
    ledger.record(replace(answered(), request=request))
    kept = json.loads(ledger.last()[0].request.options or "")
    assert kept == {"user": HIDDEN, "stop": ["key-points", HIDDEN], "seed": 7}


def test_options_whose_names_look_like_secrets_are_hidden(ledger: Ledger) -> None:
    canary = "sk-canary"
    options = {
        "temperature": 0.5,
        "max_completion_tokens": 9,
        "api_key": canary,
        "extra_headers": {"Authorization": canary, "x": [{"auth_token": canary}]},
    }
    ledger.record(replace(answered(), request=Request("x", options=options)))
    kept = json.loads(ledger.last()[0].request.options or "")
    assert kept["temperature"] == 0.5
    assert kept["max_completion_tokens"] == 9
    assert kept["api_key"] == kept["extra_headers"]["Authorization"] == HIDDEN
    assert canary not in json.dumps(kept)


def test_empty_frames_have_every_column_and_the_dtypes_of_full_ones(ledger: Ledger) -> None:
    empty = (ledger.requests_frame(), ledger.attempts_frame())
    ledger.record(answered(session="s"))
    full = (ledger.requests_frame(), ledger.attempts_frame())
    for before, after, row in zip(empty, full, (RequestRow, AttemptRow), strict=True):
        assert len(before) == 0 < len(after)
        assert list(before.columns) == list(row._fields)
        assert before.dtypes.astype(str).to_dict() == dtypes(row)
        assert (before.dtypes == after.dtypes).all()
    assert dtypes(RequestRow)["started_at"] == "datetime64[us, UTC]"


def test_frames_join_on_the_request_id(ledger: Ledger) -> None:
    for _ in range(3):
        ledger.record(answered())
    joined = ledger.attempts_frame().merge(
        ledger.requests_frame(), on="request_id", validate="many_to_one"
    )
    assert len(joined) == 6


def test_frames_can_be_of_one_session_and_since_a_moment(ledger: Ledger) -> None:
    now = datetime.now(UTC)
    for session, age in (("a", 0), ("a", 10), ("b", 0)):
        response = answered(session=session)
        ledger.record(replace(response, started_at=now - timedelta(days=age)))
    assert len(ledger.requests_frame(session="a")) == 2
    assert len(ledger.attempts_frame(session="a")) == 4
    assert len(ledger.requests_frame(since=timedelta(days=7))) == 2
    elsewhere = (now - timedelta(days=7)).astimezone(timezone(timedelta(hours=5)))
    assert len(ledger.attempts_frame(session="a", since=elsewhere)) == 2
    assert {row.request.session for row in ledger.last(2)} == {"a", "b"}
    assert len(ledger.last(9, session="a")) == 2
    assert ledger.last(0) == ()
    assert ledger.request("nobody") is None


def test_a_ledger_in_memory_serves_all_threads(ledger: Ledger) -> None:
    from concurrent.futures import ThreadPoolExecutor

    in_memory = Ledger(":memory:")
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: in_memory.record(answered()), range(200)))
        counts = list(threads.map(lambda _: len(in_memory.attempts_frame()), range(8)))
    assert counts == [400] * 8
    assert len(in_memory.requests_frame()) == 200


def test_the_same_request_sent_again_is_another_row(ledger: Ledger) -> None:
    first = answered()
    again = replace(first, started_at=NOON + timedelta(minutes=1))
    ledger.record(first)
    ledger.flush()
    ledger.record(again)
    ledger.record(first)  # a batch that is tried again although it had been written
    ids = list(ledger.requests_frame()["request_id"])
    assert ids == [first.request_id, f"{first.request_id}#2"]
    assert len(ledger.attempts_frame()) == 4


def test_a_burst_larger_than_what_memory_keeps_is_written_whole(ledger: Ledger) -> None:
    response = answered()
    for number in range(MOST_KEPT + 1000):
        request = replace(response.request, request_id=str(number))
        ledger.record(replace(response, request=request, attempts=()))
    assert len(ledger.requests_frame()["request_id"].unique()) == MOST_KEPT + 1000


def test_while_nothing_can_be_written_memory_stays_bounded(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ledger = Ledger("/dev/null/ledger.db")
    response = replace(answered(), attempts=())
    for _ in range(MOST_KEPT + 10):
        ledger.record(response)
    assert len(ledger.requests_frame()) == MOST_KEPT


def test_an_unfinished_row_is_replaced_by_how_it_ended(ledger: Ledger) -> None:
    response = answered()
    ledger.record(response)
    ledger.close()
    with sqlite3.connect(str(_file(ledger))) as connection:
        connection.execute("UPDATE request SET status = 'unfinished'")
        connection.execute("UPDATE attempt SET status = 'unfinished'")
    connection.close()
    ledger.record(response)
    assert ledger.request(response.request_id) == recorded(response)
    assert len(ledger.attempts_frame()) == 2


def test_text_that_is_no_unicode_is_kept_with_replacement(ledger: Ledger) -> None:
    ledger.record(answered("half \ud83d an emoji"))
    ledger.record(answered("fine"))
    prompts = [row.request.prompt for row in ledger.last(2)]
    assert sorted(map(str, prompts)) == ["fine", "half ? an emoji"]
    assert ledger.trouble is None


def test_a_number_too_large_for_the_database_is_unknown(ledger: Ledger) -> None:
    ledger.record(replace(answered(), attempts=(replace(ANSWER, usage=Usage(1 << 70)),)))
    assert ledger.last()[0].request.input_tokens is None


def test_the_default_is_the_users_data_folder_or_the_environments_choice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MULTIMODEL_LEDGER", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert str(tmp_path / "multimodel_magic" / "ledger.db") in repr(Ledger())
    monkeypatch.setenv("MULTIMODEL_LEDGER", ":memory:")
    assert repr(Ledger()) == "Ledger(':memory:')"


def test_a_password_in_the_url_is_not_shown() -> None:
    assert "canary" not in repr(Ledger("postgresql+psycopg://me:canary@host/db"))


# --- trouble


def _troubled(address: object) -> Ledger:
    ledger = Ledger(str(address))
    ledger.record(answered(session="s"))
    ledger.record(answered(session="t"))
    return ledger


def test_a_corrupt_file_fails_no_call_and_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "ledger.db"
    file.write_bytes(b"no database " * 1000)
    ledger = _troubled(file)
    assert len(ledger.requests_frame()) == 2
    assert len(ledger.attempts_frame(session="s")) == 2
    assert len(ledger.last(5)) == 2
    assert [r.levelno for r in caplog.records] == [logging.WARNING]
    assert "file is not a database; calls go on" in caplog.text
    assert "\n" not in caplog.records[0].getMessage()
    assert file.read_bytes().startswith(b"no database")


@pytest.mark.parametrize(
    "address", ["/dev/null/ledger.db", "nosuchdialect://x/y", "postgresql+asyncpg9://x/y", "::/://"]
)
def test_a_database_that_cannot_be_opened_fails_no_call(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = _troubled(address)
    assert len(ledger.requests_frame()) == 2
    assert ledger.request("nobody") is None
    assert len(caplog.records) == 1
    assert ledger.trouble is not None
    ledger.close()


def test_what_could_not_be_written_is_written_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "folder"
    folder.write_text("in the way")
    ledger = _troubled(folder / "ledger.db")
    ledger.flush()
    folder.unlink()
    ledger.flush()
    assert ledger.trouble is None
    assert len(Ledger(folder / "ledger.db").requests_frame()) == 2
    assert len(ledger.requests_frame()) == 2
    assert len(caplog.records) == 1
    ledger.close()


def test_a_lock_that_stays_fails_no_call_and_the_rows_follow(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db?timeout=0.05")
    ledger.record(answered())
    ledger.flush()
    blocker = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    ledger.record(answered())
    assert len(ledger.requests_frame()) == 2
    assert "database is locked" in caplog.text
    blocker.execute("ROLLBACK")
    blocker.close()
    ledger.record(answered())
    assert len(ledger.requests_frame()) == 3
    assert ledger.trouble is None
    ledger.close()


def test_a_file_deleted_under_way_is_made_anew(ledger: Ledger) -> None:
    ledger.record(answered())
    ledger.flush()
    for file in _file(ledger).parent.iterdir():
        file.unlink()
    ledger.record(answered())
    assert len(ledger.requests_frame()) == 1
    assert _file(ledger).exists()


def test_read_only_reads_what_is_there_and_writes_nothing(ledger: Ledger) -> None:
    ledger.record(answered())
    ledger.flush()
    reader = Ledger(_file(ledger), read_only=True)
    reader.record(answered())
    assert len(reader.requests_frame()) == 2
    assert len(ledger.requests_frame()) == 1
    assert reader.trouble is None


def test_read_only_makes_no_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    reader = Ledger(tmp_path / "none" / "ledger.db", read_only=True)
    assert len(reader.requests_frame()) == 0
    assert "unable to open" in caplog.text
    assert not list(tmp_path.iterdir())


def test_a_ledger_of_a_newer_schema_is_left_alone(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    ledger.record(answered())
    ledger.close()
    with sqlite3.connect(_file(ledger)) as connection:
        connection.execute("UPDATE meta SET value = '99'")
    connection.close()
    ledger.record(answered())
    ledger.flush()
    assert "newer multimodel_magic (schema 99" in caplog.text


def test_an_older_schema_is_upgraded_statement_by_statement(ledger: Ledger) -> None:
    import sqlalchemy as sa

    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    with engine.begin() as connection:
        upgrade(connection)
        connection.execute(tables().meta.update().values(value="0"))
        first = ("ALTER TABLE request ADD COLUMN extra TEXT",)
        upgrade(connection, {0: first, **dict.fromkeys(range(1, VERSION), ())})
        columns = {column["name"] for column in sa.inspect(connection).get_columns("request")}
        version = connection.scalar(sa.select(tables().meta.c.value))
    engine.dispose()
    assert columns == {*RequestRow._fields, "extra"}
    assert version == str(VERSION)


def test_a_pickled_ledger_opens_its_own_connection(ledger: Ledger) -> None:
    ledger.record(answered())
    ledger.flush()
    copy = pickle.loads(pickle.dumps(ledger))  # noqa: S301 - our own
    copy.record(answered())
    copy.close()
    assert len(ledger.requests_frame()) == 2


# --- threads


def _threads_of_ledgers() -> set[threading.Thread]:
    return {one for one in threading.enumerate() if one.name.startswith("multimodel-magic-ledger")}


def test_a_closed_ledger_has_no_thread_and_opens_again(tmp_path: Path) -> None:
    before = _threads_of_ledgers()
    ledger = Ledger(tmp_path / "ledger.db")
    response = answered()
    ledger.begin(response.request_id, lambda: response)
    ledger.record(response)
    ledger.totals()
    assert len(_threads_of_ledgers() - before) == 3  # it writes, watches, and keeps the mirror
    ledger.close()
    ledger.close()
    assert _threads_of_ledgers() <= before
    ledger.record(answered())
    ledger.close()
    assert _threads_of_ledgers() <= before
    assert len(ledger.requests_frame()) == 2


def test_a_ledger_that_nobody_holds_writes_what_it_has_and_goes_with_its_threads(
    tmp_path: Path,
) -> None:
    before = _threads_of_ledgers()
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.record(answered())
    known = weakref.ref(ledger)
    del ledger
    for _ in range(100):
        if known() is None and _threads_of_ledgers() <= before:
            break
        sleep(0.1)
        gc.collect()
    assert known() is None
    assert _threads_of_ledgers() <= before
    assert len(Ledger(tmp_path / "ledger.db").requests_frame()) == 1


# --- laws

MONEY = st.decimals(min_value=0, max_value=999, places=12)


@given(MONEY)
def test_a_cost_comes_back_to_the_twelfth_place(cost: Decimal) -> None:
    rows = recorded(replace(answered(), attempts=(replace(ANSWER, cost_usd=cost),)))
    assert rows.attempts[0].cost == rows.request.cost == cost


@settings(max_examples=20, deadline=None)
@given(st.lists(st.text(), min_size=1, max_size=5))
def test_any_text_comes_back_as_it_was(prompts: list[str]) -> None:
    ledger = _shared_in_memory()
    responses = [answered(prompt) for prompt in prompts]
    for response in responses:
        ledger.record(response)
    kept = [ledger.request(response.request_id) for response in responses]
    assert [row.request.prompt for row in kept if row is not None] == prompts


def test_every_field_has_a_kind_that_frames_and_tables_know() -> None:
    for row in (RequestRow, AttemptRow):
        assert set(get_type_hints(row)) == set(row._fields) == set(dtypes(row))
        assert [column.name for column in tables().of(row).columns] == list(row._fields)
        assert list(frame(row, []).columns) == list(row._fields)


_in_memory: list[Ledger] = []


def _shared_in_memory() -> Ledger:
    if not _in_memory:
        _in_memory.append(Ledger(":memory:"))
    return _in_memory[0]


def _file(ledger: Ledger) -> Path:
    return Path(ledger._address)


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://u:CANARY@db/x",
        "postgresql://u:CAN/ARY@db/x",
        "postgresql://u:CA@NARY@db/x",
        "postgresql://db/x?user=u&password=CANARY",
    ],
)
def test_a_password_in_the_address_is_never_shown(address):
    shown = repr(Ledger(address))
    assert not any(part in shown for part in ("CANARY", "CAN/", "NARY"))
    assert "db/x" in shown


def test_without_a_home_the_ledger_is_kept_in_memory(monkeypatch, caplog):
    import platformdirs

    def homeless(*_, **__):
        raise RuntimeError("could not determine the home directory")

    monkeypatch.delenv("MULTIMODEL_LEDGER", raising=False)
    monkeypatch.setattr(platformdirs, "user_data_path", homeless)
    assert "memory" in repr(Ledger())
    assert "kept in memory" in caplog.text
