import importlib.util
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

TOOL = Path(__file__).parents[1] / "tools" / "routing_measure.py"
RNG = np.random.default_rng(7)
GAIN = RNG.choice([-1.0, 0.0, 1.0], size=400, p=[0.1, 0.4, 0.5])


@pytest.fixture(scope="module")
def measure():
    spec = importlib.util.spec_from_file_location("routing_measure", TOOL)
    module = importlib.util.module_from_spec(spec)
    sys.modules["routing_measure"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["routing_measure"]


@pytest.fixture(scope="module")
def panel(measure):
    rows, others = np.arange(len(GAIN)), np.empty((len(GAIN), 0))
    return measure.Panel([measure.Entry("tests", "tests", rows, GAIN, others)])


def area(score: np.ndarray) -> float:
    """Measure under the curve itself, without ties, as RouteLLM defines it."""
    closed = np.r_[0, np.cumsum(GAIN[np.argsort(-score)])] / GAIN.sum()
    return float(np.trapezoid(closed, np.linspace(0, 1, len(closed))))


def test_the_mean_rank_of_the_gain_is_the_area_under_the_curve(panel):
    score = RNG.permutation(len(GAIN)).astype(float)
    assert panel.measure({"tests": score})[0] == pytest.approx(area(score))


def test_a_score_that_says_nothing_is_a_coin_and_its_reverse_adds_up_to_one(panel):
    score = RNG.normal(size=len(GAIN)).round(1)
    assert panel.measure({"tests": np.zeros(len(GAIN))})[0] == pytest.approx(0.5)
    both = panel.measure({"tests": score})[0] + panel.measure({"tests": -score})[0]
    assert both == pytest.approx(1.0)


def test_the_standard_error_is_what_repeated_experiments_show(measure, panel):
    coins = [panel.measure({"tests": RNG.normal(size=len(GAIN))})[0] for _ in range(400)]
    drawn = panel.resample({"tests": RNG.normal(size=len(GAIN))})[0]
    assert panel.entries[0].noise() == pytest.approx(np.std(coins), rel=0.15)
    assert measure.standard_error(drawn) == pytest.approx(np.std(coins), rel=0.2)


def test_the_difference_of_a_score_to_itself_has_no_error(measure, panel):
    score_of = {name: {"tests": GAIN} for name in ("one", "same")}
    table = measure.columns(panel, score_of, "one")
    assert table["same"].iloc[-2:].tolist() == [0, 0]
    assert table["same"]["tests"] > 0.7


def test_every_pair_that_counts_is_averaged_and_a_wreck_is_left_out(measure, tmp_path):
    answers = {"weak": [1, 0, 0, 0], "strong": [1, 1, 0, 0], "wreck": [0, 0, 0, 0]}
    rows = [("s", pid, model, y) for model, ys in answers.items() for pid, y in enumerate(ys)]
    pd.DataFrame(rows, columns=["bench", "pid", "model", "score"]).to_parquet(
        tmp_path / "outcomes.parquet"
    )
    (tmp_path / "pairs.json").write_text(
        '[{"bench": "s", "weak": "wreck", "strong": "strong", "group": "g"}]'
    )
    keys = pd.MultiIndex.from_tuples([("s", pid) for pid in range(4)])
    headline, broad = measure.read_panels(tmp_path, keys)
    assert headline.entries[0].gain.tolist() == [1, 1, 0, 0]
    assert headline.entries[0].others.ravel().tolist() == [1, 0, 0, 0]
    assert broad.entries[0].gain.tolist() == [0, 4, 0, 0]
