"""What a hostile model writes, shown by the real card in a real JupyterLab."""

from __future__ import annotations

from pathlib import Path

import pytest

from .lab import Lab, Notebook

pytestmark = pytest.mark.browser

HOSTILE = Path(__file__).parents[1] / "hostile.py"
SHOW = """
import runpy
from multimodel_magic.notebook.card import Card, LiveCard
from multimodel_magic.types import *
hostile = runpy.run_path({hostile!r})["HOSTILE"]
def finished(text):
    attempt = Attempt("scripted", "hostile <b>model</b>", 1, usage=Usage(3, 4))
    return Response(Request("Hi"), text, (attempt,), Route(("scripted:hostile",), "fixed"))
"""
FINAL = "for text in hostile.values():\n    display(Card(finished(text), {format!r}))"
GROWING = """
seen = iter(range(10**9))
for text in hostile.values():
    card = LiveCard(clock=lambda: next(seen))
    card.show(AttemptStarted("scripted", "hostile", 1))
    for start in range(0, len(text), 7):
        card.show(TextDelta(text[start:start + 7]))
    card.interrupted()
"""
# Lab itself puts these into a rendered output: MathJax's assistive copy and its glyphs.
FORBIDDEN = (
    "script, style, iframe, form, input, button, img, svg, object, embed, link, meta, base, \
details, video, [onclick], [onerror], [onload], [id^='main'], [class*='jp-Dialog'], \
[data-commandlinker-command], a[href^='javascript'], a[href^='data'], a[href^='attachment']"
)
PAGE_STYLE = """() => {
  const style = node => { const s = getComputedStyle(node);
    return [s.backgroundColor, s.color, s.display, s.position, s.fontSize].join() };
  return [document.body, document.querySelector('.jp-Cell-inputArea')].map(style).join(' | ');
}"""
FORBIDDEN_FOUND = """selector => [...document.querySelectorAll('.jp-OutputArea-output')]
  .flatMap(output => [...output.querySelectorAll(selector)]).map(node => node.outerHTML)"""
# What stands at the middle of the first input: something painted over it would be found instead.
UNCOVERED = """() => {
  const input = document.querySelector('.jp-Cell-inputArea');
  input.scrollIntoView();
  const box = input.getBoundingClientRect();
  return input.contains(document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2));
}"""


@pytest.fixture(scope="module")
def hostile(lab: Lab) -> Notebook:
    formats = ("auto", "code", "json", "text")
    cells = [FINAL.format(format=name) for name in formats]
    notebook = lab.open([SHOW.format(hostile=str(HOSTILE)), *cells, GROWING])
    notebook.before = notebook.evaluate(PAGE_STYLE)
    notebook.run_all()
    notebook.settle(2)
    import os

    if os.environ.get("SHOTS"):
        for i in range(1, 6):
            notebook.screenshot(i, Path(os.environ["SHOTS"]) / f"c{i}.png")
    return notebook


def test_nothing_runs_and_nothing_is_fetched(hostile: Notebook) -> None:
    assert hostile.outputs(0) == []
    assert len(hostile.outputs(1)) > 70
    assert hostile.dialogs == []
    assert hostile.evaluate("() => window.pwned") is None
    assert hostile.strays == []


def test_only_our_own_elements_are_in_the_outputs(hostile: Notebook) -> None:
    assert hostile.evaluate(FORBIDDEN_FOUND, FORBIDDEN) == []


def test_the_page_keeps_its_style(hostile: Notebook) -> None:
    assert hostile.evaluate(PAGE_STYLE) == hostile.before
    assert hostile.evaluate(UNCOVERED)
