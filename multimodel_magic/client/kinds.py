"""What kind of value each part must be: a slip in a caller's code is told before anything begins.

What is of the wrong kind is in no ledger: a row with half a token would be read back by nobody.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal

from multimodel_magic.errors import UsageError, must_be
from multimodel_magic.types import Request, Schema

__all__ = ["check_kinds", "check_parts"]

_TEXTS = (
    "system",
    "strategy",
    "task",
    "user_tier",
    "task_value",
    "unit",
    "experiment",
    "broken_stream",
)
_WHOLE = ("retries", "max_tokens")
_NUMBERS = ("timeout_s", "hedge_s", "max_cost_usd", "connect_s", "silence_s")
_PARTS = {
    "strategy": ("route", "one such as ByComplexity(); a name goes with the request"),
    "ledger": ("record", "Ledger('books.db')"),
    "budget": ("session_usd", "Budget(session_usd=Decimal('0.50'))"),
}


def check_kinds(request: object) -> None:
    """Refuse a request whose parts are of the wrong kind.

    Raises
    ------
    UsageError
        In one line: which part, what it is, and what it should be.
    """
    if not isinstance(request, Request):
        shown = type(request).__name__
        raise UsageError(f"that is {shown}, not a Request: stream(Request(...)), generate(prompt)")
    if not isinstance(request.prompt, str):
        raise UsageError(f"the prompt is {type(request.prompt).__name__}, not text")
    for name in _TEXTS:
        value = getattr(request, name)
        if value is not None and not isinstance(value, str):
            raise UsageError(f"{name} is {value!r}: it must be text")
    if request.schema is not None and not isinstance(request.schema, Schema):
        kind = type(request.schema).__name__
        raise UsageError(f"schema is {kind}: Request(schema=schema_of(...)) takes what that makes")
    for need in request.needs:
        must_be("a need", need, str, "text such as 'vision'")
    _check_names(request)
    _check_numbers(request)
    if request.options:
        _check_options(request.options)


def _check_names(request: Request) -> None:
    for name in (*request.models, *(request.fallbacks or ())):
        if not isinstance(name, str):
            raise UsageError(f"a model is named by text, one at a time, not by {name!r}")


def _check_numbers(request: Request) -> None:
    for name in _WHOLE:
        value = getattr(request, name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            raise UsageError(f"{name} is {value!r}: it must be a whole number")
    for name in _NUMBERS:
        value = getattr(request, name)
        if value is not None and not isinstance(value, int | float | Decimal):
            raise UsageError(f"{name} is {value!r}: it must be a number")


def _check_options(options: object) -> None:
    if not isinstance(options, Mapping):
        raise UsageError(f"options is {options!r}: it must map names to values")
    for name, value in options.items():
        must_be("the name of an option", name, str, "text")
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise UsageError(f"options: {name} cannot be sent as JSON: {error}") from error


def check_parts(strategy: object, ledger: object, budget: object) -> None:
    """Refuse what a client is made of where it is something else, such as a name.

    Raises
    ------
    UsageError
        In one line, with what to give instead.
    """
    for name, part in (("strategy", strategy), ("ledger", ledger), ("budget", budget)):
        does, instead = _PARTS[name]
        if part is not None and not hasattr(part, does):
            raise UsageError(f"{name} is {part!r}: give {instead}")
