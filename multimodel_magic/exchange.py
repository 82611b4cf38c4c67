"""Ledgers as files: requests, attempts, outcomes and votes to parquet, CSV or JSON lines, and back.

`day.parquet` holds the requests; `day.attempts.parquet`, `day.outcomes.parquet` and
`day.votes.parquet` stand beside it, and join on `request_id`. The columns and dtypes are those of
`Ledger`'s frames; of votes every one is there, those that a later one replaced included.

- parquet keeps every dtype (it needs pyarrow).
- CSV: unknown is an empty cell; a text that is empty, or that a spreadsheet would take for a
  formula (`=1+1`: what a model wrote may be an attack), stands behind one `'`, which reading
  takes off again.
- JSON lines: an object a row, `null` for unknown.

Each file is complete or not there: it is written beside its place and then moved into it.
"""

from __future__ import annotations

import csv
import json
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, get_args, get_type_hints

from multimodel_magic.errors import ProviderMissing, UsageError, did_you_mean, must_be
from multimodel_magic.ledger import (
    AttemptRow,
    Ledger,
    OutcomeRow,
    Recorded,
    RequestRow,
    VoteRow,
)
from multimodel_magic.ledger.frames import dtypes, frame
from multimodel_magic.ledger.outcomes import as_frame
from multimodel_magic.ledger.rows import kinds
from multimodel_magic.wording import number_of

if TYPE_CHECKING:
    import pandas as pd

    from multimodel_magic.ledger.since import Since

__all__ = [
    "ENDINGS",
    "Books",
    "Exported",
    "Imported",
    "books",
    "export",
    "import_file",
    "read",
    "write",
]

AnyRow: TypeAlias = type[RequestRow] | type[AttemptRow] | type[OutcomeRow] | type[VoteRow]
T = TypeVar("T", RequestRow, AttemptRow, OutcomeRow, VoteRow)

_PARTS: Mapping[str, AnyRow] = {
    "": RequestRow,
    ".attempts": AttemptRow,
    ".outcomes": OutcomeRow,
    ".votes": VoteRow,
}
"""What stands between a file's stem and its ending, and the rows that it then holds."""


@dataclass(frozen=True, slots=True)
class Books:
    """The frames of one export; columns and dtypes as `Ledger` gives them."""

    requests: pd.DataFrame
    attempts: pd.DataFrame
    outcomes: pd.DataFrame
    votes: pd.DataFrame
    """Every one, in the columns of `VoteRow`."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export wrote. `str()` says it in a line."""

    files: tuple[Path, ...]
    """Requests, attempts, outcomes, votes."""
    requests: int
    attempts: int
    outcomes: int
    votes: int

    def __str__(self) -> str:
        calls = f"{number_of(self.requests, 'request')}, {number_of(self.attempts, 'attempt')}"
        said = f"{number_of(self.outcomes, 'outcome')}, {number_of(self.votes, 'vote')}"
        return f"{calls}, {said} -> {', '.join(map(str, self.files))}"


_KNOWN = ("request was", "requests were")


@dataclass(frozen=True, slots=True)
class Imported:
    """What a ledger took from a file. `str()` says it in a line."""

    requests: int
    """New to the ledger."""
    known: int
    """Already there: left as they are."""
    attempts: int
    outcomes: int
    """New, or said later than what the ledger held."""
    votes: int
    """New to the ledger."""

    def __str__(self) -> str:
        new = f"{number_of(self.requests, 'request')} with {number_of(self.attempts, 'attempt')}"
        said = f"{number_of(self.outcomes, 'outcome')}, {number_of(self.votes, 'vote')}"
        return f"{new}, {said}; {number_of(self.known, *_KNOWN)} there already"


def export(
    ledger: Ledger,
    file: str | Path,
    *,
    session: str | None = None,
    since: Since | None = None,
) -> Exported:
    """Write a ledger's requests, attempts, outcomes and votes into files.

    Parameters
    ----------
    ledger
        Is only read.
    file
        Ends in `.parquet`, `.csv` or `.jsonl`. Takes the requests; the other files get their
        names from it. Earlier files of these names are replaced.
    session
        Only the requests with this label `session`, and what belongs to them.
    since
        Only those that started at this moment or later, or so long ago at most.

    Raises
    ------
    UsageError
        For another ending, with the nearest, and for a folder that is not there.
    ProviderMissing
        For parquet without pyarrow.
    """
    _format_of(_named(file))
    return write(books(ledger, session=session, since=since), file)


def books(ledger: Ledger, *, session: str | None = None, since: Since | None = None) -> Books:
    """Read a ledger's frames, of one session or from a moment on; as for `export`."""
    requests = ledger.requests_frame(session=session, since=since)
    attempts = ledger.attempts_frame(session=session, since=since)
    outcomes = ledger.outcomes_frame()
    ours = outcomes["request_id"].isin(requests["request_id"])
    voted = _votes_on(ledger, set(requests["request_id"]), session)
    return Books(requests, attempts, outcomes[ours].reset_index(drop=True), voted)


def _votes_on(ledger: Ledger, request_ids: set[str], session: str | None) -> pd.DataFrame:
    """Return the votes of a session, or on any of these requests; in any case every one of them."""
    rows = ledger.votes(replaced=True)
    chosen = (
        row
        for row in rows
        if not request_ids.isdisjoint(json.loads(row.request_ids))
        or (session is not None and row.session == session)
    )
    return frame(VoteRow, list(chosen))


def write(source: Books, file: str | Path) -> Exported:
    """Write frames into files, as `export` does."""
    file = _named(file)
    how = _format_of(file)
    paths = _paths(file)
    frames = (source.requests, source.attempts, source.outcomes, source.votes)
    with _moved_into(paths) as beside:
        for row, path, made in zip(_PARTS.values(), beside, frames, strict=True):
            ENDINGS[how].write(path, made[list(row._fields)], row)
    return Exported(paths, *map(len, frames))


def read(file: str | Path) -> Books:
    """Read the files that `export` wrote.

    Raises
    ------
    UsageError
        For an unknown ending, a file that is not there or holds something else, and for attempts
        of requests that are not in `file`.
    """
    file = _named(file)
    how = _format_of(file)
    frames = [
        _read(how, path, row) for path, row in zip(_paths(file), _PARTS.values(), strict=True)
    ]
    requests, attempts, said, voted = frames
    outcomes = as_frame({row.request_id: row for row in _rows(OutcomeRow, said)})
    found = Books(requests, attempts, outcomes, voted)
    for name, part in (("attempts", found.attempts), ("outcomes", found.outcomes)):
        strange = int((~part["request_id"].isin(found.requests["request_id"])).sum())
        if strange:
            raise UsageError(f"{file}: {strange} {name} of requests that it does not hold")
    return found


def import_file(ledger: Ledger, file: str | Path) -> Imported:
    """Add what `export` wrote to a ledger.

    What the ledger holds already (the same request_id and start) stays as it is, so that a file
    can be imported twice; of two outcomes of one request the one said later stands, and of two
    votes of one person or judge on a comparison the later one counts.

    Raises
    ------
    UsageError
        As `read` does.
    Misconfigured
        Where the ledger cannot be written.
    """
    source = read(file)
    held = ledger.requests_frame()[["request_id", "started_at"]]
    known = set(held.itertuples(index=False, name=None))
    keys = source.requests[["request_id", "started_at"]].itertuples(index=False, name=None)
    new = source.requests[[key not in known for key in keys]]
    attempts = source.attempts[source.attempts["request_id"].isin(new["request_id"])]
    outcomes = _later(source.outcomes, ledger.outcomes_frame())
    voted = {row.vote_id for row in ledger.votes(replaced=True)}
    votes = [row for row in _rows(VoteRow, source.votes) if row.vote_id not in voted]
    ledger.add(_recorded(new, attempts), _rows(OutcomeRow, outcomes), votes)
    old = len(source.requests) - len(new)
    return Imported(len(new), old, len(attempts), len(outcomes), len(votes))


def _later(outcomes: pd.DataFrame, held: pd.DataFrame) -> pd.DataFrame:
    before = held[["request_id", "recorded_at"]].rename(columns={"recorded_at": "before"})
    both = outcomes[list(OutcomeRow._fields)].merge(before, how="left", on="request_id")
    return both[both["before"].isna() | (both["recorded_at"] > both["before"])]


def _recorded(requests: pd.DataFrame, attempts: pd.DataFrame) -> list[Recorded]:
    tried: dict[str, list[AttemptRow]] = {}
    for attempt in _rows(AttemptRow, attempts):
        tried.setdefault(attempt.request_id, []).append(attempt)
    rows = _rows(RequestRow, requests)
    return [Recorded(row, tuple(tried.get(row.request_id, ()))) for row in rows]


# --- files


def _named(file: str | Path) -> Path:
    must_be("the file", file, (str, Path), "its path")
    return Path(file).expanduser()


def _suffix(file: Path) -> str:
    return file.suffix.lower()


def _format_of(file: Path) -> str:
    ending = _suffix(file)
    if ending not in ENDINGS:
        near = did_you_mean(ending, ENDINGS, most=1) or f" (one of {', '.join(ENDINGS)})"
        said = f"{ending!r} is no ending" if ending else "it needs an ending"
        raise UsageError(f"{file.name}: {said} of such a file{near}")
    return ending


def _paths(file: Path) -> tuple[Path, ...]:
    return tuple(file.with_name(f"{file.stem}{part}{file.suffix}") for part in _PARTS)


@contextmanager
def _moved_into(paths: tuple[Path, ...]) -> Iterator[tuple[Path, ...]]:
    """Give a file beside each of `paths`, and move them all there once they are written."""
    # The process id: two kernels may export into one file.
    beside = tuple(path.with_name(f".{path.name}.{os.getpid()}.part") for path in paths)
    try:
        yield beside
        # The file that was named comes last: where it is, the others are.
        for written, path in reversed([*zip(beside, paths, strict=True)]):
            written.replace(path)
    except OSError as error:
        raise UsageError(f"cannot write {paths[0]}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            for left in beside:
                left.unlink(missing_ok=True)


def _read(how: str, path: Path, row: AnyRow) -> pd.DataFrame:
    try:
        made = ENDINGS[how].read(path, row)
    except FileNotFoundError as error:
        if row is VoteRow:  # an export of an earlier version has none
            return frame(VoteRow, [])
        raise UsageError(f"{path}: there is no such file") from error
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from error
    return made


def _checked(found: Iterable[str], row: AnyRow) -> None:
    """Refuse what is no such table: `ValueError`."""
    found = set(found)
    lacking = sorted(_needed(row) - found)
    if lacking:
        raise ValueError(f"it lacks the columns {', '.join(lacking)}")
    strange = sorted(found.difference(row._fields))
    if strange:
        raise ValueError(f"it has columns that are not known here: {', '.join(strange)}")


def _needed(row: AnyRow) -> frozenset[str]:
    """Return the columns that are never unknown; a file of an earlier version may lack others."""
    hints = get_type_hints(row).items()
    return frozenset(name for name, hint in hints if type(None) not in get_args(hint))


# --- rows


def _rows(row: type[T], made: pd.DataFrame) -> list[T]:
    columns = [_values(made[name]) for name in row._fields]
    return [row(*values) for values in zip(*columns, strict=True)]


def _values(column: pd.Series[Any]) -> list[Any]:
    """Return Python's own values: None for unknown, moments as the ledger writes them."""
    plain: list[Any] = column.astype("object").where(column.notna(), None).tolist()
    if str(column.dtype).startswith("datetime64"):
        return [at and at.isoformat(timespec="microseconds") for at in plain]
    return plain


# --- formats


@dataclass(frozen=True, slots=True)
class _Format:
    write: Callable[[Path, pd.DataFrame, AnyRow], None]
    read: Callable[[Path, AnyRow], pd.DataFrame]


def _write_parquet(path: Path, made: pd.DataFrame, _: AnyRow) -> None:
    try:
        made.to_parquet(path, engine="pyarrow", index=False)
    except ImportError as error:
        raise ProviderMissing("parquet needs pyarrow: pip install pyarrow") from error


def _read_parquet(path: Path, row: AnyRow) -> pd.DataFrame:
    import pandas as pd

    try:
        found = pd.read_parquet(path, engine="pyarrow")
    except ImportError as error:
        raise ProviderMissing("parquet needs pyarrow: pip install pyarrow") from error
    _checked(found.columns, row)
    return found.reindex(columns=list(row._fields)).astype(dtypes(row))


def _write_csv(path: Path, made: pd.DataFrame, row: AnyRow) -> None:
    shown: Mapping[type, Callable[[Any], str]] = {
        str: _guarded,
        bool: lambda flag: str(flag).lower(),
        int: str,
        float: repr,
    }
    columns = [
        ["" if value is None else shown[kind](value) for value in _values(made[name])]
        for name, kind in kinds(row).items()
    ]
    with path.open("w", encoding="utf-8", errors="replace", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(row._fields)
        writer.writerows(zip(*columns, strict=True))


def _read_csv(path: Path, row: AnyRow) -> pd.DataFrame:
    read: Mapping[type, Callable[[str], object]] = {
        str: _unguarded,
        bool: {"true": True, "false": False}.__getitem__,
        int: int,
        float: float,
    }
    kind = kinds(row)
    with path.open(encoding="utf-8", newline="") as file, _cells_of_any_size():
        lines = csv.reader(file)
        head = next(lines, [])
        _checked(head, row)
        parse = [read[kind[name]] for name in head]
        cells = [_parsed(parse, line) for line in lines]
    return _framed(row, (dict(zip(head, values, strict=True)) for values in cells))


@contextmanager
def _cells_of_any_size() -> Iterator[None]:
    # Python's own limit is 128 KiB, less than an answer may have.
    before = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _parsed(parse: Sequence[Callable[[str], object]], line: Sequence[str]) -> list[object]:
    try:
        return [None if text == "" else of(text) for of, text in zip(parse, line, strict=True)]
    except KeyError as error:
        raise ValueError(f"{error} is neither true nor false") from error


_FORMULA = re.compile(r"'*(?:[=+\-@\t\r]|\Z)")
_GUARDED = re.compile(r"'+(?:[=+\-@\t\r]|\Z)")


def _guarded(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) else text


def _unguarded(text: str) -> str:
    return text[1:] if _GUARDED.match(text) else text


def _write_jsonl(path: Path, made: pd.DataFrame, row: AnyRow) -> None:
    encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
    columns = [_finite(_values(made[name])) for name in row._fields]
    with path.open("w", encoding="utf-8", errors="replace", newline="") as file:
        for values in zip(*columns, strict=True):
            file.write(encode(dict(zip(row._fields, values, strict=True))) + "\n")


def _finite(values: list[Any]) -> list[Any]:
    return [None if isinstance(v, float) and not math.isfinite(v) else v for v in values]


def _read_jsonl(path: Path, row: AnyRow) -> pd.DataFrame:
    with path.open(encoding="utf-8", newline="\n") as file:
        found = [json.loads(line) for line in file]
    if not all(isinstance(one, dict) for one in found):
        raise ValueError("a line is no object")
    for columns in {tuple(one) for one in found}:
        _checked(columns, row)
    return _framed(row, found)


def _framed(row: AnyRow, found: Iterable[Mapping[str, object]]) -> pd.DataFrame:
    made: Iterator[tuple[object, ...]] = (
        tuple(one.get(name) for name in row._fields) for one in found
    )
    return frame(row, list(made))


ENDINGS: Mapping[str, _Format] = {
    ".parquet": _Format(_write_parquet, _read_parquet),
    ".csv": _Format(_write_csv, _read_csv),
    ".jsonl": _Format(_write_jsonl, _read_jsonl),
}
"""What a file may end in."""
