"""The ledger in other processes: started, forked, many at once, and on a full disk."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from multimodel_magic.ledger import Ledger
from multimodel_magic.ledger.address import file_of
from multimodel_magic.types import Attempt, Request, Response

WRITER = """
import sys
from multimodel_magic.ledger import Ledger
from multimodel_magic.types import Attempt, Request, Response

def answered(prompt="Why?"):
    return Response(Request(prompt), "So.", (Attempt("p", "m", 1), Attempt("p", "n", 2)))
"""


@pytest.mark.parametrize(
    ("address", "file"),
    [
        ("a/ledger.db", "a/ledger.db"),
        ("sqlite:///a/ledger.db?timeout=5", "a/ledger.db"),
        ("sqlite+pysqlite:////a/ledger.db", "/a/ledger.db"),
        (":memory:", None),
        ("sqlite://", None),
        ("sqlite:///file:ledger.db?mode=ro&uri=true", None),
        ("postgresql://me@host/books", None),
    ],
)
def test_an_address_names_a_file_or_none(address: str, file: str | None) -> None:
    assert file_of(address) == file


@pytest.mark.parametrize("address", ["ledger.db", "sqlite:///ledger.db?timeout=5"])
def test_a_ledger_stays_where_it_is_when_the_process_goes_elsewhere(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    ledger = Ledger(address)
    ledger.record(Response(Request("Why?"), "So.", (Attempt("p", "m", 1),)))
    ledger.flush()
    monkeypatch.chdir("elsewhere")
    ledger.record(Response(Request("Why?"), "So.", (Attempt("p", "m", 1),)))
    assert len(ledger.last(9)) == 2
    ledger.close()
    assert not list((tmp_path / "elsewhere").iterdir())


def test_constructing_and_recording_import_neither_sqlalchemy_nor_pandas() -> None:
    _python("""
        Ledger()
        assert not {"sqlalchemy", "pandas", "sqlite3"} & set(sys.modules)
    """)


@pytest.mark.slow
def test_the_first_summary_of_a_kernel_imports_neither_sqlalchemy_nor_pandas(
    tmp_path: Path,
) -> None:
    file = str(tmp_path / "ledger.db")
    _python("ledger = Ledger(sys.argv[1]); ledger.record(answered()); ledger.flush()", file)
    printed = _python(
        """
        from multimodel_magic.metrics import summed
        print(summed(Ledger(sys.argv[1]).totals()).attempts)
        assert not {"sqlalchemy", "pandas", "numpy", "pyarrow"} & set(sys.modules)
        """,
        file,
    )
    assert printed == "2"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file size")
def test_a_full_disk_fails_no_call(tmp_path: Path) -> None:
    printed = _python(
        """
        import resource, signal
        ledger = Ledger(sys.argv[1])
        ledger.record(answered())
        ledger.flush()
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        for _ in range(20):
            ledger.record(answered("x" * 50_000))
            ledger.flush()
        print(len(ledger.last(99)), ledger.trouble)
        """,
        str(tmp_path / "ledger.db"),
    )
    assert printed.startswith("21 cannot write Ledger(")


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_records_into_the_same_file_and_ends_at_once(tmp_path: Path) -> None:
    started = time.monotonic()
    printed = _python(
        """
        import os
        ledger = Ledger(sys.argv[1])
        ledger.record(answered())
        ledger.flush()
        child = os.fork()
        ledger.record(answered())
        if child:
            os.waitpid(child, 0)
            print(len(ledger.last(9)))
        """,
        str(tmp_path / "ledger.db"),
    )
    assert printed == "3"
    assert time.monotonic() - started < 20
    assert [file.name for file in tmp_path.iterdir()] == ["ledger.db"]


def test_a_process_that_ends_and_has_no_more_threads_keeps_its_last_answers(
    tmp_path: Path,
) -> None:
    # So it is since Python 3.12; the ledger's own have nothing to do and have ended.
    printed = _python(
        """
        import atexit, threading, time
        ledger = Ledger(sys.argv[1])
        ledger.record(answered())
        ledger.flush()

        def refuse(self):
            raise RuntimeError("can't create new thread at interpreter shutdown")

        def last():
            threading.Thread.start = refuse
            ledger.record(answered())

        atexit.register(last)
        while any(one.name.startswith("multimodel-magic-ledger") for one in threading.enumerate()):
            time.sleep(0.05)
        print("idle")
        """,
        str(tmp_path / "ledger.db"),
    )
    assert printed == "idle"
    assert [file.name for file in tmp_path.iterdir()] == ["ledger.db"], "nothing is left open"
    assert len(Ledger(tmp_path / "ledger.db").last(9)) == 2


@pytest.mark.slow
def test_the_end_of_a_process_waits_for_the_copy_a_moment_only(tmp_path: Path) -> None:
    # The end of an endless job, or of this script, is what `_python` waits a minute for.
    printed = _python(
        """
        import threading
        ledger = Ledger(sys.argv[1])
        ledger.last(1)
        begun = threading.Event()

        class Endless:
            def keep_up(self, wanted):
                begun.set()
                while wanted():
                    threading.Event().wait(0.1)

        keeper = ledger._database.keeper
        keeper._mirror = Endless()
        keeper.look()
        print(begun.wait(30))
        """,
        str(tmp_path / "ledger.db"),
    )
    assert printed == "True"


@pytest.mark.slow
def test_four_processes_write_one_file_and_no_row_is_lost(tmp_path: Path) -> None:
    script = """
        ledger = Ledger(sys.argv[1])
        for i in range(1000):
            ledger.record(answered())
            if i % 7 == 0:
                ledger.flush()
        assert len(ledger.last(9)) == 9
        print(ledger.trouble)
    """
    file = str(tmp_path / "ledger.db")
    writers = [_start(script, file) for _ in range(4)]
    ends = [(*writer.communicate(timeout=100), writer.returncode) for writer in writers]
    assert ends == [("None\n", "", 0)] * 4
    ledger = Ledger(file)
    assert len(ledger.requests_frame()) == 4000
    assert len(ledger.attempts_frame()) == 8000
    ledger.close()


def _start(script: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", WRITER + textwrap.dedent(script), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _python(script: str, *arguments: str) -> str:
    process = _start(script, *arguments)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out.strip()
