"""Who is chosen, in which order of precedence, and what the trace says of it."""

import json
import os
import pickle
import subprocess
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from multimodel_magic.catalogue import Catalogue
from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.config import RoutingConfig, load_config, parse_config
from multimodel_magic.errors import ConfigError, Misconfigured, MultimodelError, UsageError
from multimodel_magic.providers.scripted import ScriptedProvider
from multimodel_magic.routing import (
    build_strategies,
    build_strategy,
    configured_catalogue,
    lint,
    own_rates,
)
from multimodel_magic.strategies import Resolved
from multimodel_magic.types import Request, Route

GOOD = Path(__file__).parent / "configs" / "good"
SEED = load_config(GOOD / "routing_config.yml")
AT = datetime(2026, 11, 22, tzinfo=UTC)
OF_THE_SEED = Catalogue(today=date(2024, 3, 18))
"""The catalogue on the day of the article: its models are alive, and some see no images."""


def route(config: RoutingConfig | str, request: Request, catalogue: Catalogue | None = None):
    read = parse_config(config) if isinstance(config, str) else config
    return build_strategy(read, catalogue, at=AT).route(request)


def resolved(config: RoutingConfig, request: Request, catalogue: Catalogue) -> Route:
    return Resolved(
        build_strategy(config, catalogue, at=AT), configured_catalogue(config, catalogue)
    ).route(request)


def trace(found: Route) -> list[str]:
    return [f"{reason.rule}: {reason.saw}" for reason in found.reasons]


# --- precedence


WHOLE = """
routing:
  default_model: balanced
  strategy: task
  rules:
    - {condition: {user_tier: enterprise}, model: strong}
  experiments:
    trial: {treatment: fast, control: strong, percentage: 0, condition: {user_tier: pro}}
"""


def test_a_model_that_the_user_named_comes_before_every_rule():
    found = route(WHOLE, Request("x", models=("o3",), user_tier="enterprise"))
    assert (found.models, found.why) == (("o3",), "named by you")


def test_a_rule_comes_before_experiment_and_strategy():
    found = route(WHOLE, Request("x", user_tier="enterprise", task="chat"))
    assert (found.models, found.strategy) == (("strong",), "rules")
    assert found.why == "rule 1: user_tier is enterprise"


def test_an_experiment_comes_before_the_strategy():
    found = route(WHOLE, Request("x", user_tier="pro", task="chat"))
    assert (found.models, found.arm, found.arm_probability) == (("strong",), "trial:control", 1)


def test_the_strategy_comes_before_the_default_model():
    assert route(WHOLE, Request("x", task="chat")).models == ("fast",)
    assert route(WHOLE, Request("x")).models == ("balanced",)


def test_the_default_model_answers_where_nothing_else_speaks():
    assert route("routing: {default_model: strong}", Request("x")).models == ("strong",)


def test_without_any_configuration_balanced_answers():
    assert build_strategy().route(Request("x")).models == ("balanced",)


def test_a_strategy_named_by_the_request_comes_after_the_rules_and_before_experiments():
    free = "routing: {rules: [{condition: {user_tier: free}, model: fast}], experiments: "
    text = free + "{a: {treatment: strong, control: strong, percentage: 1}}}"
    named = route(text, Request("x", strategy="task", task="analysis", user_tier="pro"))
    assert (named.strategy, named.arm) == ("task", None)
    ruled = route(text, Request("x", strategy="task", task="analysis", user_tier="free"))
    assert (ruled.strategy, ruled.models) == ("rules", ("fast",))
    assert ruled.notices == ("rule 1 comes before --strategy task: user_tier is free",)


def test_ab_fixed_and_weighted_take_their_settings_from_the_file():
    text = """
routing:
  default_model: mine
  weighted: {models: {strong: 1, fast: 0}}
  experiments: {a: {treatment: fast, control: strong, percentage: 100}}
aliases: {mine: balanced}
"""
    assert route(text, Request("x", strategy="ab")).models == ("fast",)
    assert route(text, Request("x", strategy="fixed")).models == ("mine",)
    assert route(text, Request("x", strategy="weighted")).models == ("strong",)
    assert route(text, Request("x", strategy="cascade")).models == ("fast", "strong")


def test_the_tiers_of_complexity_are_the_users_to_change():
    tiers = "{simple: a, medium: b, complex: c}"
    text = f"routing: {{strategy: complexity, complexity: {{classifier: seed, tiers: {tiers}}}}}"
    assert route(text, Request("Hello")).models == ("a",)
    assert route(text, Request("Compare this function, then list the steps")).models == ("c",)


def test_the_first_row_of_the_cost_table_that_fits_decides():
    text = """
routing:
  strategy: cost
  cost:
    table:
      - {user_tier: free, task_value: high, floor: strong}
      - {user_tier: free, floor: balanced}
"""
    assert "strong" in route(text, Request("x", user_tier="free", task_value="high")).why
    assert "balanced" in route(text, Request("x", user_tier="free", task_value="low")).why
    assert "balanced" in route(text, Request("x", user_tier="pro", task_value="low")).why


def test_an_experiment_that_is_not_there_is_one_line():
    with pytest.raises(UsageError, match="no experiment is called 'new_model_tst'; did you mean"):
        route(SEED, Request("x", experiment="new_model_tst"))


def test_an_unknown_strategy_is_one_line_with_its_place():
    with pytest.raises(ConfigError) as caught:
        build_strategy(parse_config("routing:\n  strategy: complexty\n"))
    assert str(caught.value) == (
        "routing_config.yml:2: routing.strategy: no strategy is called 'complexty'; "
        "did you mean 'complexity'?"
    )
    with pytest.raises(UsageError, match="did you mean 'cost'"):
        route(SEED, Request("x", strategy="csot"))


def test_a_client_gets_the_whole_under_every_name():
    table = build_strategies(SEED, at=AT)
    assert {"complexity", "cost", "task", "fallback", "ab", "rules", "cascade"} <= table.keys()
    assert table["cost"].route(Request("x", strategy="cost", user_tier="pro")).strategy == "cost"


# --- the seed's file


def test_the_seeds_first_rule_takes_a_family_of_tasks_at_high_complexity():
    prompt = "Prove that this function is correct, then analyze and compare the steps"
    found = route(SEED, Request(prompt, task="code_review"))
    assert found.models[0] == "claude-3-opus"
    assert found.why.startswith("rule 1: task_type code_review is code, complexity is high (")


def test_every_rule_that_was_tried_says_why_it_did_not_match():
    found = route(SEED, Request("x", task="chat", user_tier="pro", needs=frozenset({"vision"})))
    assert trace(found) == [
        "rule 1: no: task_type is chat, not code",
        "rule 2: no: user_tier is pro, not free",
        "rules: rule 3: needs vision",
    ]


def test_the_vision_rules_fallbacks_without_vision_are_left_out_with_the_reason():
    found = resolved(SEED, Request("x", needs=frozenset({"vision"})), OF_THE_SEED)
    assert found.models == (
        "openai:gpt-4-vision",
        "anthropic:claude-3-sonnet",
        "openai:gpt-4-turbo",
    )
    assert [(out.model, out.why) for out in found.left_out] == [
        ("openai:gpt-3.5-turbo", "no vision")
    ]


def test_a_free_users_failure_does_not_climb_to_a_dear_model():
    found = route(SEED, Request("x", user_tier="free"), OF_THE_SEED)
    # By the list of prices 0.25 and 1.25 USD per million tokens; 0.5 and 1.5 are dearer too.
    assert found.models == ("claude-3-haiku",)
    assert [out.model for out in found.left_out] == list(SEED.routing.fallbacks)
    assert all("allow_dearer_fallbacks" in out.why for out in found.left_out)


# --- fallbacks and their ceiling

PRICED = """
prices:
  "scripted:cheap": {input: 1, output: 1}
  "scripted:dear": {input: 10, output: 10}
  "scripted:dearest": {input: 99, output: 99}
routing:
  default_model: "scripted:cheap"
  fallbacks: ["scripted:dear"]
"""


def test_a_dearer_fallback_is_for_who_is_not_free_or_is_allowed():
    both = ("scripted:cheap", "scripted:dear")
    allowed = PRICED + "  allow_dearer_fallbacks: true\n"
    assert route(PRICED, Request("x", user_tier="pro")).models == both
    assert route(PRICED, Request("x")).models == both
    assert route(PRICED, Request("x", user_tier="free")).models == both[:1]
    assert route(allowed, Request("x", user_tier="free")).models == both


def test_the_fallback_that_the_request_names_is_let_through():
    found = route(PRICED, Request("x", user_tier="free", fallbacks=("scripted:dearest",)))
    assert found.models == ("scripted:cheap", "scripted:dearest")
    assert route(PRICED, Request("x", user_tier="pro", fallbacks=())).models == ("scripted:cheap",)


def test_a_rules_own_fallbacks_and_ceilings_replace_the_general_ones():
    text = (
        PRICED
        + """
  rules:
    - {condition: {task_value: low}, model: "scripted:dear", fallbacks: []}
    - condition: {task_value: high}
      model: "scripted:cheap"
      fallbacks: ["scripted:dearest"]
      allow_dearer_fallbacks: true
"""
    )
    assert route(text, Request("x", task_value="low")).models == ("scripted:dear",)
    high = route(text, Request("x", task_value="high", user_tier="free"))
    assert high.models == ("scripted:cheap", "scripted:dearest")


def test_no_candidate_may_cost_more_than_the_ceiling():
    # 1 prompt token and its frame of 8: 9 in + 500 out, at 1, 10 USD per million: 0.0005, 0.005.
    text = PRICED + "  max_cost_usd: 0.001\n"
    found = route(text, Request("four", user_tier="pro"))
    assert found.models == ("scripted:cheap",)
    assert found.left_out[0].why == "about $0.00509, above max_cost_usd $0.001"
    with pytest.raises(Misconfigured, match=r"scripted:cheap: about \$0\.0005.* max_cost_usd"):
        route(PRICED + "  max_cost_usd: 0.0001\n", Request("four"))


def test_a_model_of_unknown_price_is_not_taken_for_a_cheap_one():
    text = "routing: {default_model: 'groq:a', max_cost_usd: 1}\nproviders: {groq: {}}\n"
    with pytest.raises(Misconfigured, match="its price is unknown"):
        route(text, Request("x"))


def test_own_prices_roles_aliases_and_servers_reach_pricing_and_catalogue():
    config = load_config(GOOD / "every_key.yml")
    rates = own_rates(config)["groq:llama-3.3-70b"]
    assert (float(rates.input_mtok), float(rates.output_mtok)) == (0.59, 0.79)
    known = configured_catalogue(config)
    assert known.resolve("mine").model.full_name == "groq:llama-3.3-70b"
    assert known.resolve("cheap").model.full_name == "groq:llama-3.3-70b"


# --- conditions


@pytest.mark.parametrize(
    ("condition", "request_", "holds"),
    [
        ("{user_tier: [pro, enterprise]}", Request("x", user_tier="pro"), True),
        ("{user_tier: [pro, enterprise]}", Request("x", user_tier="free"), False),
        ("{user_tier: free}", Request("x"), False),
        ("{task_value: high}", Request("x", task_value="high"), True),
        ("{task_type: code}", Request("x", task="code_generation"), True),
        ("{task_type: code}", Request("x", task="code"), True),
        ("{task_type: code_review}", Request("x", task="code_generation"), False),
        ("{task_type: [chat, code]}", Request("x", task="code_review"), True),
        ("{requires_tools: true}", Request("x", needs=frozenset({"tools"})), True),
        ("{requires_tools: false}", Request("x", needs=frozenset({"tools"})), False),
        ("{requires_json: false}", Request("x"), True),
        ("{input_tokens: '> 100'}", Request("x" * 1000), True),
        ("{input_tokens: {lt: 100}}", Request("x" * 1000), False),
        ("{input_tokens: {ge: 8, le: 8}}", Request(""), True),
        ("{complexity: low}", Request("Hello"), True),
        ("{complexity: simple}", Request("Hello"), True),
        ("{complexity: [medium, complex]}", Request("Hello"), False),
        ("{complexity: {gt: 0.25}}", Request("then"), False),
        ("{complexity: '>= 0.25'}", Request("then"), True),
        ("{complexity: 0.25}", Request("then"), True),
        ("{complexity: high}", Request("compare this function, then"), True),
        ("{user_tier: free, task_value: low}", Request("x", user_tier="free"), False),
        ("{not: {user_tier: free}}", Request("x"), True),
        ("{not: [{user_tier: free}, {task_value: low}]}", Request("x", task_value="low"), False),
        ("{any: [{user_tier: free}, {task_value: low}]}", Request("x", task_value="low"), True),
        ("{any: [{user_tier: free}, {task_value: low}]}", Request("x"), False),
        ("{all: [{user_tier: free}, {task_value: low}]}", Request("x", user_tier="free"), False),
        ("{not: {any: [{not: {user_tier: free}}]}}", Request("x", user_tier="free"), True),
    ],
)
def test_a_condition_holds(condition, request_, holds):
    text = (
        f"routing: {{complexity: {{classifier: seed}}, default_model: other, "
        f"rules: [{{condition: {condition}, model: taken}}]}}"
    )
    assert (route(text, request_).models == ("taken",)) is holds


def test_the_cuts_move_what_high_means():
    rule = "rules: [{condition: {complexity: high}, model: strong}]"
    text = f"routing: {{complexity: {{classifier: seed, cuts: [0.1, 0.25]}}, {rule}}}"
    assert route(text, Request("then")).models == ("strong",)


def test_a_task_is_inferred_only_where_the_file_says_so():
    rule = "rules: [{condition: {task_type: code}, model: strong}]"
    prompt = "Write a Python function that reverses a list"
    assert route(f"routing: {{{rule}}}", Request(prompt)).models == ("balanced",)
    assert route(f"routing: {{task: {{infer: true}}, {rule}}}", Request(prompt)).models == (
        "strong",
    )


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (Request("x", user_tier="fre"), "unknown user_tier 'fre'; did you mean 'free'?"),
        (Request("x", task="cod"), "unknown task 'cod'; did you mean 'code'?"),
    ],
)
def test_a_typo_in_the_request_is_no_quiet_mismatch(request_, said):
    with pytest.raises(UsageError) as caught:
        route(SEED, request_)
    assert str(caught.value) == said


# --- lint


def findings(text: str, catalogue: Catalogue | None = None) -> list[str]:
    return [str(finding) for finding in lint(parse_config(text), catalogue or Catalogue())]


def rules(*conditions: str) -> str:
    lines = "".join(f"    - {{condition: {c}, model: fast}}\n" for c in conditions)
    return f"routing:\n  rules:\n{lines}"


BOTH = "{user_tier: [free, pro]}"


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        (["{user_tier: free}", "{user_tier: free, task_value: low}"], "rule 1 takes"),
        (["{user_tier: [free, pro]}", "{user_tier: pro}"], "rule 1 takes"),
        (["{task_type: code}", "{task_type: code_review}"], "rule 1 takes"),
        (["{complexity: [medium, high]}", "{complexity: '> 0.3'}"], "rule 1 takes"),
        (["{complexity: '>= 0.2'}", "{complexity: {gt: 0.2, lt: 0.4}}"], "rule 1 takes"),
        (["{input_tokens: '> 10'}", "{input_tokens: {ge: 11}}"], "rule 1 takes"),
        (["{not: {user_tier: free}}", "{user_tier: pro}"], "rule 1 takes"),
        (
            ["{task_value: low}", "{user_tier: free}", "{user_tier: pro}", BOTH],
            "rule 2 and rule 3 together take",
        ),
    ],
)
def test_a_rule_behind_one_that_takes_all_of_its_requests_is_found(conditions, said):
    last = findings(rules(*conditions))
    assert len(last) == 1
    place = f"{len(conditions) + 2}: routing.rules.{len(conditions) - 1}"
    assert last[0] == f"{place}: is never reached: {said} all of its requests"


@pytest.mark.parametrize(
    "conditions",
    [
        ["{user_tier: free, task_value: low}", "{user_tier: free}"],
        ["{task_type: code_review}", "{task_type: code}"],
        ["{complexity: '> 0.7'}", "{complexity: high}"],
        ["{input_tokens: '> 10'}", "{input_tokens: {ge: 10}}"],
        ["{user_tier: free}", "{task_value: low}"],
    ],
)
def test_a_rule_that_is_reached_is_not_found(conditions):
    assert findings(rules(*conditions)) == []


@pytest.mark.parametrize(
    "condition",
    [
        "{all: [{user_tier: free}, {user_tier: pro}]}",
        "{complexity: {gt: 1}}",
        "{complexity: low, all: [{complexity: '> 0.5'}]}",
        "{requires_vision: true, not: {requires_vision: true}}",
    ],
)
def test_a_rule_that_can_never_match_is_found(condition):
    assert findings(rules(condition)) == [
        "3: routing.rules.0: can never match: no request meets its condition"
    ]


def test_five_hundred_rules_are_looked_through_while_one_waits():
    bands = [
        f"{{condition: {{input_tokens: {{ge: {n}0, lt: {n}9}}}}, model: fast}}" for n in range(400)
    ]
    config = parse_config(f"routing: {{rules: [{', '.join([*bands, bands[0]])}]}}")
    begun = time.process_time()
    (finding,) = lint(config)
    assert finding.what == "is never reached: rule 1 takes all of its requests"
    assert time.process_time() - begun < 10  # 0.9 s; it took half a minute


def test_the_lint_of_the_seeds_file_names_what_its_author_overlooked():
    everything = "the experiment new_model_test"
    said = [str(finding) for finding in lint(SEED, OF_THE_SEED)]
    assert said == [
        f"3: routing.default_model: is never asked: {everything} takes every request before it",
        "22: routing.fallbacks.2: gpt-3.5-turbo has no vision: left out where rule 3 applies",
    ]
    today = [finding.what for finding in lint(SEED, Catalogue())]
    assert sum("was retired on" in what for what in today) == 9


def test_unknown_models_dead_roles_and_unencrypted_keys_are_found():
    text = """
routing:
  fallbacks: [mine, gtp-6-luna]
roles:
  mine: ["ollama:a"]
providers:
  far: {base_url: "http://example.org/v1", api_key_env: FAR_KEY}
  near: {base_url: "http://localhost:1/v1", api_key_env: NEAR_KEY}
"""
    said = findings(text, Catalogue(unusable={"ollama": "no server"}))
    meant = "did you mean 'gpt-6-luna' or 'gpt-5.6-luna' or 'gpt-6-sol'?"
    dead = "the role 'mine' leads to nothing that is usable here (no server)"
    assert said == [
        f"3: routing.fallbacks.0: {dead}",
        f"3: routing.fallbacks.1: no model, role or alias is called 'gtp-6-luna'; {meant}",
        f"5: roles.mine: {dead}",
        "7: providers.far.base_url: sends the key unencrypted: use https://",
    ]


def test_a_task_that_looks_misspelt_and_a_judge_of_its_own_answers_are_found():
    text = """
routing:
  task:
    models: {code_reveiw: strong, poems: fast, chatter: fast}
    families:
      writing: [poems, sumarization]
  cascade: {models: [fast, strong], judge: claude-haiku-5-5}
"""
    task, code = "declares a task", "did you mean 'code_review'?"
    judge = "anthropic:claude-haiku-5-5 would judge its own answers; take another model"
    assert findings(text) == [
        f"4: routing.task.models.code_reveiw: {task} 'code_reveiw'; {code}",
        f"6: routing.task.families.writing.1: {task} 'sumarization'; did you mean 'summarization'?",
        f"7: routing.cascade.judge: {judge}",
    ]
    assert findings("routing: {cascade: {models: [fast, balanced], judge: strong}}") == []


def test_a_family_that_the_strategy_knows_is_known_to_the_rules_too():
    config = parse_config("routing: {rules: [{condition: {task_type: text}, model: fast}]}")
    assert route(config, Request("x", task="translation")).strategy == "rules"
    assert route(config, Request("x", task="text")).strategy == "rules"
    assert route(config, Request("x", task="code")).strategy == "fixed"


def test_a_second_experiment_is_reached_by_name_alone():
    one = "{treatment: fast, control: strong, percentage: 5}"
    text = f"routing:\n  experiments:\n    a: {one}\n    b: {one}\n"
    assert findings(text) == [
        "4: routing.experiments.b: is never reached by itself: the experiment a first"
    ]


# --- laws

quick = settings(
    max_examples=50, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
MODELS = st.sampled_from(
    ["fast", "balanced", "vision", "o3", "gpt-3.5-turbo", "local:smollm2", "ollama:x"]
)
CONDITIONS = st.recursive(
    st.fixed_dictionaries(
        {},
        optional={
            "user_tier": st.sampled_from(["free", "pro"]),
            "task_type": st.sampled_from(["code", "chat", "code_review"]),
            "complexity": st.sampled_from(["low", ["medium", "high"], "> 0.4"]),
            "requires_vision": st.booleans(),
            "input_tokens": st.sampled_from(["> 10", {"le": 20}]),
        },
    ).filter(bool),
    lambda inner: st.one_of(
        st.fixed_dictionaries({"any": st.lists(inner, min_size=1, max_size=2)}),
        st.fixed_dictionaries({"not": inner}),
    ),
    max_leaves=2,
)
RULES = st.fixed_dictionaries(
    {"condition": CONDITIONS, "model": MODELS},
    optional={"fallbacks": st.lists(MODELS, max_size=2)},
)
CONFIGS = st.fixed_dictionaries(
    {
        "complexity": st.just({"classifier": "seed"}),
        "rules": st.lists(RULES, max_size=3),
        "fallbacks": st.lists(MODELS, max_size=3),
    },
    optional={
        "default_model": MODELS,
        "strategy": st.sampled_from(["complexity", "task", "cost"]),
        "experiments": st.just({"a": {"treatment": "fast", "control": "o3", "percentage": 50}}),
    },
)
REQUESTS = st.builds(
    Request,
    st.sampled_from(["Hello", "Compare this function, then list the steps", "x" * 99_000]),
    user_tier=st.sampled_from([None, "free", "pro"]),
    task=st.sampled_from([None, "code_review", "chat"]),
    needs=st.sets(st.sampled_from(["vision", "json"])).map(frozenset),
    strategy=st.sampled_from([None, None, "complexity", "fixed"]),
    unit=st.sampled_from(["a", "b"]),
)
UNUSABLE = st.dictionaries(
    st.sampled_from(["anthropic", "openai", "local", "ollama"]), st.just("not here"), max_size=3
)


def config_of(routing: dict[str, Any]) -> RoutingConfig:
    return RoutingConfig.model_validate({"routing": routing})


@quick
@given(CONFIGS, REQUESTS, UNUSABLE)
def test_a_route_is_never_empty_or_an_error_says_why(routing, request_, unusable):
    catalogue = Catalogue(unusable=unusable)
    try:
        found = resolved(config_of(routing), request_, catalogue)
    except MultimodelError as error:
        said = str(error)
    else:
        said = ""
        assert found.models
        assert found.reasons
    assert bool(said) or found.models


@quick
@given(CONFIGS, REQUESTS, UNUSABLE)
def test_every_model_of_a_route_meets_the_needs(routing, request_, unusable):
    catalogue = Catalogue(unusable=unusable)
    try:
        found = resolved(config_of(routing), request_, catalogue)
    except Misconfigured:
        return
    for name in found.models:
        model = catalogue.resolve(name).model
        assert catalogue.meets(model, request_.needs, request_.estimated_input_tokens()) is None
        assert model.provider not in unusable


@quick
@given(CONFIGS, REQUESTS)
def test_the_same_request_gets_the_same_route_from_a_reread_configuration(routing, request_):
    config = config_of(routing)
    again = parse_config(config.to_yaml())
    built, rebuilt = build_strategy(config, at=AT), build_strategy(again, at=AT)
    assert rebuilt == built
    assert rebuilt.config == config
    assert rebuilt.route(request_) == built.route(request_) == built.route(request_)


@settings(quick, max_examples=25)
@given(CONFIGS, st.lists(REQUESTS, min_size=1, max_size=4), CONDITIONS, st.integers(0, 2))
def test_adding_a_shadowed_rule_changes_nothing(routing, requests, more, at):
    assume(at < len(routing["rules"]))
    narrower = {"condition": {"all": [routing["rules"][at]["condition"], more]}, "model": "shadow"}
    longer = {
        **routing,
        "rules": [*routing["rules"][: at + 1], narrower, *routing["rules"][at + 1 :]],
    }
    shorter, config = config_of(routing), config_of(longer)
    for request_ in requests:
        before = route(shorter, request_)
        after = route(config, request_)
        assert (after.models, after.arm) == (before.models, before.arm)
    said = [f.what for f in lint(config) if f.path == f"routing.rules.{at + 1}"]
    assert any("never" in what for what in said)


@settings(quick, max_examples=25)
@given(CONFIGS, st.lists(REQUESTS, min_size=1, max_size=4))
def test_a_rule_that_the_lint_calls_unreachable_is_never_reached(routing, requests):
    config = config_of(routing)
    dead = {f.path for f in lint(config) if "never reached" in f.what or "never match" in f.what}
    for request_ in requests:
        for reason in route(config, request_).reasons:
            if reason.rule == "rules":
                number = int(reason.saw.removeprefix("rule ").partition(":")[0])
                assert f"routing.rules.{number - 1}" not in dead


def test_another_process_chooses_the_same():
    script = (
        "from multimodel_magic.config import load_config;"
        "from multimodel_magic.routing import build_strategy;"
        "from multimodel_magic.types import Request;"
        f"strategy = build_strategy(load_config({str(GOOD / 'routing_config.yml')!r}));"
        "print([strategy.route(Request('x', unit=str(n))).arm for n in range(50)])"
    )
    here = str([route(SEED, Request("x", unit=str(n))).arm for n in range(50)])
    run = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == here
    assert "new_model_test:treatment" in here


ELSEWHERE = """
import json, pickle, sys
from datetime import datetime, UTC
from multimodel_magic.config import parse_config
from multimodel_magic.routing import build_strategy

at, asked = pickle.loads(sys.stdin.buffer.read())
routes = [build_strategy(parse_config(text), at=at).route(request) for text, request in asked]
print(json.dumps([repr(one) for one in routes]))
"""
# The file's own scorer and the default one, whose words stand in sets.
SCORED = st.tuples(CONFIGS, st.sampled_from(["seed", "default"])).map(
    lambda drawn: {**drawn[0], "complexity": {"classifier": drawn[1]}}
)


@pytest.mark.slow
@settings(quick, max_examples=4)
@given(st.lists(st.tuples(SCORED, REQUESTS), min_size=10, max_size=20), st.integers(1, 1000))
def test_the_same_request_gets_the_same_route_in_another_process_too(asked, seed):
    said = [(config_of(routing).to_yaml(), request_) for routing, request_ in asked]
    here = [repr(build_strategy(parse_config(text), at=AT).route(r)) for text, r in said]
    there = subprocess.run(
        [sys.executable, "-c", ELSEWHERE],
        input=pickle.dumps((AT, said)),
        env={**os.environ, "PYTHONHASHSEED": str(seed)},
        capture_output=True,
        check=True,
    )
    assert json.loads(there.stdout) == here


def test_a_client_follows_the_configuration():
    config = parse_config("""
routing:
  default_model: "scripted:echo"
  rules:
    - {condition: {user_tier: free}, model: "scripted:echo", fallbacks: []}
""")
    client = UnifiedLLMClient(
        {"scripted": ScriptedProvider()},
        build_strategy(config, at=AT),
        catalogue=configured_catalogue(config),
        strategies=build_strategies(config, at=AT),
    )
    response = client.generate_sync(Request("Hello", user_tier="free", strategy="fixed"))
    assert response.error is None
    assert response.route is not None
    assert (response.route.models, response.route.strategy) == (("scripted:echo",), "rules")
