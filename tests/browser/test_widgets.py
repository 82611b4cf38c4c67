"""Playground, dashboard and routing form in a real JupyterLab: typed into, clicked, reopened."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import Locator

from .conftest import Seat
from .lab import Lab, LabServer, Notebook

pytestmark = pytest.mark.browser

CONFIG = """\
# who answers what
version: 1
routing:
  default_model: scripted:echo   # costs nothing
  rules:
    - {name: hard, condition: {complexity: high}, model: "scripted:slow"}
  fallbacks: ["scripted:down", "anthropic:claude-haiku-5-5"]
"""
HOSTILE = (
    '<img src=x onerror="window.pwned=1;fetch(`http://canary.invalid`)"><script>pwned=1</script>'
)
HARD = "Prove and compare two proofs that the square root of 2 is irrational."
LOST = "Error displaying widget"


def area(notebook: Notebook, cell: int) -> Locator:
    return notebook.page.locator(f"[data-i='{cell}'] .jp-Cell-outputWrapper")


def shows(notebook: Notebook, cell: int, words: str, timeout_s: float = 30) -> None:
    area(notebook, cell).filter(has_text=words).wait_for(timeout=timeout_s * 1000)


def button(notebook: Notebook, cell: int, name: str) -> Locator:
    return area(notebook, cell).get_by_role("button", name=name, exact=True)


def photographed(notebook: Notebook, cell: int, name: str) -> None:
    """Photograph an output in both themes, where screenshots are wanted."""
    folder = os.environ.get("SCREENSHOTS")
    for theme in ("JupyterLab Dark", "JupyterLab Light") if folder else ():
        notebook.use_theme(theme)
        notebook.screenshot(cell, Path(str(folder)) / f"{name}-{theme.split()[1].lower()}.png")


def unharmed(notebook: Notebook) -> None:
    assert notebook.evaluate("() => window.pwned") is None
    assert notebook.dialogs == []
    assert notebook.strays == []


def reopened(lab: Lab, notebook: Notebook) -> Notebook:
    """Save the notebook, and open what was saved without running it."""
    notebook.save()
    notebook.settle(1)
    saved = notebook.save()
    notebook.close()
    again = lab.open(saved)
    again.settle(2)
    return again


@pytest.fixture
def folder(lab_server: LabServer) -> Path:
    """The notebook's folder, with a routing configuration in it while the test runs."""
    file = lab_server.root / "routing_config.yml"
    file.write_text(CONFIG)
    yield lab_server.root
    file.unlink()


def test_a_prompt_is_explained_as_it_is_typed_sent_stopped_and_still_there(
    lab: Lab, folder: Path
) -> None:
    notebook = lab.open(["from multimodel_magic import llm\nllm.playground()"])
    notebook.run(0)
    prompt = area(notebook, 0).get_by_label("Prompt")
    prompt.click()
    prompt.press_sequentially("What is 2 + 2?", delay=10)
    shows(notebook, 0, "“What is 2 + 2?” · 14 characters")
    shows(notebook, 0, "would go toscripted:echo")
    prompt.fill(f"{HARD} {HOSTILE}")
    shows(notebook, 0, "rule 1 (hard): complexity is high")
    shows(notebook, 0, "ANTHROPIC_API_KEY is not set")
    area(notebook, 0).get_by_label("Strategy").select_option("cost")
    shows(notebook, 0, "comes before --strategy cost")
    button(notebook, 0, "Send").click()
    shows(notebook, 0, "This answer is")
    button(notebook, 0, "Stop").click()
    shows(notebook, 0, "interrupted")
    photographed(notebook, 0, "playground")
    unharmed(notebook)
    again = reopened(lab, notebook)
    shown = area(again, 0).inner_text()
    assert LOST not in shown
    assert "Loading widget" not in shown
    assert "rule 1 (hard): complexity is high" in shown
    assert "This answer is" in shown
    assert "interrupted" in shown
    unharmed(again)


def test_typing_while_a_cell_runs_does_not_break_the_run(seat: Seat) -> None:
    setup = """
from multimodel_magic import Weighted, llm
%load_ext multimodel_magic
llm.client.strategy = Weighted({"scripted:echo": 1})
llm.playground()
"""
    notebook = seat(
        [
            setup,
            "import time\nfor _ in range(30): time.sleep(0.1)\n'whole'",
            "%%llm scripted:echo\nwhole again",
        ]
    )
    notebook.run(0)
    prompt = area(notebook, 0).get_by_label("Prompt")
    for cell, words in ((1, "'whole'"), (2, "whole again")):
        notebook.start(cell)
        prompt.click()
        prompt.press_sequentially(f" typed in {cell}", delay=10)
        button(notebook, 0, "Send").click()
        if cell == 1:
            shows(notebook, 0, "A cell is running")
        notebook.wait(cell)
        assert words in area(notebook, cell).inner_text()
        shows(notebook, 0, f"typed in {cell}” ·")
        shows(notebook, 0, f"typed in {cell}\n")
    assert "A cell is running" not in area(notebook, 0).inner_text()


def test_the_dashboard_follows_cells_closes_and_is_still_there(lab: Lab, folder: Path) -> None:
    notebook = lab.open(
        [
            "from multimodel_magic import llm\n%load_ext multimodel_magic\nllm.dashboard()",
            "%llm budget session $0.50",
            "for _ in range(5): llm('Hi', 'scripted:echo')",
            f"%%llm --soft --retries 0 --no-fallback scripted:down\n{HOSTILE}",
            "llm.dashboard()",
        ]
    )
    for cell in range(4):
        notebook.run(cell)
    shows(notebook, 0, "5 answered, 1 failed")
    shows(notebook, 0, "of the session's $0.50")
    shows(notebook, 0, "ConnectionFailed")
    photographed(notebook, 0, "dashboard")
    notebook.run(4)
    shows(notebook, 0, "replaced by another")
    assert button(notebook, 0, "Close").count() == 0
    button(notebook, 4, "Close").click()
    shows(notebook, 4, "closed: llm.dashboard() opens another one")
    unharmed(notebook)
    again = reopened(lab, notebook)
    for cell in (0, 4):
        shown = area(again, cell).inner_text()
        assert "5 answered, 1 failed" in shown
        assert LOST not in shown
        assert "Loading widget" not in shown


def test_a_rule_is_edited_checked_saved_and_still_there(lab: Lab, folder: Path) -> None:
    notebook = lab.open(["from multimodel_magic import llm\nllm.config_widget()"])
    notebook.run(0)
    shows(notebook, 0, "routing_config.yml: fine")
    condition = area(notebook, 0).get_by_placeholder("always")
    condition.fill("complexiti: high")
    shows(notebook, 0, "routing_config.yml:6: routing.rules.0.condition.complexiti: unknown key")
    assert button(notebook, 0, "Save").is_disabled()
    condition.fill("complexity: low")
    button(notebook, 0, "Add rule").click()
    shows(notebook, 0, "the rule names nobody")
    area(notebook, 0).get_by_placeholder("name").nth(1).fill(f"odd {HOSTILE}"[:70])
    area(notebook, 0).get_by_placeholder("model, role or strategy").nth(1).fill("scripted:echo")
    shows(notebook, 0, "valid; Save writes routing_config.yml")
    for name in ("Rule 1", "if", "ask", "named", "fallbacks"):  # what a screen reader says
        assert area(notebook, 0).get_by_label(name, exact=True).count() == (1 if "1" in name else 2)
    photographed(notebook, 0, "config")
    assert (folder / "routing_config.yml").read_text() == CONFIG
    button(notebook, 0, "Save").click()
    shows(notebook, 0, "saved; the next cell that asks takes it up")
    written = (folder / "routing_config.yml").read_text()
    assert written.startswith(CONFIG[: CONFIG.index("    - {name")])
    assert "condition: {complexity: low}" in written
    unharmed(notebook)
    again = reopened(lab, notebook)
    shown = area(again, 0).inner_text()
    assert "default_model: scripted:echo   # costs nothing" in shown
    assert LOST not in shown
    unharmed(again)


def test_the_form_stacks_on_a_narrow_screen(lab: Lab, folder: Path) -> None:
    notebook = lab.open(["from multimodel_magic import llm\nllm.config_widget()"])
    notebook.run(0)
    shows(notebook, 0, "fine")
    notebook.page.set_viewport_size({"width": 420, "height": 900})
    notebook.settle(0.5)
    widths = notebook.evaluate(
        "() => [...document.querySelectorAll(`[data-i='0'] input, [data-i='0'] select`)]"
        ".map(e => e.getBoundingClientRect().right - window.innerWidth)"
    )
    assert max(widths) <= 0
