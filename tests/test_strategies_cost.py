from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multimodel_magic.catalogue import Catalogue
from multimodel_magic.errors import Misconfigured, UsageError
from multimodel_magic.strategies import ByCostTier, CostTierRouter, Resolved, Terms
from multimodel_magic.types import Request, Strategy

CATALOGUE = Catalogue(
    roles={
        "fast": ("anthropic:mini", "openai:mini", "local:tiny"),
        "balanced": ("anthropic:mid", "openai:mid", "local:tiny"),
        "strong": ("anthropic:big", "openai:big", "local:tiny"),
    }
)
# US dollars a request, whatever its size; `local:tiny` is free.
COSTS = {
    "anthropic:mini": "0.002", "openai:mini": "0.001",
    "anthropic:mid": "0.010", "openai:mid": "0.030",
    "anthropic:big": "0.050", "openai:big": "0.009",
}  # fmt: skip


def priced(**unknown_or_new: str | None) -> Callable[[str, str, int, int], Decimal | None]:
    costs = {**COSTS, **{k.replace("_", ":"): v for k, v in unknown_or_new.items()}}

    def cost_of(provider: str, model: str, *_tokens: int) -> Decimal | None:
        cost = costs.get(f"{provider}:{model}", "0")
        return None if cost is None else Decimal(cost)

    return cost_of


def models(tier: str, value: str, **settings: object) -> tuple[str, ...]:
    strategy = ByCostTier(CATALOGUE, **{"cost_of": priced(), **settings})
    return strategy.route(Request("Hi", user_tier=tier, task_value=value)).models


def test_cheapest_model_that_meets_the_floor_comes_first() -> None:
    assert models("free", "low")[0] == "openai:mini"
    assert models("enterprise", "high")[0] == "openai:big"


def test_a_stronger_model_that_is_cheaper_than_the_floor_is_taken() -> None:
    assert models("pro", "low")[0] == "openai:big"


def test_nothing_dearer_than_the_floors_own_models_is_in_the_route() -> None:
    assert models("free", "high") == ("openai:mini", "anthropic:mini", "local:tiny")
    out = ByCostTier(CATALOGUE, cost_of=priced()).route(Request("Hi", user_tier="free")).left_out
    assert {o.model for o in out} == {"anthropic:mid", "openai:mid", "anthropic:big", "openai:big"}
    assert out[0].why == "about $0.009, and the ceiling is $0.002"


def test_unknown_price_never_counts_as_free() -> None:
    unknown = priced(anthropic_mini=None)
    assert models("free", "low", cost_of=unknown)[:2] == ("openai:mini", "anthropic:mini")
    # 504 tokens are estimated for "Hi": $20 a million tokens are about $0.01.
    capped = {("free", "low"): Terms("fast", Decimal(20))}
    kept = models("free", "low", cost_of=unknown, table=capped)
    assert kept == ("openai:mini", "openai:big", "anthropic:mid", "local:tiny")


def test_where_no_price_of_the_floor_is_known_the_catalogue_decides() -> None:
    unknown = priced(anthropic_mini=None, openai_mini=None)
    assert models("free", "low", cost_of=unknown) == ("anthropic:mini", "openai:mini", "local:tiny")


def test_last_resort_is_last_though_it_is_free() -> None:
    assert models("pro", "low")[-1] == "local:tiny"
    only_local = {"anthropic": "no key", "openai": "no key"}
    resolved = Resolved(
        ByCostTier(CATALOGUE, cost_of=priced()), CATALOGUE.with_unusable(only_local)
    )
    assert resolved.route(Request("Hi")).models == ("local:tiny",)


def test_a_users_local_model_in_front_of_a_role_is_a_candidate_and_free() -> None:
    roles = {"balanced": ("ollama:qwen3:32b", "openai:mid", "local:tiny")}
    own = CATALOGUE.with_roles(roles)
    strategy = ByCostTier(own, cost_of=priced())
    route = strategy.route(Request("Hi", user_tier="pro"))
    assert route.models[0] == "ollama:qwen3:32b"
    assert route.reasons[0].saw == "free of charge"


def test_ceiling_that_nothing_meets_is_an_error_that_says_what_each_costs() -> None:
    catalogue = CATALOGUE.with_roles({"exam": ("openai:mid",)})
    table = {("free", "low"): Terms("exam", Decimal(2))}
    strategy = ByCostTier(catalogue, table, cost_of=priced())
    with pytest.raises(
        Misconfigured, match=r"openai:mid: about \$0.03, and the ceiling is \$0.001"
    ):
        strategy.route(Request("Hi"))


@pytest.mark.parametrize(
    ("tier", "value", "message"),
    [
        ("enterprize", "low", "unknown user_tier 'enterprize'; did you mean 'enterprise'?"),
        ("pro", "hihg", "unknown task_value 'hihg'; did you mean 'high'?"),
        ("gold", "low", "unknown user_tier 'gold': known are free, pro, enterprise"),
    ],
)
def test_typo_is_refused_with_the_nearest(tier: str, value: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        models(tier, value)
    assert message in str(caught.value)


def test_without_a_catalogue_the_route_names_the_floor() -> None:
    route = ByCostTier().route(Request("Hi", user_tier="pro", task_value="high"))
    assert (route.models, route.why) == (("balanced",), "pro user, high value: balanced")


def test_listed_prices_order_todays_models_and_longer_prompts_cost_more() -> None:
    strategy = ByCostTier(Catalogue())
    short, long = (strategy.route(Request("word " * n)) for n in (10, 10_000))
    scores = [r.score for r in short.reasons if r.score is not None]
    assert scores == sorted(scores)
    assert (long.reasons[0].score or 0) > (short.reasons[0].score or 0) > 0


def test_max_tokens_lower_the_estimate() -> None:
    seen: list[int] = []

    def cost_of(_provider: str, _model: str, _input: int, output_tokens: int) -> Decimal:
        seen.append(output_tokens)
        return Decimal(1)

    for max_tokens in (10, 10_000, None):
        ByCostTier(CATALOGUE, cost_of=cost_of).route(Request("Hi", max_tokens=max_tokens))
    assert set(seen) == {10, 500}


COST = st.none() | st.decimals(0, 1, places=4)


@given(st.lists(COST, min_size=6, max_size=6), st.sampled_from(["free", "pro", "enterprise"]))
def test_known_prices_rise_along_the_route_and_it_is_never_empty(
    costs: list[Decimal | None], tier: str
) -> None:
    table = dict(zip(COSTS, costs, strict=True))
    strategy = ByCostTier(CATALOGUE, cost_of=lambda p, m, *_: table.get(f"{p}:{m}", Decimal(0)))
    route = strategy.route(Request("Hi", user_tier=tier, task_value="high"))
    order = [table[m] for m in route.models if m in table]
    known = [cost for cost in order if cost is not None]
    assert route.models
    assert known == sorted(known)
    assert order[: len(known)] == known
    assert len({*route.models, *(o.model for o in route.left_out)}) == len(route.models) + len(
        route.left_out
    )


# --- the seed's class


@pytest.mark.parametrize("tier", ["free", "pro", "enterprise"])
@pytest.mark.parametrize("value", ["low", "high"])
def test_seed_router_gives_what_the_article_says(tier: str, value: str) -> None:
    if (tier, value) == ("enterprise", "high"):
        article = "claude-3-opus"
    else:
        article = "claude-3-sonnet" if tier in {"pro", "enterprise"} else "claude-3-haiku"
    assert CostTierRouter().route({"user_tier": tier, "task_value": value}) == article


def test_seed_router_takes_what_is_not_said_for_free_and_low() -> None:
    assert CostTierRouter().route({}) == "claude-3-haiku"
    assert CostTierRouter.PRICING["claude-3-opus"] == 0.05


def test_seed_router_refuses_an_unknown_tier() -> None:
    with pytest.raises(UsageError, match="did you mean 'free'"):
        CostTierRouter().route({"user_tier": "fre"})


def test_seed_router_serves_no_misspelt_key_as_free_and_leaves_others_alone() -> None:
    with pytest.raises(UsageError, match="unknown key 'usertier'; did you mean 'user_tier'"):
        CostTierRouter().route({"usertier": "enterprise"})
    asked = {
        "user_tier": "pro",
        "task_value": None,
        "prompt": "Hi",
        "user_id": 7,
        "task": "chat",
        1: 2,
    }
    assert CostTierRouter().route(asked) == "claude-3-sonnet"


def test_seed_router_with_a_catalogue_names_the_cheapest_listed_model() -> None:
    named = CostTierRouter(Catalogue()).route({"user_tier": "pro", "prompt": "Hi"})
    assert named in Catalogue().roles["balanced"] + Catalogue().roles["strong"]


def test_seed_router_is_a_strategy_too() -> None:
    router = CostTierRouter()
    assert isinstance(router, Strategy)
    assert router.route(Request("Hi", user_tier="pro")).models == ("balanced",)
