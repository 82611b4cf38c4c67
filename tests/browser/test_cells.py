"""A cell in a real JupyterLab: it streams, it stops, it reads well when reopened."""

import time

import pytest

pytestmark = pytest.mark.browser

LOAD = "%load_ext multimodel_magic"


def _text(notebook, cell):
    return notebook.page.locator(f"[data-i='{cell}'] .jp-Cell-outputWrapper").inner_text()


def _wait_for(notebook, cell, words, timeout_s=20):
    wrapper = notebook.page.locator(f"[data-i='{cell}'] .jp-Cell-outputWrapper")
    wrapper.filter(has_text=words).wait_for(timeout=timeout_s * 1000)


def test_an_answer_streams_and_an_interrupt_keeps_what_came(lab):
    notebook = lab.open([LOAD, "%%llm scripted:slow\nHello", "%%llm scripted:echo\nstill here"])
    notebook.run(0)
    notebook.start(1)
    _wait_for(notebook, 1, "This answer is")
    early = _text(notebook, 1)
    _wait_for(notebook, 1, "played")
    assert len(_text(notebook, 1)) > len(early)
    start = time.monotonic()
    notebook.interrupt()
    notebook.wait(1)
    assert time.monotonic() - start < 1.0  # the kernel's 0.5 s, and the browser's own time
    shown = _text(notebook, 1)
    assert "This answer is simulated" in shown
    assert "interrupted" in shown
    assert "Cancelled: interrupted" in shown
    assert "Traceback" not in shown
    assert len([o for o in notebook.outputs(1) if o["output_type"] == "error"]) == 1
    notebook.run(2)
    assert "still here" in _text(notebook, 2)


def test_a_failure_is_one_line_and_stops_run_all(lab):
    notebook = lab.open([LOAD, "%%llm scripted:down --retries 0\nHello", "'after'"])
    notebook.run(0)
    notebook.page.evaluate("() => jupyterapp.commands.execute('notebook:run-all-cells')")
    _wait_for(notebook, 1, "ConnectionFailed: simulated: connection refused")
    notebook.settle(1.0)
    assert notebook.outputs(2) == []


@pytest.mark.local
def test_the_local_model_answers_with_a_receipt(lab):
    notebook = lab.open([LOAD, "%%llm local --max-tokens 20\nSay hello."])
    notebook.run_all()
    assert "local:smollm2 · named by you ·" in _text(notebook, 1)
    assert notebook.console == []
    assert notebook.strays == []


def test_a_saved_notebook_shows_the_answer_and_the_receipt_without_a_kernel(lab):
    notebook = lab.open([LOAD, "%%llm scripted:echo\nremember me"])
    notebook.run_all()
    saved = notebook.save()
    notebook.close()
    data = saved["cells"][1]["outputs"][0]["data"]
    assert "remember me" in "".join(data["text/plain"])
    assert "scripted:echo · named by you" in "".join(data["text/plain"])
    again = lab.open(saved)
    assert "remember me" in _text(again, 1)
    assert "scripted:echo · named by you" in _text(again, 1)


@pytest.mark.parametrize(
    ("line", "word"), [("%%llm --fal", "--fallback"), ("%llm plot ", "tradeoff")]
)
def test_tab_completes_options_and_kinds_of_charts(lab, line, word):
    notebook = lab.open([LOAD, line])
    notebook.run(0)
    notebook.page.locator("[data-i='1'] .cm-content").click()
    notebook.page.keyboard.press("End")
    notebook.page.keyboard.press("Tab")
    content = notebook.page.locator("[data-i='1'] .cm-content")
    content.filter(has_text=word).or_(
        notebook.page.locator(".jp-Completer-item", has_text=word)
    ).first.wait_for(timeout=10_000)
