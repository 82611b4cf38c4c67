"""What the playground, the dashboard and the routing form show: pure functions of their state."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest

from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.config import parse_config
from multimodel_magic.errors import MultimodelError, UsageError
from multimodel_magic.ledger import Ledger
from multimodel_magic.limits import Budget
from multimodel_magic.notebook.widgets import dashboard, draft, explanation
from multimodel_magic.notebook.widgets.draft import File, drafted
from multimodel_magic.notebook.widgets.form import Form, RuleRow
from multimodel_magic.notebook.widgets.playground import explain
from multimodel_magic.notebook.widgets.tally import Tally
from multimodel_magic.providers.scripted import ScriptedProvider
from multimodel_magic.session import Session
from multimodel_magic.types import Attempt, Request, Response, Route

from .hostile import HOSTILE

RULES = """
version: 1
routing:
  default_model: scripted:echo
  rules:
    - {name: code, condition: {task_type: code}, model: "scripted:cut"}
    - {name: hard, condition: {complexity: high}, model: "scripted:slow"}
    - {name: rest, model: "scripted:echo"}
  fallbacks: ["scripted:down", "anthropic:claude-haiku-5-5"]
"""
HARD = "Prove and compare two proofs that the square root of 2 is irrational, step by step."
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
TAGS = {"div", "table", "caption", "tr", "th", "td", "pre", "code", "span"}
ATTRIBUTES = {"style", "class", "role", "aria-label", "scope"}


class Audit(HTMLParser):
    """Notes every element and attribute that is not one of ours."""

    def __init__(self, html):
        super().__init__()
        self.faults = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.faults += [tag] if tag not in TAGS else []
        self.faults += [f"{tag} {name}" for name, _ in attrs if name not in ATTRIBUTES]
        self.faults += [value for name, value in attrs if name == "style" and "url(" in value]


def session_in(folder):
    client = UnifiedLLMClient({"scripted": ScriptedProvider()})
    session = Session(client, ledger=Ledger(":memory:"), folder=folder)
    session.configure(parse_config(RULES))
    return session


@pytest.fixture
def llm(monkeypatch, tmp_path):
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    session = session_in(tmp_path)
    yield session
    session.ledger.close()


@pytest.fixture(scope="module")
def attacked(tmp_path_factory):
    """One session for all hostile texts: making it takes longer than showing one."""
    session = session_in(tmp_path_factory.mktemp("attacked"))
    yield session
    session.ledger.close()


def seen(llm, prompt, strategy=""):
    return explain(llm, Request(prompt, strategy=strategy or None))


# --- playground


def test_a_prompt_is_explained_by_signals_rules_candidates_and_costs(llm):
    shown = str(seen(llm, HARD))
    assert "→ scripted:slow, then scripted:down" in shown
    assert "prove" in shown
    assert "rule 1 (code)  no: task_type is not said" in shown
    assert "rule 2 (hard): complexity is high" in shown
    assert "rule 3 (rest)  not reached" in shown
    assert "anthropic:claude-haiku-5-5  ANTHROPIC_API_KEY is not set" in shown
    assert "scripted:slow  about 28 → 500    $0" in shown
    assert not llm.history


def test_the_explanation_is_that_of_the_dry_run(llm):
    from multimodel_magic import bridge
    from multimodel_magic.notebook.plan import plan

    report = bridge.run(plan(llm.client, Request(HARD)))
    found = seen(llm, HARD)
    assert found.plan.candidates == report.tables[0]
    assert found.plan.left_out == report.tables[2:]


def test_another_strategy_shows_the_notice_of_the_rule_before_it(llm):
    assert "! rule 2 (hard) comes before --strategy cost" in str(seen(llm, HARD, "cost"))


def test_a_prompt_that_nobody_can_answer_says_why(llm):
    found = seen(llm, HARD, "no-such")
    assert found.plan is None
    assert "no strategy is called 'no-such'" in str(found)
    assert "✗ nobody would be asked" in explanation.bundle(found)["text/html"]


def test_an_empty_prompt_asks_for_one(llm):
    assert "Type a prompt" in explanation.bundle(seen(llm, "  "))["text/html"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_prompt_is_shown_as_text(attacked, name):
    for strategy in ("", "complexity", HOSTILE[name][:40]):
        bundle = explanation.bundle(seen(attacked, HOSTILE[name], strategy))
        assert Audit(bundle["text/html"]).faults == []
        assert "\x1b" not in bundle["text/plain"]
        bundle["text/plain"].encode()


# --- dashboard


def response(*attempts, error=None):
    return Response(Request("Hi"), "", attempts, Route(("a:b",), "fixed"), error)


ANSWER = Attempt("a", "b", 1, latency_s=2.0, ttft_s=0.5, cost_usd=Decimal("0.25"))
FAILED = Attempt("c", "d", 1, latency_s=1.0, error_type="Overloaded", error="too many")


def card(tally, guards=None, ended=""):
    return dashboard.bundle(tally, guards or dashboard.Guards(), NOON, ended)


def test_the_card_counts_requests_costs_fallbacks_and_errors():
    second = Attempt("a", "b", 2, rank=1, latency_s=4.0, ttft_s=0.7, cost_usd=Decimal("0.25"))
    tally = Tally.of(
        [response(ANSWER), response(FAILED, second), response(FAILED, error=OSError())]
    )
    shown = card(tally, dashboard.Guards(Decimal("0.5"), Decimal(2)))["text/plain"]
    assert "3 (2 answered, 1 failed)" in shown
    assert "$0.50 + 2 of unknown cost, 25% of the session's $2" in shown
    assert "fell back  1" in shown
    assert "a:b      2 of 2        0.6 s    3.0 s  ▇▇▇▇▇▇▇▇    $0.50" in shown
    assert shown.count("Overloaded: too many") == 2
    assert "as of 12:00:00 UTC" in shown


def test_an_interrupted_request_is_no_error():
    from multimodel_magic.errors import Cancelled

    cut = Attempt("a", "b", 1, error_type="Cancelled", error="interrupted")
    tally = Tally.of([response(cut, error=Cancelled("interrupted"))])
    assert (tally.failed, tally.interrupted, len(tally.faults)) == (0, 1, 0)


def test_a_request_that_asked_nobody_is_no_failure_and_its_error_is_told():
    tally = Tally.of([response(ANSWER), response(error=UsageError("no such strategy"))])
    assert (tally.failed, tally.asked_nobody) == (0, 1)
    shown = card(tally)["text/plain"]
    assert "2 (1 answered, 1 asked nobody)" in shown
    assert "UsageError: no such strategy" in shown


def test_a_spent_budget_and_a_rehearsal_are_said_in_words():
    guards = dashboard.Guards(Decimal(3), Decimal(2), rehearsed=(("a", "529:1"),))
    shown = card(Tally(), guards)["text/plain"]
    assert "the session's budget is spent" in shown
    assert "chaos is on for a: 529:1" in shown


def test_a_resting_model_rests_until_a_moment_that_stays_true(llm):
    while not dashboard.Guards.of(llm, NOON).resting:
        with pytest.raises(MultimodelError):
            llm("Hi", "scripted:down", retries=0, fallbacks=())
    llm.client.budget = Budget(session_usd=Decimal(1))
    ((name, state),) = dashboard.Guards.of(llm, NOON).resting
    assert name == "scripted:down"
    assert state.startswith("open: rests until 12:00:")


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_and_errors_are_shown_as_text(name):
    text = HOSTILE[name]
    bad = Attempt(text, text, 1, error_type=text, error=text)
    guards = dashboard.Guards(resting=((text, text),), rehearsed=((text, text),))
    bundle = card(Tally.of([response(bad)]), guards)
    assert Audit(bundle["text/html"]).faults == []
    assert "\x1b" not in bundle["text/plain"]


def test_the_dashboard_follows_the_session_until_it_is_closed(llm):
    opened = dashboard.dashboard(llm)
    llm("Hi", "scripted:echo")
    assert opened.tally.requests == 1
    opened.close()
    llm("Hi", "scripted:echo")
    assert opened.tally.requests == 1
    assert llm.watchers == []
    assert "closed: llm.dashboard() opens another one" in str(opened)


def test_a_second_dashboard_replaces_the_first_and_knows_what_was_before(llm):
    llm("Hi", "scripted:echo")
    first, second = dashboard.dashboard(llm), dashboard.dashboard(llm)
    assert "replaced" in str(first)
    assert second.tally.requests == 1
    assert len(llm.watchers) == 1


# --- routing form


def draft_of(llm, text, change, path=Path("routing_config.yml")):
    from multimodel_magic.config.document import read

    file = File(path, text.encode(), read(text.encode())[0] or {})
    return drafted(llm, file, change(Form.of(file.document)))


def with_rule(n, row_of):
    def change(form):
        rules = [row_of(row) if at == n else row for at, row in enumerate(form.rules)]
        return type(form)(form.default_model, form.strategy, form.fallbacks, (*rules,), form.roles)

    return change


def test_a_misspelt_key_is_said_in_the_line_of_config_check(llm):
    from dataclasses import replace

    change = with_rule(1, lambda row: replace(row, condition="complexiti: high"))
    found = draft_of(llm, RULES, change)
    assert not found.can_be_saved
    with pytest.raises(MultimodelError) as refused:
        parse_config(found.text)
    assert found.fault == str(refused.value)
    assert "did you mean 'complexity'?" in found.fault


def test_what_is_valid_and_doubtful_is_shown_and_can_be_saved(llm):
    found = draft_of(llm, RULES, lambda form: Form("fast", form.strategy, "", form.rules, ()))
    assert found.can_be_saved
    assert "is never asked" in draft.bundle(found)["text/plain"]


def test_comments_that_saving_loses_are_named_before(llm):
    text = RULES.replace("  fallbacks", "  # a treasure\n  fallbacks").replace(
        "\n    - {name: c", ("\n    # another\n    - {name: c")
    )
    found = draft_of(llm, text, lambda form: Form(form.default_model, "", form.fallbacks, (), ()))
    assert found.lost == ("# another",)
    assert "Save will lose 1 of the file's comments: # another" in draft.bundle(found)["text/plain"]


def test_a_key_in_the_file_is_not_repeated_in_the_output(llm):
    secret = "sk-" + "abcdefghijklmnop1234"
    text = RULES + f"providers:\n  mine: {{base_url: 'http://x', api_key_env: {secret}}}\n"
    bundle = draft.bundle(draft_of(llm, text, lambda form: form))
    assert secret not in bundle["text/plain"] + bundle["text/html"]
    assert "not shown" in bundle["text/plain"]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_values_of_a_configuration_are_shown_as_text(attacked, name):
    from multimodel_magic.config.document import dump

    text = HOSTILE[name].encode("utf-8", "replace").decode()
    document = {"routing": {"default_model": text, "rules": [{"name": text, "model": text}]}}
    yaml = dump(document)
    bundle = draft.bundle(draft_of(attacked, yaml, lambda form: form, Path(text[:20])))
    assert Audit(bundle["text/html"]).faults == []
    typed = RuleRow(text, text, "model", text, text)
    found = draft_of(attacked, RULES, lambda form: Form(text, text, text, (typed,), ()))
    assert Audit(draft.bundle(found)["text/html"]).faults == []


def test_the_moment_of_a_card_is_utc():
    later = dashboard.bundle(Tally(), dashboard.Guards(), NOON + timedelta(hours=1))
    assert "as of 13:00:00 UTC" in later["text/plain"]
