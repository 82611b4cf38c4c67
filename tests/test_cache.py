"""Answers that were given before: what is kept, when it is given again, what it costs (nothing)."""

import asyncio
import json
from dataclasses import fields, replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multimodel_magic.catalogue import Catalogue
from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.client.cache import NOT_SENT, Cache, Kept, key_of
from multimodel_magic.config import parse_config
from multimodel_magic.errors import (
    ConfigError,
    MultimodelError,
    Overloaded,
    StreamInterrupted,
    UsageError,
)
from multimodel_magic.ledger import Ledger
from multimodel_magic.ledger.answers import AnswerFile
from multimodel_magic.limits import Budget, Patience
from multimodel_magic.notebook.caching import cache as shown
from multimodel_magic.notebook.extension import LLMMagics
from multimodel_magic.notebook.options import parse_cell, request_from
from multimodel_magic.providers.scripted import (
    Fail,
    Say,
    ScriptedProvider,
    Stop,
    Sure,
    UsageIs,
    Wait,
)
from multimodel_magic.session import Session
from multimodel_magic.strategies import Fixed
from multimodel_magic.strategies.cascade import Cascade, Confident, SelfConsistency
from multimodel_magic.strategies.experiment import Experiment
from multimodel_magic.types import (
    Attachment,
    Message,
    Notice,
    Price,
    Request,
    Schema,
    TextDelta,
    Usage,
)

ANSWER = [Say("Hello.", chunk_chars=2), UsageIs(Usage(10, 5))]
DOWN = Fail(Overloaded("busy"))


class Answers:
    """A place that keeps answers in a dictionary."""

    def __init__(self, objection=None):
        self.by_key, self.why = {}, objection

    def objection(self):
        return self.why

    def find(self, key):
        return self.by_key.get(key)

    def holds(self, key):
        return key in self.by_key

    def keep(self, key, model, answer):
        self.by_key[key] = answer


class Books:
    def __init__(self):
        self.responses = []

    def record(self, response):
        self.responses.append(response)


def _price(provider, model, usage, at):
    return Price(Decimal(usage.input_tokens + usage.output_tokens) / 1000, "override")


def _client(script, mode="on", answers=None, **more):
    async def sleep(seconds):
        await asyncio.sleep(0)

    return UnifiedLLMClient(
        {"a": ScriptedProvider(script, name="a")},
        ledger=Books(),
        catalogue=Catalogue(providers=frozenset({"a"})),
        price=_price,
        sleep=sleep,
        dice=lambda: 0.0,
        cache=Cache(answers or Answers(), mode),
        **more,
    )


def _asked(client):
    return [model for model, _ in client.providers["a"].requests]


async def _events(client, request):
    return [event async for event in client.stream(request)]


# --- an answer given again


async def test_the_same_question_again_asks_nobody_costs_nothing_and_says_cached():
    client = _client({"m": [ANSWER]})
    first, again = [await client.generate("Hi", "a:m") for _ in range(2)]
    assert _asked(client) == ["m"]
    assert (first.cached, again.cached) == (False, True)
    assert (first.text, again.text) == ("Hello.", "Hello.")
    assert (first.cost_usd, again.cost_usd) == (Decimal("0.015"), 0)
    assert again.usage == Usage(10, 5)
    assert (again.stop_reason, again.attempts[0].price_source) == ("stop", "cache")


async def test_a_kept_answer_comes_in_one_piece_with_the_latency_of_now():
    client = _client({"m": [[Wait(0.3), *ANSWER]]})
    await client.generate("Hi", "a:m")
    events = await _events(client, Request("Hi", models=("a:m",)))
    assert [e.text for e in events if isinstance(e, TextDelta)] == ["Hello."]
    response = events[-1].response
    assert 0 < response.attempts[0].latency_s < 0.3
    assert response.ttft_s == response.attempts[0].latency_s


async def test_a_cached_answer_is_recorded_as_an_attempt_like_any_other():
    client = _client({"m": [ANSWER]})
    for _ in range(2):
        await client.generate("Hi", "a:m")
    attempts = [a for r in client.ledger.responses for a in r.attempts]
    assert [a.cached for a in attempts] == [False, True]
    assert len(_asked(client)) == sum(not a.cached for a in attempts)
    assert client.purse.spent_usd == sum(a.cost_usd for a in attempts) == Decimal("0.015")


async def test_asked_afresh_the_model_answers_anew_and_that_answer_is_kept():
    client = _client({"m": [[Say("old")], [Say("new")]]})
    await client.generate("Hi", "a:m")
    fresh = await client.generate("Hi", "a:m", fresh=True)
    again = await client.generate("Hi", "a:m")
    assert [(r.text, r.cached) for r in (fresh, again)] == [("new", False), ("new", True)]


async def test_asked_afresh_a_kept_answer_is_replaced_though_the_mode_would_keep_none():
    client = _client({"m": [[Say("old")], [Say("new")]]}, mode="off")
    await client.generate("Hi", "a:m", cache="on")
    await client.generate("Hi", "a:m", fresh=True)
    assert (await client.generate("Hi", "a:m", cache="on")).text == "new"


# --- when an answer will do


@pytest.mark.parametrize(
    ("mode", "options", "cached"),
    [
        ("auto", {}, False),
        ("auto", {"temperature": 0}, True),
        ("auto", {"temperature": 0.0}, True),
        ("auto", {"temperature": 0.2}, False),
        ("auto", {"temperature": None}, False),
        ("auto", {"temperature": False}, False),
        ("auto", {"options": {"temperature": 0}}, True),
        ("auto", {"options": "odd"}, False),
        ("on", {}, True),
        ("on", {"temperature": 1}, True),
        ("off", {"temperature": 0}, False),
    ],
)
async def test_who_sets_no_temperature_gets_samples_unless_the_cache_is_on(mode, options, cached):
    client = _client({"m": [ANSWER]}, mode)
    for _ in range(2):
        response = await client.generate("Hi", "a:m", options=options)
    assert response.cached is cached


@pytest.mark.parametrize(("mode", "said", "cached"), [("on", "off", False), ("off", "on", True)])
async def test_what_the_request_says_of_the_cache_outweighs_the_mode(mode, said, cached):
    client = _client({"m": [ANSWER]}, mode)
    for _ in range(2):
        response = await client.generate("Hi", "a:m", cache=said)
    assert response.cached is cached


async def test_an_unknown_mode_is_refused_with_the_nearest():
    with pytest.raises(UsageError, match=r"no cache mode is called 'ono'; did you mean 'on'\?"):
        await _client({"m": [ANSWER]}).generate("Hi", "a:m", cache="ono")


async def test_without_a_place_for_answers_a_client_keeps_none():
    client = UnifiedLLMClient({"a": ScriptedProvider({"m": [ANSWER]}, name="a")})
    responses = [await client.generate("Hi", "a:m", cache="on") for _ in range(2)]
    assert not any(r.cached for r in responses)


async def test_where_texts_are_not_stored_nothing_is_kept_and_it_is_said_once():
    client = _client({"m": [ANSWER]}, answers=Answers("texts are not stored"))
    said = []
    for _ in range(2):
        events = await _events(client, Request("Hi", models=("a:m",)))
        assert not events[-1].response.cached
        said += [e.text for e in events if isinstance(e, Notice)]
    assert said == ["texts are not stored"]


# --- what is kept


@pytest.mark.parametrize(
    "script",
    [
        [Say("Once upon"), Stop("length")],
        [Say("I can't help with that."), Stop("end_turn")],
        [Say("No."), Stop("refusal")],
        [Say("half"), Stop("pause_turn")],
        [Say(" "), Stop("stop")],
        [Say("\ud83d"), Stop("stop")],
    ],
    ids=["cut", "refused", "filtered", "paused", "empty", "half a character"],
)
async def test_only_whole_answers_are_kept(script, tmp_path):
    client = _client({"m": [script]}, answers=_Filed(tmp_path))
    for _ in range(2):
        assert not (await client.generate("Hi", "a:m")).cached
    assert client.cache.answers.stock().entries == 0


class _Filed(AnswerFile):
    def __init__(self, folder):
        super().__init__(folder / "answers.db")

    def objection(self):
        return None


async def test_failures_and_partial_answers_that_were_kept_on_screen_are_not_kept():
    broken = [Say("half"), Fail(StreamInterrupted("gone"))]
    client = _client({"m": [[DOWN], broken]}, patience=Patience(retries=0, broken_stream="keep"))
    with pytest.raises(MultimodelError):
        await client.generate("Hi", "a:m")
    events = await _events(client, Request("Hi", models=("a:m",)))
    assert events[-1].response.text == "half"
    assert client.cache.answers.by_key == {}


async def test_an_interrupted_answer_is_not_kept():
    client = _client({"m": [[Say("half"), Wait(60.0)]]})
    task = asyncio.ensure_future(_events(client, Request("Hi", models=("a:m",))))
    while not _asked(client):  # noqa: ASYNC110 - the provider keeps a list
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert client.cache.answers.by_key == {}


# --- beside fallbacks, budgets, experiments, cascades, chaos


async def test_a_resting_model_and_a_spent_budget_have_no_say_in_a_kept_answer():
    client = _client({"m": [ANSWER]})
    await client.generate("Hi", "a:m")
    client.budget = Budget(session_usd=Decimal("0.001"))
    for _ in range(30):
        gate = client.breakers.enter("a:m")
        if gate is not None:
            client.breakers.leave("a:m", gate, failed=True)
    assert client.breakers.wait_s("a:m") > 0
    assert (await client.generate("Hi", "a:m")).cached


async def test_the_first_model_is_asked_though_its_fallback_has_a_kept_answer():
    client = _client({"m": [[Say("mine")]], "n": [[Say("theirs")]]})
    await client.generate("Hi", "a:n")
    response = await client.generate("Hi", "a:m", fallbacks=["a:n"])
    assert (response.text, response.cached) == ("mine", False)


async def test_where_the_first_model_fails_its_fallbacks_kept_answer_is_given():
    client = _client({"m": [[DOWN]], "n": [[Say("theirs")]]})
    await client.generate("Hi", "a:n")
    response = await client.generate("Hi", "a:m", fallbacks=["a:n"])
    assert (response.text, response.cached, response.fallback_used) == ("theirs", True, True)
    assert [a.cached for a in response.attempts] == [False, False, True]


async def test_the_models_of_two_arms_keep_apart_and_their_cached_answers_are_marked():
    arms = {"one": ("a:m", 0.5), "two": ("a:n", 0.5)}
    strategy = Experiment("trial", {k: _arm(*v) for k, v in arms.items()})
    client = _client({"m": [[Say("of m")]], "n": [[Say("of n")]]}, strategy=strategy)
    for unit in map(str, range(12)):
        await client.generate("Hi", unit=unit)
    by_arm = {r.route.arm: r.text for r in client.ledger.responses}
    assert by_arm == {"trial:one": "of m", "trial:two": "of n"}
    assert sorted(_asked(client)) == ["m", "n"]
    assert sum(r.cached for r in client.ledger.responses) == 10


def _arm(model, share):
    from multimodel_magic.strategies.experiment import Arm

    return Arm(model, share)


async def test_a_cascade_climbs_over_kept_answers_for_nothing():
    turned_down = Cascade(
        ("a:m", "a:n"), judge=lambda request, text, stop: _verdict(text != "poor")
    )
    client = _client({"m": [[Say("poor")]], "n": [[Say("good")]]}, strategy=turned_down)
    first, again = [await client.generate("Hi") for _ in range(2)]
    assert (first.text, again.text, again.cost_usd) == ("good", "good", 0)
    assert [a.cached for a in again.attempts] == [True, True]
    assert again.cascaded


def _verdict(ok):
    from multimodel_magic.types import Verdict

    return Verdict(ok=ok, why="" if ok else "poor")


async def test_a_kept_answer_does_not_pass_for_one_that_the_model_was_sure_of():
    unsure, good = [[Say("Rome"), Sure(-1.5)]], [[Say("Paris")]]
    strategy = Cascade(("a:m", "a:n"), judge=Confident(-0.5))
    client = _client({"m": unsure, "n": good}, strategy=strategy)
    for _ in range(2):
        assert (await client.generate("Hi")).text == "Paris"
    assert _asked(client) == ["m", "n", "m"]


async def test_who_asks_for_log_probabilities_gets_them_and_no_kept_answer():
    client = _client({"m": [[Say("Paris"), Sure(-0.1)]]})
    for _ in range(2):
        response = await client.generate(Request("Hi", models=("a:m",), logprobs=True))
        assert (response.cached, response.attempts[0].mean_logprob) == (False, -0.1)


async def test_samples_that_a_judge_asks_for_are_kept_apart():
    strategy = Cascade(("a:m", "a:n"), judge=SelfConsistency(samples=3))
    client = _client({"m": [[Say("1")], [Say("2")], [Say("3")]], "n": [[Say("9")]]}, "on",
                     strategy=strategy)  # fmt: skip
    first = await client.generate("Hi")
    asked = list(_asked(client))
    again = await client.generate("Hi")
    assert (first.text, asked) == ("9", ["m", "m", "m", "n"])
    assert (again.text, again.cost_usd, _asked(client)) == ("9", 0, asked)


async def test_a_rehearsal_of_faults_neither_takes_nor_leaves_kept_answers():
    client = _client({"m": [ANSWER]})
    client.chaos({"a": "latency=0ms"})
    for _ in range(2):
        assert not (await client.generate("Hi", "a:m")).cached
    assert client.cache.answers.by_key == {}


async def test_a_strategys_choice_is_in_the_key_and_what_it_looked_at_is_not():
    client = _client({"m": [ANSWER]}, strategy=Fixed(("a:m",)))
    await client.generate("Hi", "a:m", task="chat", timeout_s=5)
    assert (await client.generate("Hi", user_tier="free", unit="7")).cached


# --- the key


def test_every_field_of_a_request_is_either_in_the_key_or_known_not_to_be_sent():
    sent = {f.name for f in fields(Request)} - NOT_SENT
    words = {"prompt", "system", "history", "attachments", "schema"}
    assert sent == {*words, "max_tokens", "options", "sample"}
    assert {f.name for f in fields(Request)} >= NOT_SENT


WORDS = st.text(max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
SENT = st.builds(
    Request,
    st.text(min_size=1, max_size=8),
    system=st.none() | WORDS,
    history=st.lists(st.builds(Message, st.sampled_from(["user", "assistant"]), WORDS),
                     max_size=2).map(tuple),
    max_tokens=st.none() | st.integers(0, 9),
    options=st.dictionaries(WORDS, VALUES, max_size=3),
    schema=st.none() | st.builds(Schema, WORDS, WORDS.map(json.dumps)),
    sample=st.integers(0, 2),
)  # fmt: skip


def _wire(request):
    """What is sent, as JSON's values are told apart."""
    return repr([_exact(getattr(request, f.name)) for f in fields(Request)
                 if f.name not in NOT_SENT])  # fmt: skip


def _exact(value):
    if isinstance(value, dict):
        return sorted((name, _exact(one)) for name, one in value.items())
    if isinstance(value, list | tuple):
        return [_exact(one) for one in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


@settings(max_examples=150, deadline=None)
@given(SENT, SENT)
def test_two_requests_have_one_key_exactly_where_the_same_is_sent(one, other):
    assert (key_of("a:m", one) == key_of("a:m", other)) == (_wire(one) == _wire(other))


@settings(max_examples=60, deadline=None)
@given(SENT, st.randoms(use_true_random=False))
def test_the_order_of_options_and_what_routing_looks_at_do_not_change_the_key(request_, dice):
    items = list(request_.options.items())
    dice.shuffle(items)
    other = replace(request_, options=dict(items), task="chat", labels={"cell": "7"}, fresh=True)
    assert key_of("a:m", other) == key_of("a:m", request_)


def test_the_model_the_server_and_each_attachment_are_in_the_key():
    keys = {
        key_of("a:m", Request("Hi")),
        key_of("a:n", Request("Hi")),
        key_of("a:m", Request("Hi"), "http://other"),
        key_of("a:m", Request("Hi", attachments=(Attachment("x.png", "image/png", b"1"),))),
        key_of("a:m", Request("Hi", attachments=(Attachment("x.png", "image/png", b"2"),))),
        key_of("a:m", Request("Hi", attachments=(Attachment("x.txt", "text/plain", b"2"),))),
    }
    assert len(keys) == 6


def test_an_option_that_is_true_is_not_the_option_that_is_one():
    assert key_of("a:m", Request("Hi", options={"n": True})) != key_of(
        "a:m", Request("Hi", options={"n": 1})
    )


# --- a session's answers


def _session(tmp_path, script, **more):
    client = UnifiedLLMClient({"a": ScriptedProvider(script, name="a")}, price=_price)
    return Session(client, ledger=Ledger(tmp_path / "ledger.db"), folder=tmp_path, **more)


def test_run_all_twice_in_two_kernels_costs_what_it_cost_once(tmp_path):
    cells = ["one", "two", "three"]
    first = _session(tmp_path, {"m": [ANSWER]}, cache="on")
    paid = [first(cell, "a:m") for cell in cells]
    first.answers.file.flush()
    again = _session(tmp_path, {"m": [[Say("never asked")]]}, cache="on")
    free = [again(cell, "a:m") for cell in cells]
    assert [r.text for r in free] == [r.text for r in paid]
    assert (sum(r.cost_usd for r in paid), sum(r.cost_usd for r in free)) == (Decimal("0.045"), 0)
    stock = again.answers.file.stock()
    assert (stock.entries, stock.hits, stock.saved_usd) == (3, 3, Decimal("0.045"))
    assert again.df["cached"].tolist() == [True] * 3
    assert again.attempts["price_source"].tolist() == ["cache"] * 3


def test_a_session_that_stores_no_text_keeps_no_answer(tmp_path):
    llm = _session(tmp_path, {"m": [ANSWER]}, cache="on")
    llm("Hi", "a:m")
    llm.ledger.store_text = False
    assert not llm("Hi", "a:m").cached
    assert not llm("other", "a:m").cached
    assert llm.answers.file.stock().entries == 1


def test_the_configuration_says_whether_answers_are_kept_and_the_session_outweighs_it(tmp_path):
    (tmp_path / "routing_config.yml").write_text("cache: {mode: on, max_mb: 1}\n")
    llm = _session(tmp_path, {"m": [ANSWER]})
    llm("Hi", "a:m")
    assert llm("Hi", "a:m").cached
    assert llm.answers.file.most_bytes == 2**20
    llm.cache_mode = "off"
    assert not llm("Hi", "a:m").cached
    llm.cache_mode = None
    assert llm("Hi", "a:m").cached


def test_prompts_and_keys_do_not_reach_the_file_of_answers(tmp_path):
    llm = _session(tmp_path, {"m": [ANSWER]}, cache="on")
    llm("a secret prompt", "a:m", options={"extra_headers": {"authorization": "sk-canary"}})
    llm.answers.file.close()
    llm.ledger.close()
    stored = (tmp_path / "ledger.answers.db").read_bytes()
    assert b"Hello." in stored
    assert b"secret" not in stored
    assert b"canary" not in stored


def test_a_kept_answer_is_what_was_answered_to_the_last_field(tmp_path):
    answers = AnswerFile(tmp_path / "answers.db")
    usage = Usage(10, 5, 3, 2, 1, estimated=True)
    kept = Kept("Grüße 🎈\n", usage, "end_turn", "m-2026", "id-1", Decimal("0.000001234567"))
    answers.keep("k", "a:m", kept)
    answers.close()
    assert AnswerFile(tmp_path / "answers.db").find("k") == kept


# --- the line, and %llm cache


def test_the_line_says_whether_an_answer_of_before_will_do():
    assert request_from(parse_cell("fast"), "Hi").cache is None
    assert request_from(parse_cell("--cache --fresh"), "Hi").cache == "on"
    assert request_from(parse_cell("--cache --fresh"), "Hi").fresh
    assert request_from(parse_cell("--no-cache"), "Hi").cache == "off"
    with pytest.raises(UsageError, match="--no-cache contradicts or repeats"):
        parse_cell("--cache --no-cache")


def test_the_cache_is_switched_cleared_and_shown_by_its_word(tmp_path):
    llm, settings_ = _session(tmp_path, {"m": [ANSWER]}), LLMMagics()
    assert "auto: where a request sets the temperature to 0" in str(shown(llm, settings_, ""))
    text = str(shown(llm, settings_, "on"))
    assert (llm.cache_mode, settings_.cache) == ("on", "on")
    assert "ledger.answers.db" in text
    for _ in range(2):
        llm("Hi", "a:m")
    text = " ".join(str(shown(llm, settings_, "")).split())
    assert "entries 1" in text
    assert "given 1 time" in text
    assert "about $0.015" in text
    assert "entries 0" in " ".join(str(shown(llm, settings_, "clear")).split())
    with pytest.raises(UsageError, match="did you mean 'clear'"):
        shown(llm, settings_, "claer")
    llm.ledger.store_text = False
    assert "texts are not stored" in str(shown(llm, settings_, ""))


def test_a_mode_that_there_is_not_is_refused_by_session_and_configuration(tmp_path):
    llm = _session(tmp_path, {"m": [ANSWER]})
    with pytest.raises(UsageError, match="did you mean 'auto'"):
        llm.cache_mode = "aut"
    with pytest.raises(ConfigError, match=r"cache\.mode: must be 'auto', 'on' or 'off'"):
        parse_config("cache: {mode: maybe}")
    assert parse_config("cache: {mode: off}").cache.mode == "off"


# --- the law of the whole

STEPS = st.lists(
    st.tuples(st.sampled_from(["one", "two"]), st.sampled_from(["on", "off"]), st.booleans()),
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_whoever_was_asked_was_paid_and_a_kept_answer_is_the_last_one_kept(steps):
    plays = [[Say(f"answer {n}"), UsageIs(Usage(10, 5))] for n in range(len(steps))]
    client = _client({"m": plays})
    last: dict[str, str] = {}

    async def run():
        for prompt, mode, fresh in steps:
            known = prompt in last
            response = await client.generate(prompt, "a:m", cache=mode, fresh=fresh)
            assert response.cached == (mode == "on" and known and not fresh)
            if response.cached:
                assert response.text == last[prompt]
            elif mode == "on" or (fresh and known):
                last[prompt] = response.text

    asyncio.run(run())
    attempts = [a for r in client.ledger.responses for a in r.attempts]
    assert len(_asked(client)) == sum(not a.cached for a in attempts)
    assert client.purse.spent_usd == len(_asked(client)) * Decimal("0.015")
