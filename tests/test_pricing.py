import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multimodel_magic.pricing import (
    Rates,
    estimate,
    listed_context_tokens,
    money,
    price,
    table,
    warm,
)
from multimodel_magic.types import Price, Usage

TODAY = datetime(2026, 11, 22, tzinfo=UTC)
UNKNOWN = Price(None, "unknown")


def test_cost_is_the_sum_that_one_works_out_by_hand() -> None:
    # 1,000 in at $2/M + 500 out at $10/M = 0.002 + 0.005
    spent = price("anthropic", "claude-sonnet-5-5", Usage(1000, 500), TODAY)
    assert spent == Price(Decimal("0.007"), "catalogue")


def test_cached_tokens_are_part_of_the_input_and_priced_apart() -> None:
    # 10,000 in, of them 6,000 read at $0.2/M and 3,000 written at $5/M, 1,000 plain at $4/M,
    # 100 out at $20/M: 0.0012 + 0.015 + 0.004 + 0.002
    usage = Usage(10_000, 100, cache_read_tokens=6000, cache_write_tokens=3000)
    assert price("anthropic", "claude-opus-5-5", usage, TODAY).cost_usd == Decimal("0.0222")


def test_cache_without_a_price_of_its_own_is_plain_input() -> None:
    # claude-2 lists $8/M and $24/M and no cache.
    usage = Usage(1000, 0, cache_read_tokens=500, cache_write_tokens=500)
    assert price("anthropic", "claude-2", usage, TODAY).cost_usd == Decimal("0.008")


def test_reasoning_tokens_are_not_billed_twice() -> None:
    usage = Usage(0, 100, reasoning_tokens=90)
    assert price("openai", "o1", usage, TODAY).cost_usd == Decimal("0.006")  # 100 at $60/M


def test_price_is_that_of_the_day() -> None:
    usage = Usage(1_000_000, 0)
    before, after = datetime(2025, 6, 9, tzinfo=UTC), datetime(2025, 6, 10, tzinfo=UTC)
    assert price("openai", "o3", usage, before).cost_usd == 10
    assert price("openai", "o3", usage, after).cost_usd == 2


def test_the_day_is_counted_in_utc() -> None:
    east = datetime(2025, 6, 10, 1, tzinfo=timezone(timedelta(hours=9)))  # still the 9th in UTC
    assert price("openai", "o3", Usage(1_000_000, 0), east).cost_usd == 10


def test_large_request_is_priced_whole_at_its_tier() -> None:
    # claude-sonnet-4-5: $3 and $15/M, above 200,000 input tokens $6 and $22.5/M for all of them.
    small = price("anthropic", "claude-sonnet-4-5", Usage(200_000, 1000), TODAY)
    large = price("anthropic", "claude-sonnet-4-5", Usage(200_001, 1000), TODAY)
    assert small.cost_usd == Decimal("0.615")
    assert large.cost_usd == Decimal("1.222506")  # 200,001 * 6 / 10**6 + 0.0225


def test_fee_for_each_request_is_counted() -> None:
    # sonar: $1/M, $1/M, and $12 for 1,000 requests.
    assert price("perplexity", "sonar", Usage(1000, 1000), TODAY).cost_usd == Decimal("0.014")


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("acme", "gpt-4o"),  # nobody's list
        ("openai-lab", "gpt-4o"),  # a server of the user's own, not OpenAI
        ("openai", "gpt-7"),
        ("openai", "moderation"),  # listed with no price at all
        ("openai", "text-embedding-3-small"),  # listed without an output price
        ("openai", "ft:gpt-9:org::x"),
        ("openai", ""),
        ("perplexity", "sonar-deep-research"),  # bills citations, which no usage tells
        ("ollama", "gpt-oss:120b-cloud"),
        ("ollama", "kimi-k2:cloud"),
    ],
)
def test_what_nobody_can_price_is_unknown_and_not_free(provider: str, model: str) -> None:
    assert price(provider, model, Usage(10, 10), TODAY) == UNKNOWN
    assert table(provider, model, TODAY) is None


@pytest.mark.parametrize(
    "usage",
    [Usage(), Usage(10), Usage(None, 10), Usage(5, 5, cache_read_tokens=6), Usage(-1, 5)],
)
def test_unknown_or_absurd_usage_has_no_cost(usage: Usage) -> None:
    assert price("openai", "gpt-4o", usage, TODAY) == UNKNOWN


@pytest.mark.parametrize("provider", ["local", "ollama", "scripted"])
def test_own_machine_costs_nothing_even_where_tokens_are_unknown(provider: str) -> None:
    assert price(provider, "anything:7b", Usage(), TODAY) == Price(Decimal(0), "local")


def test_ollama_elsewhere_can_be_declared_not_local() -> None:
    assert price("ollama", "llama3.2:3b", Usage(1, 1), TODAY, local={"local"}) == UNKNOWN


def test_user_price_wins_over_every_list() -> None:
    overrides = {
        "openai:gpt-4o": Rates(Decimal(1), Decimal(2)),
        "mylab:*": Rates(Decimal(0), Decimal(0)),
    }
    usage = Usage(1_000_000, 1_000_000)
    assert price("openai", "gpt-4o", usage, TODAY, overrides=overrides) == Price(
        Decimal(3), "override"
    )
    assert price("mylab", "x", usage, TODAY, overrides=overrides) == Price(Decimal(0), "override")
    assert price("azure", "gpt-4o", usage, TODAY, overrides=overrides).source == "catalogue"


def test_snapshot_of_a_listed_model_is_exact_and_a_fine_tune_is_loose() -> None:
    usage = Usage(1_000_000, 0)
    dated = price("anthropic", "claude-haiku-4-5-20251001", usage, TODAY)
    tuned = price("openai", "ft:gpt-4o-2024-08-06:org::x", usage, TODAY)
    assert dated == Price(Decimal(1), "catalogue")
    assert tuned == Price(Decimal("3.75"), "catalogue-loose")


def test_seed_vision_model_has_the_price_it_was_sold_at() -> None:
    assert price("openai", "gpt-4-vision", Usage(1_000_000, 0), TODAY) == Price(
        Decimal(10), "catalogue"
    )


@pytest.mark.parametrize(
    ("provider", "model"), [("groq", "llama-3.1-8b-instant"), ("gemini", "gemini-2.5-pro")]
)
def test_compatible_vendor_is_priced_by_its_own_list(provider: str, model: str) -> None:
    assert price(provider, model, Usage(1000, 1000), TODAY).source == "catalogue"


def test_table_shows_dollars_per_million() -> None:
    assert table("openai", "gpt-4o", TODAY) == Rates(
        Decimal("2.5"), Decimal(10), cache_read_mtok=Decimal("1.25")
    )
    assert table("local", "smollm2", TODAY) == Rates(Decimal(0), Decimal(0))
    assert table("openai", "gpt-6-luna", TODAY, input_tokens=1_000_000) != table(
        "openai", "gpt-6-luna", TODAY
    )


def test_estimate_is_the_price_of_the_estimated_tokens() -> None:
    guessed = estimate("openai", "gpt-4o", TODAY, input_tokens=1000, output_tokens=1000)
    assert guessed == Price(Decimal("0.0125"), "catalogue")


def test_context_window_comes_from_the_list() -> None:
    warm()
    assert listed_context_tokens("anthropic", "claude-opus-5-5") == 1_000_000
    assert listed_context_tokens("acme", "x") is None


def test_trouble_with_the_list_warns_once_and_fails_no_call(
    caplog: pytest.LogCaptureFixture,
) -> None:
    yesterday: datetime = "yesterday"  # type: ignore[assignment]  # what genai-prices chokes on
    assert [price("openai", "o3", Usage(1, 1), yesterday) for _ in range(3)] == [UNKNOWN] * 3
    assert len(caplog.records) == 1
    assert "its cost is unknown, not zero" in caplog.text


def test_importing_loads_no_price_list() -> None:
    code = "import sys, multimodel_magic.pricing; sys.exit('genai_prices' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


tokens = st.integers(min_value=0, max_value=2_000_000)
listed = st.sampled_from(
    [
        ("anthropic", "claude-haiku-5-5"),
        ("anthropic", "claude-opus-5-5"),
        ("openai", "gpt-6.1-terra"),
        ("openai", "o3"),
        ("deepseek", "deepseek-chat"),
    ]
)


@given(listed, tokens, tokens, st.integers(0, 1000), st.integers(0, 1000))
def test_cost_agrees_with_genai_prices_itself(
    model: tuple[str, str], spare: int, output: int, read: int, write: int
) -> None:
    from genai_prices import Usage as TheirUsage
    from genai_prices import calc_price

    provider, name = model
    counts = {"cache_read_tokens": read, "cache_write_tokens": write}
    theirs = calc_price(
        TheirUsage(input_tokens=spare + read + write, output_tokens=output, **counts),
        name,
        provider_id=provider,
        genai_request_timestamp=TODAY,
    )
    ours = price(provider, name, Usage(spare + read + write, output, **counts), TODAY)
    assert ours.cost_usd == theirs.total_price


@pytest.mark.parametrize(
    ("cost", "written"),
    [
        ("0.0002", "$0.0002"),
        ("0.00020", "$0.0002"),
        ("1.23", "$1.23"),
        ("0.5", "$0.50"),
        ("0.0999", "$0.10"),
        ("0.999", "$1.00"),
        ("0.01234", "$0.012"),
        ("0.000001", "$0.000001"),
        ("0.00000099", "<$0.000001"),
        ("12345.678", "$12,345.68"),
        ("100", "$100.00"),
        ("-0.00321", "-$0.0032"),
    ],
)
def test_money_has_the_digits_that_say_something(cost: str, written: str) -> None:
    assert money(Decimal(cost)) == written
