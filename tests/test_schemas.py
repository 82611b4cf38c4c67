"""What may be given for a schema, and what an answer is read as; whatever a model wrote."""

import json
import pickle
import typing
from dataclasses import dataclass
from enum import Enum

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, field_validator
from typing_extensions import TypedDict

from multimodel_magic.errors import SchemaNotMet, UsageError
from multimodel_magic.schemas import fault_of, is_schema, json_of, read, recalled, schema_of
from multimodel_magic.types import Request, Schema
from tests.schemas import SCHEMAS, meets, near


@dataclass
class City:
    name: str
    people: int = 0


class Place(TypedDict):
    name: str


class Street(typing.TypedDict, total=False):
    name: typing.Required[str]
    number: int


class Town(typing.TypedDict):
    name: str
    streets: list[Street]


class Colour(Enum):
    RED = "red"


class Book(BaseModel):
    title: str
    year: int = Field(ge=1450)
    author: City | None = None

    @field_validator("title")
    @classmethod
    def no_shouting(cls, title: str) -> str:
        if title.isupper():
            raise ValueError("is shouted")
        if title == "bug":
            raise KeyError("of the user's own")
        return title


class Odd(BaseModel):
    code: str = Field(json_schema_extra={"maxLength": -1})


BOOK = schema_of(Book)
YEAR = {"type": "object", "properties": {"year": {"type": "integer"}}, "required": ["year"]}


# --- what is given


@pytest.mark.parametrize(
    ("given_", "text", "value"),
    [
        (YEAR, '{"year": 1999}', {"year": 1999}),
        (City, '{"name": "Oslo"}', City("Oslo", 0)),
        (Book, '{"title": "Emma", "year": 1815}', Book(title="Emma", year=1815)),
        (Place, '{"name": "Oslo"}', {"name": "Oslo"}),
        (Town, '{"name": "Oslo", "streets": []}', {"name": "Oslo", "streets": []}),
        (list[Street], '[{"name": "Ring"}]', [{"name": "Ring"}]),
        (list[City], '[{"name": "Oslo", "people": 7}]', [City("Oslo", 7)]),
        (City | None, "null", None),
        (Colour, '"red"', Colour.RED),
        (int, "7", 7),
    ],
)
def test_an_answer_becomes_what_was_given(given_: object, text: str, value: object) -> None:
    parsed = read(schema_of(given_), text)
    assert (parsed.value, parsed.error, parsed.fault) == (value, None, "")
    assert type(parsed.value) is type(value)


@pytest.mark.parametrize(
    ("given_", "name"),
    [(City, "City"), (YEAR, "answer"), ({**YEAR, "title": "Edition"}, "Edition")],
)
def test_a_schema_is_called_by_its_own_name(given_: object, name: str) -> None:
    assert schema_of(given_).name == name
    assert schema_of(YEAR, "year_of").name == "year_of"


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        (City("Oslo"), "an object of City, no schema: give the class itself"),
        (Book(title="Emma", year=1815), "an object of Book, no schema: give the class itself"),
        (None, "x is None, no schema: give a JSON Schema (a dict), a pydantic model"),
        ("Book", "x is str, no schema"),
        (len, "x is builtin_function_or_method, no schema"),
        (json, "x is module, no schema"),
        (object(), "x is object, no schema"),
        (Odd, "Odd.properties.code.maxLength: -1 is less than"),
        (type("Own", (), {}), "Own is no schema: give a JSON Schema"),
        ({"name": "x"}, "x: the keyword 'name' is not checked here"),
        ({"type": "object", "requird": ["a"]}, "did you mean 'required'?"),
        ({"type": "strnig"}, "x.type: 'strnig' is no type; did you mean 'string'?"),
        ({"enum": [float("nan")]}, "x: it is no JSON"),
        ({"const": {1, 2}}, "x: it is no JSON"),
        ({"nullable": True, "type": "string"}, "the keyword 'nullable' is not checked here"),
        ({"$ref": "http://127.0.0.1:1/never-asked"}, "Retrieval is disabled"),
        ({"title": "x" * 200_000}, "longer than 100,000 characters"),
    ],
)
def test_what_is_no_schema_is_refused_in_one_line(given_: object, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        schema_of(given_, "x")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_schema_deeper_than_any_stack_is_refused() -> None:
    deep: dict = {}
    for _ in range(100_000):
        deep = {"not": deep}
    with pytest.raises(UsageError, match="nested more than 200 deep"):
        schema_of(deep)


def test_the_order_of_properties_is_kept_for_models_write_in_it() -> None:
    made = schema_of({"type": "object", "properties": {"b": {}, "a": {}}})
    assert list(made.to_json()["properties"]) == ["b", "a"]


def test_what_may_be_left_out_of_a_typed_dict_may_be_left_out() -> None:
    streets = schema_of(Town)
    assert pickle.loads(pickle.dumps(streets)) == streets  # noqa: S301 - our own bytes
    assert read(streets, '{"name": "Oslo", "streets": [{"name": "Ring"}]}').error is None
    assert read(streets, '{"name": "Oslo", "streets": [{"number": 3}]}').fault == (
        "$.streets[0]: required name"
    )


def test_a_schema_does_not_follow_the_dict_that_it_was_made_of() -> None:
    own = {"type": "integer"}
    made = schema_of(own)
    own["type"] = "string"
    assert made.to_json() == {"type": "integer"}


def test_a_request_with_a_schema_travels_and_is_found_again() -> None:
    request = Request("Hi", schema=BOOK)
    there = pickle.loads(pickle.dumps(request))  # noqa: S301 - our own bytes
    assert there == request
    assert {BOOK, schema_of(Book)} == {there.schema}
    assert read(there.schema, '{"title": "Emma", "year": 1815}').value.year == 1815


def test_a_class_of_the_same_name_and_text_is_another_schema() -> None:
    again = dataclass(type("City", (), {"__annotations__": {"name": str, "people": int}}))
    twin = schema_of(dataclass(type("City", (), {"__annotations__": {"name": str, "people": int}})))
    assert schema_of(again).text == twin.text
    assert schema_of(again) != twin


def test_the_ledgers_label_gives_the_schema_back_without_its_class() -> None:
    label = Request("Hi", schema=BOOK).labels["schema"]
    assert recalled(label) == Schema("Book", BOOK.text)
    assert [recalled(odd) for odd in (None, "", "{", "[]", "{}", '{"name": "x"}')] == [None] * 6


def test_without_its_schema_a_request_needs_no_more_than_before() -> None:
    plain = Request("Hi", needs=frozenset({"tools"}), request_id="1")
    held = Request("Hi", needs=frozenset({"tools"}), request_id="1", schema=BOOK)
    assert held.needs == {"tools", "json"}
    assert held.without_schema() == plain
    assert plain.without_schema() is plain
    assert held.estimated_input_tokens() - plain.estimated_input_tokens() > len(BOOK.text) // 4


def test_what_looks_like_a_schema_is_offered() -> None:
    yes = [YEAR, {"enum": [1]}, City, Book, Place, list[City]]
    no = [City("Oslo"), {}, {"a": 1}, 3, "x", len, json, int, object()]
    assert [is_schema(one) for one in yes + no] == [True] * len(yes) + [False] * len(no)


# --- what comes back


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{}", "$: required title"),
        ('{"title": 3, "year": 1999}', "$.title: type string"),
        ('{"title": "A", "year": 3}', "$.year: minimum 1450"),
        ('{"title": "A", "year": 1999, "author": {"name": 3}}', "$.author.name: type string"),
        ('{"title": "A", "year": 1999, "author": 3}', "$.author: anyOf"),
        ('{"title": "LOUD", "year": 1999}', "$.title: value_error"),
        ('{"title": "bug", "year": 1999}', "$: KeyError"),
        ("[]", "$: type object"),
        ("It is Emma.", "no JSON"),
        ("", "no JSON"),
    ],
)
def test_an_answer_that_does_not_meet_it_says_where(text: str, fault: str) -> None:
    parsed = read(BOOK, text)
    assert (parsed.value, parsed.fault) == (None, fault)
    assert isinstance(parsed.error, SchemaNotMet)
    assert str(parsed.error).startswith("Book: the answer ") or "KeyError" in fault
    assert "\n" not in str(parsed.error)


def test_the_users_own_validator_is_quoted() -> None:
    said = str(read(BOOK, '{"title": "LOUD", "year": 1999}').error)
    assert said == (
        "Book: the answer does not meet it at $.title: Value error, is shouted; its text is kept"
    )


def test_a_cut_answer_says_what_would_mend_it() -> None:
    said = str(read(BOOK, '{"title": "Em', cut=True).error)
    assert "it was cut before its end: allow more tokens" in said


@pytest.mark.parametrize("text", ['```json\n{"year": 1}\n```', 'Sure:\n```\n{"year": 1}\n```\nSo.'])
def test_one_fenced_block_is_taken_for_the_answer(text: str) -> None:
    assert read(schema_of(YEAR), text).value == {"year": 1}


def test_an_answers_own_words_never_stand_in_the_fault() -> None:
    closed = {"type": "object", "properties": {"a": {}}, "additionalProperties": {"type": "null"}}
    assert fault_of({"<script>": 1}, closed) == "$.*: type null"
    assert fault_of({"a": 1, "secret word": 1}, {**closed, "additionalProperties": False}) == (
        "$: additionalProperties"
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[" * 100_000 + "]" * 100_000, "nested too deep"),
        ("[" * 300 + "]" * 300, "nested too deep"),
        ('{"a":' * 5_000 + "1" + "}" * 5_000, "nested too deep"),
        ("NaN", "NaN is no number"),
        ('{"year": Infinity}', "Infinity is no number"),
        ('{"year": 1e999}', "beyond all bounds"),
        ('{"year": -1e999}', "beyond all bounds"),
        ("9" * 5_000, "4300"),
        ('{"year": 1, "year": 2}', "a name stands twice"),
        ('[{"a": {"b": 1, "b": 1}}]', "a name stands twice"),
        ("[1" + ",1" * 600_000 + "]", "longer than 1,000,000 characters"),
        ('{"year": 1} {"year": 2}', "Extra data"),
        ("{'year': 1}", "Expecting property name"),
        ("\ufeff{}", "BOM"),
        ("{}\0", "Extra data"),
    ],
)
def test_hostile_json_is_none(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        json_of(text)
    assert read(schema_of(YEAR), text).fault == "no JSON"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('"\\ud800"', "$: no valid Unicode"),
        ('{"\\ud800": 1}', "$: no valid Unicode"),
        (f'{{"year": {"9" * 4000}}}', ""),
        ('{"year": 1.0}', ""),
        ('{"year": true}', "$.year: type integer"),
        ('{"year": "1"}', "$.year: type integer"),
        ('{"__class__": 1, "year": 1}', ""),
    ],
)
def test_odd_json_is_judged_by_the_schema(text: str, fault: str) -> None:
    assert read(schema_of(YEAR), text).fault == fault


def test_a_number_too_great_for_the_class_is_a_fault_and_no_crash() -> None:
    parsed = read(schema_of(City), f'{{"name": "x", "people": {"9" * 4000}}}')
    assert parsed.error is None or parsed.fault
    assert (parsed.error is None) == isinstance(parsed.value, City)


def test_a_schema_that_holds_itself_survives_what_is_as_deep_as_may_be() -> None:
    tree = schema_of({"type": "array", "items": {"$ref": "#"}})
    assert read(tree, "[" * 190 + "]" * 190).error is None
    assert read(tree, "[" * 190 + "3" + "]" * 190).fault.endswith("type array")


def test_a_pattern_that_backtracks_ends() -> None:
    fault = fault_of("a" * 50 + "b", {"type": "string", "pattern": "^(a+)+$"})
    assert fault == "$: pattern ^(a+)+$"


def test_a_flood_of_faults_costs_no_more_than_one() -> None:
    many = "[" + ",".join(['{"x":1}'] * 120_000) + "]"
    closed = {"type": "array", "items": {"type": "object", "additionalProperties": False}}
    assert read(schema_of(closed), many).fault == "$[0]: additionalProperties"


@given(st.text(), st.booleans())
def test_no_text_breaks_the_reading(text: str, cut: bool) -> None:  # noqa: FBT001
    parsed = read(BOOK, text, cut=cut)
    assert (parsed.error is None) == (parsed.fault == "")


@given(st.data())
def test_the_checker_agrees_with_another(data: st.DataObject) -> None:
    schema = data.draw(SCHEMAS)
    value = data.draw(near(schema))
    assert (fault_of(value, schema) == "") == meets(value, schema)


@given(st.data())
def test_what_is_read_is_what_was_written(data: st.DataObject) -> None:
    schema = schema_of(data.draw(SCHEMAS))
    value = data.draw(near(schema.to_json()))
    parsed = read(schema, json.dumps(value))
    assert parsed.value == value or parsed.fault
