"""What a configuration says of limits reaches the client; a day is one for all sessions."""

from decimal import Decimal

import pytest

from multimodel_magic import bridge, pricing
from multimodel_magic.catalogue import Catalogue
from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.client.guards import guards_of
from multimodel_magic.config import parse_config
from multimodel_magic.errors import AuthenticationFailed, BudgetExceeded, ConfigError, UsageError
from multimodel_magic.ledger import Ledger
from multimodel_magic.limits import BreakerTerms, Budget, Limiter, Patience, Rate
from multimodel_magic.notebook.guards import budget, guards
from multimodel_magic.notebook.options import parse_cell, request_from
from multimodel_magic.notebook.reports import status
from multimodel_magic.providers.scripted import Fail, Say, ScriptedProvider, UsageIs
from multimodel_magic.session import Session
from multimodel_magic.types import Notice, RateHint, Request, Usage
from tests.reliability import Keyed, price

USD = Decimal
ANSWER = [Say("ok"), UsageIs(Usage(600, 400))]  # 1 USD by tests.reliability.price


def make_session(ledger=None, **more):
    provider = Keyed({"m": [ANSWER], "free": [[Say("free")]]}, name="a")
    client = UnifiedLLMClient(
        {"a": provider}, catalogue=Catalogue(providers=frozenset({"a"})), price=price, **more
    )
    return Session(client, ledger=ledger or Ledger(":memory:"))


LIMITS = """
routing:
  connect_s: 3
  first_token_s: 120
  stall_s: 20
  hedge: p95
  on_auth_error: stop
  stream_broken: keep
limits:
  rates: {a: {requests_per_minute: 30}, "openai:gpt-6-luna": {tokens_per_minute: 5000}}
  budget: {call_usd: 0.05, day_usd: 10}
  breaker: {failures: 2, of: 4, rest_s: 1, rest_most_s: 8}
providers:
  a: {base_url: "http://127.0.0.1:9/v1"}
"""


def test_every_limit_of_a_configuration_reaches_the_client_and_can_be_taken_back():
    llm = make_session(rates={"b": Rate(tokens=1000)})
    before = guards_of(llm.client)
    llm.configure(parse_config(LIMITS))
    client = llm.client
    assert client.patience == Patience(
        connect_s=3, first_token_s=120, stall_s=20, hedge="p95", on_auth_error="stop",
        broken_stream="keep",
    )  # fmt: skip
    assert client.budget == Budget(call_usd=USD("0.05"), day_usd=USD(10))
    assert client.limiter.rates == {
        "a": Rate(requests=30),
        "b": Rate(tokens=1000),
        "openai:gpt-6-luna": Rate(tokens=5000),
    }
    assert client.breakers.terms == BreakerTerms(2, 4, 1, 8)
    llm.configure(None)
    assert guards_of(client) == before
    assert [window.name for window in client.limiter.windows()] == ["b"]


def test_a_budget_set_by_hand_stays_until_the_file_says_another():
    llm = make_session()
    llm.configure(parse_config("limits: {budget: {day_usd: 10}}"))
    budget(llm, "session $0.50")
    by_hand = llm.client.budget
    assert by_hand == Budget(day_usd=USD(10), session_usd=USD("0.50"))
    llm.configure(parse_config("routing: {retries: 1}\nlimits: {budget: {day_usd: 10}}"))
    assert llm.client.budget == by_hand
    llm.configure(parse_config("limits: {budget: {day_usd: 5}}"))
    assert llm.client.budget == Budget(day_usd=USD(5), session_usd=USD("0.50"))
    llm.configure(parse_config("limits: {budget: {session_usd: 3}}"))
    assert llm.client.budget == Budget(session_usd=USD(3))


def test_a_changed_file_forgets_neither_what_was_asked_nor_what_was_learned():
    limiter = Limiter({"a": Rate(requests=6), "b": Rate(requests=6)}, clock=lambda: 0.0)
    limiter.take("a:m", 0)
    limiter.learn("c:m", RateHint(requests=10, requests_left=1, requests_reset_s=60))
    limiter.use({"a": Rate(requests=6), "b": Rate(tokens=100)})
    left = {(w.name, w.kind): w.left for w in limiter.windows()}
    assert left["a", "requests"] == 0
    assert ("b", "requests") not in left
    assert left["c:m", "requests, as the vendor says"] == 1


def test_rates_of_nobody_are_refused_when_the_file_is_taken():
    with pytest.raises(ConfigError, match="'opnai' is no provider; did you mean 'openai'"):
        make_session().configure(parse_config("limits: {rates: {opnai: {requests_per_minute: 5}}}"))


# --- the day


def test_the_days_budget_counts_what_other_sessions_spent_today(tmp_path):
    file = tmp_path / "ledger.db"
    first = make_session(Ledger(file), budget=Budget(day_usd=USD("2.5")))
    first("Hi", "a:m")
    first.ledger.flush()
    second = make_session(Ledger(file), budget=Budget(day_usd=USD("2.5")))
    second("Hi", "a:m")
    assert second.client.purse.spent_today_usd == 2
    second.ledger.flush()
    with pytest.raises(BudgetExceeded) as caught:
        make_session(Ledger(file), budget=Budget(day_usd=USD(1)))("Hi", "a:m")
    said = str(caught.value)
    assert "\n" not in said
    assert said.startswith("the day's budget is $1.00: $2.00 spent (other sessions $2.00), a:m ")
    assert second("Hi", "a:free").text == "free"


def test_budget_shows_what_all_kernels_spent_today(tmp_path):
    file = tmp_path / "ledger.db"
    first = make_session(Ledger(file))
    first("Hi", "a:m")
    first.ledger.flush()
    second = make_session(Ledger(file))
    shown = str(budget(second, "day $5"))
    assert "today (UTC, all kernels)  $1.00  $5.00" in shown
    assert "this session" in shown


def test_without_a_day_the_ledger_is_not_asked_and_without_a_ledger_nobody_is():
    llm = make_session(budget=Budget(session_usd=USD(5)))
    request = Request("Hi", models=("a:m",))
    events = [*bridge.iterate(llm.client.stream(request))]
    assert "asking the ledger what was spent today" not in [
        event.text for event in events if isinstance(event, Notice)
    ]
    client = make_session().client
    client.ledger = None
    client.budget = Budget(day_usd=USD(5))
    assert client.generate_sync("Hi", "a:m").text == "ok"


def test_the_price_list_is_there_once_it_is_loaded():
    pricing.warm()
    assert pricing.is_warm()


async def test_work_aside_gives_its_value_or_raises_its_error():
    assert await bridge.aside(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        await bridge.aside(lambda: 1 / 0)


# --- what %llm shows


def test_status_shows_breakers_rates_budgets_and_refused_keys():
    provider = Keyed(
        {
            "down": [[Fail(AuthenticationFailed("the key in A_KEY was refused"))]],
            "m": [ANSWER],
        },
        name="a",
    )
    llm = make_session(rates={"a": Rate(requests=60)}, budget=Budget(session_usd=USD(5)))
    llm("Hi", "a:m")
    for _ in range(5):
        llm.client.breakers.leave("a:n", "free", failed=True, error="Overloaded")
    shown = "\n".join(map(str, guards(llm)))
    assert "open for 5 s more (5 of the last 5 failed, last: Overloaded)" in shown
    assert "a    requests       9 of 10          60" in shown
    assert "$1.00" in shown
    llm.client.providers["a"] = provider
    with pytest.raises(AuthenticationFailed):
        llm("Hi", "a:down")
    said = str(status(llm, bridge.run(llm.client.survey())))
    assert "its key was refused before and is not sent again until it changes or %llm reset" in said


def test_status_says_where_the_configuration_is_from():
    llm = make_session()
    assert "configuration  none: see %llm help" in str(status(llm, {}))
    llm.configure(parse_config("routing: {strategy: cost}"))
    assert "configuration  given in Python" in str(status(llm, {}))


# --- on the line


def test_an_amount_is_read_with_and_without_its_sign():
    for word in ("0.05", "$0.05", ".05"):
        assert request_from(parse_cell(f"--budget {word}"), "Hi").max_cost_usd == USD("0.05")
    assert parse_cell("--budget $0").max_cost_usd == 0
    for word in ("five", "-1", "1e3", "$", "0.05$", "€1", "1_0", "inf"):
        with pytest.raises(UsageError) as caught:
            parse_cell(f"--budget={word}")
        assert str(caught.value) == (
            f"--budget: {word!r} is no amount such as 0.05 or $0.05 (US dollars)"
        )


def test_what_follows_a_break_is_one_of_three():
    assert request_from(parse_cell("--on-break keep"), "Hi").broken_stream == "keep"
    with pytest.raises(UsageError, match="--on-break: 'restrat' is unknown; did you mean 'rest"):
        parse_cell("--on-break restrat")


async def test_each_request_has_its_own_policy_for_a_broken_stream():
    client = UnifiedLLMClient({"scripted": ScriptedProvider()})
    one = Request("Hi", models=("scripted:breaks",), broken_stream="keep")
    kept = await client.generate(one)
    assert kept.stop_reason == "interrupted"
    models = ("scripted:breaks", "scripted:answers")
    again = await client.generate(Request("Hi", models=models, broken_stream="restart"))
    assert again.model == "answers"
    with pytest.raises(Exception, match="broke half-way"):
        await client.generate(Request("Hi", models=models, broken_stream="fail"))
    with pytest.raises(UsageError, match="no policy for a broken stream is 'kep'; did you mean"):
        await client.generate(Request("Hi", models=models, broken_stream="kep"))
