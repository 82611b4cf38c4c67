"""How a model is held to a request's schema: by its vendor's own option, or else in words.

Each vendor takes a dialect of JSON Schema. What is sent holds the model to no other thing than
the user's schema does: where a dialect cannot say that, the option is left out or made lenient,
and the schema is told in words. The answer is checked by the whole schema in any case.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from multimodel_magic.errors import BadRequest, FeatureMissing
from multimodel_magic.schemas import parts
from multimodel_magic.schemas.keywords import words
from multimodel_magic.types import Request, Schema

__all__ = [
    "anchored",
    "in_words",
    "mapped",
    "merged",
    "refuses_schema",
    "strictly",
    "vendor_name",
]

_WORDS = """Answer with JSON alone: no explanation, no fence. \
It must be valid against this JSON Schema:
{schema}"""

_REFUSES = re.compile(
    r"response_format|output_config|output_format|text\.format|json.?schema|structured.?output|"
    r"grammar|\bformat\b",
    re.IGNORECASE,
)
_REFUSING = frozenset({400, 422})


def in_words(request: Request) -> Request:
    """Return the request with its schema in the standing instruction, too.

    Examples
    --------
    >>> said = in_words(Request("Hi", system="Be brief.", schema=Schema("n", '{"type":"integer"}')))
    >>> said.system.splitlines()[0], said.system.splitlines()[-1]
    ('Be brief.', '{"type":"integer"}')
    """
    if request.schema is None:
        return request
    words = _WORDS.format(schema=request.schema.text)
    return replace(request, system="\n\n".join(filter(None, [request.system, words])))


def refuses_schema(error: Exception) -> bool:
    """Whether a server says that it takes no schema, or not this one; of an SDK's error or ours.

    Examples
    --------
    >>> refuses_schema(BadRequest("m: 'response_format.type' must be 'text'"))
    True
    >>> refuses_schema(BadRequest("m: 'top_p' must be below 1"))
    False
    """
    status = getattr(error, "status_code", None)
    if not isinstance(error, BadRequest | FeatureMissing) and status not in _REFUSING:
        return False
    return _REFUSES.search(f"{error} {getattr(error, 'body', '')}") is not None


def merged(options: Mapping[str, Any], name: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """Return an option that holds several things, with one more in it; nothing without one."""
    given = options.get(name)
    return {name: {**(given if isinstance(given, Mapping) else {}), **said}} if said else {}


def vendor_name(schema: Schema) -> str:
    """Return a schema's name in the letters that OpenAI takes."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", schema.name)[:64] or "answer"


# --- OpenAI's dialect (platform.openai.com/docs/guides/structured-outputs, "Supported schemas")

_STRICT = words(
    """
    $defs $ref additionalProperties anyOf const description enum exclusiveMaximum exclusiveMinimum
    format items maxItems maximum minItems minimum multipleOf pattern properties required title type
    """
)
_DROPPED = frozenset(("$comment", "$schema", "default", "discriminator", "examples"))
_FORMATS = words("date-time time date duration email hostname ipv4 ipv6 uuid")
_KINDS = {str: "string", bool: "boolean", int: "integer", float: "number"}


class _Loose(Exception):
    """The strict dialect cannot say it."""


def strictly(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """Say a schema in the dialect that `strict` wants; None where that would change its meaning.

    Objects are closed, which leaves every answer valid, and what may be left out but may be null
    is always given. What may be left out and not be null, open objects and keywords that the
    dialect lacks cannot be said.

    Examples
    --------
    >>> strictly({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]})
    {'type': 'object', 'properties': {'n': {'type': 'integer'}}, 'required': ['n'], \
'additionalProperties': False}
    >>> strictly({"type": "object"})
    """
    root = _with_root(schema)
    if root.get("type") != "object":
        return None
    try:
        return _strict(root)
    except _Loose:
        return None


def _with_root(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Put what a reference at the root means there: it must be an object."""
    defs = schema.get("$defs")
    kind, _, name = str(schema.get("$ref", "")).rpartition("/")
    if kind != "#/$defs" or not isinstance(defs, Mapping) or name not in defs:
        return schema
    found = defs[name]
    return {**found, "$defs": defs} if isinstance(found, Mapping) else schema


def _strict(schema: object) -> dict[str, Any]:
    if not isinstance(schema, Mapping):
        raise _Loose
    said = {key: value for key, value in schema.items() if key not in _DROPPED}
    if "discriminator" in schema and "oneOf" in said and "anyOf" not in said:
        said["anyOf"] = said.pop("oneOf")  # of which the discriminator lets one fit
    if not said.keys() <= _STRICT or said.get("format", "date") not in _FORMATS:
        raise _Loose
    if "$ref" in said and len(said) > 1:  # a reference stands alone there
        alone = {"$ref": said.pop("$ref")}
        if "anyOf" in said or said.keys() & _STRICT - {"description", "title", "$defs"}:
            raise _Loose
        said = {**said, "anyOf": [alone]}
    return _with_parts(_typed(said))


def _typed(said: dict[str, Any]) -> dict[str, Any]:
    """Say the type of what a list of values implies; without any type nothing can be said."""
    if said.keys() & {"$ref", "anyOf", "type"}:
        return said
    kinds = {type(one) for one in said.get("enum", [said.get("const")])}
    kind = _KINDS.get(kinds.pop()) if len(kinds) == 1 else None
    if kind is None:
        raise _Loose
    return {"type": kind, **said}


def _with_parts(said: dict[str, Any]) -> dict[str, Any]:
    if "object" in (said.get("type"), *_listed(said.get("type"))):
        said = _closed(said)
    elif said.keys() & {"properties", "required", "additionalProperties"}:
        raise _Loose
    for key in ("$defs", "properties"):
        if key in said:
            said[key] = {name: _strict(part) for name, part in said[key].items()}
    if "items" in said:
        said["items"] = _strict(said["items"])
    elif "array" in (said.get("type"), *_listed(said.get("type"))):
        raise _Loose
    if "anyOf" in said:
        said["anyOf"] = [_strict(part) for part in said["anyOf"]]
    return said


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _closed(said: dict[str, Any]) -> dict[str, Any]:
    named, required = said.get("properties"), said.get("required", [])
    if not isinstance(named, Mapping) or said.get("additionalProperties", False) is not False:
        raise _Loose
    may_be_null = all(name in required or _nullable(part) for name, part in named.items())
    if not may_be_null or not set(required) <= named.keys() or "anyOf" in said:
        raise _Loose
    return {**said, "required": list(named), "additionalProperties": False}


def _nullable(part: object) -> bool:
    """Whether null is said to be among what a schema takes."""
    if not isinstance(part, Mapping):
        return False
    if "null" in (part.get("type"), *_listed(part.get("type"))):
        return part.keys().isdisjoint(("anyOf", "const", "enum"))
    return any(
        isinstance(one, Mapping) and one == {"type": "null"} for one in part.get("anyOf", ())
    )


# --- llama.cpp's grammars


_GRAMMATICAL = re.compile(r"\^(?!.*\(\?[^:])(?:[^\\]|\\[dws.+*?()\[\]{}|^$/\\-])*\$")


def anchored(schema: Any) -> Any:  # noqa: ANN401 - a part may be any JSON value
    """Leave out patterns that no grammar says: llama.cpp passes them over, with a complaint."""
    return mapped(schema, _without_loose_pattern)


def _without_loose_pattern(schema: dict[str, Any]) -> dict[str, Any]:
    pattern = schema.get("pattern")
    if isinstance(pattern, str) and not _GRAMMATICAL.fullmatch(pattern):
        return {key: value for key, value in schema.items() if key != "pattern"}
    return schema


def mapped(schema: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:  # noqa: ANN401
    """Return a schema with `change` done to it and to all that it holds."""
    if not isinstance(schema, Mapping):
        return schema
    changed = change(dict(schema))
    for place, part in tuple(parts(changed)):
        key, _, name = place.partition(".")
        if not name:
            changed[key] = mapped(part, change)
        elif isinstance(changed[key], list):
            held = list(changed[key])
            held[int(name)] = mapped(part, change)
            changed[key] = held
        else:
            changed[key] = {**changed[key], name: mapped(part, change)}
    return changed
