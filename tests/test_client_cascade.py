"""Cascades in the client: a poor answer goes up, and stays on the books."""

from dataclasses import replace
from decimal import Decimal

import pytest

from multimodel_magic.errors import AllModelsFailed, Overloaded
from multimodel_magic.ledger import Ledger
from multimodel_magic.providers.scripted import Echo, Fail, Say, Stop, Sure, UsageIs
from multimodel_magic.strategies import Cascade
from multimodel_magic.strategies.cascade import (
    Confident,
    ModelJudge,
    SelfConsistency,
    all_of,
    plain_faults,
)
from multimodel_magic.types import AttemptFailed, AttemptStarted, Notice, Request, TextDelta, Usage
from tests.reliability import asked, make_client

CUT = [Say("Half of th"), UsageIs(Usage(10, 5)), Stop("length")]
GOOD = [Say("Whole."), UsageIs(Usage(10, 10))]


def _cascade(script, *, rungs=("a:m", "a:n"), judge=None, **more):
    strategy = Cascade(rungs) if judge is None else Cascade(rungs, judge)
    return make_client(script, strategy=strategy, **more)


async def test_a_poor_answer_goes_up_and_the_next_rung_answers():
    client = _cascade({"m": [CUT], "n": [GOOD]})
    events = [event async for event in client.stream(Request("Hi"))]
    response = events[-1].response
    assert response.text == "Whole."
    assert response.cascaded
    assert not response.fallback_used
    assert response.fell_back_from == ()
    assert [(a.model, a.turned_down) for a in response.went_up_from] == [("m", "cut at max_tokens")]
    assert response.cost_usd == Decimal("0.035")
    assert response.route.why == "went up from a:m (cut at max_tokens)"
    assert not [event for event in events if isinstance(event, AttemptFailed)]
    assert "going up" in next(e.text for e in events if isinstance(e, Notice))


async def test_the_text_of_the_lower_rung_is_void():
    client = _cascade({"m": [CUT], "n": [GOOD]})
    events = [event async for event in client.stream(Request("Hi"))]
    last_start = max(n for n, e in enumerate(events) if isinstance(e, AttemptStarted))
    said = "".join(e.text for e in events[last_start:] if isinstance(e, TextDelta))
    assert said == "Whole."


async def test_a_good_answer_stays_below():
    client = _cascade({"m": [GOOD], "n": [GOOD]})
    response = await client.generate("Hi")
    assert asked(client) == ["m"]
    assert not response.cascaded


async def test_the_last_rung_stands_as_it_is():
    client = _cascade({"m": [CUT], "n": [CUT]})
    response = await client.generate("Hi")
    assert (response.model, response.stop_reason) == ("n", "length")


async def test_a_fallback_behind_the_rungs_is_for_failures_only():
    client = _cascade({"m": [CUT], "n": [CUT], "f": [GOOD]}, fallbacks=("a:f",))
    assert (await client.generate("Hi")).model == "n"
    assert asked(client) == ["m", "n"]


async def test_a_cascade_that_goes_up_and_then_falls_back_is_both():
    down = [Fail(Overloaded("busy"))]
    client = _cascade({"m": [CUT], "n": [down], "f": [CUT]}, fallbacks=("a:f",))
    response = await client.generate(Request("Hi", retries=0))
    assert response.cascaded
    assert response.fallback_used
    assert [a.model for a in response.fell_back_from] == ["n"]


async def test_when_nobody_above_can_be_asked_the_answer_stands_and_says_so():
    script = {"m": [CUT], "n": [GOOD]}
    client = _cascade(script)
    request = Request("Hi", max_cost_usd=Decimal("0.52"))
    response = await client.generate(request)
    assert (response.text, response.cascaded) == ("Half of th", False)
    assert response.route.why == "cut at max_tokens, but nobody above could be asked"
    assert "budget" in response.route.left_out[0].why


async def test_when_the_rung_above_fails_every_attempt_is_in_the_error():
    client = _cascade({"m": [CUT], "n": [[Fail(Overloaded("busy"))]]})
    with pytest.raises(AllModelsFailed) as failed:
        await client.generate(Request("Hi", retries=0))
    assert str(failed.value).splitlines()[1:] == [
        "  1. a:m: turned down: cut at max_tokens",
        "  2. a:n: Overloaded: busy",
    ]


async def test_a_model_may_judge_and_its_question_has_a_row_of_its_own():
    script = {"m": [GOOD], "n": [GOOD], "judge": [[Say("grade: 3")]]}
    client = _cascade(script, judge=ModelJudge("a:judge"))
    response = await client.generate("Hi")
    assert asked(client) == ["m", "judge", "n"]
    assert response.went_up_from[0].turned_down == "graded 3 of 10"
    question, answer = client.ledger.responses
    assert answer is response
    assert question.request.labels == {"judges": response.request_id}
    assert question.request_id != response.request_id


async def test_a_judge_that_cannot_be_asked_turns_nothing_down():
    script = {"m": [GOOD], "n": [GOOD], "judge": [[Fail(Overloaded("busy"))]]}
    client = _cascade(script, judge=ModelJudge("a:judge"))
    assert (await client.generate("Hi")).model == "m"


async def test_samples_that_disagree_go_up():
    script = {"m": [[Say("1")], [Say("2")], [Say("3")]], "n": [[Echo()]]}
    client = _cascade(script, judge=SelfConsistency())
    response = await client.generate("Hi")
    assert asked(client) == ["m", "m", "m", "n"]
    assert response.went_up_from[0].turned_down == "33% of 3 answers agree"


async def test_an_answer_that_the_model_itself_was_unsure_of_goes_up():
    unsure, sure = [Say("Rome"), Sure(-1.5)], [Say("Paris"), Sure(-0.1)]
    client = _cascade({"m": [unsure], "n": [sure]}, judge=Confident(-0.5))
    response = await client.generate("Hi")
    assert response.text == "Paris"
    assert response.went_up_from[0].turned_down == "mean log-probability -1.50"
    assert response.went_up_from[0].mean_logprob == -1.5
    # The last rung is not judged, so nothing of it is asked.
    assert response.attempts[-1].mean_logprob is None
    client = _cascade({"m": [sure], "n": [unsure]}, judge=Confident(-0.5))
    assert (await client.generate("Hi")).text == "Paris"


async def test_nobody_is_asked_for_log_probabilities_unless_a_judge_weighs_them():
    client = _cascade({"m": [[Say("Paris"), Sure(-9.0)]], "n": [GOOD]})
    response = await client.generate("Hi")
    assert (response.model, response.attempts[0].mean_logprob) == ("m", None)


async def test_no_model_is_asked_about_an_answer_that_is_cut():
    script = {"m": [CUT], "n": [GOOD], "judge": [[Say("grade: 9")]]}
    client = _cascade(script, judge=all_of(plain_faults, ModelJudge("a:judge")))
    response = await client.generate("Hi")
    assert asked(client) == ["m", "n"]
    assert response.went_up_from[0].turned_down == "cut at max_tokens"


async def test_the_route_tells_what_the_judge_said_and_cost():
    script = {"m": [GOOD], "n": [GOOD], "judge": [[Say("grade: 9"), UsageIs(Usage(100, 4))]]}
    client = _cascade(script, judge=all_of(plain_faults, ModelJudge("a:judge")))
    response = await client.generate("Hi")
    told = next(reason.saw for reason in response.route.reasons if reason.rule == "judge")
    assert told == "a:m: graded 9 of 10 (asked a:judge, $0.10, rows of their own)"
    assert response.route.why == "rung 1 of 2"


async def test_a_judge_speaks_on_a_route_that_gives_no_reasons_too():
    class Silent(Cascade):
        def route(self, request):
            return replace(super().route(request), reasons=())

    strategy = Silent(("a:m", "a:n"), ModelJudge("a:judge"))
    client = make_client({"m": [GOOD], "judge": [[Say("grade: 9")]]}, strategy=strategy)
    response = await client.generate("Hi")
    assert (response.model, [r.rule for r in response.route.reasons]) == ("m", ["judge"])


async def test_roles_that_meet_at_one_model_are_one_rung():
    client = _cascade({"m": [CUT]}, rungs=("fast", "strong"))
    client.catalogue = client.catalogue.with_roles({"fast": ("a:m",), "strong": ("a:m",)})
    assert (await client.generate("Hi")).stop_reason == "length"
    assert asked(client) == ["m"]


async def test_the_ledger_keeps_why_an_answer_was_turned_down():
    client = _cascade({"m": [CUT], "n": [GOOD]})
    client.ledger = Ledger(":memory:")
    await client.generate("Hi")
    frame = client.ledger.attempts_frame()
    assert list(frame.error.fillna("")) == ["turned down: cut at max_tokens", ""]
    assert list(frame.status) == ["answered", "answered"]
    client.ledger.close()
