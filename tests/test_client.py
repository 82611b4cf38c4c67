"""The client: one request from its route to its row, whatever the providers do."""

import asyncio
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multimodel_magic import bridge
from multimodel_magic.catalogue import Catalogue
from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.client.standby import StandingBy
from multimodel_magic.errors import (
    AllModelsFailed,
    AuthenticationFailed,
    BadRequest,
    Cancelled,
    ContentFiltered,
    ContextTooLong,
    MultimodelError,
    Overloaded,
    RateLimited,
    StreamInterrupted,
    TimedOut,
    UnknownModel,
    UsageError,
)
from multimodel_magic.limits import Patience
from multimodel_magic.providers.scripted import Fail, Say, ScriptedProvider, Stop, UsageIs, Wait
from multimodel_magic.strategies import Fixed
from multimodel_magic.types import (
    AttemptFailed,
    AttemptStarted,
    Finished,
    LeftOut,
    Notice,
    Price,
    Request,
    Routed,
    TextDelta,
    Usage,
)

OVERLOADED = Fail(Overloaded("busy"))
WRONG_KEY = Fail(AuthenticationFailed("the key in A_KEY was refused"))


class Books:
    def __init__(self):
        self.responses = []

    def record(self, response):
        self.responses.append(response)


def _price(provider, model, usage, at):
    if usage.input_tokens is None or usage.output_tokens is None or model == "unpriced":
        return Price(None, "unknown")
    return Price(Decimal(usage.input_tokens + usage.output_tokens) / 1000, "override")


def _client(script, *, patience=None, second=None, **more):
    waits = []

    async def sleep(seconds):
        waits.append(seconds)

    providers = {"a": ScriptedProvider(script, name="a")}
    if second is not None:
        providers["b"] = ScriptedProvider(second, name="b")
    client = UnifiedLLMClient(
        providers,
        ledger=Books(),
        catalogue=Catalogue(providers=frozenset(providers)),
        patience=patience,
        price=_price,
        sleep=sleep,
        dice=lambda: 0.0,
        **more,
    )
    client.waits = waits
    return client


async def _events(client, request):
    return [event async for event in client.stream(request)]


def _asked(client, name="a"):
    return [model for model, _ in client.providers[name].requests]


async def test_an_answer_comes_with_its_attempt_and_is_recorded():
    client = _client({"m": [[Say("Hello."), UsageIs(Usage(10, 5))]]})
    response = await client.generate("Hi", "a:m")
    assert str(response) == "Hello."
    assert (response.provider, response.model, response.stop_reason) == ("a", "m", "stop")
    assert response.cost_usd == Decimal("0.015")
    assert client.ledger.responses == [response]


async def test_events_come_in_order_and_finished_is_last():
    client = _client({"m": [[Say("Hello.", chunk_chars=3)]]})
    events = await _events(client, Request("Hi", models=("a:m",)))
    kinds = [type(event) for event in events]
    assert kinds == [Routed, AttemptStarted, TextDelta, TextDelta, Finished]


async def test_an_overloaded_model_is_asked_again_after_a_notice_and_then_answers():
    client = _client({"m": [[OVERLOADED], [Say("ok")]]})
    events = await _events(client, Request("Hi", models=("a:m",)))
    assert [e.wait_s for e in events if isinstance(e, Notice)] == client.waits == [0.25]
    response = events[-1].response
    assert [a.error_type for a in response.attempts] == ["Overloaded", None]
    assert not response.fallback_used


async def test_after_its_retries_the_next_model_answers_and_the_response_says_so():
    client = _client({"m": [[OVERLOADED]], "n": [[Say("ok")]]})
    response = await client.generate("Hi", "a:m", fallbacks=["a:n"])
    assert _asked(client) == ["m", "m", "n"]
    assert response.fallback_used
    assert [a.model for a in response.fell_back_from] == ["m", "m"]


async def test_the_same_model_twice_in_a_chain_is_still_a_fallback():
    client = _client({"m": [[OVERLOADED], [Say("ok")]]}, strategy=Fixed(("a:m", "a:m")))
    response = await client.generate(Request("Hi", retries=0))
    assert response.fallback_used
    assert [a.rank for a in response.attempts] == [0, 1]


async def test_a_rate_limit_goes_to_a_free_model_at_once():
    slow = Fail(RateLimited("429", retry_after_s=5.0))
    client = _client({"m": [[slow]], "n": [[Say("ok")]]})
    await client.generate("Hi", "a:m", fallbacks=["a:n"])
    assert _asked(client) == ["m", "n"]
    assert client.waits == []


async def test_a_rate_limit_with_nobody_else_free_waits_exactly_what_was_asked():
    slow = Fail(RateLimited("429", retry_after_s=5.0))
    client = _client({"m": [[slow], [Say("ok")]]})
    assert str(await client.generate("Hi", "a:m")) == "ok"
    assert client.waits == [5.0]


async def test_a_wait_beyond_the_deadline_is_not_waited():
    slow = Fail(RateLimited("429", retry_after_s=50.0))
    client = _client({"m": [[slow], [Say("ok")]]})
    with pytest.raises(RateLimited):
        await client.generate("Hi", "a:m", timeout_s=10)
    assert client.waits == []


async def test_the_users_own_mistake_is_asked_once_and_stops():
    client = _client({"m": [[Fail(BadRequest("max_tokens is negative"))]], "n": [[Say("ok")]]})
    with pytest.raises(BadRequest, match="negative"):
        await client.generate("Hi", "a:m", fallbacks=["a:n"])
    assert _asked(client) == ["m"]


async def test_a_refused_key_skips_every_model_of_that_provider():
    client = _client({"m": [[WRONG_KEY]], "n": [[Say("no")]]}, second={"o": [[Say("ok")]]})
    response = await client.generate("Hi", "a:m", fallbacks=["a:n", "b:o"])
    assert str(response) == "ok"
    assert _asked(client) == ["m"]
    assert response.attempts[0].error_type == "AuthenticationFailed"


async def test_a_refused_key_with_no_other_provider_is_the_error():
    client = _client({"m": [[WRONG_KEY]], "n": [[Say("no")]]})
    with pytest.raises(AuthenticationFailed, match="A_KEY"):
        await client.generate("Hi", "a:m", fallbacks=["a:n"])


async def test_a_refusal_goes_to_the_next_model_without_a_retry():
    refuses = Fail(ContentFiltered("no"))
    client = _client({"m": [[refuses]], "n": [[Say("ok")]]})
    assert (await client.generate("Hi", "a:m", fallbacks=["a:n"])).model == "n"
    assert _asked(client) == ["m", "n"]


async def test_a_stream_that_breaks_starts_again_and_its_text_is_void():
    broke = Fail(StreamInterrupted("broke"))
    client = _client({"m": [[Say("Half of th"), broke]], "n": [[Say("Whole.")]]})
    response = await client.generate("Hi", "a:m", fallbacks=["a:n"])
    assert response.text == "Whole."
    assert response.attempts[0].usage.estimated


async def test_when_all_models_fail_the_error_has_a_line_per_attempt():
    client = _client({"m": [[OVERLOADED]], "n": [[Fail(ContentFiltered("no"))]]})
    with pytest.raises(AllModelsFailed) as failed:
        await client.generate("Hi", "a:m", fallbacks=["a:n"])
    lines = str(failed.value).splitlines()
    assert lines[0] == "all 2 models failed in 3 attempts"
    assert lines[1:] == [
        "  1. a:m: Overloaded: busy",
        "  2. a:m: Overloaded: busy",
        "  3. a:n: ContentFiltered: no",
    ]
    assert len(client.ledger.responses[0].attempts) == 3


async def test_an_unknown_model_is_one_line_and_a_row():
    client = _client({"m": [[Say("ok")]]})
    with pytest.raises(UnknownModel):
        await client.generate("Hi", "nonesuch-model")
    assert client.ledger.responses[0].error is not None
    assert client.ledger.responses[0].attempts == ()


async def test_an_unknown_strategy_names_the_nearest():
    client = _client({"m": [[Say("ok")]]}, strategies={"complexity": Fixed(("a:m",))})
    with pytest.raises(UsageError, match="did you mean 'complexity'"):
        await client.generate("Hi", strategy="complexty")


async def test_a_strategy_is_chosen_by_name():
    client = _client({"m": [[Say("ok")]]}, strategies={"mine": Fixed(("a:m",), name="mine")})
    response = await client.generate("Hi", strategy="mine")
    assert response.route.strategy == "mine"


async def test_cancelling_closes_the_stream_and_records_the_partial_answer():
    client = _client({"m": [[Say("tick " * 100, chunk_chars=5, delay_s=0.01)]]})
    client.providers["a"]._sleep = asyncio.sleep
    seen = []

    async def read():
        async for event in client.stream(Request("Hi", models=("a:m",))):
            seen.append(event)

    task = asyncio.create_task(read())
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    response = client.ledger.responses[0]
    assert isinstance(seen[-1], Finished)
    assert isinstance(response.error, Cancelled)
    assert response.text.startswith("tick tick")
    attempt = response.attempts[0]
    assert attempt.error_type == "Cancelled"
    assert attempt.usage.output_tokens == len(response.text) // 4
    assert attempt.usage.estimated


async def test_a_reader_that_leaves_early_leaves_a_row_too():
    client = _client({"m": [[Say("tick " * 100)]]})
    events = client.stream(Request("Hi", models=("a:m",)))
    async for event in events:
        if isinstance(event, TextDelta):
            break
    await events.aclose()
    assert client.ledger.responses[0].attempts[0].error_type == "Cancelled"


async def test_a_cancellation_stays_asyncios_own_and_says_what_it_stopped():
    client = _client({"m": [[Say("tick " * 100, chunk_chars=5, delay_s=0.01)]]})
    client.providers["a"]._sleep = asyncio.sleep
    with pytest.raises(TimeoutError) as late:
        async with asyncio.timeout(0.05):
            await client.generate("Hi", "a:m")
    cancelled = late.value.__cause__
    assert type(cancelled) is asyncio.CancelledError, "asyncio compares the class itself"
    (line,) = cancelled._render_traceback_()
    assert line.startswith("Cancelled: interrupted after ")
    assert line.endswith("s of asking a:m; it is in the ledger")


async def test_cancelling_during_a_retry_wait_leaves_a_row():
    client = _client({"m": [[OVERLOADED]]})
    client._sleep = asyncio.sleep
    client.patience = Patience(backoff_s=60, backoff_most_s=60)
    task = asyncio.create_task(client.generate("Hi", "a:m"))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert isinstance(client.ledger.responses[0].error, Cancelled)


async def test_a_fault_in_a_plugin_is_not_swallowed_and_is_on_the_books():
    class Buggy(ScriptedProvider):
        async def stream(self, model, request):
            raise ZeroDivisionError("oops")
            yield

    client = _client({})
    client.providers["a"] = Buggy(name="a")
    with pytest.raises(ZeroDivisionError):
        await client.generate("Hi", "a:m")
    assert client.ledger.responses[0].attempts[0].error_type == "ZeroDivisionError"


async def test_an_unknown_price_makes_the_whole_cost_unknown():
    script = {"unpriced": [[Say("half"), Fail(StreamInterrupted("broke"))]], "n": [[Say("ok")]]}
    client = _client(script)
    response = await client.generate("Hi", "a:unpriced", fallbacks=["a:n"])
    assert response.attempts[0].cost_usd is None
    assert response.attempts[1].cost_usd is not None
    assert response.cost_usd is None


async def test_a_failure_that_the_vendor_does_not_bill_costs_nothing():
    client = _client({"unpriced": [[OVERLOADED]], "n": [[Say("ok")]]})
    response = await client.generate("Hi", "a:unpriced", fallbacks=["a:n"])
    assert [a.cost_usd for a in response.attempts[:-1]] == [0, 0]


async def test_a_provider_without_its_key_is_left_out_with_the_reason():
    class Keyless(ScriptedProvider):
        def unusable(self):
            return "A_KEY is not set"

    client = _client({}, second={"n": [[Say("ok")]]})
    client.providers["a"] = Keyless(name="a")
    response = await client.generate("Hi", "a:m", fallbacks=["b:n"])
    assert response.model == "n"
    assert "A_KEY is not set" in response.route.left_out[0].why
    with pytest.raises(MultimodelError, match="A_KEY is not set"):
        await client.generate("Hi", "a:m")


async def test_an_answer_cut_at_max_tokens_is_an_answer_with_its_stop_reason():
    client = _client({"m": [[Say("Half"), Stop("max_tokens")]]})
    assert (await client.generate("Hi", "a:m")).stop_reason == "max_tokens"


def test_the_synchronous_twin_gives_the_same():
    client = _client({"m": [[Say("ok")]]})
    assert str(client.generate_sync("Hi", "a:m")) == "ok"
    events = list(bridge.iterate(client.stream(Request("Hi", models=("a:m",)))))
    assert isinstance(events[-1], Finished)


PLAYS = st.lists(
    st.sampled_from(
        [
            [Say("ok")],
            [OVERLOADED],
            [Fail(RateLimited("429"))],
            [Fail(ContentFiltered("no"))],
            [WRONG_KEY],
            [Say("half"), Fail(StreamInterrupted("broke"))],
            [Fail(BadRequest("400"))],
            [Wait(0)],
        ]
    ),
    min_size=1,
    max_size=4,
)


@given(st.lists(PLAYS, min_size=1, max_size=4), st.integers(0, 3))
def test_whatever_happens_every_call_on_the_wire_is_an_attempt_on_the_books(plays, retries):
    script = {f"m{n}": play for n, play in enumerate(plays)}
    client = _client(script)
    models = tuple(f"a:m{n}" for n in range(len(plays)))
    events = asyncio.run(_events(client, Request("Hi", models=models, retries=retries)))
    response = events[-1].response
    assert len(client.providers["a"].requests) == len(response.attempts)
    assert [a.number for a in response.attempts] == list(range(1, len(response.attempts) + 1))
    failed = [e for e in events if isinstance(e, AttemptFailed)]
    assert len(failed) == sum(not a.succeeded for a in response.attempts)
    assert response.succeeded == bool(response.attempts and response.attempts[-1].succeeded)
    assert client.ledger.responses == [response]


async def test_one_model_that_fails_twice_gives_its_own_error_once():
    client = _client({"m": [[OVERLOADED]]})
    with pytest.raises(Overloaded, match=r"busy \(asked 2 times\)"):
        await client.generate("Hi", "a:m")


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"needs": ["visoin"]}, "did you mean 'vision'"),
        ({"timeout_s": -1}, "timeout_s is -1"),
        ({"retries": -1}, "retries is -1"),
    ],
)
async def test_arguments_that_make_no_sense_are_one_line_and_a_row(asked, says):
    client = _client({"m": [[Say("ok")]]})
    with pytest.raises(UsageError, match=says):
        await client.generate("Hi", "a:m", **asked)
    assert len(client.ledger.responses) == 1


@pytest.mark.parametrize("prompt", ["", "  \n", None, 7])
async def test_a_prompt_that_is_no_text_is_refused(prompt):
    client = _client({"m": [[Say("ok")]]})
    with pytest.raises(UsageError, match="the prompt is"):
        await client.generate(prompt, "a:m")


async def test_one_name_stands_for_a_list_of_one():
    client = _client({"m": [[OVERLOADED]], "n": [[Say("ok")]]})
    response = await client.generate("Hi", "a:m", fallbacks="a:n", needs="json")
    assert response.model == "n"
    assert response.request.needs == {"json"}


async def test_a_request_and_a_model_beside_it_is_refused_rather_than_ignored():
    client = _client({"m": [[Say("ok")]]})
    with pytest.raises(UsageError, match="says everything itself"):
        await client.generate(Request("Hi"), "a:m")


async def test_a_price_or_a_ledger_that_raises_does_not_fail_a_paid_call(caplog):
    class Broken:
        def record(self, response):
            raise OSError("disk full")

    client = _client({"m": [[Say("ok")]]})
    client.price = lambda *_: 1 / 0
    client.ledger = Broken()
    response = await client.generate("Hi", "a:m")
    assert str(response) == "ok"
    assert response.cost_usd is None
    assert "disk full" in caplog.text


class Served(ScriptedProvider):
    """A provider with a server, of which a probe says that it is down."""

    def unfit(self):
        return None

    async def probe(self):
        return "no server at a: start it"


async def test_a_model_named_in_full_is_asked_whatever_was_found_of_its_server_before():
    client = _client({}, second={"n": [[Say("ok")]]})
    client.providers["a"] = Served({"m": [[Say("up again")]]}, name="a")
    assert (await client.generate("Hi", "a:m", fallbacks=["b:n"])).text == "up again"


async def test_a_role_passes_over_a_server_that_is_down():
    client = _client({}, second={"n": [[Say("ok")]]})
    client.providers["a"] = Served({"m": [[Say("up")]]}, name="a")
    client.catalogue = client.catalogue.with_roles({"fast": ["a:m", "b:n"]})
    assert (await client.generate("Hi", "fast")).model == "n"
    # That the strategy in use names one of its models says nothing of another strategy's role.
    client.strategy, client.strategies = Fixed(("a:m",)), {"other": Fixed(("fast",))}
    assert (await client.generate("Hi", strategy="other")).model == "n"


async def test_loading_what_a_provider_needs_counts_against_the_deadline():
    class Heavy(ScriptedProvider):
        is_warm = False

        async def warm(self):
            await asyncio.sleep(60)

    client = UnifiedLLMClient(
        {"a": Heavy({"m": [[Say("late")]]}, name="a")},
        ledger=Books(),
        catalogue=Catalogue(providers=frozenset({"a"})),
    )
    with pytest.raises(TimedOut, match="time was up before a model was asked"):
        await client.generate("Hi", "a:m", timeout_s=0.05)
    assert client.ledger.responses[0].latency_s < 30
    assert client.ledger.responses[0].attempts == ()


class Loading(ScriptedProvider):
    """A provider that must load something first."""

    is_warm = False

    async def warm(self):
        self.is_warm = True


@pytest.mark.parametrize("slow", [True, False])
async def test_the_next_provider_loads_while_a_slow_one_is_waited_for_and_only_then(slow):
    spare = Loading(name="b")
    async with StandingBy(spare, after_s=0.01 if slow else 10):
        await asyncio.sleep(0.05)
    assert spare.is_warm == slow
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_fallback_after_a_slow_failure_begins_without_loading():
    slow = {"m": [[Wait(1.2), Fail(Overloaded("busy"))]]}
    client = UnifiedLLMClient(
        {"a": ScriptedProvider(slow, name="a"), "b": Loading({"n": [[Say("ok")]]}, name="b")},
        catalogue=Catalogue(providers=frozenset({"a", "b"})),
    )
    request = Request("Hi", models=("a:m", "b:n"), retries=0)
    events = [event async for event in client.stream(request)]
    assert events[-1].response.text == "ok"
    assert not [event for event in events if isinstance(event, Notice)]


async def test_a_provider_that_is_rehearsed_says_that_it_loads_too():
    client = _client({})
    client.providers["a"] = Loading({"m": [[Say("ok")]]}, name="a")
    client.chaos({"a": "latency=1ms"})
    events = await _events(client, Request("Hi", models=("a:m",)))
    assert Notice("loading what a needs") in events


LONG = [Fail(ContextTooLong("the prompt does not fit"))]


async def _asked_after_a_small_window(models):
    script = {model.partition(":")[2]: [[Say("ok")]] for model in models[1:]}
    script |= {models[0].partition(":")[2]: [LONG]}
    client = UnifiedLLMClient(
        {"anthropic": ScriptedProvider(script, name="anthropic")},
        catalogue=Catalogue(providers=frozenset({"anthropic"})),
    )
    return [e async for e in client.stream(Request("Hi", models=models))][-1].response


async def test_after_a_context_that_was_too_small_only_larger_windows_are_asked():
    response = await _asked_after_a_small_window(
        ("anthropic:claude-haiku-4-5", "anthropic:claude-opus-4-5", "anthropic:claude-opus-5-5")
    )
    assert [a.model for a in response.attempts] == ["claude-haiku-4-5", "claude-opus-5-5"]
    why = "its context window (200,000 tokens) is no larger"
    assert response.route.left_out == (LeftOut("anthropic:claude-opus-4-5", why),)


async def test_a_window_that_is_not_known_may_be_larger():
    response = await _asked_after_a_small_window(("anthropic:claude-haiku-4-5", "anthropic:mine"))
    assert response.model == "mine"


async def test_a_context_too_long_for_all_is_the_error_and_nobody_else_is_asked():
    response = await _asked_after_a_small_window(
        ("anthropic:claude-opus-5-5", "anthropic:claude-haiku-5-5")
    )
    assert len(response.attempts) == 1
    assert isinstance(response.error, ContextTooLong)


class Closing(ScriptedProvider):
    """Counts how often it was closed."""

    closed = 0

    async def aclose(self):
        self.closed += 1


async def test_a_client_closes_its_connections_at_the_end_of_async_with():
    provider = Closing({"m": [[Say("Hello")]]})
    async with UnifiedLLMClient({"scripted": provider}) as client:
        assert (await client.generate("Hi", "scripted:m")).text == "Hello"
        assert not provider.closed
    assert provider.closed == 1
