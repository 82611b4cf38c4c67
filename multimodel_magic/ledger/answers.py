"""Where answers are kept to be given again: an SQLite file of their own, beside the ledger's.

A row is found by the digest of what was asked (`client.cache.key_of`); neither the prompt nor an
option is in it, the answer's text is. Several kernels may use the file at once. It is bound in
bytes: what was used longest ago makes room. Nothing that the file does can fail a call: what
cannot be read was never kept, and the fault is said once.
"""

from __future__ import annotations

import json
import logging
import os
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, TypeAlias

from multimodel_magic.bridge import Worker
from multimodel_magic.client.cache import Kept
from multimodel_magic.ledger.faults import in_one_line
from multimodel_magic.ledger.keeper import IDLE_S
from multimodel_magic.types import Usage

if TYPE_CHECKING:
    import sqlite3

    from multimodel_magic.ledger.book import Ledger

__all__ = ["MOST_BYTES", "AnswerFile", "LedgerAnswers", "Stock", "place_beside"]

_log = logging.getLogger("multimodel_magic.ledger")

MOST_BYTES = 256 * 1024 * 1024
"""How much is kept at most, unless said otherwise."""

VERSION = 1
"""Of the table. A file of another one is begun anew: it holds nothing that cannot be asked again.
"""

BUSY_S = 2.0
"""How long a writer waits for another process; then an answer is not kept."""

ROW_BYTES = 400
"""What a row takes besides its text, about."""

_STEP = Decimal("1e-12")
"""Savings are summed up as whole numbers of this many US dollars, so that they add up."""

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS answer (
        key TEXT NOT NULL PRIMARY KEY, model TEXT NOT NULL, text TEXT NOT NULL,
        usage TEXT NOT NULL, stop_reason TEXT, response_model TEXT, response_id TEXT,
        cost_usd TEXT, bytes INTEGER NOT NULL, kept_at REAL NOT NULL, used_at REAL NOT NULL
    )""",
    "CREATE INDEX IF NOT EXISTS answer_used_at ON answer (used_at, bytes)",
    """CREATE TABLE IF NOT EXISTS given (
        id INTEGER PRIMARY KEY CHECK (id = 1), hits INTEGER NOT NULL,
        saved INTEGER NOT NULL, unknown INTEGER NOT NULL
    )""",
    "INSERT OR IGNORE INTO given VALUES (1, 0, 0, 0)",
    f"PRAGMA user_version = {VERSION}",
)

_FIND = """SELECT text, usage, stop_reason, response_model, response_id, cost_usd
           FROM answer WHERE key = ?"""

_KEEP = """INSERT INTO answer VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
           ON CONFLICT (key) DO UPDATE SET
               model = excluded.model, text = excluded.text, usage = excluded.usage,
               stop_reason = excluded.stop_reason, response_model = excluded.response_model,
               response_id = excluded.response_id, cost_usd = excluded.cost_usd,
               bytes = excluded.bytes, kept_at = excluded.kept_at, used_at = excluded.used_at"""

_EVICT = """DELETE FROM answer WHERE key IN (
                SELECT key FROM (
                    SELECT key, sum(bytes) OVER (ORDER BY used_at DESC, key) AS held FROM answer
                ) WHERE held > ?)"""


@dataclass(frozen=True, slots=True)
class Stock:
    """What is kept, and what it was good for since it was last cleared."""

    entries: int
    bytes: int
    """Of texts and what goes with them, about."""
    hits: int
    """How often an answer was given again."""
    saved_usd: Decimal
    """US dollars, what those answers cost when they were asked; exact to 1e-12."""
    unknown: int
    """Of `hits`, how many had an unknown cost: they are not in `saved_usd`."""


_Change: TypeAlias = "tuple[str, str, Kept] | tuple[str, Decimal | None]"
"""An answer to keep (key, model, answer), or one that was given (key, what it saved)."""


class AnswerFile:
    """Answers in an SQLite file, or with `:memory:` in this process alone.

    Parameters
    ----------
    path
        The file; made on first use, with its folder.
    most_bytes
        How much is kept at most; may be changed at any time.
    read_only
        Give what is there, keep nothing.
    """

    def __init__(
        self, path: str | Path, *, most_bytes: int = MOST_BYTES, read_only: bool = False
    ) -> None:
        self.path = str(path)
        self.most_bytes = most_bytes
        self._read_only = read_only
        self._trouble: str | None = None
        self._start()

    def __repr__(self) -> str:
        return f"AnswerFile({self.path!r})"

    def _start(self) -> None:
        self._pid = os.getpid()
        self._connection: sqlite3.Connection | None = None
        self._close: weakref.finalize[[sqlite3.Connection, int], AnswerFile] | None = None
        self._coming: dict[str, Kept] = {}
        self._unweighed = self.most_bytes
        self._worker: Worker[_Change] = Worker(
            self._write, name="multimodel-magic-answers", idle_s=IDLE_S
        )

    @property
    def trouble(self) -> str | None:
        """What keeps answers from being kept or found at present, in one line."""
        return self._trouble

    # --- asking

    def find(self, key: str) -> Kept | None:
        """Return the answer under a key, and count that it was given."""
        kept = self._look(key)
        if kept is not None and not self._read_only:
            self._worker.put((key, kept.cost_usd))
        return kept

    def holds(self, key: str) -> bool:
        """Whether there is an answer under a key."""
        return self._look(key) is not None

    def keep(self, key: str, model: str, answer: Kept) -> None:
        """Keep an answer, in place of an earlier one; returns at once and never fails."""
        if self._read_only or not 0 < _size(answer) <= self.most_bytes:
            return
        with self._surviving("open"):
            self._opened()  # Here: the thread would make a second one of a file in memory.
        self._coming[key] = answer
        self._worker.put((key, model, answer))

    def flush(self) -> None:
        """Wait until everything that was kept so far is written, or has been tried to."""
        self._worker.flush()

    def stock(self) -> Stock:
        """Count what is kept; nothing where the file cannot be read."""
        self.flush()
        with self._surviving("read"):
            run = self._opened().execute
            entries, held = run("SELECT count(*), coalesce(sum(bytes), 0) FROM answer").fetchone()
            hits, saved, unknown = run("SELECT hits, saved, unknown FROM given").fetchone()
            return Stock(entries, held, hits, saved * _STEP, unknown)
        return Stock(0, 0, 0, Decimal(0), 0)

    def clear(self) -> None:
        """Forget every answer, and what they were good for; a file that is no such file too."""
        self.flush()
        with self._surviving("clear"):
            if self._trouble is not None and self.path != ":memory:":
                self.close()
                for ending in ("", "-wal", "-shm"):
                    Path(self.path + ending).unlink(missing_ok=True)
            run = self._opened().execute
            run("DELETE FROM answer")
            run("UPDATE given SET hits = 0, saved = 0, unknown = 0")
            run("VACUUM")

    def close(self) -> None:
        """Write what is left and close the file; a later use opens it again."""
        self._worker.stop()
        self._drop()

    def _look(self, key: str) -> Kept | None:
        self._mine()
        if (coming := self._coming.get(key)) is not None:
            return coming
        with self._surviving("read"):
            found = self._opened().execute(_FIND, (key,)).fetchone()
            return None if found is None else _kept(found)
        return None

    # --- the file

    def _mine(self) -> None:
        if self._pid != os.getpid():  # A forked child: the parent's connection is not ours.
            self._start()

    def _opened(self) -> sqlite3.Connection:
        self._mine()
        if self._connection is None:
            self._connection = _connection(self.path, read_only=self._read_only)
            self._close = weakref.finalize(self, _close, self._connection, os.getpid())
        return self._connection

    def _drop(self) -> None:
        if self._close is not None and self.path != ":memory:":
            self._close()
            self._connection = self._close = None

    @contextmanager
    def _surviving(self, what: str) -> Iterator[None]:
        import sqlite3

        try:
            yield
        except (sqlite3.Error, OSError, ValueError, TypeError, KeyError) as error:
            known, self._trouble = self._trouble, f"cannot {what} {self!r}: {in_one_line(error)}"
            if known is None:
                _log.warning("%s; calls go on, and their answers are not kept", self._trouble)
            with suppress(sqlite3.Error):
                self._drop()
        else:
            self._trouble = None

    # --- in the thread

    def _write(self, changes: list[_Change]) -> None:
        with self._surviving("write"):
            connection = self._opened()
            connection.execute("BEGIN IMMEDIATE")
            try:
                for change in changes:
                    self._apply(connection, change)
                if self._unweighed >= self.most_bytes // 100:
                    connection.execute(_EVICT, (self.most_bytes,))
                    self._unweighed = 0
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
        for change in changes:
            if len(change) == 3 and self._coming.get(change[0]) is change[2]:  # noqa: PLR2004
                del self._coming[change[0]]

    def _apply(self, connection: sqlite3.Connection, change: _Change) -> None:
        now = time()
        if len(change) == 3:  # noqa: PLR2004 - an answer; what was given are two values
            key, model, answer = change
            size = _size(answer)
            connection.execute(_KEEP, (key, model, *_row(answer), size, now, now))
            self._unweighed += size
            return
        key, saved_usd = change
        connection.execute("UPDATE answer SET used_at = ? WHERE key = ?", (now, key))
        saved = 0 if saved_usd is None else int(saved_usd / _STEP)
        connection.execute(
            "UPDATE given SET hits = hits + 1, saved = saved + ?, unknown = unknown + ?",
            (saved, saved_usd is None),
        )


class LedgerAnswers:
    """The answers kept beside whatever ledger is in use: none while that keeps no texts.

    Parameters
    ----------
    ledger
        Returns the ledger; asked anew each time.
    """

    def __init__(self, ledger: Callable[[], Ledger]) -> None:
        self._ledger = ledger
        self._of: Ledger | None = None
        self._file: AnswerFile | None = None
        self.most_bytes = MOST_BYTES

    @property
    def file(self) -> AnswerFile:
        """The file beside the ledger in use."""
        ledger = self._ledger()
        if self._file is None or self._of is not ledger:
            place = place_beside(ledger._address)  # noqa: SLF001 - our own class
            read_only = ledger._read_only  # noqa: SLF001
            self._of, self._file = ledger, AnswerFile(place, read_only=read_only)
        self._file.most_bytes = self.most_bytes
        return self._file

    def objection(self) -> str | None:
        """Say why nothing is kept here, or None."""
        if self._ledger().store_text:
            return None
        return "no answer is kept or given again: texts are not stored (store_text is off)"

    def find(self, key: str) -> Kept | None:
        """Return the answer under a key, and count that it was given."""
        return self.file.find(key)

    def holds(self, key: str) -> bool:
        """Whether there is an answer under a key."""
        return self.file.holds(key)

    def keep(self, key: str, model: str, answer: Kept) -> None:
        """Keep an answer, in place of an earlier one; returns at once and never fails."""
        self.file.keep(key, model, answer)


def place_beside(ledger: str) -> str:
    """Return where the answers of a ledger's calls are kept.

    Parameters
    ----------
    ledger
        The ledger's address: a path, a database URL or `:memory:`.

    Returns
    -------
    str
        A path beside an SQLite ledger's file; for a database elsewhere, one in the user's data
        folder; `:memory:` for a ledger in memory, and where there is no such folder.

    Examples
    --------
    >>> place_beside("/data/ledger.db"), place_beside(":memory:"), place_beside("sqlite://")
    ('/data/ledger.answers.db', ':memory:', ':memory:')
    """
    scheme, is_url, rest = ledger.partition("://")
    if is_url and not scheme.startswith("sqlite"):
        from platformdirs import user_data_path

        with suppress(RuntimeError, OSError, KeyError):  # a user without a home directory
            folder = user_data_path("multimodel_magic", appauthor=False)
            return str(folder / "ledger.answers.db")
        return ":memory:"
    file = rest.removeprefix("/").partition("?")[0] if is_url else ledger
    if file in ("", ":memory:"):
        return ":memory:"
    path = Path(file).expanduser()
    return str(path.with_name(f"{path.stem}.answers.db"))


def _connection(path: str, *, read_only: bool) -> sqlite3.Connection:
    import sqlite3

    if path != ":memory:" and not read_only:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    # One connection for two threads: SQLite itself takes them in turn ("serialized").
    if read_only and path != ":memory:":
        uri = f"{Path(path).absolute().as_uri()}?mode=ro"
        return sqlite3.connect(uri, uri=True, check_same_thread=False, isolation_level=None)
    made = sqlite3.connect(path, timeout=BUSY_S, check_same_thread=False, isolation_level=None)
    try:
        with suppress(sqlite3.OperationalError):  # Another kernel is at it: it does not wait.
            made.execute("PRAGMA journal_mode=WAL")
        made.execute("PRAGMA synchronous=NORMAL")
        if made.execute("PRAGMA user_version").fetchone()[0] != VERSION:
            _make_tables(made)
    except BaseException:
        made.close()
        raise
    return made


def _make_tables(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Again: another kernel may have been quicker.
        if (found := connection.execute("PRAGMA user_version").fetchone()[0]) != VERSION:
            if found:
                connection.execute("DROP TABLE IF EXISTS answer")
                connection.execute("DROP TABLE IF EXISTS given")
            for statement in _SCHEMA:
                connection.execute(statement)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _close(connection: sqlite3.Connection, pid: int) -> None:
    if pid == os.getpid():
        connection.close()


def _size(answer: Kept) -> int:
    """Return about how many bytes a row takes; 0 for a text that is no UTF-8 and cannot be kept."""
    try:
        return len(answer.text.encode()) + ROW_BYTES
    except UnicodeEncodeError:
        return 0


def _row(answer: Kept) -> tuple[object, ...]:
    return (
        answer.text,
        json.dumps(asdict(answer.usage)),
        answer.stop_reason,
        answer.response_model,
        answer.response_id,
        None if answer.cost_usd is None else str(answer.cost_usd),
    )


def _kept(row: tuple[str, str, str | None, str | None, str | None, str | None]) -> Kept:
    text, usage, stop_reason, response_model, response_id, cost_usd = row
    cost = None if cost_usd is None else Decimal(cost_usd)
    return Kept(text, Usage(**json.loads(usage)), stop_reason, response_model, response_id, cost)
