import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, chisquare

from multimodel_magic.errors import UsageError
from multimodel_magic.strategies import Arm, Experiment, WithFallbacks
from multimodel_magic.strategies.dealing import BUCKETS, bucket
from multimodel_magic.strategies.experiment import _places
from multimodel_magic.types import Request

GOLDEN = Path(__file__).parent / "golden" / "assignment.json"
ROOT = Path(__file__).parent.parent
UNITS = [f"user-{i}" for i in range(1000)]

DEAL = """
import json, sys
from multimodel_magic.strategies import Experiment
test = Experiment.split("new_model_test", control="c", treatment="t", share=0.1)
print(json.dumps([u for u in map("user-{}".format, range(1000)) if test.arm_of(u) == "treatment"]))
"""


def split(share: float, name: str = "new_model_test", salt: str = "") -> Experiment:
    return Experiment.split(name, control="balanced", treatment="strong", share=share, salt=salt)


def dealt(experiment: Experiment) -> list[str]:
    return [experiment.arm_of(unit) for unit in UNITS]


def in_another_process(python: str, seed: str = "random") -> list[str]:
    env = {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed, "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [python, "-c", DEAL], env=env, capture_output=True, check=True, text=True, timeout=60
    )
    found: list[str] = json.loads(done.stdout)
    return found


def other_pythons() -> list[str]:
    roots = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/*/bin")
    places = os.pathsep.join([*map(str, roots), os.environ.get("PATH", "")])
    names = ("python3.12", "python3.13", "python3.14")
    found = [shutil.which(name, path=places) for name in names]
    return [python for python in found if python and python != sys.executable]


def test_buckets_are_those_of_the_golden_file() -> None:
    for row in json.loads(GOLDEN.read_text())["buckets"]:
        assert bucket(row["experiment"], row["salt"], row["unit"]) == row["bucket"], row


def test_arms_are_those_of_the_golden_file() -> None:
    for row in json.loads(GOLDEN.read_text())["arms"]:
        arms = {arm: Arm("m", share) for arm, share in row["shares"].items()}
        experiment = Experiment(row["experiment"], arms, row["salt"])
        assert {unit: experiment.arm_of(unit) for unit in row["units"]} == row["units"]


def test_assignment_is_the_same_in_another_process() -> None:
    here = [unit for unit, arm in zip(UNITS, dealt(split(0.1)), strict=True) if arm == "treatment"]
    assert in_another_process(sys.executable) == here


@pytest.mark.slow
def test_over_six_kernel_restarts_all_of_1000_units_stay_in_their_arm() -> None:
    runs = [in_another_process(sys.executable, str(seed)) for seed in range(6)]
    assert all(run == runs[0] for run in runs)


@pytest.mark.slow
@pytest.mark.parametrize("python", other_pythons())
def test_assignment_is_the_same_in_another_version_of_python(python: str) -> None:
    assert in_another_process(python) == in_another_process(sys.executable)


def test_two_experiments_deal_independently() -> None:
    units = [f"user-{i}" for i in range(20_000)]
    one, two = split(0.3, "one"), split(0.5, "two")
    table = Counter((one.arm_of(unit), two.arm_of(unit)) for unit in units)
    arms = ("control", "treatment")
    assert chi2_contingency([[table[a, b] for b in arms] for a in arms]).pvalue > 0.01


def test_salt_deals_anew() -> None:
    agree = sum(a == b for a, b in zip(dealt(split(0.5)), dealt(split(0.5, salt="2")), strict=True))
    assert 400 < agree < 600


def test_buckets_are_even() -> None:
    counts = Counter(bucket("even", "", str(i)) // 100 for i in range(50_000))
    assert chisquare([counts[i] for i in range(BUCKETS // 100)]).pvalue > 0.01


def test_names_and_units_that_read_alike_are_not_taken_for_each_other() -> None:
    assert bucket("a", "b", "c\x1fd") != bucket("a", "b\x1fc", "d")
    assert bucket("ab", "", "c") != bucket("a", "b", "c")
    assert isinstance(bucket("lone surrogate", "", "\ud800"), int)


# --- growing a share

SHARES = st.lists(st.integers(0, BUCKETS // 2), min_size=2, max_size=2)


def grown(*sizes: int) -> Experiment:
    shares = [size / BUCKETS for size in sizes]
    arms = {"control": Arm("c", 1 - sum(shares))}
    return Experiment("grow", {**arms, **{f"t{i}": Arm("t", s) for i, s in enumerate(shares)}})


def moved(before: list[int], after: list[int]) -> set[tuple[int, int]]:
    """From which arm to which any bucket moves; 0 is the control."""
    then, now = _places(tuple(before)), _places(tuple(after))
    return {(a, b) for a, b in zip(then, now, strict=True) if a != b}


@given(SHARES, st.integers(0, BUCKETS // 2), st.integers(0, 1))
def test_growing_a_treatment_moves_only_units_of_the_control(
    sizes: list[int], more: int, which: int
) -> None:
    more = min(more, BUCKETS - sum(sizes))
    after = [size + more * (i == which) for i, size in enumerate(sizes)]
    assert moved(sizes, after) <= {(0, which + 1)}


@given(st.lists(st.integers(0, 2500), min_size=3, max_size=4), st.integers(0, 3))
def test_up_to_four_treatments_grow_to_a_quarter_each_without_disturbing_one_another(
    sizes: list[int], which: int
) -> None:
    which %= len(sizes)
    after = [2500 if i == which else size for i, size in enumerate(sizes)]
    assert moved(sizes, after) <= {(0, which + 1)}


def test_a_new_arm_takes_its_units_from_the_control() -> None:
    for then, now in zip(dealt(grown(2000)), dealt(grown(2000, 2000)), strict=True):
        assert now == then or (then, now) == ("control", "t1")


@given(st.lists(st.integers(0, 2000), min_size=1, max_size=5))
def test_probabilities_are_the_shares_and_add_up_to_one(sizes: list[int]) -> None:
    experiment = grown(*sizes)
    chances = {arm: experiment.probability(arm) for arm in experiment.arms}
    assert sum(chances.values()) == pytest.approx(1)
    assert all(chances[f"t{i}"] == size / BUCKETS for i, size in enumerate(sizes))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_share_of_nothing_and_of_everything(share: float) -> None:
    assert set(dealt(split(share))) == {"treatment" if share else "control"}


# --- the route


def test_route_holds_arm_probability_and_a_reason() -> None:
    route = split(0.1).route(Request("Hi", unit="user-13"))
    assert route.models == ("strong",)
    assert (route.arm, route.arm_probability) == ("new_model_test:treatment", 0.1)
    assert route.why == "new_model_test: treatment (share 0.1)"


def test_fallbacks_stand_behind_the_arms_model_and_the_arm_stays() -> None:
    route = WithFallbacks(split(0.1), ("fast",)).route(Request("Hi", unit="user-13"))
    assert (route.models, route.arm) == (("strong", "fast"), "new_model_test:treatment")


def test_unit_is_the_requests_unit_else_its_id_or_a_label() -> None:
    request = Request("Hi", request_id="01ID", labels={"session": "s1"})
    arms = split(0.5).arms
    assert Experiment("e", arms).unit_of(request) == "01ID"
    assert Experiment("e", arms, unit="session").unit_of(request) == "s1"
    with_unit = Request("Hi", unit="u", request_id="01ID")
    assert Experiment("e", arms).unit_of(with_unit) == "u"
    assert Experiment("e", arms, unit="request").unit_of(with_unit) == "01ID"


def test_request_for_another_experiment_takes_no_part() -> None:
    assert split(0.1).maybe(Request("Hi", experiment="other")) is None
    assert split(0.1).maybe(Request("Hi", experiment="new_model_test")) is not None


# --- settings

SEED_CODE = {"treatment_percentage": 10, "treatment_model": "t", "control_model": "c"}
SEED_YAML = {"treatment": "t", "control": "c", "percentage": 10}
ARMS = {
    "arms": {"control": {"model": "c", "share": 0.9}, "treatment": {"model": "t", "share": 0.1}}
}


def test_both_of_the_seeds_spellings_and_arms_mean_the_same() -> None:
    one, two, three = (Experiment.from_settings("e", s) for s in (SEED_CODE, SEED_YAML, ARMS))
    assert one == two == three


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({**SEED_YAML, "treatmnt": "x"}, "unknown key 'treatmnt'; did you mean 'treatment'"),
        ({**SEED_YAML, "control_model": "c"}, "control is given twice, in both spellings"),
        ({"treatment": "t", "control": "c"}, "percentage is missing"),
        ({**SEED_YAML, "percentage": "ten"}, "percentage is 'ten'; give a number"),
        ({**SEED_YAML, "percentage": True}, "percentage is True; give a number"),
        ({**SEED_YAML, "percentage": 110}, "percentage is 110; give 0 to 100"),
        ({**SEED_YAML, "percentage": float("nan")}, "give a number"),
        ({**SEED_YAML, "control": 3}, "control is 3; give a text"),
        ({**SEED_YAML, **ARMS}, "give either arms or control, percentage, treatment"),
        ({"arms": {"a": {"model": "m", "share": 1}}}, "two arms or more"),
        ({"arms": {"a": {"model": "m"}, "b": {}}}, "takes model and share"),
        ({"arms": {"a": {"model": "m", "share": 0.5}, "b": {"model": "m", "share": 0.4}}},
         "add up to 0.9, not to 1"),
        ({"arms": {"a:b": {"model": "m", "share": 0.5}, "b": {"model": "m", "share": 0.5}}},
         "cannot name an arm"),
        ({**SEED_YAML, "percentage": 0.001}, "finer than 0.01 %"),
        (None, "its settings are None; give a dict of them"),
    ],
)  # fmt: skip
def test_wrong_settings_are_one_line(settings: dict, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Experiment.from_settings("e", settings)
    assert message in str(caught.value)
    assert str(caught.value).startswith("experiment 'e': ")
