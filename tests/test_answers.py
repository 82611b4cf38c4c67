"""The file of kept answers: bound in bytes, shared by kernels, and never the end of a call."""

import logging
import os
import sqlite3
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multimodel_magic import metrics
from multimodel_magic.client.cache import Kept
from multimodel_magic.experiments.compare import arm_result
from multimodel_magic.experiments.store import assigned_from, assigned_in
from multimodel_magic.ledger.answers import ROW_BYTES, AnswerFile, place_beside
from multimodel_magic.ledger.frames import frame
from multimodel_magic.ledger.recording import recorded
from multimodel_magic.ledger.rows import AttemptRow, RequestRow
from multimodel_magic.types import Attempt, Request, Response, Route, Usage


def _kept(text="hello", cost="0.01"):
    usage = Usage(10, 5)
    return Kept(text, usage, "stop", "m-1", "id", None if cost is None else Decimal(cost))


@pytest.fixture
def file(tmp_path):
    made = AnswerFile(tmp_path / "answers.db")
    yield made
    made.close()


@settings(max_examples=30, deadline=None)
@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=50),
    st.builds(Usage, *[st.none() | st.integers(0, 10**9)] * 5, estimated=st.booleans()),
    st.none() | st.decimals(0, 100, places=12),
)
def test_what_was_kept_is_found_as_it_was(text, usage, cost):
    answers = AnswerFile(":memory:")
    kept = Kept(text, usage, "end_turn", None, "id", cost)
    answers.keep("k", "a:m", kept)
    assert answers.find("k") == kept  # from memory
    answers.flush()
    assert answers.find("k") == kept  # from the table
    assert answers.find("other") is None


def test_another_kernel_finds_what_one_has_kept(file):
    file.keep("k", "a:m", _kept())
    file.flush()
    assert AnswerFile(file.path).find("k") == _kept()


def test_what_an_answer_saved_adds_up_exactly_and_the_unknown_is_counted(file):
    file.keep("a", "a:m", _kept(cost="0.000001234567"))
    file.keep("b", "a:m", _kept(cost=None))
    for key in ("a", "a", "b", "a", "none"):
        file.find(key)
    stock = file.stock()
    assert (stock.entries, stock.hits, stock.unknown) == (2, 4, 1)
    assert stock.saved_usd == 3 * Decimal("0.000001234567")
    assert stock.bytes == 2 * (5 + ROW_BYTES)


def test_what_was_used_longest_ago_makes_room(tmp_path):
    size = 1000 + ROW_BYTES
    file = AnswerFile(tmp_path / "answers.db", most_bytes=4 * size)
    for key in "abcd":
        file.keep(key, "a:m", _kept("x" * 1000))
        file.flush()
    file.find("a")
    file.flush()
    file.keep("e", "a:m", _kept("x" * 1000))
    stock = file.stock()
    assert (stock.entries, stock.bytes) == (4, 4 * size)
    assert [key for key in "abcde" if file.holds(key)] == ["a", "c", "d", "e"]


def test_an_answer_larger_than_the_bound_is_not_kept(tmp_path):
    file = AnswerFile(tmp_path / "answers.db", most_bytes=1000)
    file.keep("k", "a:m", _kept("x" * 1000))
    assert file.find("k") is None


def test_cleared_nothing_is_left_of_answers_or_of_what_they_saved(file):
    file.keep("k", "a:m", _kept("a text of mine"))
    file.find("k")
    file.clear()
    stock = file.stock()
    assert (stock.entries, stock.hits, stock.saved_usd) == (0, 0, 0)
    file.close()
    assert b"a text of mine" not in Path(file.path).read_bytes()


def test_a_corrupt_file_is_a_miss_and_one_notice(tmp_path, caplog):
    path = tmp_path / "answers.db"
    path.write_bytes(b"no database at all " * 300)
    file = AnswerFile(path)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert file.find("k") is None
            file.keep("k", "a:m", _kept())
            file.flush()
    assert len(caplog.records) == 1
    assert "not a database" in caplog.text
    assert file.stock().entries == 0
    assert "not a database" in file.trouble


def test_clearing_replaces_a_corrupt_file(tmp_path):
    path = tmp_path / "answers.db"
    path.write_bytes(b"no database at all " * 300)
    file = AnswerFile(path)
    assert file.find("k") is None
    file.clear()
    file.keep("k", "a:m", _kept())
    file.flush()
    assert file.trouble is None
    assert AnswerFile(path).find("k") == _kept()


def test_a_folder_that_cannot_be_made_is_a_miss(tmp_path, caplog):
    (tmp_path / "taken").write_text("a file")
    file = AnswerFile(tmp_path / "taken" / "answers.db")
    file.keep("k", "a:m", _kept())
    file.flush()
    assert file.find("k") is None
    assert len(caplog.records) == 1


def test_a_file_of_another_version_is_begun_anew(tmp_path):
    path = tmp_path / "answers.db"
    made = sqlite3.connect(path)
    made.execute("CREATE TABLE answer (odd TEXT)")
    made.execute("PRAGMA user_version = 99")
    made.commit()
    made.close()
    file = AnswerFile(path)
    file.keep("k", "a:m", _kept())
    file.flush()
    assert AnswerFile(path).find("k") == _kept()


def test_read_only_answers_are_given_and_none_is_kept(file):
    file.keep("k", "a:m", _kept())
    file.close()
    reader = AnswerFile(file.path, read_only=True)
    assert reader.find("k") == _kept()
    reader.keep("new", "a:m", _kept())
    assert reader.find("new") is None
    reader.close()


WRITER = """
import sys
from decimal import Decimal
from multimodel_magic.client.cache import Kept
from multimodel_magic.ledger.answers import AnswerFile
from multimodel_magic.types import Usage

file = AnswerFile(sys.argv[1])
for n in range(100):
    file.keep(f"{sys.argv[2]}-{n}", "a:m", Kept("x", Usage(1, 1), "stop", None, None, Decimal(1)))
    file.find(f"{sys.argv[2]}-{n}")
file.close()
"""


def test_kernels_that_write_at_once_lose_no_answer(tmp_path):
    path = str(tmp_path / "answers.db")
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, path, str(n)], stderr=subprocess.PIPE)
        for n in range(3)
    ]
    said = [writer.communicate(timeout=120)[1] for writer in writers]
    assert said == [b""] * 3
    stock = AnswerFile(path).stock()
    assert (stock.entries, stock.hits, stock.saved_usd) == (300, 300, 300)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_opens_the_file_anew(file):
    file.keep("k", "a:m", _kept())
    file.flush()
    child = os.fork()
    if child == 0:
        file.keep("of the child", "a:m", _kept())
        file.flush()
        os._exit(0 if file.find("k") == _kept() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert file.find("of the child") == _kept()


@pytest.mark.parametrize(
    ("ledger", "place"),
    [
        ("/data/ledger.db", "/data/ledger.answers.db"),
        ("sqlite:////data/team.db?timeout=5", "/data/team.answers.db"),
        ("sqlite:///ledger.db", "ledger.answers.db"),
        (":memory:", ":memory:"),
        ("sqlite://", ":memory:"),
    ],
)
def test_answers_lie_beside_the_ledger(ledger, place):
    assert place_beside(ledger) == place


def test_answers_of_a_team_ledger_lie_in_the_users_own_folder():
    place = place_beside("postgresql://ada:secret@host/db")
    assert place.endswith("ledger.answers.db")
    assert "secret" not in place


# --- what cached answers are to metrics and experiments


def _response(*attempts, cached=False, arm=None):
    route = Route(("p:m",), "ab", arm=arm, arm_probability=0.5)
    seconds = sum(a.latency_s for a in attempts)
    return Response(Request("x"), "", attempts, route, latency_s=seconds, cached=cached)


def _attempt(latency_s, cost, source="override", tokens=(100, 50)):
    cost = None if cost is None else Decimal(cost)
    return Attempt("p", "m", 1, 0, latency_s=latency_s, ttft_s=latency_s / 2,
                   usage=Usage(*tokens), cost_usd=cost, price_source=source)  # fmt: skip


ASKED = [_response(_attempt(2.0 + n / 10, f"0.0{n + 1}")) for n in range(8)]
SPARED = [_response(_attempt(0.001, "0", "cache"), cached=True) for _ in range(40)]
UNKNOWN = [_response(_attempt(3.0, None))]


def _frames(responses):
    rows = [recorded(r) for r in responses]
    return (
        frame(RequestRow, [row.request for row in rows]),
        frame(AttemptRow, [a for row in rows for a in row.attempts]),
    )


def test_cached_answers_change_no_latency_no_cost_per_request_and_no_model():
    with_them, without = _frames(ASKED + UNKNOWN + SPARED), _frames(ASKED + UNKNOWN)
    one, other = metrics.overall(*with_them), metrics.overall(*without)
    oracle = pd.Series([2.0 + n / 10 for n in range(8)] + [3.0])
    assert one.latency_p50_s == pytest.approx(oracle.quantile(0.5))
    assert one.latency_p95_s == pytest.approx(oracle.quantile(0.95))
    assert one.cost_per_request_usd == pytest.approx(0.36 / 8)
    assert one.cost_per_answer_usd == pytest.approx(0.36 / 8)
    for name in ("latency_n", "ttft_p50_s", "tokens_per_s", "input_tokens", "output_tokens",
                 "cost_usd", "unknown_cost", "cost_per_request_usd"):  # fmt: skip
        assert getattr(one, name) == getattr(other, name)
    assert (one.requests, one.answered, one.cached) == (49, 49, 40)
    mine, theirs = metrics.per_model(with_them[1]).iloc[0], metrics.per_model(without[1]).iloc[0]
    assert mine["cached"] == 40
    assert mine.drop("cached").equals(theirs.drop("cached"))


def test_cached_answers_count_in_success_and_in_the_total_cost():
    summary = metrics.overall(*_frames(ASKED + SPARED))
    assert summary.success_rate == 1
    assert summary.cost_usd == Decimal("0.36")


def test_an_arms_cached_answers_are_counted_and_in_no_mean():
    responses = [
        _response(_attempt(2.0, "0.04"), arm="t:one"),
        _response(_attempt(0.001, "0", "cache"), cached=True, arm="t:one"),
    ]
    rows = [assigned_from(r) for r in responses]
    assert rows == [assigned_in(recorded(r).request, {}) for r in responses]
    arm = arm_result("one", rows)
    assert (arm.n, arm.cached, arm.unknown_cost) == (2, 1, 0)
    assert (arm.cost_usd, arm.latency_s, arm.success) == (0.04, 2.0, 1.0)
