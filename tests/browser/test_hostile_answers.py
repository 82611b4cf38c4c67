"""What a hostile model writes, shown by the real card in a real JupyterLab."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import hostile
from tests.hostile import HOSTILE

from .lab import Lab, Notebook

pytestmark = pytest.mark.browser

CORPUS = Path(hostile.__file__)
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

HEIGHTS = """() => [...document.querySelectorAll('.jp-OutputArea-output')]
  .map(output => output.getBoundingClientRect().height)"""


@dataclass(frozen=True)
class Shown:
    """The hostile answers on the page, and how the page looked before."""

    notebook: Notebook
    style_before: str


@pytest.fixture(scope="module")
def shown(lab: Lab) -> Shown:
    formats = ("auto", "code", "json", "text")
    cells = [FINAL.format(format=name) for name in formats]
    notebook = lab.open([SHOW.format(hostile=str(CORPUS)), *cells, GROWING])
    before = notebook.evaluate(PAGE_STYLE)
    notebook.run_all()
    notebook.settle(2)
    return Shown(notebook, before)


def test_without_the_card_the_same_page_is_taken_over(lab: Lab) -> None:
    unsafe = "<img src=http://canary.invalid/a.png onerror=alert(1)> seen"
    show = f"from IPython.display import Markdown; Markdown({unsafe!r})"
    notebook = lab.open(["print('hi')", show])
    notebook.run_all()
    notebook.settle()
    assert notebook.output(0).inner_text().strip() == "hi"
    assert notebook.strays == ["http://canary.invalid/a.png"]
    assert notebook.dialogs == ["1"]
    notebook.close()


def test_nothing_runs_and_nothing_is_fetched(shown: Shown) -> None:
    assert shown.notebook.outputs(0) == []
    assert [len(shown.notebook.outputs(cell)) for cell in range(1, 6)] == [len(HOSTILE)] * 5
    assert shown.notebook.dialogs == []
    assert shown.notebook.evaluate("() => window.pwned") is None
    assert shown.notebook.strays == []


def test_only_our_own_elements_are_in_the_outputs(shown: Shown) -> None:
    assert shown.notebook.evaluate(FORBIDDEN_FOUND, FORBIDDEN) == []


def test_the_page_keeps_its_style(shown: Shown) -> None:
    assert shown.notebook.evaluate(PAGE_STYLE) == shown.style_before
    assert shown.notebook.evaluate(UNCOVERED)


def test_no_answer_is_taller_than_its_text(shown: Shown) -> None:
    heights = shown.notebook.evaluate(HEIGHTS)
    assert max(heights) < 700


def test_the_reopened_notebook_is_as_harmless(lab: Lab, shown: Shown) -> None:
    reopened = lab.open(shown.notebook.save())
    reopened.settle(2)
    assert reopened.dialogs == reopened.strays == []
    assert reopened.evaluate(FORBIDDEN_FOUND, FORBIDDEN) == []
