"""Answers side by side in a real JupyterLab: they stream, stop, are voted on, and stay readable."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import hostile

from .conftest import Seat
from .lab import IDLE, NUMBER, OPEN, Lab, Notebook

pytestmark = pytest.mark.browser

SETUP = """
%load_ext multimodel_magic
%config LLMMagics.ledger = ":memory:"
from multimodel_magic import llm
from multimodel_magic.providers.scripted import ScriptedProvider, Say, Fail, Wait
from multimodel_magic.errors import Overloaded
said = {
    "ann": "Paris is the capital of France. The **Eiffel Tower** is 330 m high.",
    "bob": "Paris is the capital of France. The Eiffel Tower is 300 m high.",
    "cyd": "Paris is the capital of France. It is old.",
}
plays = {name: [[Say(text, chunk_chars=4, delay_s=0.05)]] for name, text in said.items()}
plays["endless"] = [[Say("and so on " * 600, chunk_chars=5, delay_s=0.05)], [Say("Enough.")]]
plays["broken"] = [[Say("I begin "), Fail(Overloaded("simulated: overloaded"))]]
llm.client.providers["scripted"] = ScriptedProvider(plays)
"""
THREE = "scripted:ann,scripted:bob,scripted:cyd"
FORBIDDEN = (
    "script, style, iframe, form, input, img, svg, object, embed, link, meta, base, video, "
    "[onclick], [onerror], [onload], [class*='jp-Dialog'], a[href^='javascript'], a[href^='data']"
)


class Compared:
    """The comparison in a cell's output."""

    def __init__(self, notebook: Notebook, cell: int) -> None:
        self.notebook = notebook
        self.cell = cell
        self.all = notebook.page.locator(f"[data-i='{cell}'] .jp-Cell-outputWrapper")
        self.live = self.all.locator(".mm-live")
        self.twin = self.all.locator(".mm-twin")

    def pane(self, place: int):
        return self.live.locator(".mm-pane").nth(place)

    def wait(self, words: str, *, timeout_s: float = 30) -> None:
        self.all.filter(has_text=words).first.wait_for(timeout=timeout_s * 1000)

    def wait_pane(self, place: int, words: str, *, timeout_s: float = 30) -> None:
        self.pane(place).filter(has_text=words).wait_for(timeout=timeout_s * 1000)

    def saved(self) -> dict:
        return next(
            output
            for output in self.notebook.outputs(self.cell)
            if "mm-twin" in "".join(output["data"].get("text/html", ""))
        )

    def saved_text(self) -> str:
        return "".join(self.saved()["data"]["text/plain"])


def opened(lab: Lab | Seat, *cells: str) -> Notebook:
    notebook = (lab.open if isinstance(lab, Lab) else lab)([SETUP, *cells])
    notebook.run(0)
    return notebook


def test_streams_appear_in_all_panes_and_one_is_stopped_and_asked_again(seat):
    line = "%%llm --compare scripted:endless,scripted:ann,scripted:broken --retries 0 --no-fallback"
    notebook = opened(seat, f"{line}\nTell me.")
    notebook.start(1)
    shown = Compared(notebook, 1)
    for place, words in enumerate(("and so on", "Paris is", "I begin")):
        shown.wait_pane(place, words)
    assert not shown.twin.is_visible()
    shown.wait_pane(1, "✓ answered")
    shown.wait_pane(2, "✗ no answer")
    shown.wait_pane(2, "simulated: overloaded")
    before = len(shown.pane(0).inner_text())
    notebook.settle(1)
    assert len(shown.pane(0).inner_text()) > before
    shown.pane(0).get_by_role("button", name="Stop").click()
    shown.wait_pane(0, "■ stopped")
    notebook.wait(1)
    shown.pane(0).get_by_role("button", name="Retry").click()
    shown.wait_pane(0, "Enough.")
    shown.wait_pane(0, "✓ answered")
    notebook.settle(1)
    assert "Enough." in shown.saved_text()
    assert notebook.console == []
    assert notebook.strays == []


def test_an_interrupt_stops_all_panes_and_keeps_what_came(seat):
    plays = "plays['more'] = plays['endless']"
    head = "%%llm --compare scripted:endless,scripted:more"
    notebook = opened(seat, plays + "\nllm.client.providers['scripted'] = ScriptedProvider(plays)",
                      f"{head}\nTell me.")  # fmt: skip
    notebook.run(1)
    notebook.start(2)
    shown = Compared(notebook, 2)
    for place in range(2):
        shown.wait_pane(place, "and so on")
    notebook.interrupt()
    notebook.wait(2)
    for place in range(2):
        shown.wait_pane(place, "■ stopped")
    assert "Cancelled: interrupted" in shown.all.inner_text()
    one, other = shown.saved_text().split("scripted:more", 1)
    assert "and so on and" in one
    assert "and so on and" in other


def test_a_blind_vote_by_mouse_reveals_and_is_saved(lab, tmp_path):
    notebook = opened(lab, f"%%llm --compare {THREE} --blind\nTell me.", "llm.last_comparison")
    notebook.run(1)
    shown = Compared(notebook, 1)
    shown.wait("Which answer is better?")
    hidden = shown.all.inner_text() + str(notebook.outputs(1))
    assert "scripted" not in hidden
    shown.live.get_by_role("button", name="B is better").click()
    shown.wait("You voted, blind: B is better")
    assert shown.pane(1).inner_text().startswith("★ B · scripted:")
    notebook.settle(1)
    saved = shown.saved()
    text = "".join(saved["data"]["text/plain"])
    assert "★ preferred" in text
    assert text.count("scripted:") >= 6
    assert saved["metadata"]["multimodel_magic"]["votes"][0]["preferred"] == 1
    notebook.run(2)
    assert "★ B" in Compared(notebook, 2).all.inner_text()
    notebook.settle(4)
    assert "could not follow" not in shown.all.inner_text()
    assert notebook.console == []


def test_the_ratings_count_the_vote(lab):
    notebook = opened(lab, f"%%llm --compare {THREE} --blind\nTell me.", "%llm ratings")
    notebook.run(1)
    shown = Compared(notebook, 1)
    shown.wait("Which answer is better?")
    shown.live.get_by_role("button", name="C is better").click()
    shown.wait("You voted, blind: C is better")
    winner = re.search(r"which is (\S+)", shown.all.inner_text())[1]
    notebook.run(2)
    assert winner in Compared(notebook, 2).all.inner_text()


def test_a_blind_vote_by_keyboard_alone(lab):
    notebook = opened(lab, f"%%llm --compare {THREE} --blind\nTell me.")
    notebook.run(1)
    shown = Compared(notebook, 1)
    shown.wait("Which answer is better?")
    cells = notebook.page.locator(".jp-Notebook-cell").count()
    shown.pane(0).locator(".mm-answer").focus()
    for _ in range(20):
        notebook.page.keyboard.press("Tab")
        focused = "() => document.activeElement.textContent"
        if notebook.evaluate(focused).startswith("A is better"):
            break
    else:
        pytest.fail("the vote is out of the keyboard's reach")
    notebook.page.keyboard.press("x")  # Lab's shortcut that cuts the cell: not from here
    notebook.page.keyboard.press("Control+s")  # which is Lab's from everywhere
    notebook.page.wait_for_function(
        "() => !jupyterapp.shell.currentWidget.context.model.dirty", timeout=10_000
    )
    notebook.page.keyboard.press("t")
    shown.wait("You voted, blind: a tie")
    assert notebook.page.locator(".jp-Notebook-cell").count() == cells
    assert notebook.evaluate("() => document.activeElement.className") == "mm-verdict"


def test_a_vote_from_code_reveals_the_panes(lab):
    vote = """
from multimodel_magic.experiments.votes import Vote
it = llm.last_comparison
llm.vote(Vote(comparison=it.id, request_ids=it.request_ids, contestants=it.names,
              verdict="prefer", preferred=0, blind=True, shuffle=it.shuffle))
"""
    notebook = opened(lab, f"%%llm --compare {THREE} --blind\nTell me.", vote)
    notebook.run(1)
    notebook.run(2)
    shown = Compared(notebook, 1)
    shown.wait("You voted, blind: A is better")
    assert shown.pane(0).inner_text().startswith("★ A · scripted:")


def test_on_paper_stand_every_answer_its_receipt_the_vote_and_what_differs(lab, tmp_path):
    long = """
plays["long"] = [[Say("\\n\\n".join(f"Paragraph {n} of many. " * 20 for n in range(40)))]]
llm.client.providers["scripted"] = ScriptedProvider(plays)
"""
    line = "%%llm --compare scripted:ann,scripted:broken,scripted:long --retries 0 --no-fallback"
    vote = "llm.vote(llm.last_comparison.answered[0] + 1)"
    table = "llm.compare(['One?', 'Two?'], 'scripted:cyd,scripted:bob')"
    notebook = opened(lab, long, f"{line} --blind\nTell me.", vote, table)
    for cell in range(1, 5):
        notebook.run(cell)
    paper = " ".join(notebook.printed(tmp_path / "paper.pdf").split())
    for words in (
        *(" · preferred", "You voted, blind: ", "is better, which is scripted:"),
        *("The Eiffel Tower is 330 m high", "simulated: overloaded", "no answer"),
        *(f"Paragraph {n} of many" for n in range(40)),
        *(" · scripted:ann says", " · scripted:long says", "Compared by their words"),
    ):
        assert words in paper, words
    for who, said in (("cyd", "It is old."), ("bob", "300 m high.")):
        assert paper.count(said) >= 2
        assert paper.count(f"scripted:{who} · named by you") == 2
    assert paper.count("to first token") == 3 + 4  # of the panes, and of the table


@pytest.mark.parametrize("trusted", [True, False])
def test_a_saved_comparison_reads_well_without_a_kernel(lab, trusted):
    notebook = opened(lab, f"%%llm --compare {THREE} --blind\nTell me.")
    notebook.run(1)
    shown = Compared(notebook, 1)
    shown.wait("Which answer is better?")
    shown.live.get_by_role("button", name="A is better").click()
    shown.wait("You voted, blind")
    notebook.settle(1)
    saved = notebook.save()
    notebook.close()
    if trusted:
        for cell in saved["cells"]:
            cell["metadata"]["trusted"] = True
    again = lab.open(saved)
    if trusted:
        again.evaluate(
            "() => { for (const cell of jupyterapp.shell.currentWidget.content.widgets)"
            " cell.model.trusted = true; }"
        )
        again.settle(4)  # Lab waits 2 s for a widget's model before it gives up
    read = Compared(again, 1)
    read.wait("You voted, blind")
    text = read.all.inner_text()
    # Lab's words for a widget without its kernel are there, in the trusted case, and not shown.
    assert ("Error displaying widget" in read.all.text_content()) == trusted
    assert "Error" not in text
    assert "Loading widget" not in text
    for words in ("★ A · scripted:", "330 m", "to first token", "Agreement:"):
        assert words in text


def test_after_a_reload_of_the_page_the_panes_are_there_and_a_vote_counts(lab):
    notebook = opened(lab, f"%%llm --compare {THREE} --blind\nTell me.", "%llm compare")
    notebook.run(1)
    Compared(notebook, 1).wait("Which answer is better?")
    notebook.save()
    notebook.page.reload()
    notebook.page.wait_for_function(OPEN, timeout=60_000)
    notebook.page.wait_for_function(IDLE, timeout=60_000)
    notebook.page.evaluate(NUMBER)
    shown = Compared(notebook, 1)
    shown.wait("Which answer is better?")
    shown.live.get_by_role("button", name="Tie").click()
    shown.wait("You voted, blind: a tie")
    shown.wait("The notebook's own copy could not follow")
    notebook.run(2)
    Compared(notebook, 2).wait("You voted, blind: a tie")


@pytest.mark.local
def test_the_local_model_competes_with_rehearsals(lab):
    line = "%%llm --compare local,scripted:ann,scripted:bob --max-tokens 30"
    notebook = opened(lab, f"{line}\nSay hello.")
    notebook.run(1)
    shown = Compared(notebook, 1)
    for place in range(3):
        shown.wait_pane(place, "✓ answered")
    assert "local:smollm2" in shown.pane(0).inner_text()
    assert notebook.strays == []


def test_notebook_7_shows_the_panes_and_takes_the_vote(lab, notebook7_server):
    cells = [SETUP, f"%%llm --compare {THREE} --blind\nTell me."]
    notebook = lab.open(cells, server=notebook7_server)
    notebook.run_all()
    shown = Compared(notebook, 1)
    shown.wait("Which answer is better?")
    assert not shown.twin.is_visible()
    shown.live.get_by_role("button", name="All bad").click()
    shown.wait("You voted, blind: none of them is good")
    notebook.settle(1)
    assert "none of them is good" in shown.saved_text()
    notebook.close()


def test_hostile_answers_and_names_run_nothing_and_fetch_nothing(lab):
    corpus = str(Path(hostile.__file__))
    setup = f"""
import runpy
texts = list(runpy.run_path({corpus!r})["HOSTILE"].values())
third = -(-len(texts) // 3)
plays = {{f"m{{n}}": [[Say("\\n\\n".join(texts[n * third:(n + 1) * third]), chunk_chars=99)]]
         for n in range(3)}}
evil = "scripted:<img src=x onerror=window.pwned=1>"
plays[evil.partition(":")[2]] = [[Fail(Overloaded("<img src=x onerror=window.pwned=1>"))]]
llm.client.providers["scripted"] = ScriptedProvider(plays)
names = "scripted:m0,scripted:m1,scripted:m2"
def compare(line):
    get_ipython().run_cell_magic("llm", line, "<img src=x onerror=window.pwned=1>")
"""
    evil = """compare(f'--compare "{evil},{names}" --retries 0 --no-fallback')"""
    blind = "compare(f'--compare {names} --blind')"
    notebook = opened(lab, setup, evil, blind, "llm.last_comparison")
    for cell in (1, 2, 3, 4):
        notebook.run(cell)
    notebook.settle(2)
    assert notebook.evaluate("() => window.pwned ?? null") is None
    assert notebook.dialogs == []
    assert notebook.strays == []
    for cell in (2, 3):
        shown = Compared(notebook, cell)
        assert shown.live.locator(".mm-pane").count() in (3, 4)
        found = shown.live.locator(FORBIDDEN)
        assert found.count() == 0, found.first.evaluate("node => node.outerHTML")
    twins = notebook.page.locator(".mm-twin").locator(FORBIDDEN.replace("style, ", ""))
    assert twins.count() == 0
    assert "<img src=x onerror=window.pwned=1>" in Compared(notebook, 2).live.inner_text()


def test_a_blocking_cell_says_what_its_buttons_cannot_do(seat):
    blocking = "get_ipython().run_cell_magic('llm', '--compare scripted:endless,scripted:ann', 'x')"
    notebook = opened(seat, blocking)
    notebook.start(1)
    shown = Compared(notebook, 1)
    shown.wait("This cell blocks its kernel")
    shown.wait_pane(0, "and so on")
    shown.pane(0).get_by_role("button", name="Stop").click()
    # Lab may hand the click to a subshell, which handles it at once; else the page says so.
    stopped_or_told = shown.pane(0).filter(has_text=re.compile("■ stopped|The kernel is busy"))
    stopped_or_told.wait_for(timeout=20_000)
    if "■ stopped" not in shown.pane(0).inner_text():
        notebook.interrupt()
    notebook.wait(1)
    shown.wait_pane(0, "■ stopped")


def test_on_a_narrow_screen_the_panes_stand_one_below_the_other(lab):
    notebook = opened(lab, f"%%llm --compare {THREE}\nTell me.")
    notebook.run(1)
    shown = Compared(notebook, 1)
    shown.wait_pane(2, "✓ answered")

    def lefts():
        return {round(shown.pane(place).bounding_box()["x"]) for place in range(3)}

    notebook.page.set_viewport_size({"width": 1200, "height": 900})
    notebook.settle()
    assert len(lefts()) == 3
    notebook.page.set_viewport_size({"width": 480, "height": 900})
    notebook.settle()
    assert len(lefts()) == 1


def test_a_hundred_comparisons_leave_few_live_views(lab):
    many = """
for n in range(100):
    get_ipython().run_cell_magic("llm", "--compare scripted:quick,scripted:quick2", "x")
"""
    setup = """
plays |= {"quick": [[Say("Yes.")]], "quick2": [[Say("No.")]]}
llm.client.providers["scripted"] = ScriptedProvider(plays)
"""
    notebook = opened(
        lab, setup, many, "from ipywidgets.widgets import widget as w; len(w._instances)"
    )
    notebook.run(1)
    notebook.run(2, timeout_s=240)
    notebook.settle(2)
    shown = Compared(notebook, 2)
    assert shown.live.count() <= 8
    assert shown.twin.count() == 100
    views = [
        o for o in notebook.outputs(2) if "application/vnd.jupyter.widget-view+json" in o["data"]
    ]
    assert len(views) <= 8
    notebook.run(3)
    assert int(notebook.outputs(3)[0]["data"]["text/plain"]) <= 2 * 8
