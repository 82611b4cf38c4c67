"""Budgets, attachments and guards in a real kernel: what a person reads and what is asked."""

import pytest

from .conftest import started, stopped

CONFIG = """
prices:
  "scripted:answers": {input: 1000, output: 1000}   # of a model that is dear
limits:
  rates: {scripted: {requests_per_minute: 600}}
"""


@pytest.fixture
def kernel(bare_environment, tmp_path):
    (tmp_path / "routing_config.yml").write_text(CONFIG, encoding="utf-8")
    env = bare_environment | {
        "MULTIMODEL_CONFIG": str(tmp_path / "routing_config.yml"),
        "MULTIMODEL_LEDGER": str(tmp_path / "ledger.db"),
    }
    kernel = started(env)
    kernel.run(f"import os; os.chdir({str(tmp_path)!r})")
    assert kernel.run("from multimodel_magic import llm\n%load_ext multimodel_magic").status == "ok"
    yield kernel
    stopped(kernel)


def test_when_the_budget_is_spent_a_free_model_answers_and_else_it_is_one_line(kernel):
    assert kernel.run("%llm budget $0.53").status == "ok"
    assert kernel.run("%%llm scripted:answers\nHi").status == "ok"
    ran = kernel.run("%%llm scripted:answers,scripted:echo\nHello")
    assert ran.status == "ok"
    assert ran.facts["model"] == "echo"
    ran = kernel.run("%%llm scripted:answers\nHello")
    assert ran.status == "error"
    assert len(ran.traceback) == 1
    line = ran.traceback[0]
    assert "\n" not in line
    assert line.startswith("BudgetExceeded: the session's budget is $0.53: $0.0")
    assert "(scripted $0.0" in line
    assert "scripted:answers would cost about $0.5" in line
    assert "raise the budget or ask a model that is free" in line
    shown = kernel.run("%llm").text
    assert "Budget" in shown
    assert "at scripted" in shown
    assert "of 100" in shown  # the rate: what comes in ten seconds


def test_the_budget_of_one_line_is_one_line(kernel):
    ran = kernel.run("%%llm scripted:answers --budget $0.10\nHi")
    assert len(ran.traceback) == 1
    assert "BudgetExceeded: the budget per call is $0.10: $0 spent, scripted" in ran.traceback[0]
    planned = kernel.run("%%llm scripted:answers,scripted:echo --budget 0.10 -n\nHi").text
    assert "the budget per call is $0.10" in planned
    assert "within $0.10" in planned
    ran = kernel.run("%%llm scripted:echo --budget lots\nHi")
    assert ran.traceback == [
        "UsageError: --budget: 'lots' is no amount such as 0.05 or $0.05 (US dollars)"
    ]


def test_a_file_and_a_variable_are_attached_and_nothing_else_is(kernel, tmp_path):
    (tmp_path / "a.csv").write_bytes(b"x,y\r\n1,2\r\n")
    kernel.run("notes = b'remember the milk'")
    ran = kernel.run("%%llm scripted:echo -a a.csv -a notes\nSum up.")
    assert "x,y\r\n1,2" in kernel.value("llm.last.text")
    assert "remember the milk" in ran.text
    assert kernel.value("llm.last.request.prompt") == "Sum up."
    assert '"name": "a.csv"' in kernel.value("llm.last.request.labels['attachments']")
    for word, said in {
        "*.csv": "--attach: *.csv: no such file (patterns are not followed)",
        ".": "--attach: .: is a folder; name its files one by one",
        "@ntes": "--attach: there is no variable 'ntes'; did you mean 'notes'?",
        "llm": "--attach: llm is Session, which cannot be attached",
    }.items():
        ran = kernel.run(f"%%llm scripted:echo -a {word}\nSum up.")
        assert len(ran.traceback) == 1
        assert said in ran.traceback[0]


def test_a_picture_goes_to_nobody_who_cannot_see(kernel):
    kernel.run(r"picture = b'\x89PNG\r\n\x1a\n' + bytes(100)")
    ran = kernel.run("%%llm local:smollm2 -a picture\nWhat is it?")
    assert len(ran.traceback) == 1
    assert "local:smollm2: no vision" in ran.traceback[0]
    ran = kernel.run("%%llm local:smollm2,scripted:echo -a picture\nWhat is it?")
    assert ran.facts["model"] == "echo"
