"""Answers held against a schema: what a model wrote is material, and may be hostile.

Whatever it is, the end is a value or one line in the words of the schema. Names of properties in
that line come from the schema, never from the answer: a model wrote that.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from multimodel_magic.errors import SchemaNotMet
from multimodel_magic.schemas.keywords import compiled, parts, too_deep
from multimodel_magic.schemas.shapes import adapter
from multimodel_magic.types import Option, Parsed, Schema

__all__ = ["fault_of", "json_of", "read"]

MOST_CHARACTERS = 1_000_000
"""Of an answer that is read: twice what models can write. It is read beside the event loop's other
work, which a longer one would hold up."""

MOST_WANTED = 60
"""Characters of what a schema wanted that a line shows."""

_FENCED = re.compile(r"^```[^\n`]*\n(.*?)^```", re.DOTALL | re.MULTILINE)


def read(schema: Schema, text: str, *, cut: bool = False) -> Parsed:
    """Read an answer as the schema describes it; never raises.

    Parameters
    ----------
    schema
        What it must be.
    text
        JSON, alone or in the one fenced block of the answer.
    cut
        Whether it ran out of tokens.

    Examples
    --------
    >>> whole = Schema("n", '{"type": "integer"}')
    >>> read(whole, "7").value
    7
    >>> read(whole, '"7"').error
    SchemaNotMet('n: the answer does not meet the schema at $: type integer; its text is kept')
    """
    try:
        value = json_of(text)
    except ValueError as error:
        why = " (it was cut before its end: allow more tokens)" if cut else _broken(error, text)
        return _not_met(schema, "no JSON", f"the answer is no JSON{why}")
    if fault := fault_of(value, schema.to_json()):
        return _not_met(schema, fault, f"the answer does not meet the schema at {fault}")
    return Parsed(value) if schema.shape is None else _shaped(schema, value)


def _not_met(schema: Schema, fault: str, why: str) -> Parsed:
    return Parsed(None, SchemaNotMet(f"{schema.name}: {why}; its text is kept"), fault)


def _broken(error: ValueError, text: str) -> str:
    """Say what is wrong with it; of an answer in prose that is said already."""
    if not isinstance(error, json.JSONDecodeError):
        return f" ({error})"
    return f" ({error.msg.lower()})" if text[:1] in '{["' and error.pos else ""


def json_of(text: str) -> Option:
    r"""Read the JSON of an answer: the whole of it, or its one fenced block.

    Raises
    ------
    ValueError
        It is none, or JSON that programs read differently: a name twice in one object, numbers
        beyond all bounds; or it is longer or deeper than anything honest.

    Examples
    --------
    >>> json_of('So:\n```json\n{"a": 1}\n```')
    {'a': 1}
    >>> json_of('{"a": 1, "a": 2}')
    Traceback (most recent call last):
    ...
    ValueError: a name stands twice in one object
    """
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"it is longer than {MOST_CHARACTERS:,} characters")
    fenced = _FENCED.findall(text)
    try:
        value: Option = json.loads(
            fenced[0] if len(fenced) == 1 else text,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            object_pairs_hook=_named_once,
        )
    except RecursionError:  # a hostile answer nests deeper than Python's stack
        raise ValueError("it is nested too deep") from None
    if too_deep(value):
        raise ValueError("it is nested too deep")
    return value


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")  # Python's json reads them, JSON has them not


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("a number is beyond all bounds")  # 1e999
    return number


def _named_once(pairs: list[tuple[str, Option]]) -> dict[str, Option]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def fault_of(value: Option, schema: Mapping[str, Any]) -> str:
    """Return the place, the keyword and what it wanted of the first fault, or an empty text.

    Examples
    --------
    >>> fault_of({"n": "3"}, {"properties": {"n": {"type": "integer"}}})
    '$.n: type integer'
    >>> fault_of({}, {"required": ["n"]})
    '$: required n'
    """
    from jsonschema_rs import ValidationError

    try:
        compiled(schema).validate(value)
    except ValidationError as error:
        fault = _nearest(error)
        place = _place(fault.instance_path, schema)
        return f"{place}: {_keyword(fault)} {_wanted(fault, schema)}".rstrip()
    except ValueError:  # half of a surrogate pair
        return "$: no valid Unicode"
    return ""


def _nearest(error: Any) -> Any:  # noqa: ANN401 - jsonschema-rs's own
    """Return the fault that lies deepest where several schemas were to choose from."""
    while context := getattr(error.kind, "context", None):
        firsts = [branch[0] for branch in context if branch]
        deepest = max(firsts, key=lambda one: len(one.instance_path), default=error)
        if len(deepest.instance_path) <= len(error.instance_path):
            return error
        error = deepest
    return error


def _keyword(fault: Any) -> str:  # noqa: ANN401 - jsonschema-rs's own
    """Name the keyword; where nothing at all is allowed, the one that says so."""
    said = [step for step in fault.schema_path if isinstance(step, str)]
    return str(said[-1] if said and fault.kind.name == "falseSchema" else fault.kind.name)


def _place(path: Iterable[str | int], schema: Mapping[str, Any]) -> str:
    known = _names(schema)
    steps = (f"[{s}]" if isinstance(s, int) else f".{s if s in known else '*'}" for s in path)
    return "".join(["$", *steps])


def _names(schema: Mapping[str, Any]) -> set[str]:
    """Collect the names of properties that a schema says."""
    found = {*map(str, schema.get("properties", {})), *map(str, schema.get("required", ()))}
    inner = (part for _, part in parts(schema) if isinstance(part, Mapping))
    return found.union(*map(_names, inner))


def _wanted(fault: Any, schema: Mapping[str, Any]) -> str:  # noqa: ANN401 - jsonschema-rs's own
    """Say what the keyword wanted, where a few words do."""
    if fault.kind.name == "required":
        return str(fault.kind.property)
    wanted: Any = schema
    try:
        for step in fault.schema_path:
            wanted = wanted[step]
    except (KeyError, IndexError, TypeError):  # in a schema with an address of its own
        return ""
    if fault.kind.name in {"anyOf", "oneOf"}:
        wanted = [one.get("type") if isinstance(one, Mapping) else None for one in wanted]
        return " or ".join(wanted) if all(isinstance(one, str) for one in wanted) else ""
    several = wanted if isinstance(wanted, list) else [wanted]
    if any(isinstance(one, bool | list | Mapping) for one in several):
        return ""
    shown = " or ".join(one if isinstance(one, str) else json.dumps(one) for one in several)
    return shown if len(shown) <= MOST_WANTED else f"{shown[: MOST_WANTED - 1]}…"


def _shaped(schema: Schema, value: Option) -> Parsed:
    """Make an instance of the user's class; its own validators may turn the value down."""
    from pydantic import ValidationError

    try:
        made: object = adapter(schema.shape).validate_json(json.dumps(value))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = _place(first["loc"], schema.to_json())
        why = f"the answer does not meet it at {place}: {first['msg']}"
        return _not_met(schema, f"{place}: {first['type']}", why)
    except Exception as error:  # noqa: BLE001 - anybody's validators; the answer is paid already
        kind = type(error).__name__
        return _not_met(schema, f"$: {kind}", f"its own checks failed by {kind}: {error}")
    return Parsed(made)
