"""Rows as Arrow tables, and these as the ledger's frames, without a copy of their texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeAlias

from multimodel_magic.ledger.rows import AttemptRow, RequestRow, Row, kinds

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

    Order: TypeAlias = NDArray[np.int64]

__all__ = ["as_frame", "available", "in_order", "schema", "table", "within"]

_SECOND_KEY: dict[type[Row], str] = {RequestRow: "request_id", AttemptRow: "number"}
"""What frames are in order of where `started_at` is equal."""

_MOST_PIECES = 2_000
"""Into how many pieces a table is cut rather than copied as a whole."""


def available() -> bool:
    """Whether pyarrow is installed here; imports nothing."""
    return find_spec("pyarrow") is not None


def schema(row: type[Row]) -> pa.Schema:
    """Return the Arrow types of a kind of row; those that pandas takes over as they are."""
    import pyarrow as pa

    types = {str: pa.large_string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    fields = {name: types[kind] for name, kind in kinds(row).items()}
    return pa.schema({**fields, "started_at": pa.timestamp("us", tz="UTC")})


def table(row: type[Row], rows: Iterable[tuple[Any, ...]]) -> pa.Table:
    """Make a table of rows as the database gives them, and put them in order.

    What stands in a row after its columns is left out.
    """
    import pyarrow as pa

    columns = list(zip(*rows, strict=True)) or [()] * len(row._fields)
    made = schema(row)
    arrays = [_array(values, field.type) for values, field in zip(columns, made, strict=False)]
    whole = pa.Table.from_arrays(arrays, schema=made)
    order = _order(row, whole)
    return whole if order is None else whole.take(order)


def _array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    import pyarrow as pa

    if pa.types.is_timestamp(kind):
        return pa.array(values, pa.string()).cast(kind)
    if pa.types.is_boolean(kind):  # SQLite knows none
        return pa.array([None if one is None else bool(one) for one in values], kind)
    return pa.array(values, kind)


def in_order(row: type[Row], tables: Sequence[pa.Table]) -> pa.Table:
    """Return several tables, each in order, as one; what stands in order is not copied."""
    import numpy as np
    import pyarrow as pa

    whole = pa.concat_tables(tables) if tables else schema(row).empty_table()
    order = _order(row, whole)
    if order is None:
        return whole
    # Behind place `i` begins a new piece where the first `i` rows are the first `i` in order.
    closed = np.maximum.accumulate(order) == np.arange(len(order))
    return _pieced(whole, order, np.flatnonzero(closed) + 1)


def _order(row: type[Row], whole: pa.Table) -> Order | None:
    """Return the places of the rows in order; None where they stand so."""
    import numpy as np
    import pyarrow as pa

    moments = whole["started_at"].cast(pa.int64()).to_numpy()
    if bool(np.all(moments[1:] > moments[:-1])):
        return None
    order = np.argsort(moments, kind="stable")
    _break_ties(order, moments[order], whole[_SECOND_KEY[row]])
    return order


def _break_ties(order: Order, moments: NDArray[np.int64], second: pa.ChunkedArray) -> None:
    """Put rows of one moment in order of the second key; there are few as a rule."""
    import numpy as np

    same = moments[1:] == moments[:-1]
    tied = np.flatnonzero(np.append(same, False) | np.insert(same, 0, False))
    keys = second.take(order[tied]).to_pylist()
    rows = sorted(zip(moments[tied].tolist(), keys, order[tied].tolist(), strict=True))
    order[tied] = [place for _, _, place in rows]


def _pieced(whole: pa.Table, order: Order, ends: Order) -> pa.Table:
    import numpy as np
    import pyarrow as pa

    starts = np.concatenate([[0], ends[:-1]])
    moved = ends - starts > 1
    if int(moved.sum()) > _MOST_PIECES:
        return whole.take(order)
    pieces, done = [], 0
    for start, end in zip(starts[moved].tolist(), ends[moved].tolist(), strict=True):
        first = int(order[start:end].min())
        inside = whole.slice(first, end - start).take(order[start:end] - first)
        pieces += [whole.slice(done, start - done), inside]
        done = end
    return pa.concat_tables([*pieces, whole.slice(done)])


def within(
    found: pa.Table, *, session: str | None, start: str | None, requests: pa.Table | None = None
) -> pa.Table:
    """Return the requests of a session from a moment on, or the attempts of `requests`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if requests is not None:
        ids = requests["request_id"].combine_chunks()
        return found.filter(pc.is_in(found["request_id"], value_set=ids))
    if session is not None:
        found = found.filter(pc.equal(found["session"], session))
    if start is not None:
        moment = pa.scalar(start).cast(pa.timestamp("us", tz="UTC"))
        found = found.filter(pc.greater_equal(found["started_at"], moment))
    return found


def as_frame(row: type[Row], found: pa.Table, names: Sequence[str] | None = None) -> pd.DataFrame:
    """Return the frame of a table: the same columns and dtypes as `frames.frame` gives.

    `names` are the columns to give; all of them by default.
    """
    import pandas as pd

    from multimodel_magic.ledger.frames import dtypes

    wanted = row._fields if names is None else names
    types = dtypes(row)
    columns = {name: _column(found[name], types[name]) for name in wanted}
    return pd.DataFrame(columns, copy=False)


def _column(values: pa.ChunkedArray, dtype: str) -> Any:  # noqa: ANN401 - any pandas array
    import pandas as pd

    if dtype == "float64":
        return values.to_numpy()
    if dtype.startswith("datetime64"):
        return values.to_pandas()
    made: Any = pd.api.types.pandas_dtype(dtype)
    return made.__from_arrow__(values)
