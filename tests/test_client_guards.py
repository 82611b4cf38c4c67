"""Breakers, refused keys, rates, budgets, hedges and chaos, as a request meets them."""

import asyncio
from decimal import Decimal

import pytest

from multimodel_magic.errors import (
    AuthenticationFailed,
    BadRequest,
    BreakerOpen,
    BudgetExceeded,
    Overloaded,
    RateLimited,
    StreamInterrupted,
    TimedOut,
    UnknownModel,
    UsageError,
)
from multimodel_magic.limits import Budget, Limiter, Patience, Rate
from multimodel_magic.providers.scripted import Fail, Say, ScriptedProvider, UsageIs, Wait
from multimodel_magic.types import AttemptStarted, Notice, RateHint, Request, TextDelta, Usage
from tests.reliability import Keyed, RealClock, asked, events_of, make_client

DOWN = [Fail(Overloaded("busy"))]
OK = [Say("ok")]
USD = Decimal


def _notices(events):
    return [event.text for event in events if isinstance(event, Notice)]


# --- circuit breakers


async def _break(client, model="a:m"):
    for _ in range(5):
        with pytest.raises(Overloaded):
            await client.generate(Request("Hi", models=(model,), retries=0))


async def test_a_dead_model_is_passed_over_and_the_response_says_why():
    client = make_client({"m": [DOWN], "n": [OK]})
    await _break(client)
    events = await events_of(client, "a:m", "a:n")
    response = events[-1].response
    assert asked(client)[5:] == ["n"]
    assert response.fallback_used
    why = "open for 5 s more (5 of the last 5 failed, last: Overloaded)"
    assert [(out.model, out.why) for out in response.route.left_out] == [("a:m", why)]
    assert _notices(events) == [f"skipped a:m: {why}"]
    assert client.breakers["a:m"].state == "open"


async def test_when_every_model_rests_the_first_one_is_waited_for():
    client = make_client({"m": [*[DOWN] * 5, OK], "n": [*[DOWN] * 5, OK]})
    await _break(client)
    client.test_clock.now_s += 2
    await _break(client, "a:n")
    response = (await events_of(client, "a:n", "a:m"))[-1].response
    assert (response.model, response.text) == ("m", "ok")
    assert client.test_clock.waits == [3.0]
    assert client.breakers["a:m"].state == "closed"


async def test_a_rest_longer_than_the_deadline_is_an_error_without_asking():
    client = make_client({"m": [DOWN]})
    await _break(client)
    with pytest.raises(BreakerOpen, match="open for 5 s more"):
        await client.generate("Hi", "a:m", timeout_s=3)
    assert len(asked(client)) == 5


async def test_refusals_and_the_users_own_mistakes_open_no_breaker():
    client = make_client({"m": [[Fail(BadRequest("400"))]]})
    for _ in range(20):
        with pytest.raises(BadRequest):
            await client.generate("Hi", "a:m")
    assert not client.breakers


async def test_a_deadline_of_the_users_own_opens_no_breaker():
    client = make_client({"m": [[Wait(60), *OK]]}, clock=RealClock())
    for _ in range(6):
        with pytest.raises(TimedOut):
            await client.generate("Hi", "a:m", timeout_s=0.01)
    assert not client.breakers


async def test_only_one_request_at_a_time_tries_a_model_after_its_rest():
    client = make_client({"m": [*[DOWN] * 5, [Wait(1), *OK]], "n": [OK]})
    await _break(client)
    client.test_clock.now_s += 5
    client.providers["a"]._sleep = lambda _: asyncio.sleep(0.02)
    answers = await asyncio.gather(
        *(client.generate("Hi", "a:m", fallbacks=["a:n"]),) * 1,
        *(client.generate("Hi", "a:m", fallbacks=["a:n"]) for _ in range(9)),
    )
    assert sorted(r.model for r in answers) == ["m"] + ["n"] * 9
    assert client.breakers["a:m"].state == "closed"


# --- refused keys


WRONG = [Fail(AuthenticationFailed("a refused the key in A_KEY (401): check it"))]


async def test_a_refused_key_is_not_sent_again_in_this_session_and_that_is_said_loudly():
    client = make_client({"m": [WRONG]}, {"o": [OK]}, kind=Keyed)
    await client.generate("Hi", "a:m", fallbacks=["b:o"])
    response = await client.generate("Hi", "a:m", fallbacks=["b:o"])
    assert asked(client) == ["m"]
    assert response.model == "o"
    assert "A_KEY" in response.route.notices[0]
    assert response.route.left_out[0].model == "a:m"
    assert "A_KEY" in (await client.survey())["a"]


async def test_with_no_other_provider_it_is_the_error_without_asking_the_wire():
    client = make_client({"m": [WRONG]}, kind=Keyed)
    for _ in range(3):
        with pytest.raises(AuthenticationFailed, match="A_KEY"):
            await client.generate("Hi", "a:m")
    assert asked(client) == ["m"]


async def test_another_key_is_another_chance():
    client = make_client({"m": [WRONG, OK]}, kind=Keyed)
    with pytest.raises(AuthenticationFailed):
        await client.generate("Hi", "a:m")
    client.providers["a"].key = "k2"
    assert str(await client.generate("Hi", "a:m")) == "ok"


async def test_who_is_forgiven_is_asked_again():
    client = make_client({"m": [WRONG, OK]}, kind=Keyed)
    with pytest.raises(AuthenticationFailed):
        await client.generate("Hi", "a:m")
    client.forgive()
    assert str(await client.generate("Hi", "a:m")) == "ok"


async def test_a_role_goes_to_the_next_provider():
    client = make_client({"m": [WRONG]}, {"o": [OK]}, kind=Keyed)
    client.catalogue = client.catalogue.with_roles({"fast": ("a:m", "b:o")})
    first, second = await client.generate("Hi", "fast"), await client.generate("Hi", "fast")
    assert (first.model, first.fallback_used, len(first.attempts)) == ("o", True, 2)
    assert (second.model, len(second.attempts)) == ("o", 1)
    assert "a was skipped" in second.route.notices[0]
    client.forgive()
    with pytest.raises(AuthenticationFailed):
        await client.generate("Hi", "fast", fallbacks=())


async def test_on_auth_error_stop_ends_the_request():
    patience = Patience(on_auth_error="stop")
    client = make_client({"m": [WRONG]}, {"o": [OK]}, patience=patience)
    with pytest.raises(AuthenticationFailed):
        await client.generate("Hi", "a:m", fallbacks=["b:o"])
    assert asked(client, "b") == []


# --- waits


async def test_a_rate_limited_model_has_its_turn_again_when_the_others_failed():
    slow = [Fail(RateLimited("429", retry_after_s=7.0))]
    client = make_client({"m": [slow, OK], "n": [DOWN]})
    response = await client.generate(Request("Hi", models=("a:m", "a:n"), retries=1))
    assert response.model == "m"
    assert asked(client) == ["m", "n", "n", "m"]


async def test_of_several_rate_limited_models_the_one_that_is_free_first_is_waited_for():
    script = {"m": [[Fail(RateLimited("429", retry_after_s=3.0))], OK]}
    script["n"] = [[Fail(RateLimited("429", retry_after_s=60.0))]]
    client = make_client(script)
    assert (await client.generate("Hi", "a:m", fallbacks=["a:n"])).model == "m"
    assert client.test_clock.waits == [3.0]


async def test_nobody_is_asked_once_the_time_is_up():
    client = make_client({"m": [DOWN], "n": [OK]})
    slow = client.providers["a"]._events

    async def late(play, request):
        client.test_clock.now_s += 100
        async for event in slow(play, request):
            yield event

    client.providers["a"]._events = late
    with pytest.raises(Overloaded):
        await client.generate("Hi", "a:m", fallbacks=["a:n"], timeout_s=10)
    assert asked(client) == ["m"]


async def test_a_stream_that_breaks_is_kept_where_that_is_the_policy():
    broke = [Say("Half of th"), Fail(StreamInterrupted("broke"))]
    client = make_client({"m": [broke]}, patience=Patience(broken_stream="keep"))
    events = await events_of(client, "a:m", "a:n")
    response = events[-1].response
    assert (response.text, response.stop_reason, response.error) == (
        "Half of th",
        "interrupted",
        None,
    )
    assert response.usage.estimated
    assert response.usage.output_tokens == 2
    assert "kept" in _notices(events)[0]


# --- rates


async def test_beyond_its_rate_a_request_waits_its_turn_and_says_so():
    client = make_client({"m": [OK]}, rates={"a": Rate(requests=6)})
    await client.generate("Hi", "a:m")
    events = await events_of(client, "a:m")
    assert client.test_clock.waits == [10.0]
    assert _notices(events) == [
        "a:m: its rate limit is used up for 10.0 s more; asking it in 10.0 s"
    ]


async def test_beyond_its_rate_another_model_that_is_free_answers_at_once():
    client = make_client({"m": [OK]}, {"n": [OK]}, rates={"a": Rate(requests=6)})
    await client.generate("Hi", "a:m")
    response = await client.generate("Hi", "a:m", fallbacks=["b:n"])
    assert response.model == "n"
    assert "rate limit" in response.route.left_out[0].why


ESTIMATE = Request("Hi").estimated_input_tokens() + 1000


@pytest.mark.parametrize(
    ("usage", "taken"),
    [(Usage(2, 3), 5), (Usage(None, None), ESTIMATE), (Usage(2, None), ESTIMATE)],
)
async def test_tokens_that_the_vendor_did_not_count_stay_taken_as_estimated(usage, taken):
    client = make_client({"m": [[UsageIs(usage), *OK]]}, rates={"a": Rate(tokens=60_000)})
    before = client.limiter.windows()[0].left
    await client.generate("Hi", "a:m", max_tokens=1000)
    assert before - client.limiter.windows()[0].left == pytest.approx(taken)


async def test_a_short_queue_is_no_reason_to_fall_back():
    client = make_client({"m": [OK]}, {"n": [OK]}, rates={"a": Rate(requests=60)})
    models = [(await client.generate("Hi", "a:m", fallbacks=["b:n"])).model for _ in range(12)]
    assert models == ["m"] * 12
    assert client.test_clock.waits == [1.0, 1.0]


async def test_a_queue_longer_than_the_deadline_is_an_error():
    client = make_client({"m": [OK]}, rates={"a": Rate(requests=1)})
    await client.generate("Hi", "a:m")
    with pytest.raises(RateLimited, match="rate limit is used up"):
        await client.generate("Hi", "a:m", timeout_s=5)
    assert len(asked(client)) == 1


async def test_what_the_vendor_says_of_its_limits_is_heeded():
    class Hinting(ScriptedProvider):
        async def stream(self, model, request):
            yield RateHint(requests=6, requests_left=0, requests_reset_s=60)
            async for event in super().stream(model, request):
                yield event

    client = make_client({"m": [OK]}, kind=Hinting)
    await client.generate("Hi", "a:m")
    await client.generate("Hi", "a:m")
    assert client.test_clock.waits == [10.0]


async def test_an_interrupted_wait_gives_its_turn_back():
    client = make_client({"m": [OK]}, rates={"a": Rate(requests=6)}, sleep=asyncio.sleep)
    client.limiter = Limiter({"a": Rate(requests=6)}, clock=client.test_clock)
    await client.generate("Hi", "a:m")
    task = asyncio.create_task(client.generate("Hi", "a:m"))
    await asyncio.sleep(0.02)
    assert client.limiter.wait_s("a:m", 0) == 20
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert client.limiter.wait_s("a:m", 0) == 10


# --- budgets

PAID = [Say("ok"), UsageIs(Usage(100, 100))]


async def test_when_the_budget_is_spent_a_free_model_answers():
    client = make_client({"m": [PAID], "free": [OK]}, budget=Budget(session_usd=USD("0.6")))
    await client.generate("Hi", "a:m")
    response = await client.generate("Hi", "a:m", fallbacks=["a:free"])
    assert response.model == "free"
    assert "session's budget is $0.60: $0.20 spent" in response.route.left_out[0].why


async def test_without_a_free_model_it_is_one_line_that_says_what_was_spent_where():
    client = make_client({"m": [PAID]}, budget=Budget(session_usd=USD("0.6")))
    await client.generate("Hi", "a:m")
    with pytest.raises(BudgetExceeded) as refused:
        await client.generate("Hi", "a:m")
    assert str(refused.value) == (
        "the session's budget is $0.60: $0.20 spent (a $0.20), a:m would cost about $0.51 more; "
        "raise the budget or ask a model that is free"
    )
    assert asked(client) == ["m"]


async def test_a_budget_of_one_call_counts_its_failed_attempts():
    broke = [Say("x" * 4000), Fail(StreamInterrupted("broke"))]
    client = make_client({"m": [broke], "n": [PAID]})
    with pytest.raises(StreamInterrupted):
        await client.generate(Request("Hi", models=("a:m", "a:n"), max_cost_usd=USD("1.2")))
    assert asked(client) == ["m"]


async def test_requests_at_the_same_time_cannot_overspend_together():
    client = make_client({"m": [[Wait(1), *PAID]]}, budget=Budget(session_usd=USD("1.1")))
    ended = await asyncio.gather(
        *(client.generate("Hi", "a:m") for _ in range(10)), return_exceptions=True
    )
    assert sum(isinstance(one, BudgetExceeded) for one in ended) == 8
    assert client.purse.spent_usd == USD("0.4")
    assert client.purse.held_usd == 0


async def test_without_a_budget_what_is_spent_is_known_all_the_same():
    client = make_client({"m": [PAID]})
    await client.generate("Hi", "a:m")
    assert client.purse.by_provider == {"a": USD("0.2")}


# --- hedges


def _hedging(a, b=None, **more):
    client = make_client(a, b, clock=RealClock(), **more)
    for provider in client.providers.values():
        provider._sleep = asyncio.sleep
    return client


async def test_a_silent_model_is_hedged_and_the_loser_is_cancelled_and_on_the_books():
    client = _hedging({"m": [[Wait(60), *OK]], "n": [[Say("quick")]]})
    events = await events_of(client, "a:m", "a:n", hedge_s=0.02)
    response = events[-1].response
    assert response.text == "quick"
    assert [(a.model, a.error_type, a.error) for a in response.attempts] == [
        ("m", "Cancelled", "another model answered first"),
        ("n", None, None),
    ]
    assert response.attempts[0].cost_usd > 0
    assert [e.model for e in events if isinstance(e, AttemptStarted)] == ["m", "n"]


async def test_the_first_model_may_still_win_and_no_text_is_mixed():
    client = _hedging({"m": [[Wait(0.06), *OK]], "n": [[Wait(60), *OK]]})
    events = await events_of(client, "a:m", "a:n", hedge_s=0.02)
    response = events[-1].response
    assert (response.model, response.text, response.fallback_used) == ("m", "ok", False)
    assert "".join(e.text for e in events if isinstance(e, TextDelta)) == "ok"


async def test_a_hedge_by_p95_begins_once_enough_times_are_known():
    plays = [*[OK] * 20, [Wait(60), *OK]]
    client = _hedging({"m": plays, "n": [OK]}, patience=Patience(hedge="p95"))
    models = [
        (await client.generate(Request("Hi", models=("a:m", "a:n")))).model for _ in range(21)
    ]
    assert models == ["m"] * 20 + ["n"]


async def test_a_quick_model_is_not_hedged():
    client = _hedging({"m": [OK], "n": [OK]})
    await client.generate("Hi", "a:m", fallbacks=["a:n"], hedge_s=0.05)
    assert asked(client) == ["m"]


async def test_when_both_fail_the_third_answers():
    client = _hedging({"m": [[Wait(0.05), *DOWN]], "n": [[Wait(0.01), *DOWN]], "o": [OK]})
    request = Request("Hi", models=("a:m", "a:n", "a:o"), hedge_s=0.02, retries=0)
    response = await client.generate(request)
    assert response.model == "o"
    assert sorted(asked(client)) == ["m", "n", "o"]
    assert len(response.attempts) == 3


async def test_when_the_winner_breaks_the_loser_is_asked_again():
    broke = [Say("half"), Fail(StreamInterrupted("broke"))]
    client = _hedging({"m": [[Wait(60)], OK], "n": [broke]})
    response = (await events_of(client, "a:m", "a:n", hedge_s=0.02))[-1].response
    assert (response.model, response.text) == ("m", "ok")
    assert [a.error_type for a in response.attempts] == ["Cancelled", "StreamInterrupted", None]


async def test_an_interrupted_hedge_cancels_both():
    client = _hedging({"m": [[Wait(60), *OK]], "n": [[Wait(60), *OK]]})
    task = asyncio.create_task(client.generate("Hi", "a:m", fallbacks=["a:n"], hedge_s=0.01))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [a.error_type for a in client.ledger.responses[0].attempts] == ["Cancelled"] * 2
    assert len(asyncio.all_tasks()) == 1


# --- chaos


async def test_chaos_fails_as_dealt_is_loud_and_can_be_switched_off():
    client = make_client({"m": [OK]}, {"n": [OK]})
    client.chaos({"a": "529"})
    response = await client.generate("Hi", "a:m", fallbacks=["b:n"])
    assert response.model == "n"
    assert response.route.notices == ("chaos: a:m is rehearsed with 529",)
    assert response.attempts[0].error_type == "Overloaded"
    assert client.rehearsed == {"a": "529"}
    client.chaos()
    client.forgive()
    assert (await client.generate("Hi", "a:m")).route.notices == ()


async def test_chaos_by_role_hits_that_model_only():
    client = make_client({"m": [OK], "n": [OK]})
    client.catalogue = client.catalogue.with_roles({"fast": ("a:m",)})
    client.chaos({"fast": "529"})
    assert str(await client.generate("Hi", "a:n")) == "ok"
    with pytest.raises(Exception, match="chaos"):
        await client.generate("Hi", "a:m")


async def test_a_rehearsed_401_does_not_bar_the_real_key():
    client = make_client({"m": [OK]}, kind=Keyed)
    client.chaos({"a": "401"})
    with pytest.raises(AuthenticationFailed):
        await client.generate("Hi", "a:m")
    client.chaos()
    assert str(await client.generate("Hi", "a:m")) == "ok"


def test_chaos_refuses_what_is_no_name_or_no_fault():
    client = make_client({"m": [OK]})
    with pytest.raises(UnknownModel):
        client.chaos({"nonesuch": "529"})
    with pytest.raises(UsageError):
        client.chaos({"a": "5290"})


# --- slips


@pytest.mark.parametrize(
    ("slip", "near"),
    [
        ({"user_tier": "fre"}, "free"),
        ({"user_tier": "Pro"}, "pro"),
        ({"task_value": "hihg"}, "high"),
        ({"user_tier": "gold"}, None),
        ({"task_value": "highest"}, None),
    ],
)
async def test_a_tier_that_is_nearly_one_is_refused_and_one_of_the_users_own_is_not(slip, near):
    client = make_client({"m": [OK]})
    if near is None:
        assert (await client.generate(Request("Hi", models=("a:m",), **slip))).text == "ok"
        return
    with pytest.raises(UsageError, match=f"did you mean '{near}'"):
        await client.generate(Request("Hi", models=("a:m",), **slip))
