"""Random JSON Schemas, and values that lie near them; another library's word on what meets what."""

from typing import Any

from hypothesis import strategies as st
from jsonschema import Draft202012Validator

NAMES = st.sampled_from(["name", "year", "tags", "note", "kind"])
DEFS = {
    "City": {
        "type": "object",
        "properties": {"name": {"type": "string"}, "people": {"type": ["integer", "null"]}},
        "required": ["name"],
    }
}

_SCALARS = st.one_of(
    st.just({"type": "boolean"}),
    st.just({"type": "null"}),
    st.just({"type": "string"}),
    st.just({"type": ["string", "null"]}),
    st.just({"$ref": "#/$defs/City"}),
    st.just({"$ref": "#/$defs/City", "description": "where"}),
    st.builds(
        lambda low, high: {"type": "integer", "minimum": low, "maximum": low + high},
        st.integers(-3, 3),
        st.integers(0, 4),
    ),
    st.builds(lambda most: {"type": "string", "maxLength": most}, st.integers(0, 3)),
    st.builds(
        lambda values: {"enum": values},
        st.lists(
            st.sampled_from(["a", "b", 1, 2, None, True]),
            min_size=1,
            max_size=3,
            unique_by=lambda one: (type(one), one),
        ),
    ),
    st.builds(lambda value: {"const": value}, st.sampled_from(["a", 1, None])),
    st.just({}),
)


@st.composite
def _objects(draw, inner):
    named = draw(st.dictionaries(NAMES, inner, max_size=3))
    some = st.lists(st.sampled_from(sorted(named)), unique=True) if named else st.just([])
    more = draw(st.sampled_from(["absent", "absent", False, True]))
    return {
        "type": "object",
        "properties": named,
        "required": draw(st.one_of(some, st.just(sorted(named)))),
        **({} if more == "absent" else {"additionalProperties": more}),
    }


def _holding(inner):
    return st.one_of(
        _objects(inner),
        st.builds(lambda one: {"type": "array", "items": one}, inner),
        st.builds(lambda one: {"type": "array", "items": one, "maxItems": 2}, inner),
        st.builds(lambda ones: {"anyOf": ones}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda ones: {"allOf": ones}, st.lists(inner, min_size=1, max_size=2)),
        st.builds(lambda ones: {"oneOf": ones}, st.lists(inner, min_size=1, max_size=2)),
        st.builds(lambda one: {"type": "object", "additionalProperties": one}, inner),
    )


def _rooted(schema):
    return {**schema, "$defs": DEFS}


SCHEMAS = st.recursive(_SCALARS, _holding, max_leaves=8).map(_rooted)
"""Any."""
TIGHT = st.recursive(
    _SCALARS.filter(bool),
    lambda inner: st.one_of(
        st.dictionaries(NAMES, inner, min_size=1, max_size=3).map(
            lambda named: {"type": "object", "properties": named, "required": sorted(named)}
        ),
        st.builds(lambda one: {"type": "array", "items": one}, inner),
        st.builds(lambda ones: {"anyOf": ones}, st.lists(inner, min_size=1, max_size=2)),
        st.builds(lambda ones: {"oneOf": ones}, st.lists(inner, min_size=2, max_size=2)),
    ),
    max_leaves=4,
)
"""What people write where they are careful: much of it can be said strictly."""
TIGHT_OBJECTS = st.dictionaries(NAMES, TIGHT, min_size=1, max_size=2).map(
    lambda named: _rooted({"type": "object", "properties": named, "required": sorted(named)})
)
OBJECTS = _objects(st.recursive(_SCALARS, _holding, max_leaves=6)).map(_rooted)
"""With an object at the root."""

_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 9) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=4,
)


@st.composite
def near(draw, schema: Any, *, whole: bool = False, closed: bool = False):
    """Draw a value that may well meet the schema.

    `whole` objects have every property that is named, `closed` ones no other.
    """
    if draw(st.integers(0, 9)) == 0 and not (whole or closed):
        return draw(_ANYTHING)
    return _value(draw, schema, whole=whole, closed=closed or whole)


def _value(draw, schema, *, whole, closed):  # noqa: PLR0911 - a case a line
    again = {"whole": whole, "closed": closed}
    if "$ref" in schema:
        return _value(draw, DEFS["City"], **again)
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return _value(draw, draw(st.sampled_from(schema[key])), **again)
    if "enum" in schema:
        return draw(st.sampled_from(schema["enum"]))
    if "const" in schema:
        return schema["const"]
    kind = schema.get("type")
    kind = draw(st.sampled_from(kind)) if isinstance(kind, list) else kind
    if kind == "object":
        return _object(draw, schema, **again)
    if kind == "array":
        return [_value(draw, schema["items"], **again) for _ in range(draw(st.integers(0, 3)))]
    return draw(
        {
            "string": st.text(max_size=4),
            "integer": st.integers(-5, 9),
            "boolean": st.booleans(),
            "null": st.none(),
        }.get(kind, _ANYTHING)
    )


def _object(draw, schema, *, whole, closed):
    named = schema.get("properties", {})
    kept = [name for name in named if whole or draw(st.integers(0, 3))]
    made = {name: _value(draw, named[name], whole=whole, closed=closed) for name in kept}
    if not closed and draw(st.booleans()):
        made[draw(NAMES)] = draw(_ANYTHING)
    return made


def meets(value: object, schema: Any) -> bool:
    """Whether a value meets a schema, by `jsonschema`."""
    return bool(Draft202012Validator(schema).is_valid(value))
