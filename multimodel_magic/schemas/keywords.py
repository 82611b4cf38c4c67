"""What a JSON Schema is made of, and whether one makes sense: no answer is to find that out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from multimodel_magic.errors import UsageError, did_you_mean

__all__ = ["check_schema", "check_sense", "compiled", "parts", "too_deep", "words"]


def words(text: str) -> frozenset[str]:
    """Return the words of a text as a set: long lists of names read best as one."""
    return frozenset(text.split())


DEEPEST = 200
"""Nesting that nothing honest has; what is deeper overflows somebody's stack."""

_ONE = words(
    """
    additionalItems additionalProperties contains contentSchema else if items not propertyNames
    then unevaluatedItems unevaluatedProperties
    """
)
"""Keywords that hold a schema."""
_SEVERAL = frozenset(("allOf", "anyOf", "oneOf", "prefixItems"))
"""Keywords that hold a list of them; `items` may, too."""
_BY_NAME = frozenset(
    ("$defs", "definitions", "dependentSchemas", "patternProperties", "properties")
)
"""Keywords that hold schemas by names of the user's own."""
_CHECKED = words(
    """
    $ref $dynamicRef $recursiveRef const dependencies dependentRequired enum exclusiveMaximum
    exclusiveMinimum format maxContains maxItems maxLength maxProperties maximum minContains
    minItems minLength minProperties minimum multipleOf pattern required type uniqueItems
    """
)
_NOTES = words(
    """
    $anchor $comment $dynamicAnchor $id $recursiveAnchor $schema $vocabulary contentEncoding
    contentMediaType default deprecated description discriminator examples readOnly title writeOnly
    """
)
_KNOWN = _ONE | _SEVERAL | _BY_NAME | _CHECKED | _NOTES
_TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")


def check_schema(schema: Mapping[Any, Any], where: str = "schema") -> None:
    """Refuse what is no JSON Schema, and keywords that nobody would check.

    Raises
    ------
    UsageError
        In one line: the place, what is wrong, and the nearest that would be right.

    Examples
    --------
    >>> check_schema({"type": "object", "requird": ["a"]})
    Traceback (most recent call last):
    ...
    multimodel_magic.errors.UsageError: schema: the keyword 'requird' is not checked here; \
did you mean 'required'?
    """
    if too_deep(schema):
        raise UsageError(f"{where}: nested more than {DEEPEST} deep")
    _check_words(schema, where)
    try:
        plain = json.loads(json.dumps(schema, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise UsageError(f"{where}: it is no JSON: {error}") from None
    check_sense(plain, where)


def check_sense(schema: Mapping[str, Any], where: str) -> None:
    """Refuse keywords whose own values make no sense, such as a pattern that is none.

    Raises
    ------
    UsageError
        In one line: the place, and what is wrong.
    """
    from jsonschema_rs import ValidationError

    try:
        compiled(schema)
    except ValidationError as error:
        place = ".".join([where, *map(str, error.instance_path)])
        raise UsageError(f"{place}: {error.message[:200]}") from None


def _check_words(schema: Mapping[Any, Any], where: str) -> None:
    for key, value in schema.items():
        if key not in _KNOWN and not str(key).startswith("x-"):
            near = did_you_mean(str(key), _KNOWN, most=1)  # a number, should YAML have read one
            hint = near or _misplaced(schema)
            raise UsageError(f"{where}: the keyword {key!r} is not checked here{hint}")
        if key == "type":
            _check_types(value, where)
    for place, part in parts(schema):
        if isinstance(part, Mapping):
            _check_words(part, f"{where}.{place}")


def _check_types(value: object, where: str) -> None:
    if value == []:
        raise UsageError(f"{where}.type: give at least one type")
    for name in value if isinstance(value, list) else [value]:
        if name not in _TYPES:
            near = did_you_mean(str(name), _TYPES, most=1)
            raise UsageError(f"{where}.type: {name!r} is no type{near}")


def _misplaced(schema: Mapping[Any, Any]) -> str:
    """Say where the names of an object's properties belong, where that may be meant."""
    return "" if _KNOWN & schema.keys() else "; an object's properties stand under 'properties'"


def parts(schema: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Give the schemas that a schema holds, with their places; references are not followed."""
    for key, value in schema.items():
        if key in _BY_NAME and isinstance(value, Mapping):
            yield from ((f"{key}.{name}", part) for name, part in value.items())
        elif isinstance(value, list) and key in _SEVERAL | {"items"}:
            yield from ((f"{key}.{n}", part) for n, part in enumerate(value))
        elif key in _ONE:
            yield key, value


def too_deep(value: object) -> bool:
    """Whether a JSON value is nested deeper than what follows here can bear."""
    level: list[Any] = [[value]]
    for _ in range(DEEPEST + 1):
        level = [
            inner
            for one in level
            for inner in (one.values() if isinstance(one, Mapping) else one)
            if isinstance(inner, Mapping | list | tuple)
        ]
        if not level:
            return False
    return True


def compiled(schema: Mapping[str, Any]) -> Any:  # noqa: ANN401 - one of five drafts' validators
    """Return what holds values against the schema; formats count, and nothing is fetched."""
    from jsonschema_rs import validator_for

    return validator_for(dict(schema), validate_formats=True, offline=True)
