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


def mixed(measure, score: np.ndarray, task: np.ndarray, gain: np.ndarray) -> float:
    heap = measure.Mixed(np.arange(len(task)), task, {"a > b": gain})
    return heap.by_pair(dict.fromkeys(np.unique(task), score), task != "")[0]


def test_one_task_in_the_mixed_panel_is_the_area_under_the_curve(measure):
    score = RNG.permutation(len(GAIN)).astype(float)
    assert mixed(measure, score, np.full(len(GAIN), "t"), GAIN) == pytest.approx(area(score))


def test_each_task_has_the_same_share_of_the_heap_however_many_prompts_it_has(measure):
    task = np.array(["few"] * 2 + ["many"] * 98)
    gain = (task == "few").astype(float)
    # The half of the heap that gains is the upper half.
    assert mixed(measure, gain, task, gain) == pytest.approx(0.75)


def test_the_jackknife_of_a_mean_is_its_standard_error(measure):
    values = RNG.normal(size=30)
    left_out = np.array([np.delete(values, k).mean() for k in range(len(values))])
    assert measure.jackknife_error(left_out) == pytest.approx(
        values.std(ddof=1) / np.sqrt(len(values))
    )


def test_the_mixed_panel_leaves_models_of_one_kind_out(measure, tmp_path):
    answers = {"weak": [1, 0, 1, 0], "strong": [1, 1, 1, 1], "codegemma-7b": [1, 0, 1, 1]}
    rows = [
        (f"llmrouter_{'st'[pid // 2]}", pid, model, y)
        for model, ys in answers.items()
        for pid, y in enumerate(ys)
    ]
    table = pd.DataFrame(rows, columns=["bench", "pid", "model", "score"])
    table.to_parquet(tmp_path / "outcomes.parquet")
    keys = pd.MultiIndex.from_frame(table[["bench", "pid"]].drop_duplicates())
    found = measure.read_mixed(tmp_path, keys)
    assert list(found.gains) == ["weak > strong"]
    assert found.gains["weak > strong"].tolist() == [0, 1, 0, 1]
    assert found.task.tolist() == ["llmrouter_s"] * 2 + ["llmrouter_t"] * 2
