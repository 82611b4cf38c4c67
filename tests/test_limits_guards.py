"""Breakers, rates, budgets, refused keys and pace: each with a clock of its own."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multimodel_magic.errors import AuthenticationFailed
from multimodel_magic.limits import Breakers, Budget, Limiter, Pace, Purse, Rate, RefusedKeys
from multimodel_magic.providers.keys import Secret
from multimodel_magic.types import RateHint


class Clock:
    def __init__(self):
        self.now_s = 1000.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def breakers(clock):
    return Breakers(failures=3, of=5, rest_s=5.0, rest_most_s=12.0, clock=clock)


def _go(breakers, *, failed, name="a:m", waited=False):
    breakers.leave(name, breakers.enter(name, waited=waited), failed=failed, error="Overloaded")


def test_a_model_that_never_failed_has_no_breaker(breakers):
    _go(breakers, failed=False)
    assert len(breakers) == 0
    assert breakers.wait_s("a:m") == 0


def test_a_breaker_opens_on_enough_failures_of_the_last_attempts(breakers):
    for failed in (True, False, True, False, False):
        _go(breakers, failed=failed)
    assert breakers["a:m"].state == "closed"
    _go(breakers, failed=True)
    assert breakers["a:m"].state == "closed"
    _go(breakers, failed=True)
    assert breakers["a:m"].state == "open"
    assert breakers.enter("a:m") is None
    assert str(breakers["a:m"]) == "open for 5 s more (3 of the last 5 failed, last: Overloaded)"


def test_breakers_are_per_model(breakers):
    for _ in range(3):
        _go(breakers, failed=True)
    assert breakers.enter("a:n") == "free"


def test_half_open_lets_one_probe_through_at_a_time(breakers, clock):
    for _ in range(3):
        _go(breakers, failed=True)
    clock.now_s += 5
    assert breakers["a:m"].state == "half-open"
    assert breakers.enter("a:m") == "probe"
    assert breakers.enter("a:m") is None
    assert 0 < breakers.wait_s("a:m") < 1
    breakers.leave("a:m", "probe", failed=False)
    assert breakers["a:m"].state == "closed"
    assert breakers.enter("a:m") == "free"


def test_a_failed_probe_doubles_the_rest_up_to_its_longest(breakers, clock):
    for _ in range(3):
        _go(breakers, failed=True)
    rests = []
    for _ in range(3):
        clock.now_s += breakers.wait_s("a:m")
        _go(breakers, failed=True)
        rests.append(breakers.wait_s("a:m"))
    assert rests == [10, 12, 12]


def test_a_probe_that_was_interrupted_leaves_the_way_free_for_another(breakers, clock):
    for _ in range(3):
        _go(breakers, failed=True)
    clock.now_s += 5
    _go(breakers, failed=None)
    assert breakers["a:m"].state == "half-open"
    assert breakers.enter("a:m") == "probe"


def test_what_was_sent_before_it_opened_neither_closes_nor_prolongs_it(breakers):
    gates = [breakers.enter("a:m") for _ in range(8)]
    for gate, failed in zip(gates, (1, 1, 1, 0, 1, 0, 1, 1), strict=True):
        breakers.leave("a:m", gate, failed=bool(failed))
    assert breakers["a:m"].state == "open"
    assert breakers["a:m"].opened == 1


@given(st.lists(st.sampled_from([True, False, None, "tick"]), max_size=60))
def test_a_breaker_is_always_in_one_of_its_states_and_never_stuck(steps):
    clock = Clock()
    breakers = Breakers(failures=3, of=5, clock=clock)
    for step in steps:
        if step == "tick":
            clock.now_s += 3
        elif (gate := breakers.enter("m")) is not None:
            breakers.leave("m", gate, failed=step)
    clock.now_s += 60
    assert breakers.enter("m") is not None


def test_requests_beyond_the_burst_wait_for_their_turn(clock):
    limiter = Limiter({"a": Rate(requests=60)}, clock=clock)
    for _ in range(10):
        assert limiter.wait_s("a:m", 0) == 0
        limiter.take("a:m", 0)
    waits = []
    for _ in range(3):
        waits.append(limiter.wait_s("a:m", 0))
        limiter.take("a:m", 0)
    assert waits == [1, 2, 3]
    assert limiter.wait_s("b:m", 0) == 0
    clock.now_s += 4
    assert limiter.wait_s("a:m", 0) == 0


@given(st.lists(st.floats(0, 5), min_size=50, max_size=120))
def test_no_minute_holds_more_than_the_rate_and_its_burst(gaps):
    clock = Clock()
    limiter = Limiter({"a": Rate(requests=60)}, clock=clock)
    sent = []
    for gap in gaps:
        clock.now_s += gap
        wait = limiter.wait_s("a:m", 0)
        limiter.take("a:m", 0)
        sent.append(clock.now_s + wait)
    for start in sent:
        assert sum(start <= moment < start + 60 for moment in sent) <= 60 + 10 + 1


def test_a_lease_that_was_not_used_is_given_back(clock):
    limiter = Limiter({"a": Rate(tokens=6000)}, clock=clock)
    lease = limiter.take("a:m", 900)
    assert limiter.wait_s("a:m", 900) == pytest.approx(8)
    limiter.give_back(lease)
    assert limiter.wait_s("a:m", 900) == 0


def test_a_lease_is_corrected_by_the_tokens_really_used(clock):
    limiter = Limiter({"a": Rate(tokens=6000)}, clock=clock)
    limiter.settle(limiter.take("a:m", 1000), 100)
    assert limiter.wait_s("a:m", 900) == 0
    assert limiter.wait_s("a:m", 1000) == pytest.approx(1)


def test_a_request_larger_than_the_bucket_goes_when_the_bucket_is_full(clock):
    limiter = Limiter({"a": Rate(tokens=6000)}, clock=clock)
    assert limiter.wait_s("a:m", 50_000) == 0


def test_what_the_vendors_headers_say_is_kept_until_they_say_otherwise(clock):
    limiter = Limiter(clock=clock)
    assert not limiter
    limiter.learn("a:m", RateHint(requests=60, requests_left=0, requests_reset_s=60))
    assert limiter.wait_s("a:m", 0) == pytest.approx(1)
    assert limiter.wait_s("a:n", 0) == 0
    limiter.learn("a:m", RateHint(requests=60, requests_left=59, requests_reset_s=1))
    assert limiter.wait_s("a:m", 0) == 0


USD = Decimal


def test_without_limits_everything_passes():
    assert Purse().objection(Budget(), "a:m", None) is None
    assert not Budget()


def test_a_session_budget_counts_what_was_spent_and_what_is_promised():
    purse, budget = Purse(), Budget(session_usd=USD("0.50"))
    purse.pay("anthropic", USD("0.41"))
    purse.pay("openai", USD("0.05"))
    assert purse.objection(budget, "openai:m", USD("0.03")) is None
    purse.hold(USD("0.03"))
    told = purse.objection(budget, "openai:m", USD("0.03"))
    assert told == (
        "the session's budget is $0.50: $0.49 spent (anthropic $0.41, openai $0.05), "
        "openai:m would cost about $0.03 more"
    )
    purse.pay("openai", USD("0.001"), USD("0.03"))
    assert purse.held_usd == 0
    assert purse.objection(budget, "openai:m", USD("0.03")) is None


def test_what_is_free_passes_when_the_budget_is_spent():
    purse, budget = Purse(), Budget(session_usd=USD(0))
    assert purse.objection(budget, "local:m", USD(0)) is None
    assert purse.objection(budget, "a:m", USD("0.000001")) is not None


def test_an_unknown_price_is_refused_unless_it_is_allowed():
    purse = Purse()
    assert "unknown" in purse.objection(Budget(day_usd=USD(1)), "a:m", None)
    assert purse.objection(Budget(day_usd=USD(1), unknown="allow"), "a:m", None) is None


def test_a_call_has_a_budget_of_its_own():
    purse = Purse()
    budget = Budget(call_usd=USD(1))
    assert purse.objection(budget, "a:m", USD("0.2"), call_usd=USD("0.1")) is not None
    spent = purse.objection(budget, "a:m", USD("0.2"), spent_in_call_usd=USD("0.9"))
    assert spent.startswith("the budget per call is $1.00: $0.90 spent")


def test_a_day_ends_at_midnight():
    days = [date(2026, 11, 22)]
    purse = Purse(today=lambda: days[0])
    purse.begin_day(USD(2))
    budget = Budget(day_usd=USD(2))
    assert purse.objection(budget, "a:m", USD("0.1")) is not None
    days[0] = date(2026, 11, 23)
    assert purse.objection(budget, "a:m", USD("0.1")) is None


class Keyed:
    def __init__(self, mark):
        self.mark = mark

    def key_mark(self):
        return self.mark


def test_a_refused_key_is_remembered_until_it_changes():
    keys, provider = RefusedKeys(), Keyed("1")
    keys.refuse("a", provider, AuthenticationFailed("the key in A_KEY was refused"))
    assert "A_KEY" in keys.why("a", provider)
    assert keys.why("b", provider) is None
    provider.mark = "2"
    assert keys.why("a", provider) is None
    provider.mark = "1"
    assert keys.why("a", provider) is None


def test_a_server_that_refused_a_request_without_a_key_is_said_to_have():
    keys, provider = RefusedKeys(), Keyed(Secret("").mark())
    keys.refuse("mine", provider, AuthenticationFailed("set MINE_API_KEY"))
    why = keys.why("mine", provider)
    assert why.startswith("a request without a key was refused before")
    assert "set MINE_API_KEY" in why
    provider.mark = Secret("sk-new").mark()
    assert keys.why("mine", provider) is None


def test_of_providers_without_a_key_mark_nothing_is_remembered():
    keys = RefusedKeys()
    keys.refuse("a", object(), AuthenticationFailed("no"))
    assert not keys


def test_a_p95_of_few_times_is_none():
    pace = Pace()
    for n in range(1, 20):
        pace.note("a:m", n)
    assert pace.p95_s("a:m") is None
    pace.note("a:m", 20)
    assert pace.p95_s("a:m") == 19
