"""A session that is used all day, or left alone, keeps its history and nothing more."""

import gc
import sys
import tracemalloc
from decimal import Decimal

import pytest

from multimodel_magic import bridge
from multimodel_magic.catalogue import Catalogue
from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.errors import Overloaded, RateLimited
from multimodel_magic.ledger import Ledger
from multimodel_magic.limits import Budget, Patience, Rate
from multimodel_magic.notebook.card import LiveCard
from multimodel_magic.notebook.guards import guards
from multimodel_magic.providers.scripted import Fail, Say, ScriptedProvider
from multimodel_magic.session import HISTORY_KEPT, Session
from multimodel_magic.types import AttemptStarted, Notice, RateHint, Request
from tests.reliability import Clock, price

pytestmark = pytest.mark.slow

CALLS = 10_000
MIB = 2**20
MOST_GROWTH = 2 * MIB
"""Between call 2,000, when the history is full, and call 10,000; a leak of 1 kB a call is 8 MiB."""


class Forgetful(ScriptedProvider):
    """Keeps no list of what it was asked, as a vendor's provider keeps none."""

    def __init__(self, script, **more):
        super().__init__(script, **more)
        self.requests = _Nothing()


class _Nothing(list):
    """A list that stays empty: the test's own memory is not to be measured."""

    def append(self, _):
        pass


def make_session(folder, clock, **more):
    script = {
        "m": [[Say("An answer of some words. " * 8)]],
        "flaky": [[Fail(Overloaded("busy"))], [Fail(RateLimited("slow"))], [Say("ok")]],
    }
    provider = Forgetful(script, name="a")
    client = UnifiedLLMClient(
        {"a": provider},
        catalogue=Catalogue(providers=frozenset({"a"})),
        clock=clock,
        sleep=clock.sleep,
        price=price,
        **more,
    )
    return Session(client, ledger=Ledger(folder / "ledger.db"), folder=folder)


def held():
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


@pytest.fixture
def record(record_property, capsys):
    """Put a figure into the report and onto the terminal."""

    def say(figure):
        record_property("figure", figure)
        with capsys.disabled():
            sys.stdout.write(f"\n{figure}\n")

    return say


@pytest.fixture
def traced():
    tracemalloc.start()
    yield
    tracemalloc.stop()


async def _ask(llm, first, last):
    for n in range(first, last):
        models = ("a:flaky", "a:m") if n % 10 == 0 else ("a:m",)
        card = LiveCard(publisher=lambda *_, **__: None)
        async for event in llm.client.stream(Request(f"Question {n}?", models=models)):
            card.show(event)


@pytest.mark.usefixtures("traced")
def test_ten_thousand_calls_keep_no_more_than_the_history(tmp_path, record):
    clock = Clock()
    llm = make_session(
        tmp_path,
        clock,
        rates={"a": Rate(requests=1e9)},
        budget=Budget(session_usd=Decimal(10**9)),
        patience=Patience(hedge="p95"),
    )
    clock.waits = _Nothing()
    bridge.run(_ask(llm, 0, 2_000))
    llm.ledger.flush()
    assert len(llm.history) == HISTORY_KEPT
    before = held()
    bridge.run(_ask(llm, 2_000, CALLS))
    llm.ledger.flush()
    grown = held() - before
    record(f"{CALLS:,} calls: {before / MIB:.1f} MiB held at 2,000, {grown / MIB:+.2f} MiB since")
    assert grown < MOST_GROWTH
    assert len(llm.history) == HISTORY_KEPT
    assert len(llm.ledger.requests_frame(session=llm.id)) == CALLS


@pytest.mark.usefixtures("traced")
def test_an_idle_hour_holds_nothing(tmp_path, record):
    clock = Clock()
    llm = make_session(tmp_path, clock, rates={"a": Rate(requests=60, tokens=6000)})
    llm("Hi", "a:m")
    card = LiveCard(publisher=lambda *_, **__: None, clock=clock)
    card.show(AttemptStarted("a", "m", 1))
    card.show(Notice("a:m: RateLimited; asking it in 3600 s", 3600))
    _idle(llm, card, clock, 60)
    before = held()
    _idle(llm, card, clock, 3540)
    grown = held() - before
    record(f"idle hour: {before / MIB:.1f} MiB held after a minute, {grown / MIB:+.3f} MiB since")
    assert clock.now_s >= 3600
    assert grown < MIB // 4


def _idle(llm, card, clock, seconds):
    """Let time pass as a notebook does: a waiting card ticks, the configuration is looked for."""
    for _ in range(seconds):
        for _ in range(4):
            clock.now_s += 0.25
            card.tick()
        hint = RateHint(requests=10, requests_left=2, requests_reset_s=30)
        llm.client.limiter.learn("a:m", hint)
        guards(llm)
        llm.refresh()
        bridge.run(llm.client.survey())
