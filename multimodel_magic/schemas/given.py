"""What a user gives for a schema -> `Schema`, checked when it is given and not by an answer."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any

from multimodel_magic.errors import UsageError
from multimodel_magic.schemas.keywords import check_schema, check_sense
from multimodel_magic.schemas.shapes import adapter
from multimodel_magic.types import Schema

__all__ = ["is_schema", "recalled", "schema_of"]

MOST_CHARACTERS = 100_000
"""About 25,000 tokens, of which every request would pay each one."""

NAME_SHOWN = 60

_WANTED = "give a JSON Schema (a dict), a pydantic model, a dataclass or a TypedDict"


def schema_of(value: object, name: str | None = None) -> Schema:
    """Make a schema of a JSON Schema (a dict), a pydantic model, a dataclass or a TypedDict.

    Parameters
    ----------
    value
        Whatever else pydantic can describe will do, too: `list[Book]`, `Book | None`.
    name
        What it is called where it says no name itself.

    Raises
    ------
    UsageError
        In one line: what it is instead, or what in it makes no sense.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass
    ... class City:
    ...     name: str
    >>> schema_of(City).name
    'City'
    >>> schema_of(City("Oslo"))
    Traceback (most recent call last):
    ...
    multimodel_magic.errors.UsageError: that is an object of City, no schema: give the class itself
    """
    if isinstance(value, Schema):
        return value
    if isinstance(value, Mapping):
        return _of_json(value, name)
    if _is_type(value):
        return _of_type(value, name)
    raise UsageError(f"{name or 'that'} is {_instead(value)}")


def is_schema(value: object) -> bool:
    """Whether a value looks like what `schema_of` takes: cheap, and for completion only."""
    if isinstance(value, Mapping):
        return not value.keys().isdisjoint(("type", "properties", "$ref", "anyOf", "enum", "oneOf"))
    if not isinstance(value, type):
        return typing.get_origin(value) is not None
    # `typing.is_typeddict` knows those of `typing_extensions` only from Python 3.12 on.
    marks = ("model_json_schema", "__total__")
    return is_dataclass(value) or any(hasattr(value, mark) for mark in marks)


def recalled(label: str | None) -> Schema | None:
    """Return the schema that a ledger's label describes, without the class that it had."""
    try:
        said = json.loads(label or "null")
        return Schema(str(said["name"]), _text(said["schema"]))
    except (KeyError, TypeError, ValueError):
        return None


def _is_type(value: object) -> bool:
    return isinstance(value, type | types.UnionType) or typing.get_origin(value) is not None


def _instead(value: object) -> str:
    kind = type(value)
    if is_dataclass(value) or hasattr(kind, "model_json_schema"):
        return f"an object of {kind.__name__}, no schema: give the class itself"
    return f"{'None' if value is None else kind.__name__}, no schema: {_WANTED}"


def _of_json(value: Mapping[Any, Any], name: str | None) -> Schema:
    check_schema(value, name or "schema")
    title = value.get("title")
    return _made(name or (title if isinstance(title, str) else "") or "answer", value, None)


def _of_type(value: Any, name: str | None) -> Schema:  # noqa: ANN401 - whatever pydantic describes
    from pydantic import PydanticSchemaGenerationError, PydanticUserError

    called = value.__name__ if isinstance(value, type) else name or str(value)
    try:
        described = adapter(value).json_schema()
    except PydanticSchemaGenerationError:
        raise UsageError(f"{called} is no schema: {_WANTED}") from None
    except (PydanticUserError, NameError, TypeError, RecursionError) as error:
        line = str(error).partition("\n")[0]
        raise UsageError(f"{called} cannot be described as a JSON Schema: {line}") from None
    made = _made(called, described, value)
    check_sense(made.to_json(), called)
    return made


def _made(name: str, value: Mapping[Any, Any], shape: object) -> Schema:
    text = _text(value)
    if len(text) > MOST_CHARACTERS:
        most = f"{MOST_CHARACTERS:,} characters"
        raise UsageError(f"{name}: the schema is longer than {most}, which every request would pay")
    shown = "".join(one if one.isprintable() else "?" for one in name)[:NAME_SHOWN]
    return Schema(shown, text, shape)


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
