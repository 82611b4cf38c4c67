"""A request with a schema on its whole way: asked, judged, kept, told, replayed."""

import json
from dataclasses import dataclass, replace

import pytest

from multimodel_magic import bridge
from multimodel_magic.catalogue import Catalogue
from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.client.cache import Cache, key_of
from multimodel_magic.errors import Misconfigured, Overloaded, SchemaNotMet, UsageError
from multimodel_magic.ledger import Ledger
from multimodel_magic.notebook import reports
from multimodel_magic.notebook.attaching import schema_in
from multimodel_magic.notebook.card import Card, facts
from multimodel_magic.notebook.compare.pane import Pane
from multimodel_magic.notebook.completion import Vocabulary, offer
from multimodel_magic.notebook.options import parse_cell, request_from
from multimodel_magic.notebook.plan import plan
from multimodel_magic.notebook.receipt import notices, receipt
from multimodel_magic.notebook.worth import format_of, worth
from multimodel_magic.providers.scripted import Fail, Say, ScriptedProvider, Stop
from multimodel_magic.schemas import schema_of
from multimodel_magic.session import Session
from multimodel_magic.strategies import Cascade
from multimodel_magic.strategies.cascade import ModelJudge
from multimodel_magic.types import Finished, Request, Schema
from tests.reliability import asked, make_client, price


@dataclass
class City:
    name: str
    people: int


GOOD = '{"name": "Oslo", "people": 7}'
HALF = '{"name": "Oslo"}'
SCRIPT = {
    "good": [[Say(GOOD)]],
    "half": [[Say(HALF)]],
    "prose": [[Say("Oslo has seven people.")]],
    "cut": [[Say('{"name": "Os'), Stop("length")]],
    "down": [[Fail(Overloaded("busy"))]],
}
UNMET = "City: the answer does not meet the schema at $: required people; its text is kept"


def client(**more):
    return make_client(SCRIPT, **more)


def session(**more):
    return Session(client(), ledger=Ledger(":memory:"), **more)


# --- the answer


async def test_the_value_is_an_object_of_the_class():
    response = await client().generate("Oslo?", "a:good", schema=City)
    assert response.value == City("Oslo", 7)
    assert (response.text, response.parsed.fault) == (GOOD, "")


async def test_without_a_schema_the_value_is_the_text():
    response = await client().generate("Oslo?", "a:good")
    assert (response.value, response.parsed) == (GOOD, None)


@pytest.mark.parametrize(
    ("model", "fault", "said"),
    [
        ("half", "$: required people", UNMET),
        ("prose", "no JSON", "City: the answer is no JSON; its text is kept"),
        ("cut", "no JSON", "it was cut before its end: allow more tokens"),
    ],
)
async def test_an_answer_that_does_not_meet_it_is_finished_and_its_value_an_error(
    model, fault, said
):
    response = await client().generate("Oslo?", f"a:{model}", schema=City)
    assert response.succeeded
    assert response.text
    assert response.parsed.fault == fault
    for _ in range(2):  # each time anew, and no longer each time
        with pytest.raises(SchemaNotMet) as caught:
            _ = response.value
        assert said in str(caught.value)
        assert len(caught.traceback) == 2


async def test_without_an_answer_the_value_is_that_error():
    events = client().stream(Request("?", models=("a:down",), schema=schema_of(City), retries=0))
    (response,) = [one.response async for one in events if isinstance(one, Finished)]
    assert response.parsed is None
    with pytest.raises(Overloaded):
        _ = response.value


async def test_a_stream_says_the_same():
    events = client().stream(Request("?", models=("a:good",), schema=schema_of(City)))
    (response,) = [one.response async for one in events if isinstance(one, Finished)]
    assert response.value == City("Oslo", 7)


async def test_what_is_no_schema_is_refused_before_anybody_is_asked():
    client_ = client()
    with pytest.raises(UsageError, match="give the class itself"):
        await client_.generate("?", "a:good", schema=City("Oslo", 7))
    with pytest.raises(UsageError, match="schema is dict: Request"):
        await client_.generate(Request("?", models=("a:good",), schema={"type": "object"}))
    with pytest.raises(UsageError, match="a Request says everything itself"):
        await client_.generate(Request("?"), schema=City)
    assert asked(client_) == []


# --- who is asked


async def test_who_cannot_be_held_to_a_schema_is_left_out_with_the_reason():
    both = UnifiedLLMClient({"scripted": ScriptedProvider()})
    request = Request("?", models=("openai:gpt-4", "scripted:echo"), schema=schema_of(City))
    route = await both.route(request)
    assert route.models == ("scripted:echo",)
    no_key = both.catalogue.with_providers(["scripted"]).resolve("openai:gpt-4").model
    assert both.catalogue.meets(no_key, request.needs, 10) == "no json"
    keyed = make_client(SCRIPT)
    keyed.catalogue = Catalogue(providers=frozenset({"a", "openai"}))
    keyed.providers["openai"] = ScriptedProvider({"gpt-4": [[Say(GOOD)]]}, name="openai")
    with pytest.raises(Misconfigured, match="openai:gpt-4: no json"):
        await keyed.generate("?", "openai:gpt-4", schema=City)


def test_every_model_in_use_that_says_json_takes_a_schema():
    """OpenAI's first with `json_schema` was gpt-4o of August 2024, Anthropic's sonnet 4.5."""
    catalogue = Catalogue()
    known = [catalogue.resolve(name).model for name in catalogue.known_models()]
    json_mode_only = {"gpt-4-turbo", "gpt-3.5-turbo", "gpt-4o-2024-05-13", "o1-mini"}
    assert not {one.name for one in known if "json" in (one.needs or ())} & json_mode_only
    assert catalogue.resolve("local").model.needs == {"json"}


async def test_in_a_cascade_the_next_rung_is_asked():
    up = make_client(SCRIPT, strategy=Cascade(("a:prose", "a:half", "a:good")))
    response = await up.generate("Oslo?", schema=City)
    assert response.value == City("Oslo", 7)
    assert [attempt.turned_down for attempt in response.attempts] == [
        "no JSON",
        "schema not met at $: required people",
        None,
    ]
    assert response.route.why == "went up from a:half (schema not met at $: required people)"


async def test_the_last_rungs_answer_stands_and_says_what_it_lacks():
    up = make_client(SCRIPT, strategy=Cascade(("a:prose", "a:half")))
    response = await up.generate("Oslo?", schema=City)
    assert (response.text, response.parsed.fault) == (HALF, "$: required people")


async def test_a_judge_that_is_a_model_answers_in_its_own_words():
    script = {**SCRIPT, "judge": [[Say("grade: 3")]]}
    cascade = Cascade(("a:good", "a:half"), ModelJudge("a:judge"))
    judged = make_client(script, strategy=cascade)
    response = await judged.generate("Oslo?", schema=City)
    question = next(r for model, r in judged.providers["a"].requests if model == "judge")
    assert (question.schema, question.needs) == (None, frozenset())
    assert "schema" not in question.labels
    assert response.attempts[0].turned_down == "graded 3 of 10"


class Plugin(ScriptedProvider):
    """A third party's, which has never heard of schemas."""

    takes_schemas = False


@pytest.mark.parametrize("spec", ["", "latency=0s"])
async def test_to_a_provider_that_knows_no_schemas_it_is_told_in_words(spec):
    plugged = make_client(SCRIPT, kind=Plugin)
    plugged.chaos({"a": spec} if spec else None)
    response = await plugged.generate("Oslo?", "a:good", system="Be brief.", schema=City)
    (_, request), *_ = plugged.providers["a"].requests
    assert response.value == City("Oslo", 7)
    assert (request.schema, request.prompt) == (None, "Oslo?")
    assert request.system.startswith("Be brief.\n\nAnswer with JSON alone")
    assert request.system.endswith(schema_of(City).text)
    assert response.request.system == "Be brief."


async def test_a_rehearsed_provider_takes_the_schema_as_without_the_rehearsal():
    rehearsed = client()
    rehearsed.chaos({"a": "latency=0s"})
    await rehearsed.generate("Oslo?", "a:good", schema=City)
    assert rehearsed.providers["a"].requests[0][1].schema == schema_of(City)


# --- what is kept


def test_the_schema_is_part_of_the_key_and_its_class_is_not():
    plain = Request("Hi")
    held = replace(plain, schema=schema_of(City))
    other = replace(plain, schema=schema_of({"type": "object", "title": "City"}))
    bare = replace(plain, schema=Schema("City", held.schema.text))
    keys = [key_of("a:m", one) for one in (plain, held, other, bare)]
    assert keys[1] == keys[3]
    assert len(set(keys)) == 3


class Answers(dict):
    """A place that keeps answers."""

    find, holds = dict.get, dict.__contains__

    def objection(self):
        return None

    def keep(self, key, model, answer):
        self[key] = answer


async def test_a_kept_answer_is_read_anew_and_one_that_misses_is_not_kept():
    own = client(cache=Cache(Answers(), "on"))
    for model in ("good", "half"):
        for _ in range(2):
            await own.generate("Oslo?", f"a:{model}", schema=City)
    assert asked(own) == ["good", "half", "half"]
    again = await own.generate("Oslo?", "a:good", schema=City)
    assert (again.cached, again.value) == (True, City("Oslo", 7))
    await own.generate("Oslo?", "a:good")
    assert asked(own)[-1] == "good"


def test_the_ledger_keeps_the_schema_and_whether_it_was_met():
    llm = session()
    for model in ("good", "half"):
        llm("Oslo?", f"a:{model}", schema=City)
    good, half = (json.loads(labels) for labels in llm.df["labels"])
    assert json.loads(good["schema"]) == {"name": "City", "schema": schema_of(City).to_json()}
    assert "schema_not_met" not in good
    assert half["schema_not_met"] == "$: required people"
    assert llm.df["needs"].tolist() == ["json", "json"]
    assert llm.df["status"].tolist() == ["answered", "answered"]


def test_where_no_text_is_stored_none_of_the_schema_is():
    llm = session()
    llm.ledger.store_text = False
    secret = {"type": "object", "description": "canary-4711"}
    llm("Oslo?", "a:good", schema=secret)
    (labels,) = llm.df["labels"]
    kept = json.loads(json.loads(labels)["schema"])
    assert kept == {"name": "answer", "sha256": schema_of(secret).sha256}


def test_a_replay_asks_for_the_same():
    llm = session()
    llm.client.strategy = Cascade(("a:half",))
    llm("Oslo?", schema=City)
    llm.client.price = price
    llm.replay(Cascade(("a:good",)), call=True, tell=lambda _: None)
    model, request = llm.client.providers["a"].requests[-1]
    assert (model, request.schema) == ("good", Schema("City", schema_of(City).text))


def test_a_conversation_goes_on_without_the_schema():
    llm = session()
    first = bridge.run(
        llm.client.generate(Request("Oslo?", models=("a:good",), schema=schema_of(City)))
    )
    llm.remember(first, thread="t")
    second = llm.client.generate_sync(Request("And?", models=("a:half",), history=llm.thread("t")))
    assert (second.value, second.request.history[1].text) == (HALF, GOOD)


# --- what is shown


async def test_a_dry_run_counts_the_schema_and_names_it():
    own = client()
    plain = request_from(parse_cell("a:good"), "Oslo?")
    held = request_from(parse_cell("a:good --schema City"), "Oslo?", schema=schema_of(City))
    said = str(await plan(own, held))
    assert held.estimated_input_tokens() > plain.estimated_input_tokens()
    assert f"about {held.estimated_input_tokens()} →" in said
    assert "Schema of the answer" in said
    assert "Schema of the answer" not in str(await plan(own, plain))


async def test_card_receipt_and_why_say_that_it_is_not_met():
    response = await client().generate("Oslo?", "a:half", schema=City)
    assert notices(response) == (UNMET,)
    assert receipt(response).endswith("· schema not met")
    assert f"! {UNMET}" in str(Card(response))
    assert facts(response)["schema_not_met"] == "$: required people"
    why = str(reports.why(response, price))
    assert "City: not met, $: required people" in why


async def test_card_receipt_and_why_say_nothing_odd_where_it_is_met():
    response = await client().generate("Oslo?", "a:good", schema=City)
    assert notices(response) == ()
    assert "schema" not in receipt(response)
    assert facts(response)["schema"] == "City"
    assert "City: met" in str(reports.why(response, price))
    assert "schema" not in str(reports.why(await client().generate("?", "a:good"), price))


async def test_what_a_model_wrote_is_not_in_the_notice():
    script = {"m": [[Say('{"name": "x", "people": 1, "<img src=x>": 1}')]]}
    closed = {**schema_of(City).to_json(), "additionalProperties": False}
    response = await make_client(script).generate("?", "a:m", schema=closed)
    assert response.parsed.fault == "$: additionalProperties"
    assert "<img" not in "".join(notices(response))


def test_a_comparison_holds_every_contestant_to_it_and_says_who_misses():
    llm = session()
    compared = llm.compare("Oslo?", "a:good, a:half", schema=City)
    good, half = compared.responses
    assert good.value == City("Oslo", 7)
    assert half.parsed.fault == "$: required people"
    pane = Pane(1, "a:half")
    for hidden in (False, True):
        pane.hear(Finished(half))
        assert pane.view(hidden=hidden).notices == (UNMET,)


# --- the line


def test_the_option_names_a_variable_and_slips_are_told():
    names = {"City": City, "year": {"type": "integer"}, "city": City("Oslo", 7), "odd": {"a": 1}}
    assert parse_cell("fast --schema City").schema == parse_cell("--schema=@City").schema == "City"
    assert schema_in("City", names) == schema_of(City)
    assert schema_in("year", names) == schema_of({"type": "integer"}, "year")
    for word, said in {
        "Citty": "--schema: there is no variable 'Citty'; did you mean 'City'?",
        "city": "--schema: city is an object of City, no schema: give the class itself",
        "odd": "--schema: odd: the keyword 'a' is not checked here",
    }.items():
        with pytest.raises(UsageError) as caught:
            schema_in(word, names)
        assert str(caught.value).startswith(said)
    for line in ("--schema", "--schema 3x", "--schema City --schema City"):
        with pytest.raises(UsageError, match="--schema"):
            parse_cell(line)


def test_the_option_completes_what_may_be_a_schema():
    names = {"City": City, "year": {"type": "integer"}, "city": City("x", 1), "n": 3, "_t": City}
    vocabulary = Vocabulary(namespace=names)
    line = "%%llm fast --schema "
    found = offer(line, 0, len(line), lambda: vocabulary)
    assert found.words == ("City", "year")
    assert offer(f"{line}Ci", 0, len(line) + 2, lambda: vocabulary).words == ("City",)
    assert "--schema" in offer("%%llm fast --sch", 0, 16, lambda: vocabulary).words


def test_json_is_shown_as_json_unless_something_else_is_asked_for():
    assert format_of(parse_cell("--schema City")) == "json"
    assert format_of(parse_cell("--schema City -f text")) == "text"
    assert format_of(parse_cell("fast")) == "auto"


async def test_with_x_a_cell_is_worth_the_object_or_an_error(capsys):
    good = await client().generate("Oslo?", "a:good", schema=City)
    half = await client().generate("Oslo?", "a:half", schema=City)
    assert worth(good, parse_cell("--schema City")) is good
    assert worth(good, parse_cell("--schema City -x")) == City("Oslo", 7)
    with pytest.raises(SchemaNotMet):
        worth(half, parse_cell("--schema City -x"))
    assert worth(half, parse_cell("--schema City -x --soft")) is half
    assert capsys.readouterr().err == f"SchemaNotMet: {UNMET}\n"
