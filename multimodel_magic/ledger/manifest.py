"""The list of a mirror's segments: which there are, and whether they are this database's.

Only `sqlite3` and the standard library: the first summary after a kernel's restart is made from
the list and the segments' counts, before SQLAlchemy, pandas or numpy are imported.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields, replace
from hashlib import sha256
from itertools import islice
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from multimodel_magic.ledger.migrations import VERSION
from multimodel_magic.ledger.rows import RequestRow, Row, kinds
from multimodel_magic.ledger.segments import COUNTED, TABLES, Segment
from multimodel_magic.metrics.counts import ASKED_NOBODY
from multimodel_magic.metrics.tally import Tally

if TYPE_CHECKING:
    from sqlite3 import Connection

__all__ = [
    "Listing",
    "Manifest",
    "epoch",
    "is_current",
    "kind",
    "marks",
    "named",
    "parts",
    "rest",
    "snapshot",
]

_VERSION = 1

_MOST_AT_ONCE = 500
"""Ids in one statement: databases bound how many parameters it may have."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a mirror consists of."""

    epoch: int
    """`meta.rewritten` of the database when the mirror was begun."""
    kind: str
    """The digest of what else must be the same: version, columns and what is counted."""
    request: tuple[Segment, ...] = ()
    attempt: tuple[Segment, ...] = ()
    unfinished: tuple[str, ...] = ()
    """The requests that were left out; their rows, if they are still there, are to be read."""

    def of(self, row: type[Row]) -> tuple[Segment, ...]:
        """Return the segments of one kind of row."""
        return self.request if row is RequestRow else self.attempt

    def having(self, row: type[Row], segments: tuple[Segment, ...]) -> Manifest:
        """Return it with other segments of one kind of row."""
        if row is RequestRow:
            return replace(self, request=segments)
        return replace(self, attempt=segments)

    def last(self, row: type[Row]) -> int:
        """Return the greatest rowid that is covered."""
        return self.of(row)[-1].last if self.of(row) else 0

    @property
    def names(self) -> set[str]:
        """The names of all segments."""
        return {segment.name for segment in (*self.request, *self.attempt)}


class Listing:
    """The file in which the list stands; read again where it has changed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "segments.json"
        self._stamp: tuple[int, int, int] | None = None
        self._known: Manifest | None = None

    def valid(self, raw: Connection) -> Manifest | None:
        """Return the list where it is this database's, as it is now."""
        manifest = self._read()
        if manifest is None or manifest.kind != kind() or manifest.epoch != epoch(raw):
            return None
        for row, table in TABLES.items():
            for segment in manifest.of(row):
                at = f"SELECT request_id FROM {table} WHERE rowid = ?"  # noqa: S608 - our names
                if raw.execute(at, (segment.last,)).fetchone() != (segment.anchor,):
                    return None  # VACUUM has numbered the rows anew
        return manifest

    def _read(self) -> Manifest | None:
        try:
            found = self._file.stat()
        except OSError:
            return None
        stamp = found.st_mtime_ns, found.st_size, found.st_ino
        if stamp != self._stamp:
            try:
                said = json.loads(self._file.read_text(encoding="utf-8"))
                of = {t: tuple(Segment(**one) for one in said[t]) for t in TABLES.values()}
                unfinished = tuple(said["unfinished"])
                self._known = Manifest(said["epoch"], said["kind"], **of, unfinished=unfinished)
            except (OSError, ValueError, TypeError, KeyError):
                self._known = None
            self._stamp = stamp
        return self._known

    def publish(self, manifest: Manifest) -> None:
        """Put a list in the place of the one before."""
        beside = self._folder / f"{token_hex(8)}.part"
        beside.write_text(json.dumps(asdict(manifest)), encoding="utf-8")
        beside.replace(self._file)

    def forget(self) -> None:
        """Read the file again the next time, whatever its date is."""
        self._stamp = None

    def discard(self) -> None:
        """Leave a damaged mirror; it is made anew when it is next looked for."""
        self.forget()
        with suppress(OSError):
            self._file.unlink()


@contextmanager
def snapshot(raw: Connection) -> Iterator[None]:
    """Read one and the same state of the database."""
    raw.execute("BEGIN")
    try:
        yield
    finally:
        raw.execute("ROLLBACK")


def is_current(raw: Connection) -> bool:
    """Whether the tables are those of this version of the package."""
    return _meta(raw, "schema_version") == str(VERSION)


def kind() -> str:
    """Return the digest of what a mirror must have been made for."""
    said = [_VERSION, [list(kinds(row).items()) for row in TABLES], list(COUNTED.values())]
    said += [
        [field.name for field in fields(Tally)],
        [sorted(map(str, v)) for v in ASKED_NOBODY.values()],
    ]
    return sha256(repr(said).encode()).hexdigest()


def epoch(raw: Connection) -> int | None:
    """Return how often rows were changed or deleted; None where that is not counted yet."""
    found = _meta(raw, "rewritten")
    return None if found is None else int(found)


def _meta(raw: Connection, name: str) -> str | None:
    found = raw.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return None if found is None else found[0]


def rest(
    raw: Connection, manifest: Manifest, row: type[Row], names: Sequence[str]
) -> list[tuple[Any, ...]]:
    """Return the rows that are not in the mirror."""
    last = manifest.last(row)
    chosen = f"SELECT {named(names)} FROM {TABLES[row]} WHERE "  # noqa: S608 - our own names
    found: list[tuple[Any, ...]] = raw.execute(f"{chosen} rowid > ?", (last,)).fetchall()
    for known in parts(manifest.unfinished):
        of_these = f"{chosen} request_id IN ({marks(known)}) AND rowid <= ?"
        found += raw.execute(of_these, (*known, last)).fetchall()
    return found


def named(names: Iterable[str]) -> str:
    """Return columns as a statement lists them."""
    return ", ".join(f'"{name}"' for name in names)


def marks(values: Sequence[str]) -> str:
    """Return a place for each of these values in a statement."""
    return ", ".join("?" * len(values))


def parts(values: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Give as many values at a time as a statement takes."""
    left = iter(values)
    while part := tuple(islice(left, _MOST_AT_ONCE)):
        yield part
