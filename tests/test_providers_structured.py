"""What each vendor's dialect makes of a schema: never another meaning."""

import json
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from multimodel_magic.errors import UsageError
from multimodel_magic.providers.anthropic import in_dialect
from multimodel_magic.providers.owned import refuse_owned
from multimodel_magic.providers.structured import anchored, in_words, strictly, vendor_name
from multimodel_magic.schemas import parts, schema_of
from multimodel_magic.types import Request, Schema
from tests.schemas import DEFS, OBJECTS, SCHEMAS, TIGHT_OBJECTS, meets, near


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int | None = None


class Dog(BaseModel):
    kind: Literal["dog"]


class Owner(BaseModel):
    pet: Cat | Dog = Field(discriminator="kind")


class Node(BaseModel):
    name: str
    inner: list["Node"]


def held(value: Any, key: str) -> list[Any]:
    """Give every value of a keyword in a schema and all that it holds."""
    inner = [one for _, part in parts(value) if isinstance(part, dict) for one in held(part, key)]
    return [*([value[key]] if key in value else []), *inner]


# --- OpenAI


@given(st.data())
def test_what_is_strictly_right_is_right(data: st.DataObject) -> None:
    schema = data.draw(OBJECTS | TIGHT_OBJECTS)
    strict = strictly(schema)
    if strict is not None:
        value = data.draw(near(strict, whole=True) | near(strict))
        assert not meets(value, strict) or meets(value, schema)


@given(st.data())
def test_whatever_is_right_and_whole_is_strictly_right(data: st.DataObject) -> None:
    schema = data.draw(OBJECTS | TIGHT_OBJECTS)
    value = data.draw(near(schema, whole=True))
    strict = strictly(schema)
    if strict is not None and meets(value, schema):
        assert meets(value, strict)


@given(OBJECTS)
def test_the_strict_dialects_rules_are_kept(schema: dict) -> None:
    strict = strictly(schema)
    if strict is None:
        return
    objects = [one for one in _all(strict) if one.get("type") == "object"]
    assert all(one["additionalProperties"] is False for one in objects)
    assert all(one["required"] == list(one["properties"]) for one in objects)
    text = json.dumps(strict)
    assert not any(f'"{word}"' in text for word in ("allOf", "oneOf", "default", "maxLength"))


def _all(schema: Any) -> list[Any]:
    inner = [part for _, part in parts(schema) if isinstance(part, dict)]
    return [schema, *(one for part in inner for one in _all(part))]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": "object", "additionalProperties": {"type": "integer"}},
        {"type": "object", "properties": {"a": {"type": "string"}}},
        {"type": "object", "properties": {"a": {}}, "required": ["a"]},
        {"type": "object", "properties": {}, "required": ["a"]},
        {"type": "object", "properties": {"a": {"type": "array"}}, "required": ["a"]},
        {"type": "object", "properties": {"a": {"not": {}}}, "required": ["a"]},
        {"type": "object", "properties": {"a": True}, "required": ["a"]},
        {
            "type": "object",
            "properties": {"a": {"type": "string", "maxLength": 3}},
            "required": ["a"],
        },
        {"type": "array", "items": {"type": "string"}},
        {"type": "string"},
        {"properties": {"a": {"type": "string"}}, "required": ["a"]},
        {"anyOf": [{"type": "object"}]},
        {},
    ],
)
def test_what_the_strict_dialect_cannot_say_is_not_said_strictly(schema: dict) -> None:
    assert strictly(schema) is None


def test_what_may_be_null_is_always_given() -> None:
    strict = strictly(schema_of(Cat).to_json())
    assert strict is not None
    assert strict["required"] == ["kind", "lives"]
    assert "default" not in json.dumps(strict)


def test_a_reference_keeps_its_description_and_stands_alone() -> None:
    where = {"$ref": "#/$defs/City", "description": "where"}
    schema = {"type": "object", "properties": {"a": where}, "required": ["a"], "$defs": DEFS}
    strict = strictly(schema)
    assert strict is not None
    assert strict["properties"]["a"] == {
        "description": "where",
        "anyOf": [{"$ref": "#/$defs/City"}],
    }


def test_alternatives_told_apart_by_a_word_and_a_root_that_refers_can_be_said() -> None:
    owner, node = strictly(schema_of(Owner).to_json()), strictly(schema_of(Node).to_json())
    assert owner is not None
    assert node is not None
    assert [one["$ref"] for one in owner["properties"]["pet"]["anyOf"]] == [
        "#/$defs/Cat",
        "#/$defs/Dog",
    ]
    assert node["type"] == "object"
    assert node["properties"]["inner"] == {
        "items": {"$ref": "#/$defs/Node"},
        "title": "Inner",
        "type": "array",
    }


@pytest.mark.parametrize(
    ("name", "sent"), [("list[City]", "list_City_"), ("Größe", "Gr__e"), ("x" * 80, "x" * 64)]
)
def test_a_name_is_written_in_the_letters_that_openai_takes(name: str, sent: str) -> None:
    assert vendor_name(Schema(name, "{}")) == sent


# --- Anthropic


@given(st.data())
def test_whatever_is_right_and_closed_is_right_in_anthropics_dialect(data: st.DataObject) -> None:
    schema = data.draw(SCHEMAS)
    value = data.draw(near(schema, closed=True))
    told = in_dialect(schema)
    if told is not None and meets(value, schema):
        assert meets(value, told)


@given(SCHEMAS)
def test_what_anthropics_dialect_lacks_stands_in_words(schema: dict) -> None:
    told = in_dialect(schema)
    if told is None:
        return
    words = " ".join(held(told, "description"))
    for key in ("minimum", "maximum", "maxLength", "maxItems"):
        assert held(told, key) == []
        assert all(f"{key}: {value}" in words for value in held(schema, key))


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": "object", "additionalProperties": {"type": "integer"}},
        {"type": "object", "properties": {"a": {"type": "object"}}},
        {"type": "object", "properties": {"a": True}},
        {"allOf": [{"type": "object", "properties": {"a": {"type": "string"}}}]},
        schema_of(Node).to_json(),
        {"$ref": "#/$defs/nowhere"},
        {},
    ],
)
def test_what_anthropics_dialect_would_change_is_not_said_in_it(schema: dict) -> None:
    assert in_dialect(schema) is None


def test_a_users_schema_is_left_as_it_was() -> None:
    schema = schema_of(Owner).to_json()
    before = json.dumps(schema)
    in_dialect(schema)
    strictly(schema)
    anchored(schema)
    assert json.dumps(schema) == before


# --- llama.cpp


@pytest.mark.parametrize(
    ("pattern", "kept"),
    [
        ("^[a-z]{3}$", True),
        ("a", False),
        ("^a", False),
        ("^(?=a)b$", False),
        (r"^\d{4}-\d{2}$", True),
        (r"^\p{L}+$", False),
    ],
)
def test_only_anchored_patterns_become_a_grammar(pattern: str, kept: bool) -> None:  # noqa: FBT001
    schema = {
        "properties": {"a": {"anyOf": [{"type": "string", "pattern": pattern}]}},
        "items": {"pattern": pattern},
        "prefixItems": [True, {"pattern": pattern}],
    }
    assert (anchored(schema) == schema) == kept
    assert (held(anchored(schema), "pattern") == [pattern] * 3) == kept


# --- all


def test_in_words_the_schema_follows_the_users_own_instruction() -> None:
    schema = Schema("n", '{"type":"integer"}')
    said = in_words(Request("Hi", system="Be brief.", schema=schema)).system
    assert said is not None
    assert said.startswith("Be brief.\n\nAnswer with JSON alone")
    assert said.endswith(schema.text)
    assert in_words(Request("Hi", system="Be brief.")).system == "Be brief."


@pytest.mark.parametrize(
    "options",
    [
        {"response_format": {"type": "json_object"}},
        {"format": "json"},
        {"grammar": "root ::= x"},
        {"output_config": {"format": {}}},
        {"text": {"format": {"type": "text"}}},
    ],
)
def test_two_words_on_what_the_answer_is_are_refused(options: dict) -> None:
    refuse_owned("openai", Request("Hi", options=options))
    with pytest.raises(UsageError, match="both say what the answer must be"):
        refuse_owned("openai", Request("Hi", options=options, schema=Schema("n", "{}")))


def test_what_says_other_things_beside_it_may_stay() -> None:
    options = {"output_config": {"effort": "low"}, "text": {"verbosity": "low"}, "temperature": 0}
    refuse_owned("anthropic", Request("Hi", options=options, schema=Schema("n", "{}")))
