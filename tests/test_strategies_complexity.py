from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multimodel_magic.errors import UsageError
from multimodel_magic.scoring import Complexity, Signal
from multimodel_magic.strategies import ByComplexity, ComplexityRouter
from multimodel_magic.types import Request, Strategy


@dataclass(frozen=True)
class Always:
    """A scorer that finds the same in every prompt."""

    score: float
    signals: tuple[Signal, ...] = ()
    abstained: bool = False

    def __call__(self, prompt: str) -> Complexity:
        return Complexity(self.score, self.signals, self.abstained)


def tier(score: float) -> str:
    return ByComplexity(classifier=Always(score)).route(Request("any")).models[0]


@pytest.mark.parametrize(
    ("score", "role"),
    [(0.0, "fast"), (0.2999, "fast"), (0.3, "balanced"), (0.69, "balanced"), (0.7, "strong"),
     (1.0, "strong")],
)  # fmt: skip
def test_cuts_are_those_of_the_seed(score: float, role: str) -> None:
    assert tier(score) == role


@given(st.floats(0, 1))
def test_shown_comparison_is_true_as_written(score: float) -> None:
    why = ByComplexity(classifier=Always(score)).route(Request("any")).why
    _, shown, sign, cut = why.split()
    assert (float(shown) < float(cut)) == (sign == "<")


def test_scorer_that_abstains_gets_the_middle_tier_and_no_score() -> None:
    route = ByComplexity(classifier=Always(0.0, abstained=True)).route(Request("?"))
    assert route.models == ("balanced",)
    assert route.why == "complexity unclear: no signal, so medium"
    assert route.reasons[-1].score is None


def test_each_signal_is_a_reason_with_its_words_and_contribution() -> None:
    signal = Signal("proof", 1.0, 0.4, 0.4, ("prove",))
    route = ByComplexity(classifier=Always(0.8, (signal,))).route(Request("Prove it"))
    first, last = route.reasons
    assert (first.rule, first.saw, first.score) == ("signal: proof", "prove", 0.4)
    assert (last.saw, last.score) == ("complexity 0.80 >= 0.70", 0.8)


def test_tiers_are_the_users_to_change_one_by_one() -> None:
    strategy = ByComplexity({"complex": "openai:o3"}, classifier=Always(0.9))
    assert strategy.route(Request("any")).models == ("openai:o3",)
    assert ByComplexity({"complex": "x"}, classifier=Always(0.0)).route(Request("")).models == (
        "fast",
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tiers": {"simpel": "fast"}}, "unknown tier 'simpel'; did you mean 'simple'?"),
        ({"classifier": "sead"}, "unknown classifier 'sead'; did you mean 'seed'?"),
        ({"cuts": (0.7, 0.3)}, "out of order"),
        ({"cuts": (float("nan"), 0.3)}, "out of order"),
    ],
)
def test_wrong_setting_is_one_line(settings: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message.replace("?", r"\?")):
        ByComplexity(**settings)


@given(st.text(max_size=300))
def test_same_prompt_same_route_and_never_empty(prompt: str) -> None:
    strategy = ByComplexity()
    route = strategy.route(Request(prompt))
    assert route == strategy.route(Request(prompt))
    assert route.models


def test_hard_prompts_do_not_go_to_the_cheapest_tier_and_small_talk_does() -> None:
    def role(prompt: str) -> str:
        return ByComplexity().route(Request(prompt)).models[0]

    hard = ["Prove the Riemann hypothesis", "Is P = NP?"]
    assert all(role(prompt) != "fast" for prompt in hard)
    assert [role("thanks!"), role("what's 2+2")] == ["fast", "fast"]


# --- the seed's class

SEED_PROMPTS = {
    "Hello": 0.0,
    "analyze it": 0.25,
    "strengthen": 0.25,  # *then* is in it: kept to the letter
    "compare these, then list the steps": 0.5,
    "evaluate this function, then stop": 0.75,
    "synthesize ```x``` then " + "y" * 2000: 1.0,
}


@pytest.mark.parametrize(("prompt", "score"), SEED_PROMPTS.items())
async def test_seed_router_gives_what_the_article_says(prompt: str, score: float) -> None:
    router = ComplexityRouter(classifier="seed")
    assert router._assess_complexity(prompt) == score
    tier = "simple" if score < 0.3 else "medium" if score < 0.7 else "complex"
    article = {"simple": "gpt-3.5-turbo", "medium": "claude-3-sonnet", "complex": "claude-3-opus"}
    assert router.models == article
    assert await router.route(prompt) == article[tier]


async def test_seed_router_uses_the_models_that_it_holds_now() -> None:
    router = ComplexityRouter({"simple": "local:smollm2"}, classifier="seed")
    assert await router.route("Hello") == "local:smollm2"
    router.models["simple"] = "ollama:qwen3"
    assert await router.route("Hello") == "ollama:qwen3"


async def test_default_router_names_roles() -> None:
    router = ComplexityRouter()
    assert router.models == {"simple": "fast", "medium": "balanced", "complex": "strong"}
    assert await router.route("thanks!") == "fast"


def test_seed_router_is_a_strategy_too() -> None:
    router = ComplexityRouter(classifier="seed")
    assert isinstance(router, Strategy)
    assert router.route(Request("Hello")).models == ("gpt-3.5-turbo",)
    assert router.name == "complexity"
