from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from multimodel_magic.errors import UsageError
from multimodel_magic.strategies import Weighted
from multimodel_magic.types import Request

WEIGHTS = st.dictionaries(st.text(min_size=1, max_size=5), st.floats(0, 1e6), min_size=1)


def test_models_are_dealt_in_proportion_to_their_weights() -> None:
    strategy = Weighted({"A": 7, "B": 2, "C": 1})
    units = [Request("", unit=f"u{i}") for i in range(10_000)]
    counts = Counter(strategy.route(unit).models[0] for unit in units)
    assert chisquare([counts[m] for m in "ABC"], [7000, 2000, 1000]).pvalue > 0.01


@given(WEIGHTS.filter(lambda weights: sum(weights.values()) > 0), st.text())
def test_same_unit_same_model_and_never_one_of_weight_zero(
    weights: dict[str, float], unit: str
) -> None:
    strategy = Weighted(weights)
    first = strategy.route(Request("a", unit=unit))
    assert first == strategy.route(Request("b", unit=unit))
    assert weights[first.models[0]] > 0


@pytest.mark.parametrize("weights", [{}, {"A": 0}, {"A": -1, "B": 2}, {"A": float("nan")}])
def test_weights_that_make_no_sense_are_refused(weights: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="weighted"):
        Weighted(weights)


def test_reason_gives_the_share() -> None:
    assert Weighted({"A": 3}).route(Request("")).why == "weight 100%"
