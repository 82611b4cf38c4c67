"""Every tutorial, run as a stranger would: in a kernel, without a key, beside no other file."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
TUTORIALS = sorted((ROOT / "notebooks").glob("*.ipynb"))
FIRST = ROOT / "notebooks" / "01_first_cell.ipynb"

MAGIC = "multimodel_magic"
PROMISED = {
    # What the prose around a cell says of its output, and other numbers would belie (patterns).
    "01_first_cell": [
        "fell back from scripted:overloaded",
        r"Sale\(city='Lima', sold=14\)",
        "Sales: the answer is no JSON; its text is kept",
    ],
    "02_complexity": ["by complexity, as in the article", "complexity unclear: no signal"],
    "03_cost_tiers": ["did you mean 'enterprise'", "price unknown", "by cost tier"],
    "04_task_routing": ["did you mean 'code_review'", "looks like code_review", "abstained"],
    "05_ab_test": [
        r"(?m)^200 .* not decided yet",
        r"(?m)^1500 .* treatment is higher",
        r"ordinary, 20 looks +\d\d+ ",
        "sample ratio broken",
    ],
    "06_config_file": [
        "routing_config.yml: fine",
        "see allow_dearer_fallbacks",
        "by the file: ",
        "has changed and was read again",
        "fell back from scripted:overloaded",
        r"did you mean 'task_type'\? \(the earlier configuration stays in force\)",
        "is never reached",
    ],
    "07_reliability": [
        r"fell back from north:dead \(overloaded, 2 attempts",
        "Misconfigured: simulated: 400",
        "times that the wrong key was sent: 1",
        "said once: True",
        r"north:busy · .* · 2\.\d s .* · retried once \(rate limited\)",
        "had not finished when the request's time was up",
        r"answered +\d\d% +100%",
        r"(?m)^3 of 30 requests asked north first; all were answered: True",
        r"open for \d",
        "BudgetExceeded: the session's budget is",
        r"answered in the end: \d\d% of \d+ requests",
    ],
    "08_numbers": [
        r"scripted:small +\d+ +\d+ +100% \(",
        r"mostly +time lost",
        r"routing accuracy \d+% \(",
        r"saved about \$0\.\d+ \(\d\d%\) against all on scripted:large",
        r"Replay of cost: \d+ of \d+ requests",
        "On the Pareto front of cost, latency and quality: large, middle, small",
        r"spent of \$1\.00, \$0\.\d+ left",
        r"\$0 · cached",
        r"given +1 time",
        "week.votes.csv",
    ],
    "09_compare": [
        "scripted:long — ✓ answered",
        "You voted, blind: a tie",
        "Ratings: 121 votes of people: 120 prefer one, 1 tie",
        "judge scripted:says-a: position-inconsistent",
        "0 prefer one, 10 tie \\(10 position-inconsistent\\)",
        "agreement with people +0 of 10",
    ],
    "10_cascade": [
        r"local:smollm2 · rung 1 of 2 ·",
        r"went up from local:smollm2 \(mean log-probability -0\.\d\d\)",
        r"always cheap \(real\) +\d+ of 20 +0 ",
        r"cascade +1[6-9] of 20 +\d+ ",
        r"always cheap +66\.5%",
        r"cascade: schema, log-probability +98\.5% +35% .* 0\.247",
        r"always dear +98\.5% .* 0\.635",
        r"scripted:cheap: graded 3 of 10 \(asked scripted:judge, \$0\.\d+, rows of their own\)",
        r"cheap model right in 10 %, at half the price +131%",
    ],
}
ABSOLUTE = re.compile(r"(?<![\w.:/])/(?:home|root|tmp|work|Users|mnt|opt|var)/|\b[A-Z]:\\")
SECRET = re.compile(
    r"\bsk-[\w-]{6,}|\b(?:api[_-]?key|token|password)\b\s*[:=]\s*['\"]?\w{6,}", re.IGNORECASE
)


def named(paths):
    return [pytest.param(path, id=path.stem) for path in paths]


def tool(name):
    """Load a script of `tools/`."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


run_notebooks = tool("run_notebooks")


@pytest.fixture(scope="module")
def bare_environment(tmp_path_factory):
    """An environment without keys and servers, whose ledger is a scratch file."""
    home = tmp_path_factory.mktemp("tutorials")
    return run_notebooks.environment(home) | {"MULTIMODEL_LEDGER": str(home / "ledger.db")}


def executed(path, folder, env):
    notebook = nbformat.read(path, as_version=4)
    place = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources=place).execute(env=env)
    return notebook


def outputs(notebook):
    return [out for cell in notebook.cells for out in cell.get("outputs", [])]


def printed(notebook):
    return "\n".join(
        out["text"] if out.output_type == "stream" else out.data.get("text/plain", "")
        for out in outputs(notebook)
        if out.output_type != "error"
    )


def asking(notebook):
    """Cells that ask one model: not those that only route (`-n`), ask several or are a slip."""
    cells = [c for c in notebook.cells if re.match(r"%%llm(?! -n| --compare)", c.source)]
    return [c for c in cells if "UsageError" not in str(c.outputs)]


@pytest.mark.local
@pytest.mark.slow
@pytest.mark.parametrize("path", named(TUTORIALS))
def test_a_tutorial_runs_from_top_to_bottom_and_shows_what_it_promises(
    path, tmp_path, bare_environment
):
    notebook = executed(path, tmp_path, bare_environment)
    found = outputs(notebook)
    assert not [out for out in found if out.output_type == "error"]
    receipts = [out for out in found if "receipt" in out.get("metadata", {}).get(MAGIC, {})]
    assert len(receipts) >= len(asking(notebook))
    assert any("<table" in out.get("data", {}).get("text/html", "") for out in found)
    said = printed(notebook)
    assert [phrase for phrase in PROMISED[path.stem] if not re.search(phrase, said)] == []
    assert "Traceback" not in said
    assert "Warning" not in said
    assert list(tmp_path.iterdir()) == [], "a tutorial writes nothing beside itself"


@pytest.mark.local
@pytest.mark.slow
def test_nbval_passes_on_the_first_tutorial(bare_environment):
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "--nbval-lax", "--nbval-current-env", str(FIRST)],
        cwd=ROOT,
        env=bare_environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_is_a_promise_for_every_tutorial():
    assert sorted(PROMISED) == [path.stem for path in TUTORIALS]


@pytest.mark.parametrize("path", named(TUTORIALS))
def test_a_tutorial_is_committed_with_the_outputs_of_these_very_cells(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert notebook.metadata[MAGIC]["outputs_of"] == run_notebooks.fingerprint(notebook), (
        "its cells were changed: make notebooks"
    )
    assert not [out for out in outputs(notebook) if out.output_type == "error"]
    said = printed(notebook)
    assert [phrase for phrase in PROMISED[path.stem] if not re.search(phrase, said)] == []
    assert [c.id for c in notebook.cells] == [f"cell-{n:02d}" for n in range(len(notebook.cells))]
    assert notebook.metadata.kernelspec.name == "python3"
    assert "widgets" not in notebook.metadata


@pytest.mark.parametrize("path", named(TUTORIALS))
def test_a_tutorial_holds_no_absolute_path_and_no_key(path):
    notebook = nbformat.read(path, as_version=4)
    shown = (str(one.get("text") or one.get("data")) for one in outputs(notebook))
    text = "\n".join([*(cell.source for cell in notebook.cells), *shown])
    assert ABSOLUTE.findall(text) == []
    assert SECRET.findall(text) == []


@pytest.mark.parametrize("path", named(TUTORIALS))
def test_a_tutorial_that_is_referred_to_exists(path):
    names = {other.stem for other in TUTORIALS}
    text = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
    assert set(re.findall(r"\b\d\d_\w+", text)) <= names


def prose(path):
    cells = nbformat.read(path, as_version=4).cells
    return [cell.source for cell in cells if cell.cell_type == "markdown"]


@pytest.mark.parametrize("path", named(TUTORIALS))
def test_the_links_of_a_tutorial_lead_to_files(path):
    links = re.findall(r"\]\(([^)\s]+)\)", "\n".join(prose(path)))
    assert [link for link in links if not (path.parent / link).is_file()] == []


@pytest.mark.parametrize("path", named(TUTORIALS))
def test_a_file_that_a_tutorial_names_can_be_clicked(path):
    named_files = r"(?<!\[)`(?:\d\d_[a-z_]+|(?:docs|tools)/[^`\s]+)`"
    assert re.findall(named_files, "\n".join(prose(path))) == []


def test_the_first_tutorial_leads_to_all_others():
    links = set(re.findall(r"\]\((\d\d_\w+)\.ipynb\)", "\n".join(prose(FIRST))))
    assert links == {path.stem for path in TUTORIALS} - {FIRST.stem}


@pytest.mark.parametrize("path", named(TUTORIALS))
def test_the_text_of_a_tutorial_holds_no_dollars_that_would_be_set_as_mathematics(path):
    texts = [re.sub(r"`[^`]+`", "", text) for text in prose(path)]
    assert [text for text in texts if text.count("$") > 1] == []
