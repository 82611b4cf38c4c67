"""Rows as pandas DataFrames whose columns and dtypes never depend on what is in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from multimodel_magic.ledger.rows import KeptRow, kinds

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["dtypes", "frame"]

_MOMENTS = ("started_at", "recorded_at")
_DTYPES = {str: "string", int: "Int64", float: "float64", bool: "boolean"}


def dtypes(row: type[KeptRow]) -> dict[str, str]:
    """Return the dtype of each column, in the order of the row's fields."""
    return {
        name: "datetime64[us, UTC]" if name in _MOMENTS else _DTYPES[kind]
        for name, kind in kinds(row).items()
    }


def frame(
    row: type[KeptRow], rows: Sequence[tuple[object, ...]], names: Sequence[str] | None = None
) -> pd.DataFrame:
    """Make the frame of `rows`, which may be none; of the columns `names` where those are all."""
    import pandas as pd

    wanted = row._fields if names is None else names
    columns = list(zip(*rows, strict=True)) or [()] * len(wanted)
    types = dtypes(row)
    named = zip(wanted, columns, strict=True)
    return pd.DataFrame({name: _column(values, types[name]) for name, values in named})


def _column(values: Any, dtype: Any) -> pd.Series[Any]:  # noqa: ANN401 - pandas-stubs lists all
    import pandas as pd

    if dtype.startswith("datetime64"):
        moments = pd.to_datetime(pd.Series(values, dtype="string"), utc=True, format="ISO8601")
        return moments.astype(dtype)
    column: pd.Series[Any]
    try:
        column = pd.Series(values, dtype=dtype)
    except (TypeError, ValueError):
        if dtype != "Int64":
            raise
        # SQLite keeps whatever it is given: one half token must not close the whole ledger.
        numbers = pd.to_numeric(pd.Series(values, dtype=object), errors="coerce")
        column = numbers.where(numbers % 1 == 0).astype(dtype)
    return column
