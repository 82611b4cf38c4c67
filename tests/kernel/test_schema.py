"""`--schema` in a real kernel: the cell, its value, and what a person is told."""

import pytest

CITY = """
from dataclasses import dataclass
import multimodel_magic
from multimodel_magic import llm
from multimodel_magic.providers.scripted import Say, ScriptedProvider

@dataclass
class City:
    name: str
    people: int

llm.client.providers["cities"] = ScriptedProvider({
    "good": [[Say('{"name": "Oslo", "people": 700000}')]],
    "half": [[Say('{"name": "Oslo"}')]],
}, name="cities")
year = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
"""


@pytest.fixture
def cities(kernel):
    assert kernel.run(CITY).status == "ok"
    return kernel


def test_a_cell_gives_an_object_of_the_users_class(cities):
    ran = cities.run("%%llm oslo << cities:good --schema City\nTell of Oslo.")
    assert ran.status == "ok"
    assert cities.value("type(oslo.value) is City, oslo.value.people") == (True, 700000)
    html = ran.shown[-1][0]["text/html"]
    assert "&quot;people&quot;" in html or '"people"' in html
    assert ran.facts["schema"] == "City"


def test_with_x_the_cell_is_worth_the_object(cities):
    cities.run("%%llm oslo << cities:good --schema City -x\nTell of Oslo.")
    assert cities.value("repr(oslo)") == "City(name='Oslo', people=700000)"
    cities.run("x = %llm -m cities:good --schema year -x 'Tell of Oslo.'")
    assert cities.value("x") == {"name": "Oslo", "people": 700000}


def test_a_class_that_is_defined_anew_counts_at_once(cities):
    cities.run("@dataclass\nclass City:\n    name: str\n    people: int\n    big: bool = True\n")
    cities.run("%%llm oslo << cities:good --schema City -x --quiet\nTell of Oslo.")
    assert cities.value("type(oslo) is City, oslo.big") == (True, True)


def test_what_is_not_met_is_told_and_raised_where_the_value_is_used(cities):
    ran = cities.run("%%llm oslo << cities:half --schema City\nTell of Oslo.")
    assert ran.status == "ok"
    assert "! City: the answer does not meet the schema at $: required people" in ran.text
    assert "· schema not met" in ran.text
    used = cities.run("oslo.value")
    assert (used.status, len(used.traceback)) == ("error", 1)
    assert "SchemaNotMet: City: the answer does not meet" in used.traceback[0]
    assert cities.value("oslo.text") == '{"name": "Oslo"}'


def test_with_x_what_is_not_met_fails_the_cell_unless_it_is_soft(cities):
    hard = cities.run("%%llm cities:half --schema City -x\nTell of Oslo.")
    assert (hard.status, len(hard.traceback)) == ("error", 1)
    soft = cities.run("%%llm oslo << cities:half --schema City -x --soft\nTell of Oslo.")
    assert soft.status == "ok"
    assert "SchemaNotMet: City" in soft.streams
    assert cities.value("type(oslo).__name__") == "Response"


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("Citty", "--schema: there is no variable 'Citty'; did you mean 'City'?"),
        ("dataclass", "--schema: dataclass is function, no schema: give a JSON Schema (a dict)"),
    ],
)
def test_a_slip_is_one_line_and_asks_nobody(cities, word, said):
    ran = cities.run(f"%%llm cities:good --schema {word}\nTell of Oslo.")
    assert (ran.status, len(ran.traceback)) == ("error", 1)
    assert said in ran.traceback[0]
    assert ran.shown == []


def test_a_comparison_says_in_its_pane_who_misses(cities):
    ran = cities.run("%%llm --compare cities:good,cities:half --schema City\nTell of Oslo.")
    assert ran.status == "ok"
    assert ran.text.count("the answer does not meet the schema at $: required people") == 1
    cities.run("from multimodel_magic import llm")
    compared = "[one.parsed.fault for one in llm.last_comparison.responses]"
    assert cities.value(compared) == ["", "$: required people"]


def test_the_real_model_fills_a_dataclass(cities):
    cities.run("%%llm oslo << local --schema City --max-tokens 80\nTell of Oslo.")
    assert cities.value("type(oslo.value.name) is str, type(oslo.value.people) is int") == (
        True,
        True,
    )


def test_completion_offers_what_may_be_a_schema(cities):
    code = "%%llm fast --schema "
    reply = cities.client.complete(code, len(code), reply=True, timeout=30)
    assert set(reply["content"]["matches"]) >= {"City", "year"}
    assert "llm" not in reply["content"]["matches"]
