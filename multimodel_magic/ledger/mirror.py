"""A copy of an SQLite ledger in columns, beside its file: what a million rows are read from.

The database remains the truth; the folder `NAME-mirror` may be deleted at any time. It holds the
requests that have ended, and their attempts, in immutable segments (see `segments`) and a list of
them. What was written since, and what is under way, is read from the database and put beside it.

A row that was mirrored does not change: requests are only appended, and those written as
`unfinished`, which are replaced later, are left out. Should somebody change or delete rows all
the same, triggers count it, and the copy is made anew. So it is after VACUUM (which may number
the rows anew), for another version's copy, and for a damaged one.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from itertools import islice
from pathlib import Path
from secrets import randbits, token_hex
from typing import TYPE_CHECKING, Any, TypeVar

from multimodel_magic.ledger import columns
from multimodel_magic.ledger.faults import faults, in_one_line
from multimodel_magic.ledger.rows import AttemptRow, RequestRow, Row, kinds
from multimodel_magic.ledger.segments import (
    COUNTED,
    LARGEST_BYTES,
    LARGEST_ROWS,
    TABLES,
    Segment,
    Segments,
    sum_of,
    totals_of,
)
from multimodel_magic.metrics.tally import NOTHING, Totals

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlalchemy import Connection

__all__ = ["BEHIND", "MANY", "Mirror"]

_log = logging.getLogger("multimodel_magic.ledger")

T = TypeVar("T")

MANY = 20_000
"""From so many rows on, a frame is read from the mirror; fewer are read from the database."""

BEHIND = 5_000
"""So many requests beside the mirror are read from the database; then it is extended."""

_VERSION = 1
_AT_ONCE = 5_000
"""Rows that are read and sorted at a time."""

_MOST_AT_ONCE = 500
"""Ids in one statement: databases bound how many parameters it may have."""

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


@dataclass(frozen=True, slots=True)
class _Manifest:
    """What the mirror consists of."""

    epoch: int
    """`meta.rewritten` of the database when the mirror was begun."""
    kind: str
    """The digest of what else must be the same: version and columns."""
    request: tuple[Segment, ...] = ()
    attempt: tuple[Segment, ...] = ()
    unfinished: tuple[str, ...] = ()
    """The requests that were left out; their rows, if they are still there, are to be read."""

    def of(self, row: type[Row]) -> tuple[Segment, ...]:
        return self.request if row is RequestRow else self.attempt

    def last(self, row: type[Row]) -> int:
        """Return the greatest rowid that is covered."""
        return self.of(row)[-1].last if self.of(row) else 0

    @property
    def names(self) -> set[str]:
        return {segment.name for segment in (*self.request, *self.attempt)}


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
        self._list = self.folder / "segments.json"
        self._segments = Segments(self.folder)
        self._read_only = read_only
        self._stamp: tuple[int, int, int] | None = None
        self._known: _Manifest | None = None

    # --- reading

    def table(
        self, connection: Connection, row: type[Row], *, session: str | None, start: str | None
    ) -> pa.Table | None:
        """Return what `queries.rows` would, as a table; None where there is no mirror."""

        def read(manifest: _Manifest) -> pa.Table:
            asked = None
            if row is AttemptRow and (session, start) != (None, None):
                asked = self._whole(connection, manifest, RequestRow)
                asked = columns.within(asked, session=session, start=start)
            found = self._whole(connection, manifest, row)
            return columns.within(found, session=session, start=start, requests=asked)

        return self._reading(connection, read)

    def totals(self, connection: Connection) -> Totals | None:
        """Return the totals of all rows; None where there is no mirror."""

        def read(manifest: _Manifest) -> Totals:
            mirrored = (*manifest.request, *manifest.attempt)
            return sum_of([*map(self._segments.totals, mirrored), _rest(connection, manifest)])

        return self._reading(connection, read)

    def _reading(self, connection: Connection, read: Callable[[_Manifest], T]) -> T | None:
        if not columns.available():
            return None
        self.keep_up(connection)
        for _ in range(2):  # another kernel may have merged segments meanwhile
            with _snapshot(connection):
                try:
                    manifest = self._valid(connection)
                    return None if manifest is None else read(manifest)
                except FileNotFoundError:
                    self._stamp = None
                except faults() as error:
                    self._discard(error)
                    return None
        return None

    def _whole(self, connection: Connection, manifest: _Manifest, row: type[Row]) -> pa.Table:
        parts = [self._segments.table(segment) for segment in manifest.of(row)]
        rest = columns.table(row, _rest_rows(connection, manifest, row, row._fields))
        return columns.in_order(row, [*parts, rest])

    # --- what there is

    def _valid(self, connection: Connection) -> _Manifest | None:
        """Return the list of segments where it is this database's, as it is now."""
        manifest = self._manifest()
        if manifest is None or manifest.kind != _kind() or manifest.epoch != _epoch(connection):
            return None
        raw = _raw(connection)
        for row, table in TABLES.items():
            for segment in manifest.of(row):
                at = f"SELECT request_id FROM {table} WHERE rowid = ?"  # noqa: S608 - our names
                if raw.execute(at, (segment.last,)).fetchone() != (segment.anchor,):
                    return None  # VACUUM has numbered the rows anew
        return manifest

    def _manifest(self) -> _Manifest | None:
        try:
            found = self._list.stat()
        except OSError:
            return None
        stamp = found.st_mtime_ns, found.st_size, found.st_ino
        if stamp != self._stamp:
            try:
                said = json.loads(self._list.read_text(encoding="utf-8"))
                parts = {t: tuple(Segment(**one) for one in said[t]) for t in TABLES.values()}
                unfinished = tuple(said["unfinished"])
                self._known = _Manifest(said["epoch"], said["kind"], **parts, unfinished=unfinished)
            except (OSError, ValueError, TypeError, KeyError):
                self._known = None
            self._stamp = stamp
            self._segments.forget(set() if self._known is None else self._known.names)
        return self._known

    def _discard(self, error: Exception) -> None:
        """Leave a damaged mirror; it is made anew when it is next looked for."""
        _log.debug("the mirror %s is left: %s", self.folder, in_one_line(error))
        self._stamp = None
        if not self._read_only:
            with suppress(OSError):
                self._list.unlink()

    # --- keeping up

    def keep_up(self, connection: Connection) -> None:
        """Take in what was written since, where it is much; never fails."""
        if self._read_only or not columns.available():
            return
        try:
            if self._is_behind(connection):
                with self._locked() as ours:
                    if ours:
                        self._extend(connection)
        except faults() as error:
            self._discard(error)

    def _is_behind(self, connection: Connection) -> bool:
        with _snapshot(connection):
            (last,) = _raw(connection).execute("SELECT max(rowid) FROM request").fetchone()
            if last is None or last < self.many:
                return False
            manifest = self._valid(connection)
            return manifest is None or last - manifest.last(RequestRow) > self.behind

    def _extend(self, connection: Connection) -> None:
        epoch = _begin_counting(connection)
        with _snapshot(connection):
            before = self._valid(connection) or _Manifest(epoch, _kind())
            after = self._extended(connection, before)
        beside = self.folder / f"{token_hex(8)}.part"
        beside.write_text(json.dumps(asdict(after)), encoding="utf-8")
        beside.replace(self._list)
        # Who has just read the list before this one still finds its files.
        self._segments.sweep(before.names | after.names)

    def _extended(self, connection: Connection, before: _Manifest) -> _Manifest:
        under_way = _under_way(connection, before)
        return replace(
            before,
            request=self._added(connection, before, RequestRow, under_way),
            attempt=self._added(connection, before, AttemptRow, under_way),
            unfinished=tuple(sorted(under_way)),
        )

    def _added(
        self, connection: Connection, before: _Manifest, row: type[Row], under_way: set[str]
    ) -> tuple[Segment, ...]:
        segments = list(before.of(row))
        for parts, last, anchor in _new(connection, row, before.last(row), under_way):
            rows = sum(part.num_rows for part in parts)
            while segments and segments[-1].may_take(rows):
                earlier = segments.pop()
                parts.insert(0, self._segments.table(earlier))
                rows += earlier.rows
            segments.append(self._segments.write(row, parts, last=last, anchor=anchor))
            os.utime(self.folder / "lock")
        return tuple(segments)

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


def _raw(connection: Connection) -> Any:  # noqa: ANN401 - sqlite3's
    # SQLAlchemy's rows cost more than all else here.
    return connection.connection.driver_connection


@contextmanager
def _snapshot(connection: Connection) -> Iterator[None]:
    """Read one and the same state of the database."""
    connection.exec_driver_sql("BEGIN")
    try:
        yield
    finally:
        connection.rollback()


def _kind() -> str:
    said = [_VERSION, [list(kinds(row).items()) for row in TABLES], list(COUNTED.values())]
    return sha256(repr(said).encode()).hexdigest()


def _epoch(connection: Connection) -> int | None:
    asked = "SELECT value FROM meta WHERE name = 'rewritten'"
    found = _raw(connection).execute(asked).fetchone()
    return None if found is None else int(found[0])


def _begin_counting(connection: Connection) -> int:
    """Have the database count rows that are changed or deleted; return the count."""
    found = _epoch(connection)
    with suppress(TypeError):
        asked = "SELECT count(*) FROM sqlite_master WHERE type = 'trigger'"
        if found is not None and _raw(connection).execute(asked).fetchone()[0] >= len(_TRIGGERS):
            return found
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    try:
        # At random: a ledger that takes the place of a deleted one is another.
        now = _epoch(connection)
        if now is None:
            start = randbits(48)
            connection.exec_driver_sql("INSERT INTO meta VALUES ('rewritten', ?)", (str(start),))
        else:
            start = now + 1
            connection.exec_driver_sql(
                "UPDATE meta SET value = ? WHERE name = 'rewritten'", (str(start),)
            )
        for trigger in _TRIGGERS:
            connection.exec_driver_sql(trigger)
        connection.commit()
    finally:
        if connection.in_transaction():
            connection.rollback()
    return start


def _under_way(connection: Connection, before: _Manifest) -> set[str]:
    """Return the requests that are to be left out: those that have not ended.

    One that was left out stays so while any of its rows stands where the mirror has passed: what
    replaces a request takes them away, but somebody may have changed or deleted a part by hand.
    """
    raw = _raw(connection)
    new = "SELECT request_id FROM request WHERE rowid > ? AND status = 'unfinished'"
    found = {one for (one,) in raw.execute(new, (before.last(RequestRow),))}
    for known in _parts(before.unfinished):
        for row, table in TABLES.items():
            passed = (
                f"SELECT request_id FROM {table} WHERE rowid <= ? "  # noqa: S608 - our names
                f"AND request_id IN ({_marks(known)})"
            )
            found.update(one for (one,) in raw.execute(passed, (before.last(row), *known)))
    still = "SELECT 1 FROM request WHERE request_id = ? AND status = 'unfinished'"
    found.update(one for one in before.unfinished if raw.execute(still, (one,)).fetchone())
    return found


def _new(
    connection: Connection, row: type[Row], last: int, under_way: set[str]
) -> Iterator[tuple[list[pa.Table], int, str]]:
    """Give the rows after `last` of requests that have ended, some tables at a time.

    With each the rowid and request_id of its last row: no rowid up to it can be given again, as
    those of deleted rows at the end of a table are.
    """
    parts: list[pa.Table] = []
    anchor = ""
    asked = f"SELECT rowid, {_names(row._fields)} FROM {TABLES[row]} WHERE rowid > ? ORDER BY rowid"  # noqa: S608
    cursor = _raw(connection).execute(asked, (last,))
    place = row._fields.index("request_id") + 1
    while found := cursor.fetchmany(_AT_ONCE):
        ended = [one for one in found if one[place] not in under_way]
        if not ended:
            continue
        last, anchor = ended[-1][0], ended[-1][place]
        parts.append(columns.table(row, (one[1:] for one in ended)))
        many = sum(part.num_rows for part in parts) >= LARGEST_ROWS
        if many or sum(part.nbytes for part in parts) >= LARGEST_BYTES:
            yield parts, last, anchor
            parts = []
    if parts:
        yield parts, last, anchor


def _rest(connection: Connection, manifest: _Manifest) -> Totals:
    """Count the rows that are not in the mirror."""
    from multimodel_magic.ledger.frames import frame

    rows = {row: _rest_rows(connection, manifest, row, COUNTED[row]) for row in TABLES}
    if not any(rows.values()):
        return Totals(NOTHING, {})
    return totals_of(*(frame(row, found, COUNTED[row]) for row, found in rows.items()))


def _rest_rows(
    connection: Connection, manifest: _Manifest, row: type[Row], names: Sequence[str]
) -> list[tuple[Any, ...]]:
    """Return the rows that are not in the mirror."""
    raw, last = _raw(connection), manifest.last(row)
    chosen = f"SELECT {_names(names)} FROM {TABLES[row]} WHERE "  # noqa: S608 - our own names
    found: list[tuple[Any, ...]] = raw.execute(f"{chosen} rowid > ?", (last,)).fetchall()
    for known in _parts(manifest.unfinished):
        of_these = f"{chosen} request_id IN ({_marks(known)}) AND rowid <= ?"
        found += raw.execute(of_these, (*known, last)).fetchall()
    return found


def _names(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))


def _parts(values: Iterable[str]) -> Iterator[tuple[str, ...]]:
    left = iter(values)
    while part := tuple(islice(left, _MOST_AT_ONCE)):
        yield part
