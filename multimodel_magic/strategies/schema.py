"""A small part of JSON Schema, enough to judge a model's answer without another package."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from multimodel_magic.errors import UsageError, did_you_mean
from multimodel_magic.types import Option

__all__ = ["check_schema", "mismatch"]

Schema = Mapping[str, Option]

_TYPES: Mapping[str, Callable[[Option], bool]] = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
    "number": lambda v: isinstance(v, int | float) and not isinstance(v, bool),
    "integer": lambda v: (
        not isinstance(v, bool)
        and (isinstance(v, int) or (isinstance(v, float) and v.is_integer()))
    ),
}
_NOTES = frozenset({"$schema", "$id", "title", "description", "default", "examples", "deprecated"})
_DEEPEST = 200
"""Nesting that no honest answer has; a hostile one must not overflow Python's stack."""


def check_schema(schema: Schema, where: str = "schema") -> None:
    """Refuse what `mismatch` would pass over.

    Raises
    ------
    UsageError
        Naming the keyword and its place.
    """
    for key, value in schema.items():
        if key not in _CHECKS and key not in _NOTES:
            near = did_you_mean(str(key), _CHECKS)  # a number, should YAML have read one
            raise UsageError(f"{where}: the keyword {key!r} is not checked here{near}")
        if key == "type":
            _check_type(value, where)
        wanted = _VALUES.get(key)
        if wanted is not None and not wanted[0](value):
            raise UsageError(f"{where}.{key}: give {wanted[1]}, not {value!r}")
    for name, part in _parts(schema):
        if not isinstance(part, Mapping):
            raise UsageError(f"{where}.{name}: give a schema, not {part!r}")
        check_schema(part, f"{where}.{name}")


def _check_type(value: Option, where: str) -> None:
    if value == []:
        raise UsageError(f"{where}.type: give at least one type")
    for name in value if isinstance(value, list) else [value]:
        if not isinstance(name, str) or name not in _TYPES:
            raise UsageError(f"{where}.type: {name!r}{did_you_mean(str(name), _TYPES)}")


def _parts(schema: Schema) -> list[tuple[str, Option]]:
    properties = schema.get("properties")
    named = properties if isinstance(properties, Mapping) else {}
    parts: list[tuple[str, Option]] = [(f"properties.{k}", part) for k, part in named.items()]
    if "items" in schema:
        parts.append(("items", schema["items"]))
    if isinstance(schema.get("additionalProperties"), Mapping):
        parts.append(("additionalProperties", schema["additionalProperties"]))
    return parts


def mismatch(value: Option, schema: Schema, where: str = "$", *, deep: int = 0) -> str:
    """Return the place and the keyword of the first fault, or an empty string.

    Of `required`, the first name that is missing stands behind the keyword.

    Names of properties come from the schema, never from the value: a model wrote that.

    Examples
    --------
    >>> mismatch({"n": "3"}, {"properties": {"n": {"type": "integer"}}})
    '$.n: type'
    """
    if deep > _DEEPEST:
        return f"{where}: nested too deep"
    for key, wanted in schema.items():
        if key in _CHECKS and not _CHECKS[key](value, wanted):
            return f"{where}: {key}{_missing(value, wanted) if key == 'required' else ''}"
    return _mismatch_inside(value, schema, where, deep + 1)


def _missing(value: Option, wanted: Option) -> str:
    """Name the first property that is not there: by its place alone nobody finds it."""
    return next((f" {name}" for name in wanted if name not in value), "")  # type: ignore[union-attr, operator]


def _mismatch_inside(value: Option, schema: Schema, where: str, deep: int) -> str:
    if isinstance(value, list):
        items = schema.get("items")
        each = ((item, items, f"{where}[{i}]") for i, item in enumerate(value))
    elif isinstance(value, dict):
        named = schema.get("properties")
        known = named if isinstance(named, Mapping) else {}
        more = schema.get("additionalProperties")
        if more is False and not value.keys() <= known.keys():
            return f"{where}: additionalProperties"
        each = (
            (v, known.get(k, more), f"{where}.{k if k in known else '*'}") for k, v in value.items()
        )
    else:
        return ""
    faults = (mismatch(v, s, at, deep=deep) for v, s, at in each if isinstance(s, Mapping))
    return next(filter(None, faults), "")


def _type(value: Option, wanted: Option) -> bool:
    return any(
        _TYPES[str(name)](value) for name in (wanted if isinstance(wanted, list) else [wanted])
    )


def _same(value: Option, wanted: Option) -> bool:
    # In JSON, true is not 1.
    return value == wanted and isinstance(value, bool) == isinstance(wanted, bool)


def _at_least(value: Option, wanted: Option) -> bool:
    return not _is_number(value) or value >= wanted  # type: ignore[operator]  # a number


def _at_most(value: Option, wanted: Option) -> bool:
    return not _is_number(value) or value <= wanted  # type: ignore[operator]  # a number


def _is_number(value: Option) -> bool:
    return _TYPES["number"](value)


def _is_count(value: Option) -> bool:
    return _TYPES["integer"](value) and value >= 0  # type: ignore[operator]  # a number


def _is_names(value: Option) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


_COUNT = (_is_count, "a count")
_NUMBER = (_is_number, "a number")
_VALUES: Mapping[str, tuple[Callable[[Option], bool], str]] = {
    "enum": (lambda value: isinstance(value, list), "a list of values"),
    "required": (_is_names, "a list of names"),
    "minimum": _NUMBER,
    "maximum": _NUMBER,
    "minLength": _COUNT,
    "maxLength": _COUNT,
    "minItems": _COUNT,
    "maxItems": _COUNT,
    "properties": (lambda value: isinstance(value, Mapping), "schemas by name"),
    "additionalProperties": (
        lambda value: isinstance(value, bool | Mapping),
        "true, false or a schema",
    ),
}
"""Keyword -> whether its own value is one, and what it should be: no answer is to find it out."""


def _size(kind: type, least: int) -> Callable[[Option, Option], bool]:
    def fits(value: Option, wanted: Option) -> bool:
        if not isinstance(value, kind):
            return True
        return len(value) * least >= wanted * least  # type: ignore[arg-type, operator]

    return fits


_CHECKS: Mapping[str, Callable[[Option, Option], bool]] = {
    "type": _type,
    "enum": lambda value, wanted: any(_same(value, one) for one in wanted),  # type: ignore[union-attr]
    "const": _same,
    "required": lambda value, wanted: not isinstance(value, dict) or set(wanted) <= value.keys(),  # type: ignore[arg-type]
    "minimum": _at_least,
    "maximum": _at_most,
    "minLength": _size(str, 1),
    "maxLength": _size(str, -1),
    "minItems": _size(list, 1),
    "maxItems": _size(list, -1),
    "properties": lambda _value, _wanted: True,
    "items": lambda _value, _wanted: True,
    "additionalProperties": lambda _value, _wanted: True,
}
