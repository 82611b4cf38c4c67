"""Laws of the configuration: it reads back as it was written, and no text makes a traceback."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from multimodel_magic.config import RoutingConfig, config_hash, parse_config
from multimodel_magic.config.document import dump, read
from multimodel_magic.errors import ConfigError

quick = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)

# Names that YAML would take for something else are the ones to try.
WORDS = st.one_of(
    st.sampled_from(["fast", "no", "on", "null", "1e3", "12:30", "2026-01-01", "~", "openai:o3"]),
    st.from_regex(r"[a-z][a-z0-9:/._-]{0,12}", fullmatch=True),
)
NAMES = st.one_of(
    st.sampled_from(["no", "on", "1", "1e3", "null"]),
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,8}", fullmatch=True),
)
MONEY = st.decimals(0, 10_000, places=6)
TIERS = st.lists(st.sampled_from(["free", "pro", "enterprise"]), min_size=1, max_size=3)
LEVELS = st.lists(st.sampled_from(["low", "medium", "high"]), min_size=1, max_size=3)
BANDS = st.one_of(
    st.fixed_dictionaries({"gt": st.floats(0, 0.4), "le": st.floats(0.5, 1)}),
    st.floats(0, 1).map(lambda number: f">= {number!r}"),
    st.floats(0, 1),
)
TASKS = st.lists(st.sampled_from(["code", "chat", "analysis"]), min_size=1)


def some(**keys: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=keys)


LEAVES = some(
    task_type=TASKS,
    complexity=BANDS | LEVELS,
    user_tier=TIERS | st.just("free"),
    task_value=LEVELS,
    requires_vision=st.booleans(),
    requires_json=st.booleans(),
    input_tokens=BANDS,
).filter(bool)
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        *(
            st.fixed_dictionaries({key: st.lists(inner, min_size=1, max_size=2)})
            for key in ("any", "all", "not")
        )
    ),
    max_leaves=3,
)
TARGETS = st.one_of(
    st.fixed_dictionaries({"model": WORDS}),
    st.fixed_dictionaries({"models": st.lists(WORDS, min_size=1, max_size=2)}),
    st.fixed_dictionaries({"strategy": st.sampled_from(["cost", "complexity"])}),
)
EXTRAS = some(
    condition=CONDITIONS, fallbacks=st.lists(WORDS, max_size=2), name=st.text("ab: #'", max_size=10)
)
RULES = st.builds(lambda target, extra: {**target, **extra}, TARGETS, EXTRAS)
EXPERIMENTS = st.fixed_dictionaries(
    {"treatment": WORDS, "control": WORDS, "percentage": st.integers(0, 100)},
    optional={"salt": st.text(max_size=5), "condition": CONDITIONS},
)
ROUTINGS = some(
    default_model=WORDS,
    rules=st.lists(RULES, max_size=2),
    fallbacks=st.lists(WORDS, max_size=2),
    experiments=st.dictionaries(NAMES, EXPERIMENTS, max_size=1),
    max_cost_usd=MONEY,
    timeout_s=st.floats(0.001, 86_400),
    retries=st.integers(0, 20),
    stream_broken=st.sampled_from(["restart", "keep", "fail"]),
    on_auth_error=st.sampled_from(["skip", "stop"]),
    first_token_s=st.floats(0.001, 86_400),
    hedge=st.just("p95") | st.floats(0.001, 86_400) | st.integers(1, 60),
)
RATES = some(
    requests_per_minute=st.floats(0.1, 1e6), tokens_per_minute=st.integers(1, 10**8)
).filter(bool)
LIMITS = some(
    rates=st.dictionaries(WORDS, RATES, max_size=2),
    budget=some(
        call_usd=MONEY, session_usd=MONEY, day_usd=MONEY, unknown=st.sampled_from(["refuse"])
    ),
    breaker=some(failures=st.integers(1, 10), rest_s=st.floats(0.1, 60)),
)
CONFIGS = some(
    routing=ROUTINGS,
    limits=LIMITS,
    roles=st.dictionaries(NAMES, st.lists(WORDS, min_size=1, max_size=2), max_size=2),
    prices=st.dictionaries(
        WORDS, st.fixed_dictionaries({"input": MONEY, "output": MONEY}), max_size=2
    ),
)


@quick
@given(CONFIGS)
def test_a_configuration_reads_back_as_it_was_written(written):
    config = parse_config(dump(_plain(written)))
    text = config.to_yaml()
    again = parse_config(text)
    assert again == config
    assert again.to_yaml() == text
    assert config_hash(again) == config_hash(config)
    assert RoutingConfig.model_validate(read(text.encode())[0]) == config


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return float(value) if isinstance(value, Decimal) else value


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs", "Cc"])), inner)
    ),
    max_leaves=6,
)


@quick
@given(st.dictionaries(st.sampled_from(["a", "no", "1e3", "~", "1"]), PLAIN, min_size=1))
def test_plain_values_survive_the_writing(value):
    assert read(dump(value).encode())[0] == value


@settings(quick, max_examples=150)
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda t: t.encode("utf-8", "replace")))
def test_no_bytes_at_all_make_anything_but_a_configuration_or_one_line(data):
    _configuration_or_one_line(data)


@settings(quick, max_examples=150)
@given(st.data())
def test_no_mangled_file_makes_anything_but_a_configuration_or_one_line(data):
    text = (
        "routing:\n  default_model: fast\n  rules:\n    - condition: {any: [{user_tier: free}]}\n"
    )
    at = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(at, min(len(text), at + 5)))
    noise = data.draw(st.text("[]{}:,&*!|>-?#'\"%@` \n\tax1.", max_size=4))
    _configuration_or_one_line((text[:at] + noise + text[end:]).encode())


@quick
@given(
    st.sampled_from(["routing", "roles", "aliases", "prices", "providers", "version", "x"]), PLAIN
)
def test_no_value_anywhere_makes_anything_but_a_configuration_or_one_line(key, value):
    _configuration_or_one_line(dump({key: value}).encode())
    _configuration_or_one_line(dump({"routing": {"rules": [{"condition": value}]}}).encode())
    _configuration_or_one_line(dump({"routing": {"experiments": {"a": value}}}).encode())


def _configuration_or_one_line(data: bytes) -> None:
    said = _said(data)
    assert said is None or said.startswith("routing_config.yml:")
    assert said is None or "\n" not in said


def _said(data: bytes) -> str | None:
    try:
        parse_config(data)
    except ConfigError as error:
        return str(error)
    return None


def test_a_price_keeps_the_digits_that_were_written():
    config = parse_config("prices: {mine: {input: 0.1, output: 1e-3}}")
    assert config.prices["mine"].input == Decimal("0.1")
    assert config.prices["mine"].output == Decimal("0.001")


@pytest.mark.parametrize("written", ["0.7", ">= 0.7", ">=0.7", " >= 7e-1 "])
def test_a_bare_number_means_at_least(written):
    said = written if written == "0.7" else f"'{written}'"
    text = f"routing: {{rules: [{{condition: {{complexity: {said}}}, model: fast}}]}}"
    condition = parse_config(text).routing.rules[0].condition
    assert condition is not None
    assert condition.complexity is not None
    assert condition.complexity.bounds == {"ge": 0.7}
