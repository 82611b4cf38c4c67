"""What of the user's namespace a prompt may show: no environment, module or function, however deep.

A value is looked through before it is written, because `str` of a container writes all it holds.
"""

from __future__ import annotations

import os
import sys
from collections import ChainMap, UserDict, UserList
from collections.abc import Iterable, Iterator, Mapping, Sequence, ValuesView
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from types import (
    BuiltinMethodType,
    FunctionType,
    MethodType,
    ModuleType,
    SimpleNamespace,
)
from typing import Any, TypeAlias

from multimodel_magic.errors import UsageError

__all__ = ["MOST_ROWS", "is_array", "is_frame", "is_tabular", "leads_out", "look_through"]

Value: TypeAlias = Any
"""What the user's namespace holds: anything."""

MOST_ROWS = 60
"""How many rows of a frame or array a bare `{{df}}` shows, before a line that says so."""

_MOST_ITEMS = 1_000_000
_CODE = (FunctionType, BuiltinMethodType, MethodType, ModuleType, type)
_SCALAR = (
    *(str, bytes, bytearray, memoryview, int, float, complex, range, type(None), Decimal),
    *(date, time, timedelta),
)
_PLAIN = frozenset((str, int, float, bool, type(None)))
_WRAPPERS = (SimpleNamespace, ChainMap, UserDict, UserList)


def leads_out(value: Value) -> bool:
    """Whether a value is a module or the environment, be it a copy or a view of it."""
    if isinstance(value, ModuleType | type(os.environ)):
        return True
    return isinstance(value, Mapping) and len(value) == len(os.environ) and value == os.environ


def look_through(value: Value, *, most_rows: int | None = None) -> None:
    """Refuse a value that holds what is nobody's prompt, at any depth.

    Parameters
    ----------
    value
        Containers, dataclasses, frames' and arrays' cells of objects are looked into.
    most_rows
        How many rows of a frame or array will be shown; None is all.

    Raises
    ------
    UsageError
        In one line that names the place; also for more than a million items.
    """
    seen: set[int] = set()
    waiting = [("", value)]
    left = _MOST_ITEMS
    while waiting:
        path, held = waiting.pop()
        if id(held) in seen:
            continue
        seen.add(id(held))
        _refuse(held, path)
        for step, part in _parts(held, most_rows if held is value else MOST_ROWS):
            left -= 1
            if left < 0:
                raise UsageError("this is too large for a prompt; take a part of it")
            if type(part) not in _PLAIN:  # a path only where it may be needed
                waiting.append((path + _written(step), part))


def _refuse(value: Value, path: str) -> None:
    where = f"what stands at {path} in it" if path else "this"
    if leads_out(value):
        what = "a module" if isinstance(value, ModuleType) else "the environment, which holds keys"
        raise UsageError(f"{where} is {what}: out of reach for a prompt; copy what you need of it")
    if isinstance(value, _CODE):
        kind = type(value).__name__
        raise UsageError(f"{where} is a {kind}, which is no text; call it in Python first")


def _written(step: Value) -> str:
    text = repr(step) if isinstance(step, str | int) else type(step).__name__
    return f"[{text if len(text) <= 40 else text[:37] + '...'}]"  # noqa: PLR2004 - a line


def _parts(value: Value, most_rows: int | None) -> Iterator[tuple[Value, Value]]:
    """Give what `str` would write of a value, each part with where it stands."""
    if isinstance(value, _SCALAR):
        return
    if is_frame(value):
        yield from _cells(value, most_rows)
    elif is_array(value):
        if value.dtype.hasobject:
            yield from enumerate(value[:most_rows].flat if value.ndim else [value.item()])
    elif isinstance(value, _WRAPPERS):
        yield from vars(value).items()
    elif isinstance(value, Mapping):
        yield from ((key, key) for key in value)
        yield from value.items()
    elif isinstance(value, Sequence | AbstractSet | ValuesView):
        yield from (("_mapping", part) for part in [getattr(value, "_mapping", None)] if part)
        yield from enumerate(value)
    elif is_dataclass(value):
        shown = (field.name for field in fields(value) if field.repr)
        yield from ((name, getattr(value, name, None)) for name in shown)


def _cells(frame: Value, most_rows: int | None) -> Iterator[tuple[Value, Value]]:
    shown = frame if most_rows is None else frame.head(most_rows)
    table = shown.to_frame() if shown.ndim == 1 else shown
    yield from enumerate(table.columns)
    if table.index.dtype == object:
        yield from enumerate(table.index)
    for number, (name, kind) in enumerate(zip(table.columns, table.dtypes, strict=True)):
        if kind.kind == "O":
            yield from ((name, cell) for cell in table.iloc[:, number])


def _of(module: str, names: Iterable[str]) -> tuple[type, ...]:
    # A value of pandas or numpy exists only where they are imported already.
    loaded = sys.modules.get(module)
    return tuple(t for name in names if isinstance(t := getattr(loaded, name, None), type))


def is_frame(value: Value) -> bool:
    """Whether a value is a DataFrame or Series of pandas."""
    return isinstance(value, _of("pandas", ("DataFrame", "Series")))


def is_array(value: Value) -> bool:
    """Whether a value is an array of numpy."""
    return isinstance(value, _of("numpy", ("ndarray",)))


def is_tabular(value: Value) -> bool:
    """Whether a value is a frame, an array, a group of frames or a scalar of numpy."""
    grouped = _of("pandas.api.typing", ("DataFrameGroupBy", "SeriesGroupBy"))
    scalar = _of("numpy", ("generic",))
    return is_frame(value) or is_array(value) or isinstance(value, grouped + scalar)
