"""Immutable files of a mirror: some rows of one table in columns, and what was counted of them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from mmap import ACCESS_READ, mmap
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from multimodel_magic.ledger import columns
from multimodel_magic.ledger.rows import AttemptRow, RequestRow, Row
from multimodel_magic.metrics.counts import ASKED_NOBODY
from multimodel_magic.metrics.tally import Tally, Totals, add_up

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["COUNTED", "LARGEST_BYTES", "LARGEST_ROWS", "TABLES", "Segment", "Segments", "sum_of"]

LARGEST_ROWS = 250_000
LARGEST_BYTES = 256_000_000
"""Segments that reach either are not merged any more."""

TABLES: dict[type[Row], str] = {RequestRow: "request", AttemptRow: "attempt"}

_NUMBERS = ("latency_s", "ttft_s", "cost_usd", "input_tokens", "output_tokens")

COUNTED: dict[type[Row], tuple[str, ...]] = {
    RequestRow: ("status", *ASKED_NOBODY, "cached", "fallback_used", *_NUMBERS),
    AttemptRow: ("provider", "model", "status", "price_source", *_NUMBERS),
}
"""The columns that totals are counted from."""

_SAMPLES = ("latency_s", "ttft_s")
_SUMS = ("cost_usd", "timed_s", "lost_s")


@dataclass(frozen=True, slots=True)
class Segment:
    """Some rows of one table, in files that never change."""

    name: str
    rows: int
    size: int
    """Bytes of the Arrow file: one that was cut short is known by it."""
    last: int
    """The greatest rowid that it covers."""
    anchor: str
    """The request_id of that row."""
    counted: list[list[Any]]
    """`[key, counts and sums, length of each sample]`; the samples stand in the sorted file."""

    def may_take(self, rows: int) -> bool:
        """Whether so many rows are to be merged into it: never few into very many."""
        together = self.rows + rows
        return self.rows <= 3 * rows and together <= LARGEST_ROWS and self.size < LARGEST_BYTES


class Segments:
    """The segments in one folder; those that were opened stay open."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tables: dict[str, pa.Table] = {}
        self._totals: dict[str, Totals] = {}

    def write(
        self, row: type[Row], parts: Sequence[pa.Table], *, last: int, anchor: str
    ) -> Segment:
        """Write tables into files of a new name."""
        import numpy as np
        import pyarrow as pa

        name = f"{TABLES[row]}-{token_hex(8)}"
        path = self._folder / f"{name}.arrow"
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, columns.schema(row)) as file:
            for part in parts:
                file.write_table(part)
        whole = pa.concat_tables(parts)
        counted = _count(row, whole)
        samples = [getattr(one, sample) for _, one in counted for sample in _SAMPLES]
        with self._sorted(name).open("wb") as file:
            np.save(file, np.concatenate([np.zeros(0), *(part for one in samples for part in one)]))
        said = [[key, _plain(one), *(sum(map(len, getattr(one, s))) for s in _SAMPLES)]
                for key, one in counted]  # fmt: skip
        return Segment(name, whole.num_rows, path.stat().st_size, last, anchor, said)

    def table(self, segment: Segment) -> pa.Table:
        """Return the rows; mapped into memory, not read.

        Raises
        ------
        FileNotFoundError
            Where it was merged into another one.
        ValueError
            Where it is damaged.
        """
        import pyarrow as pa

        if segment.name not in self._tables:
            path = self._folder / f"{segment.name}.arrow"
            if path.stat().st_size != segment.size:
                raise ValueError(f"{path.name} is incomplete")
            self._tables[segment.name] = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        return self._tables[segment.name]

    def totals(self, segment: Segment) -> Totals:
        """Return what was counted of its rows."""
        if segment.name not in self._totals:
            self._totals[segment.name] = self._read_totals(segment)
        return self._totals[segment.name]

    def _read_totals(self, segment: Segment) -> Totals:
        numbers, found, start = _doubles(self._sorted(segment.name)), {}, 0
        for key, plain, *lengths in segment.counted:
            samples = {}
            for sample, length in zip(_SAMPLES, lengths, strict=True):
                samples[sample] = (numbers[start : start + length],) if length else ()
                start += length
            sums = {name: tuple(plain[name]) for name in _SUMS}
            found[tuple(key)] = Tally(**{**plain, **sums, **samples})
        if start != len(numbers):
            raise ValueError(f"{segment.name} is incomplete")
        return Totals(found[()], {}) if () in found else Totals(Tally(), found)

    def forget(self, kept: set[str]) -> None:
        """Close the segments that are not among these."""
        for opened in (self._tables, self._totals):
            for name in opened.keys() - kept:
                del opened[name]

    def sweep(self, kept: set[str]) -> None:
        """Delete the files of all segments that are not among these."""
        for file in self._folder.glob("*-*.*"):
            if file.stem not in kept:
                with suppress(OSError):  # Windows deletes no file that is open
                    file.unlink()

    def _sorted(self, name: str) -> Path:
        return self._folder / f"{name}.npy"


def _doubles(path: Path) -> memoryview[float]:
    """Map numpy's file of doubles into memory; numpy takes longer to import than this."""
    with path.open("rb") as file:
        mapped = memoryview(mmap(file.fileno(), 0, access=ACCESS_READ))
    head = bytes(mapped[:10])
    start = 10 + int.from_bytes(head[8:], "little")
    if head[:8] != b"\x93NUMPY\x01\x00" or b"'<f8'" not in bytes(mapped[10:start]):
        raise ValueError(f"{path.name} holds something else")
    return mapped[start:].cast("d")


def _count(row: type[Row], whole: pa.Table) -> list[tuple[tuple[str, ...], Tally]]:
    from multimodel_magic.metrics.counting import tallies, tally

    made = columns.as_frame(row, whole, COUNTED[row])
    if row is RequestRow:
        return [((), tally(made))]
    return list(tallies(made, ["provider", "model"]).items())


def _plain(one: Tally) -> dict[str, Any]:
    """Return the counts and sums of a tally as JSON takes them."""
    names = (field.name for field in fields(Tally) if field.name not in _SAMPLES)
    return {name: getattr(one, name) for name in names}


def sum_of(parts: Sequence[Totals]) -> Totals:
    """Return the totals of all parts together."""
    models = {name for one in parts for name in one.models}
    return Totals(
        add_up(one.requests for one in parts),
        {name: add_up(o.models[name] for o in parts if name in o.models) for name in models},
    )
