"""jinja2's sandbox, narrowed to what a prompt needs: to look, and at nothing that leads out.

Imported with the first `{{ }}` of a process: jinja2 takes tens of milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import wraps
from types import BuiltinMethodType, MethodType

from jinja2 import StrictUndefined
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import _PassArg

from multimodel_magic.notebook.reach import Value, is_tabular, leads_out, look_through

__all__ = ["Sandbox", "sandbox"]

_PLAIN = frozenset(
    (
        *(str, bytes, int, float, complex, bool, list, tuple, dict, set, frozenset, Decimal),
        *(datetime, date, time, timedelta),
    )
)
# Methods of plain values that can fill the memory, or that read attributes by formatting.
_REFUSED = frozenset({"center", "expandtabs", "format", "format_map", "ljust", "rjust", "zfill"})
# Methods of frames and arrays that only look; `to_csv("path")`, `eval` and `pipe` do more.
_LOOKS = frozenset(
    (
        *("all", "any", "argmax", "argmin", "astype", "corr", "count", "cumsum", "describe"),
        *("drop_duplicates", "dropna", "fillna", "groupby", "head", "idxmax", "idxmin", "isin"),
        *("isna", "item", "keys", "max", "mean", "median", "min", "mode", "nlargest", "notna"),
        *("nsmallest", "nunique", "quantile", "reset_index", "reshape", "round", "set_index"),
        *("sort_index", "sort_values", "std", "sum", "tail", "tolist", "transpose", "unique"),
        *("value_counts", "var"),
    )
)
_MOST_ITEMS = 1_000_000
_MOST_EXPONENT = 1_000
# What these give is looked through later, when it is written; `text` does so itself.
_PASSED_ON = frozenset({"default", "first", "head", "last", "length", "list", "tail", "text"})
_KEPT_FILTERS = (
    *("default", "first", "float", "indent", "int", "join", "last", "length", "list", "lower"),
    *("map", "max", "min", "replace", "round", "sort", "string", "sum", "title", "trim"),
    *("truncate", "unique", "upper", "wordcount"),
)


class Sandbox(ImmutableSandboxedEnvironment):
    """jinja2's sandbox, narrowed: it refuses modules and all calls but those that look."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def is_safe_attribute(self, obj: Value, attr: str, value: Value) -> bool:
        """Whether an attribute may be read: none of what leads out, and none that does."""
        safe = super().is_safe_attribute(obj, attr, value)
        return safe and not leads_out(obj) and not leads_out(value)

    def is_safe_callable(self, obj: Value) -> bool:
        """Whether it may be called: a method that only looks."""
        return super().is_safe_callable(obj) and _only_looks(obj)

    def call_binop(self, context: Context, operator: str, left: Value, right: Value) -> Value:
        """Compute `*`, `**` or `%`, unless that would fill the memory or show what leads out."""
        if operator == "%":
            look_through(right)  # "%s" % d writes all of d
        if _explodes(operator, left, right):
            raise SecurityError("the result would be too large")
        return super().call_binop(context, operator, left, right)

    def call(
        self,
        context: Context,
        function: Value,
        /,
        *args: Value,
        **kwargs: Value,
    ) -> Value:
        """Call what only looks, and hand it nothing that could be called."""
        passed = [*args, *kwargs.values()]
        if not self.is_safe_callable(function) or any(callable(value) for value in passed):
            raise SecurityError("this call is not allowed in a prompt; call it in Python first")
        return context.call(function, *args, **kwargs)


def sandbox(filters: Mapping[str, Callable[..., Value]]) -> Sandbox:
    """Return a sandbox without globals, with the harmless ones of jinja2's filters and these."""
    made = Sandbox(undefined=StrictUndefined, autoescape=False)
    made.globals.clear()
    known = {name: made.filters[name] for name in _KEPT_FILTERS} | {**filters}
    made.filters.clear()
    for name, write in known.items():
        made.filters[name] = write if name in _PASSED_ON else _looking_through(write)
    return made


def _looking_through(write: Callable[..., Value]) -> Callable[..., Value]:
    """Let a filter write only what a prompt may show."""
    # jinja2 hands its environment or context to some filters first (and says so on them).
    at = 0 if _PassArg.from_obj(write) is None else 1

    @wraps(write)
    def looked(*args: Value, **kwargs: Value) -> Value:
        look_through(args[at])
        return write(*args, **kwargs)

    return looked


def _only_looks(function: Value) -> bool:
    if not isinstance(function, BuiltinMethodType | MethodType):
        return False
    if type(function.__self__) in _PLAIN:
        return function.__name__ not in _REFUSED
    return is_tabular(function.__self__) and function.__name__ in _LOOKS


def _explodes(operator: str, left: Value, right: Value) -> bool:
    if operator == "**":
        return isinstance(right, int | float) and abs(right) > _MOST_EXPONENT
    for many, times in ((left, right), (right, left)):
        if isinstance(many, str | bytes | list | tuple) and isinstance(times, int):
            return len(many) * times > _MOST_ITEMS
    return False
