from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from multimodel_magic.errors import Cancelled, UsageError
from multimodel_magic.notebook import extension
from multimodel_magic.notebook.card import FORMATS, Card, Format, LiveCard
from multimodel_magic.types import (
    Attempt,
    AttemptFailed,
    AttemptStarted,
    Event,
    Finished,
    Notice,
    Reason,
    Request,
    Response,
    Route,
    Routed,
    TextDelta,
    Usage,
)

ROUTE = Route(
    ("openai:gpt-6.1-sol", "anthropic:claude-haiku-5-5"),
    "complexity",
    (Reason("complexity", "complexity 0.25 < 0.30", 0.25),),
    notices=("gpt-4 is retired: gpt-6.1-sol stands in",),
)
FAILED = Attempt(
    "openai", "gpt-6.1-sol", 1, latency_s=2.1, error_type="RateLimited", cost_usd=Decimal(0)
)
ANSWER = Attempt(
    "anthropic",
    "claude-haiku-5-5",
    2,
    rank=1,
    latency_s=1.2,
    usage=Usage(312, 88),
    cost_usd=Decimal("0.0002"),
    stop_reason="end_turn",
)
ASKED = AttemptStarted("anthropic", "claude-haiku-5-5", 1)


def finished(text: str, *attempts: Attempt) -> Response:
    return Response(Request("Hi"), text, attempts or (ANSWER,), ROUTE, latency_s=3.4)


def html(text: str, wanted: Format = "auto") -> str:
    return Card(finished(text), wanted)._repr_html_()


@dataclass
class Stage:
    """A publisher that keeps what it was given, and the clock that its card reads."""

    now_s: float = 0.0
    paint_s: float = 0.0
    shown: list[tuple[dict[str, str], dict[str, Any], bool]] = field(default_factory=list)
    fault: Exception | None = None

    def __call__(self, bundle: dict[str, str], metadata: dict[str, Any], *, update: bool) -> None:
        self.now_s += self.paint_s
        if self.fault:
            raise self.fault
        self.shown.append((bundle, metadata, update))

    def clock(self) -> float:
        return self.now_s

    def card(self, wanted: Format = "auto", *, stream: bool = True) -> LiveCard:
        return LiveCard(wanted, stream=stream, publisher=self, clock=self.clock)

    def play(self, card: LiveCard, *events: Event, every_s: float = 0.2) -> None:
        for event in events:
            card.show(event)
            self.now_s += every_s

    def last(self, mime: str = "text/plain") -> str:
        return self.shown[-1][0][mime]


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_plain_text_comes_first_and_ends_with_the_receipt() -> None:
    bundle, _ = Card(finished("Hello *you*"))._repr_mimebundle_()
    assert list(bundle) == ["text/plain", "text/html"]
    lines = bundle["text/plain"].split("\n")
    assert lines[:2] == ["Hello *you*", ""]
    assert lines[2].startswith("! gpt-4 is retired")
    assert lines[3].startswith("claude-haiku-5-5 · complexity 0.25 < 0.30 · 3.4 s")


def test_metadata_tells_a_program_who_answered_at_what_cost() -> None:
    _, metadata = Card(finished("x", FAILED, ANSWER))._repr_mimebundle_()
    facts = json.loads(json.dumps(metadata))["multimodel_magic"]
    assert facts["fallback_used"] is True
    assert facts["cost_usd"] == 0.0002
    assert facts["route"] == list(ROUTE.models)
    assert facts["usage"]["output_tokens"] == 88
    assert [attempt["error_type"] for attempt in facts["attempts"]] == ["RateLimited", None]


def test_names_and_notices_are_escaped_too() -> None:
    nasty = replace(ANSWER, model="<img src=x>", error="<b>", error_type="AuthenticationFailed")
    page = Card(finished("", nasty))._repr_html_()
    assert "<img" not in page
    assert "<b>" not in page


def test_every_format_escapes() -> None:
    for wanted in FORMATS:
        for text in ("<script>1</script>", '["<script>"]', "```\n<script>\n```"):
            assert "<script" not in html(text, wanted)


def test_the_code_format_shows_the_fenced_code_alone() -> None:
    page = html("Sure!\n```python\nreturn 1\n```\nBye", "code")
    assert "Sure" not in page
    assert "keyword" in page
    assert "no fence" in html("no fence", "code")


def test_json_is_indented_where_it_is_valid() -> None:
    assert html('{"a":1}', "json").count("\n") > html("{a:1}", "json").count("\n")
    assert "{a:1}" in html("{a:1}", "json")
    assert "```" not in html('```json\n{"a":1}\n```')
    assert "[[[" in html("[" * 100_000, "json")


def test_auto_shows_prose_as_markdown() -> None:
    assert "<strong>b</strong>" in html("**b** [1]")


def test_text_is_shown_as_it_is() -> None:
    assert "**b**" in html("**b**", "text")


def test_one_output_is_replaced_at_most_ten_times_a_second(stage: Stage) -> None:
    card = stage.card()
    stage.play(card, ASKED, *map(TextDelta, "abcdefghij" * 10), every_s=0.01)
    assert 9 <= len(stage.shown) <= 11
    assert [update for _, _, update in stage.shown] == [False] + [True] * (len(stage.shown) - 1)


def test_slow_paints_take_a_tenth_of_the_time_at_most(stage: Stage) -> None:
    stage.paint_s = 0.05
    stage.play(stage.card(), ASKED, *map(TextDelta, "abcdefghij" * 10), every_s=0.01)
    assert len(stage.shown) * stage.paint_s <= 0.1 * stage.now_s + stage.paint_s


def test_the_last_paint_is_the_finished_card(stage: Stage) -> None:
    response = finished("Hello")
    stage.play(stage.card(), ASKED, TextDelta("Hel"), Finished(response))
    bundle, metadata, update = stage.shown[-1]
    assert (bundle, metadata) == Card(response)._repr_mimebundle_()
    assert update


def test_an_answer_that_comes_at_once_is_shown_once(stage: Stage) -> None:
    stage.play(stage.card(), ASKED, TextDelta("x"), Finished(finished("x")), every_s=0.01)
    assert len(stage.shown) == 1


def test_waiting_is_never_silent(stage: Stage) -> None:
    card = stage.card()
    stage.play(card, ASKED)
    assert stage.shown == []
    stage.now_s = 0.3
    card.tick()
    assert stage.last() == "asking claude-haiku-5-5 · 0.3 s"
    stage.now_s = 1.2
    card.tick()
    assert stage.last() == "asking claude-haiku-5-5 · 1.2 s"
    stage.now_s = 2.0
    stage.play(card, Notice("loading the model"))
    assert stage.last() == "loading the model · 2.0 s"


def test_a_failure_and_what_follows_are_told(stage: Stage) -> None:
    stage.play(stage.card(), AttemptFailed(FAILED), ASKED)
    assert stage.last() == (
        "gpt-6.1-sol failed (rate limited, 2.1 s) · asking claude-haiku-5-5 · 0.2 s"
    )


def test_a_request_that_went_nowhere_shows_no_card_above_its_error(stage: Stage) -> None:
    stage.play(stage.card(), Finished(Response(Request("Hi"), "", error=UsageError("no such"))))
    assert stage.shown == []


def test_notices_of_the_route_stay(stage: Stage) -> None:
    stage.play(stage.card(), Routed(ROUTE), ASKED, TextDelta("x"))
    assert "gpt-4 is retired" in stage.last()


def test_text_before_a_new_attempt_is_void_and_the_restart_is_told_once(stage: Stage) -> None:
    stage.play(stage.card(), ASKED, TextDelta("half an ans"), ASKED, TextDelta("whole"))
    assert "half" not in stage.last("text/html")
    assert stage.last().startswith("whole\n\n")
    assert stage.last().count("begins again with claude-haiku-5-5") == 1


def test_without_streaming_there_is_one_output(stage: Stage) -> None:
    card = stage.card(stream=False)
    stage.play(card, Routed(ROUTE), ASKED, TextDelta("Hel"), Finished(finished("Hello")))
    assert [update for _, _, update in stage.shown] == [False]


def test_an_interrupt_keeps_the_partial_text(stage: Stage) -> None:
    card = stage.card()
    stage.play(card, ASKED, TextDelta("some **bold"), TextDelta("** text"), every_s=0)
    card.interrupted()
    assert "some **bold** text\n\ninterrupted" in stage.last()
    assert "<strong>" in stage.last("text/html")


def test_an_interrupted_response_keeps_the_partial_text(stage: Stage) -> None:
    cancelled = replace(ANSWER, error_type="Cancelled", stop_reason=None)
    response = replace(finished("partial", cancelled), error=Cancelled("stopped"))
    stage.play(stage.card(), ASKED, TextDelta("partial"), Finished(response))
    assert stage.last().startswith("partial\n")
    assert stage.last().endswith("interrupted")


def test_a_fault_of_the_display_fails_no_call(stage: Stage) -> None:
    card = stage.card()
    stage.now_s = 1.0
    stage.fault = RuntimeError("socket closed")
    with pytest.warns(UserWarning, match="could not be displayed: socket closed"):
        stage.play(card, ASKED)
    stage.play(card, TextDelta("x"))
    stage.fault = None
    stage.play(card, Finished(finished("x")))
    assert stage.last().startswith("x\n")


@pytest.mark.parametrize("wanted", FORMATS)
def test_growing_text_is_shown_in_every_format(stage: Stage, wanted: Format) -> None:
    stage.play(stage.card(wanted), ASKED, TextDelta('{"a":'), TextDelta("<b>"))
    assert "&lt;b&gt;" in stage.last("text/html")


def test_a_terminal_gets_the_answer_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    try:
        card = LiveCard(stream=True)
        for event in (ASKED, TextDelta("Hel"), Finished(finished("Hello"))):
            card.show(event)
    finally:
        InteractiveShell.clear_instance()
    assert capsys.readouterr().out.count("Hel") == 1


ODD = {
    "response_model": ["x"],
    "stop_reason": {"a": 1},
    "provider": ["p"],
    "model": 5,
    "latency_s": None,
    "ttft_s": "soon",
    "usage": Usage("many", object()),  # type: ignore[arg-type]
    "cost_usd": "cheap",
    "error_type": 404,
    "error": object(),
    "rank": None,
}


@pytest.mark.parametrize("name", ODD)
def test_odd_values_of_a_foreign_provider_fail_no_card(stage: Stage, name: str) -> None:
    for attempt in (ANSWER, FAILED):
        odd = replace(attempt, **{name: ODD[name]})
        response = finished("PAID", odd, replace(odd, rank=1))
        bundle, metadata = Card(response)._repr_mimebundle_()
        assert "PAID" in bundle["text/plain"]
        assert "PAID" in bundle["text/html"]
        json.dumps(metadata)
        stage.play(stage.card(), TextDelta("PAID"), Finished(response))
        assert stage.last().startswith("PAID")


def test_an_odd_failure_stops_no_call(stage: Stage) -> None:
    card = stage.card()
    odd = replace(FAILED, latency_s=None)  # type: ignore[arg-type]
    with pytest.warns(UserWarning, match="could not be displayed"):
        stage.play(card, AttemptFailed(odd))
    stage.play(card, Finished(finished("x")))
    assert stage.last().startswith("x")


def test_a_retirement_is_told_once_a_session(stage: Stage) -> None:
    told: set[str] = set()
    for _ in range(2):
        card = LiveCard(publisher=stage, clock=stage.clock, told=told)
        stage.play(card, Routed(ROUTE), ASKED, TextDelta("x"), Finished(finished("x")))
    firsts = [n for n, (_, _, update) in enumerate(stage.shown) if not update]
    assert all("is retired" in bundle["text/plain"] for bundle, _, _ in stage.shown[: firsts[1]])
    assert all("is retired" not in str(bundle) for bundle, _, _ in stage.shown[firsts[1] :])
    assert "is retired" in str(stage.shown[-1][1])


def test_there_is_one_list_of_formats() -> None:
    assert extension.LLMMagics.class_traits()["format"].values == FORMATS
