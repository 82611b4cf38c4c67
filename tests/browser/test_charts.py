"""Charts in a real JupyterLab: what is written in them can be read, trusted or not."""

from __future__ import annotations

import re

import pytest
from matplotlib.colors import to_hex

from multimodel_magic.notebook.charts.paint import INK
from tests.colours import contrast, in_dark_lab

from .lab import Lab, Notebook, Notebook7Server

CELLS = ("%load_ext multimodel_magic", "%%llm scripted:echo\nHello", "%llm plot latency")
STYLE = "img => { const s = getComputedStyle(img); return [s.backgroundColor, s.filter]; }"


def contrast_of(notebook: Notebook, cell: int) -> float:
    """Return the contrast of a chart's ink to what is painted behind it, as the browser has it."""
    ground, glow = notebook.output(cell).locator("img").evaluate(STYLE)
    red, green, blue = (int(part) / 255 for part in re.findall(r"\d+", ground)[:3])
    assert "rgba" not in ground, "nothing shows through"
    ink = in_dark_lab(INK) if glow == "brightness(1.32)" else INK
    return contrast(ink, to_hex((red, green, blue)))


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_a_chart_can_be_read_in_both_themes_with_and_without_trust(lab: Lab, theme: str) -> None:
    notebook = lab.open(CELLS)
    notebook.run_all()
    notebook.use_theme(theme)
    assert contrast_of(notebook, 2) >= 4.5
    saved = notebook.save()
    saved["metadata"]["from"] = "somebody else"  # whose signature this Lab does not know
    reopened = lab.open(saved)
    reopened.use_theme(theme)
    assert "var(" not in reopened.output(2).locator("img").evaluate("i => i.getAttribute('style')")
    assert contrast_of(reopened, 2) >= 4.5
    for one in (reopened, notebook):
        one.use_theme("JupyterLab Light")
        one.close()


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_a_chart_can_be_read_in_notebook_7_on_an_older_kernel(
    lab: Lab, notebook7_server: Notebook7Server, theme: str
) -> None:
    kernel = notebook7_server.offer("7.2")
    notebook = lab.open(CELLS, kernel=kernel, server=notebook7_server)
    notebook.run_all()
    notebook.use_theme(theme)
    assert contrast_of(notebook, 2) >= 4.5
    assert notebook.console == []
    notebook.use_theme("JupyterLab Light")
    notebook.close()
