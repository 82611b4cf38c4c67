"""A copy of an SQLite ledger in columns, beside its file: what a million rows are read from.

The database remains the truth; the folder `NAME-mirror` may be deleted at any time. It holds the
requests that have ended, and their attempts, in immutable segments (see `segments`) and a list of
them (see `manifest`). What was written since, and what is under way, is read from the database
and put beside it.

A row that was mirrored does not change: requests are only appended, and those written as
`unfinished`, which are replaced later, are left out. Should somebody change or delete rows all
the same, triggers count it, and the copy is made anew. So it is after VACUUM (which may number
the rows anew), for another version's copy, and for a damaged one.

Nobody who reads waits for the copy: a `Keeper` extends it in a thread of its own.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from secrets import randbits
from typing import TYPE_CHECKING, Any, TypeVar

from multimodel_magic.ledger import columns
from multimodel_magic.ledger.address import read_only_uri
from multimodel_magic.ledger.faults import file_faults, in_one_line
from multimodel_magic.ledger.manifest import (
    Listing,
    Manifest,
    epoch,
    is_current,
    kind,
    marks,
    named,
    parts,
    rest,
    snapshot,
)
from multimodel_magic.ledger.rows import AttemptRow, RequestRow, Row
from multimodel_magic.ledger.segments import (
    COUNTED,
    LARGEST_BYTES,
    LARGEST_ROWS,
    TABLES,
    Segment,
    Segments,
    sum_of,
)

if TYPE_CHECKING:
    from sqlite3 import Connection

    import pyarrow as pa

    from multimodel_magic.metrics.tally import Totals

__all__ = ["BEHIND", "BUSY_S", "MANY", "Mirror"]

_log = logging.getLogger("multimodel_magic.ledger")

T = TypeVar("T")

BUSY_S = 30.0
"""How long a writer waits for another process's transaction, in seconds.

An SQLite URL may say otherwise: `sqlite:///ledger.db?timeout=5`."""

MANY = 20_000
"""From so many rows on, a frame is read from the mirror; fewer are read from the database."""

BEHIND = 1_000
"""So many requests beside the mirror are read from the database; then it is extended.

To count them takes a fifth of the time that the first summary may take."""

FAR_BEHIND = 50_000
"""With so many requests beside the mirror, a session's are read from the database instead."""

_TRIES = 3

_AT_ONCE = 5_000
"""Rows that are read and sorted at a time."""

_ABANDONED_S = 120.0
"""So long after its last sign of life a lock belongs to a process that died."""

_TRIGGERS = tuple(
    f"CREATE TRIGGER IF NOT EXISTS {table}_{what.lower()}d AFTER {what} ON {table} "  # noqa: S608
    f"WHEN {ended} "
    "BEGIN UPDATE meta SET value = CAST(value AS INTEGER) + 1 WHERE name = 'rewritten'; END"
    for table, ended in {
        "request": "OLD.status IS NOT 'unfinished'",
        "attempt": "NOT EXISTS (SELECT 1 FROM request WHERE request_id = OLD.request_id "
        "AND status = 'unfinished')",
    }.items()
    for what in ("UPDATE", "DELETE")
)


class Mirror:
    """The copy of one ledger file; for the use of one thread.

    Parameters
    ----------
    file
        The database.
    read_only
        Use what there is, and write nothing.
    many
        Fewer rows than this are not mirrored.
    behind
        How many requests may be read from the database beside the mirror before it is extended.
    """

    def __init__(
        self,
        file: str | Path,
        *,
        read_only: bool = False,
        many: int = MANY,
        behind: int = BEHIND,
    ) -> None:
        self.many, self.behind = many, behind
        self.folder = Path(f"{file}-mirror")
        self._file = str(file)
        self._listing = Listing(self.folder)
        self._segments = Segments(self.folder)
        self._read_only = read_only

    def of_another_thread(self) -> Mirror:
        """Return one of the same file, for another thread."""
        return Mirror(self._file, read_only=self._read_only, many=self.many, behind=self.behind)

    # --- reading

    def table(self, row: type[Row], *, session: str | None, start: str | None) -> pa.Table | None:
        """Return what `queries.rows` would, as a table; None where that is not the quicker way."""
        whole = session is None and start is None

        def read(raw: Connection, manifest: Manifest) -> pa.Table | None:
            asked = None
            if not whole and _beside(raw, manifest) > FAR_BEHIND:
                return None
            if row is AttemptRow and not whole:
                asked = self._whole(raw, manifest, RequestRow)
                asked = columns.within(asked, session=session, start=start)
            found = self._whole(raw, manifest, row)
            return columns.within(found, session=session, start=start, requests=asked)

        return self._reading(read) if columns.available() else None

    def totals(self) -> Totals | None:
        """Return the totals of all rows; None where there is no reading them.

        Imports nothing for it where there are few rows beside the mirror.
        """

        def read(raw: Connection, manifest: Manifest) -> Totals:
            from multimodel_magic.ledger.reading import counted

            beside = counted(*(rest(raw, manifest, row, COUNTED[row]) for row in TABLES))
            mirrored = (*manifest.request, *manifest.attempt)
            return sum_of([*map(self._segments.totals, mirrored), beside])

        return self._reading(read)

    def has_outcomes(self) -> bool | None:
        """Whether any request was judged; None where there is no telling."""
        asked = "SELECT EXISTS (SELECT 1 FROM outcome)"
        return self._reading(lambda raw, _: bool(raw.execute(asked).fetchone()[0]))

    def _reading(self, read: Callable[[Connection, Manifest], T]) -> T | None:
        try:
            with closing(_opened(read_only_uri(self._file))) as raw:
                for _ in range(_TRIES):
                    with suppress(FileNotFoundError):
                        return self._read(raw, read)
                    self._listing.forget()  # somebody has merged segments meanwhile
                raise FileNotFoundError(f"{self.folder} lacks a segment")
        except file_faults() as error:
            self._discard(error)
        return None

    def _read(self, raw: Connection, read: Callable[[Connection, Manifest], T]) -> T | None:
        with snapshot(raw):
            return read(raw, self._there(raw)) if is_current(raw) else None

    def _there(self, raw: Connection) -> Manifest:
        """Return what is mirrored; nothing, where the mirror is not this database's."""
        manifest = self._listing.valid(raw) or Manifest(0, "")
        self._segments.forget(manifest.names)
        return manifest

    def _whole(self, raw: Connection, manifest: Manifest, row: type[Row]) -> pa.Table:
        mirrored = [self._segments.table(segment) for segment in manifest.of(row)]
        beside = columns.table(row, rest(raw, manifest, row, row._fields))
        return columns.in_order(row, [*mirrored, beside])

    def _discard(self, error: Exception) -> None:
        from sqlite3 import Error

        _log.debug("the mirror %s is left: %s", self.folder, in_one_line(error))
        # A database that is locked, gone or damaged says nothing of its copy, and nor does an
        # import that fails: nothing can be imported any more while the process ends.
        elsewhere = (Error, ImportError, RuntimeError, MemoryError)
        if not self._read_only and not isinstance(error, elsewhere):
            self._listing.discard()

    # --- keeping up

    def keep_up(self, wanted: Callable[[], bool] = lambda: True) -> None:
        """Take in what was written since, where it is much, as long as it is wanted.

        Never fails.
        """
        if self._read_only or not columns.available() or not Path(self._file).exists():
            return
        try:
            with closing(_opened(self._file)) as raw:
                if self._is_behind(raw):
                    with self._locked() as ours:
                        if ours:
                            self._extend(raw, wanted)
        except file_faults() as error:
            self._discard(error)

    def _is_behind(self, raw: Connection) -> bool:
        with snapshot(raw):
            if not is_current(raw):
                return False
            many = _beside(raw, Manifest(0, "")) >= self.many
            return many and _beside(raw, self._there(raw)) > self.behind

    def is_far_behind(self) -> bool:
        """Whether so much is not mirrored that to read it takes as long as to mirror it."""
        said = self._reading(lambda raw, there: _beside(raw, there) > FAR_BEHIND)
        return bool(said) and not self._read_only

    def _extend(self, raw: Connection, wanted: Callable[[], bool]) -> None:
        now = _begin_counting(raw)
        with snapshot(raw):
            before = after = self._listing.valid(raw) or Manifest(now, kind())
            under_way = _under_way(raw, before)
            after = replace(before, unfinished=tuple(sorted(under_way)))
            for row in TABLES:
                for part, last, anchor in _new(raw, row, before.last(row), under_way, wanted):
                    added = self._added(after.of(row), row, part, last, anchor)
                    after = after.having(row, added)
                    self._listing.publish(after)
        # Who has just read the list before this one still finds its files.
        self._segments.sweep(before.names | after.names)

    def _added(
        self,
        segments: tuple[Segment, ...],
        row: type[Row],
        part: list[pa.Table],
        last: int,
        anchor: str,
    ) -> tuple[Segment, ...]:
        kept, rows = list(segments), sum(one.num_rows for one in part)
        while kept and kept[-1].may_take(rows):
            earlier = kept.pop()
            part.insert(0, self._segments.table(earlier))
            rows += earlier.rows
        os.utime(self.folder / "lock")
        return (*kept, self._segments.write(row, part, last=last, anchor=anchor))

    @contextmanager
    def _locked(self) -> Iterator[bool]:
        """Say whether nobody else extends the mirror; then nobody else does until the end."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        lock = self.folder / "lock"
        with suppress(OSError):
            if time.time() - lock.stat().st_mtime > _ABANDONED_S:
                lock.unlink()
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            yield False
            return
        try:
            yield True
        finally:
            lock.unlink(missing_ok=True)


# --- in the database


def _opened(file: str) -> Connection:
    import sqlite3

    # Not SQLAlchemy's: its rows cost more than all else here, and it takes long to import.
    return sqlite3.connect(file, timeout=BUSY_S, isolation_level=None, uri=file.startswith("file:"))


def _beside(raw: Connection, manifest: Manifest) -> int:
    """Return about how many requests are not in the mirror."""
    (last,) = raw.execute("SELECT max(rowid) FROM request").fetchone()
    return (last or 0) - manifest.last(RequestRow)


def _begin_counting(raw: Connection) -> int:
    """Have the database count rows that are changed or deleted; return the count."""
    found = epoch(raw)
    asked = "SELECT count(*) FROM sqlite_master WHERE type = 'trigger'"
    if found is not None and raw.execute(asked).fetchone()[0] >= len(_TRIGGERS):
        return found
    raw.execute("BEGIN IMMEDIATE")
    try:
        # At random: a ledger that takes the place of a deleted one is another.
        now = epoch(raw)
        start = randbits(48) if now is None else now + 1
        raw.execute("INSERT OR REPLACE INTO meta VALUES ('rewritten', ?)", (str(start),))
        for trigger in _TRIGGERS:
            raw.execute(trigger)
        raw.execute("COMMIT")
    finally:
        if raw.in_transaction:
            raw.execute("ROLLBACK")
    return start


def _under_way(raw: Connection, before: Manifest) -> set[str]:
    """Return the requests that are to be left out: those that have not ended.

    One that was left out stays so while any of its rows stands where the mirror has passed: what
    replaces a request takes them away, but somebody may have changed or deleted a part by hand.
    """
    new = "SELECT request_id FROM request WHERE rowid > ? AND status = 'unfinished'"
    found = {one for (one,) in raw.execute(new, (before.last(RequestRow),))}
    for known in parts(before.unfinished):
        for row, table in TABLES.items():
            passed = (
                f"SELECT request_id FROM {table} WHERE rowid <= ? "  # noqa: S608 - our names
                f"AND request_id IN ({marks(known)})"
            )
            found.update(one for (one,) in raw.execute(passed, (before.last(row), *known)))
    still = "SELECT 1 FROM request WHERE request_id = ? AND status = 'unfinished'"
    found.update(one for one in before.unfinished if raw.execute(still, (one,)).fetchone())
    return found


def _new(
    raw: Connection,
    row: type[Row],
    last: int,
    under_way: set[str],
    wanted: Callable[[], bool],
) -> Iterator[tuple[list[pa.Table], int, str]]:
    """Give the rows after `last` of requests that have ended, some tables at a time.

    With each the rowid and request_id of its last row: no rowid up to it can be given again, as
    those of deleted rows at the end of a table are.
    """
    found_so_far: list[pa.Table] = []
    anchor = ""
    asked = f"SELECT {named(row._fields)}, rowid FROM {TABLES[row]} WHERE rowid > ? ORDER BY rowid"  # noqa: S608
    cursor: Any = raw.execute(asked, (last,))
    place = row._fields.index("request_id")
    while wanted() and (found := cursor.fetchmany(_AT_ONCE)):
        ended = [one for one in found if one[place] not in under_way] if under_way else found
        if not ended:
            continue
        last, anchor = ended[-1][-1], ended[-1][place]
        found_so_far.append(columns.table(row, ended))
        many = sum(part.num_rows for part in found_so_far) >= LARGEST_ROWS
        if many or sum(part.nbytes for part in found_so_far) >= LARGEST_BYTES:
            yield found_so_far, last, anchor
            found_so_far = []
    if found_so_far:
        yield found_so_far, last, anchor
