from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from multimodel_magic.errors import AllModelsFailed, AuthenticationFailed, Cancelled
from multimodel_magic.notebook.receipt import notices, receipt, seconds
from multimodel_magic.types import Attempt, LeftOut, Reason, Request, Response, Route, Usage

ANSWER = Attempt(
    "anthropic",
    "claude-haiku-5-5",
    1,
    latency_s=1.2,
    ttft_s=0.4,
    usage=Usage(312, 88),
    cost_usd=Decimal("0.0002"),
    stop_reason="end_turn",
)
FAILED = Attempt(
    "openai",
    "gpt-6.1-sol",
    1,
    latency_s=0.7,
    error_type="RateLimited",
    error="slow down",
    cost_usd=Decimal(0),
)
ROUTE = Route(
    ("anthropic:claude-haiku-5-5",),
    "complexity",
    (Reason("complexity", "complexity 0.25 < 0.30", 0.25),),
)
PLAIN = Response(Request("Hi"), "Hello", (ANSWER,), ROUTE, latency_s=1.2)


def clauses(response: Response) -> list[str]:
    return receipt(response).split(" · ")


def answered(**changes: object) -> Response:
    return replace(PLAIN, attempts=(replace(ANSWER, **changes),))  # type: ignore[arg-type]


def test_the_grammar_is_that_of_the_design() -> None:
    assert receipt(PLAIN) == (
        "claude-haiku-5-5 · complexity 0.25 < 0.30 · 1.2 s (0.4 s to first token)"
        " · 312 → 88 tokens · $0.0002"
    )


def test_a_fallback_names_whom_it_replaced_and_why() -> None:
    failures = tuple(replace(FAILED, number=n) for n in (1, 2, 3))
    fallback = replace(ANSWER, number=4, rank=1)
    assert clauses(replace(PLAIN, attempts=(*failures, fallback)))[-1] == (
        "fell back from gpt-6.1-sol (rate limited, 3 attempts, 2.1 s)"
    )


@pytest.mark.parametrize(
    ("why", "short"),
    [
        ("open for 12 s more (5 of the last 5 failed, last: Overloaded)", "open for 12 s more"),
        ("the session's budget is $0.50: $0.49 spent", "the session's budget is $0.50"),
        ("its rate limit is used up for 3.0 s more", "its rate limit is used up for 3.0 s more"),
    ],
)
def test_a_model_that_was_passed_over_is_named_with_the_reason(why: str, short: str) -> None:
    skipped = "openai:gpt-6.1-sol"
    route = Route((skipped, ANSWER.name), "fixed", left_out=(LeftOut(skipped, why),))
    response = replace(PLAIN, route=route, attempts=(replace(ANSWER, rank=1),))
    assert clauses(response)[-1] == f"skipped gpt-6.1-sol ({short})"


def test_what_the_route_left_out_itself_is_not_in_the_receipt() -> None:
    route = Route((ANSWER.name,), "fixed", left_out=(LeftOut("openai:gpt-6.1-sol", "no vision"),))
    assert "skipped" not in receipt(replace(PLAIN, route=route))


def test_every_model_that_failed_is_named() -> None:
    second = replace(FAILED, provider="ollama", model="llama3", rank=1, error_type="TimedOut")
    response = replace(PLAIN, attempts=(FAILED, second, replace(ANSWER, rank=2)))
    assert clauses(response)[-2:] == [
        "fell back from gpt-6.1-sol (rate limited, 0.7 s)",
        "fell back from ollama:llama3 (timed out, 0.7 s)",
    ]


def test_retries_of_the_model_that_answered_are_no_fallback() -> None:
    overloaded = replace(ANSWER, error_type="Overloaded")
    response = replace(PLAIN, attempts=(overloaded, overloaded, replace(ANSWER, number=3)))
    assert clauses(response)[-1] == "retried 2 times (overloaded)"


def test_a_name_that_does_not_say_whose_it_is_gets_its_provider() -> None:
    assert clauses(answered(provider="local", model="smollm2"))[0] == "local:smollm2"
    assert clauses(answered(provider="ollama", model="gpt-oss:20b"))[0] == "ollama:gpt-oss:20b"
    assert clauses(answered(provider="scripted", model="a"))[0] == "scripted:a"
    assert clauses(answered(provider="openai", model="o3"))[0] == "o3"


def test_another_model_than_asked_is_named_but_not_a_dated_name() -> None:
    assert "answered as gpt-5" in clauses(answered(response_model="gpt-5"))
    assert len(clauses(answered(response_model="claude-haiku-5-5-20261001"))) == 5


def test_unknown_cost_and_tokens_say_so() -> None:
    assert clauses(answered(cost_usd=None))[-1] == "cost unknown"
    assert clauses(answered(usage=Usage()))[-2] == "tokens unknown"
    assert clauses(answered(usage=Usage(None, 88)))[-2] == "? → 88 tokens"


def test_local_answers_cost_nothing() -> None:
    assert clauses(answered(cost_usd=Decimal(0)))[-1] == "$0"


def test_estimates_are_marked() -> None:
    estimated = clauses(answered(usage=Usage(312, 88, estimated=True)))
    assert estimated[-2:] == ["about 312 → 88 tokens", "about $0.0002"]
    assert clauses(answered(price_source="catalogue-loose"))[-1] == "about $0.0002"


def test_cached_and_reasoning_tokens_are_told() -> None:
    usage = Usage(12_000, 900, cache_read_tokens=10_000, reasoning_tokens=600)
    assert clauses(answered(usage=usage))[3] == (
        "12,000 (10,000 cached) → 900 (600 reasoning) tokens"
    )


def test_a_cut_answer_says_what_stopped_it() -> None:
    assert clauses(answered(stop_reason="max_tokens"))[-1] == "stopped: max_tokens"
    assert clauses(answered(stop_reason="length"))[-1] == "stopped: length"


def test_an_interrupted_answer_says_so() -> None:
    attempt = replace(ANSWER, error_type="Cancelled", stop_reason=None)
    response = replace(PLAIN, attempts=(attempt,), error=Cancelled("stopped"))
    assert clauses(response)[0] == "claude-haiku-5-5"
    assert clauses(response)[-1] == "interrupted"


def test_a_cached_answer_says_so() -> None:
    assert clauses(replace(PLAIN, cached=True))[-1] == "cached"


def test_an_answer_that_was_not_streamed_has_no_first_token() -> None:
    response = replace(PLAIN, request=Request("Hi", stream=False))
    assert clauses(response)[2] == "1.2 s"


def test_no_answer_names_every_model_and_its_failure() -> None:
    second = replace(ANSWER, rank=1, error_type="ConnectionFailed", cost_usd=Decimal(0))
    attempts = (FAILED, second)
    response = replace(PLAIN, text="", attempts=attempts, error=AllModelsFailed(attempts))
    assert clauses(response)[:3] == [
        "no answer",
        "gpt-6.1-sol (rate limited, 0.7 s)",
        "claude-haiku-5-5 (connection failed, 1.2 s)",
    ]


def test_a_request_that_was_never_sent_has_a_receipt_too() -> None:
    assert receipt(Response(Request("Hi"), "")) == "no answer · 0 ms"


def test_a_refused_key_is_a_notice_once() -> None:
    refused = replace(FAILED, error_type="AuthenticationFailed", error="set OPENAI_API_KEY")
    response = replace(PLAIN, attempts=(refused, refused, replace(ANSWER, rank=1)))
    assert notices(response) == ("openai: set OPENAI_API_KEY",)


def test_a_notice_says_nothing_twice() -> None:
    said = "openai refused the key in OPENAI_API_KEY (401): make a new one"
    refused = replace(FAILED, error_type="AuthenticationFailed", error=said)
    answered = replace(PLAIN, attempts=(refused, replace(ANSWER, rank=1)))
    assert notices(answered) == (said,)
    skipped = replace(answered, route=replace(ROUTE, notices=(f"x was skipped: {said}",)))
    assert notices(skipped) == (f"x was skipped: {said}",)
    failed = replace(answered, attempts=(refused,), error=AuthenticationFailed(said))
    assert notices(failed) == ()


def test_a_missing_key_was_not_refused() -> None:
    missing = replace(
        FAILED, error_type="AuthenticationFailed", error="openai: OPENAI_API_KEY is not set"
    )
    response = replace(PLAIN, attempts=(missing, replace(ANSWER, rank=1)))
    assert notices(response) == ("openai: OPENAI_API_KEY is not set",)


def test_odd_values_are_unreadable_and_the_rest_stays() -> None:
    written = clauses(answered(response_model=["x"], cost_usd="cheap"))
    assert "model unreadable" in written
    assert "cost unreadable" in written
    assert "312 → 88 tokens" in written


def test_a_retired_models_replacement_is_a_notice() -> None:
    response = replace(PLAIN, route=replace(ROUTE, notices=("gpt-4 is retired",)))
    assert notices(response) == ("gpt-4 is retired",)


def test_durations_read_well() -> None:
    assert [seconds(s) for s in (0, 0.0949, 0.095, 99.94, 99.96, 3599.6)] == [
        "0 ms",
        "95 ms",
        "0.1 s",
        "99.9 s",
        "1 min 40 s",
        "60 min 0 s",
    ]
