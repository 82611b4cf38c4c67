"""What holds of every strategy, whatever it is asked."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multimodel_magic.catalogue import Catalogue
from multimodel_magic.errors import Misconfigured
from multimodel_magic.strategies import (
    ByComplexity,
    ByCostTier,
    ByTask,
    Cascade,
    Experiment,
    Fixed,
    Named,
    Resolved,
    SmartRouter,
    Weighted,
    WithFallbacks,
)
from multimodel_magic.types import Request, Strategy

CATALOGUE = Catalogue()
TRIAL = Experiment.split("trial", control="fast", treatment="strong", share=0.5)
STRATEGIES: list[Strategy] = [
    ByComplexity(),
    ByComplexity(classifier="seed"),
    ByCostTier(CATALOGUE, at=datetime(2026, 11, 22, tzinfo=UTC)),
    ByTask(infer=True),
    Cascade(("fast", "balanced", "strong")),
    Fixed(("balanced",)),
    SmartRouter(experiments=(TRIAL,)),
    TRIAL,
    Weighted({"fast": 3, "vision": 1}),
]
REQUESTS = st.builds(
    Request,
    prompt=st.text(max_size=200),
    models=st.sampled_from([(), ("strong",), ("gpt-3.5-turbo", "fast")]),
    fallbacks=st.sampled_from([None, (), ("fast",)]),
    task=st.sampled_from([None, "code", "chat"]),
    user_tier=st.sampled_from([None, "free", "pro", "enterprise"]),
    task_value=st.sampled_from([None, "low", "high"]),
    needs=st.frozensets(st.sampled_from(["vision", "tools", "json"])),
    unit=st.none() | st.text(max_size=20),
    max_tokens=st.none() | st.integers(1, 10_000),
)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: type(s).__name__)
@settings(max_examples=25)
@given(REQUESTS)
def test_same_request_same_route_and_it_is_never_empty(strategy: Strategy, asked: Request) -> None:
    route = strategy.route(asked)
    assert route == strategy.route(asked)
    assert route.models
    assert route.why
    assert all(reason.saw for reason in route.reasons)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: type(s).__name__)
@settings(max_examples=25)
@given(REQUESTS, st.sets(st.sampled_from(["anthropic", "openai", "local"])))
def test_every_model_of_a_resolved_route_meets_the_needs_or_an_error_says_why_there_is_none(
    strategy: Strategy, asked: Request, down: set[str]
) -> None:
    catalogue = CATALOGUE.with_unusable(dict.fromkeys(down, "no key"))
    chain = Resolved(WithFallbacks(Named(strategy), ("fast", "vision")), catalogue)
    try:
        route = chain.route(asked)
    except Misconfigured as error:
        assert "no model can answer this here. " in str(error)  # noqa: PT017 - it may be raised
        return
    assert route.models
    for name in route.models:
        model = catalogue.resolve(name).model
        assert model.provider not in down
        assert catalogue.meets(model, asked.needs, asked.estimated_input_tokens()) is None


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: type(s).__name__)
def test_every_strategy_fits_the_protocol(strategy: Strategy) -> None:
    assert isinstance(strategy, Strategy)
