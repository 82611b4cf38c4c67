"""docs/complexity.md says what `tools/fit_complexity.py` prints."""

import importlib.util
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parents[1]
DOCUMENT = HERE / "docs" / "complexity.md"
FOLDERS = [one / "shared" / "routing" / "data" for one in HERE.parents]
DATA = next((one for one in FOLDERS if one.is_dir()), None)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(DATA is None, reason="there is no shared/routing/data beside this checkout"),
]


@pytest.fixture(scope="module")
def fit():
    """The tool as a module; it imports the one beside it by name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(HERE / "tools")
        spec = importlib.util.spec_from_file_location(
            "fit_complexity", HERE / "tools" / "fit_complexity.py"
        )
        module = importlib.util.module_from_spec(spec)
        patch.setitem(sys.modules, "fit_complexity", module)
        spec.loader.exec_module(module)
        yield module
    sys.modules.pop("routing_measure", None)


@pytest.fixture(scope="module")
def data(fit):
    return fit.load(DATA)


@pytest.fixture(scope="module")
def score_of(fit, data):
    return fit.compared(data)


@pytest.fixture(scope="module")
def said():
    return " ".join(DOCUMENT.read_text(encoding="utf-8").split())


def test_the_table_is_what_the_tool_prints(fit, data, score_of):
    table = fit.markdown(fit.headline(data, score_of))
    assert table in DOCUMENT.read_text(encoding="utf-8")


def test_the_second_panel_is_what_the_tool_prints(fit, data, score_of, said):
    broad = fit.columns(data.broad, score_of, fit.THAN)
    mean, error = broad.loc["weighted mean"], broad[fit.THAN].iloc[-3]
    scorer = f"There the scorer has {mean[fit.THAN]:.3f} ± {error:.3f}"
    assert f"{scorer}, length {mean['length']:.3f}, the seed {mean['seed']:.3f}" in said


def test_the_third_panel_is_what_the_tool_prints(fit, data, score_of, said):
    mixed = data.mixed.table(score_of, fit.THAN)
    mean, error = mixed.loc["mean"], mixed[fit.THAN].iloc[-3]
    scorer = f"There the scorer has {mean[fit.THAN]:.3f} ± {error:.3f}"
    assert f"{scorer}, the seed {mean['seed']:.3f}, length {mean['length']:.3f}" in said


def test_the_weights_that_ship_are_those_of_the_data(fit, data):
    weights = fit.fit(data, data.source == data.source).round(4)
    assert fit.render(weights, fit.calibrate(data, weights)) == fit.TARGET.read_text()
