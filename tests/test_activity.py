"""Whatever is waited for, the growing card says what it is and for how long, in both formats."""

import re
from html import unescape

import pytest

from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.errors import ConnectionFailed, Overloaded, RateLimited
from multimodel_magic.limits import Budget, Patience, Rate
from multimodel_magic.notebook.card import LiveCard
from multimodel_magic.providers.chaos import Chaos, ChaosProvider
from multimodel_magic.providers.scripted import Fail, Say, ScriptedProvider, Tell, Wait
from multimodel_magic.strategies import Cascade
from multimodel_magic.types import (
    Attempt,
    AttemptFailed,
    AttemptStarted,
    Notice,
    Request,
    TextDelta,
    Verdict,
)
from tests.reliability import Clock, RealClock, make_client

DOWN = [Fail(Overloaded("busy"))]
OK = [Say("ok")]


class Page:
    """A card on a page of its own; every event is painted, as if each came a second later."""

    def __init__(self, clock=None):
        self.now_s = 0.0
        self.lines, self.html = [], []
        self.card = LiveCard(publisher=self._publish, clock=clock or (lambda: self.now_s))
        self._step = clock is None

    def _publish(self, bundle, metadata, *, update):
        self.lines.append(bundle["text/plain"])
        self.html.append(bundle["text/html"])

    def show(self, *events):
        for event in events:
            self.now_s += self._step
            self.card.show(event)


async def shown(client, *models, **more):
    """Answer a request, and return everything that its card said on the way."""
    page = Page()
    async for event in client.stream(Request("Hi", models=models, **more)):
        page.show(event)
    return page


def says(page, words):
    """Whether a line of the card said so, with a time, and the same in HTML."""
    plain = [line for line in page.lines if words in line]
    html = [text for text in map(unescape, page.html) if words in text]
    return bool(plain and html) and bool(re.search(r"· [\d.]+ (ms|s)", plain[0]))


async def test_a_retry_says_of_what_and_counts_down():
    page = await shown(make_client({"m": [DOWN, OK]}), "a:m")
    assert says(page, "a:m: Overloaded; asking it in 0.2 s")
    assert says(page, "a:m failed (overloaded, 0 ms) · asking a:m")


async def test_a_rate_limit_of_the_vendor_is_waited_for_aloud():
    busy = [Fail(RateLimited("slow down", retry_after_s=4.0))]
    page = await shown(make_client({"m": [busy, OK]}), "a:m")
    assert says(page, "a:m: RateLimited; asking it in 4.0 s")


async def test_a_rate_of_our_own_is_waited_for_aloud():
    client = make_client({"m": [OK]}, rates={"a": Rate(requests=6)})
    await client.generate("Hi", "a:m")
    page = await shown(client, "a:m")
    assert says(page, "a:m: its rate limit is used up for 10.0 s more; asking it in 10.0 s")


async def test_a_fallback_names_who_failed_and_who_is_asked():
    page = await shown(make_client({"m": [[Fail(ConnectionFailed("gone"))]], "n": [OK]}),
                       "a:m", "a:n", retries=0)  # fmt: skip
    assert says(page, "a:m failed (connection failed, 0 ms) · asking a:n")


async def test_a_breaker_that_is_open_is_named_until_the_next_model_answers():
    client = make_client({"m": [DOWN], "n": [OK]})
    for _ in range(5):
        with pytest.raises(Overloaded):
            await client.generate(Request("Hi", models=("a:m",), retries=0))
    page = await shown(client, "a:m", "a:n")
    assert says(page, "skipped a:m: open for 5 s more")
    assert says(page, "last: Overloaded) · asking a:n")


async def test_a_breaker_that_all_wait_for_counts_down():
    client = make_client({"m": [*[DOWN] * 5, OK]})
    for _ in range(5):
        with pytest.raises(Overloaded):
            await client.generate(Request("Hi", models=("a:m",), retries=0))
    page = await shown(client, "a:m")
    assert says(page, "a:m: open for 5 s more (5 of the last 5 failed, last: Overloaded); asking")


async def test_a_budget_says_whom_it_passes_over():
    client = make_client({"dear": [OK], "free": [OK]}, budget=Budget(session_usd=0))
    page = await shown(client, "a:dear", "a:free")
    assert says(page, "skipped a:dear: the session's budget is $0")


async def test_the_load_of_a_model_is_told():
    page = await shown(make_client({"m": [[Tell("loading SmolLM2 into memory"), *OK]]}), "a:m")
    assert says(page, "loading SmolLM2 into memory")


async def test_what_a_provider_imports_is_told_once():
    class Cold(ScriptedProvider):
        is_warm = False

        async def warm(self):
            self.is_warm = True

    client = make_client({"m": [OK]}, kind=Cold)
    assert says(await shown(client, "a:m"), "loading what a needs")
    assert not says(await shown(client, "a:m"), "loading what a needs")


async def test_a_hedge_is_told():
    client = make_client(
        {"m": [[Wait(30), *OK]], "n": [OK]}, clock=RealClock(), patience=Patience(hedge=0.05)
    )
    assert says(await shown(client, "a:m", "a:n"), "a:m said nothing for 0.05 s; asking another")


async def test_chaos_is_told():
    client = make_client({"m": [OK]})
    calm = Clock()
    chaos = ChaosProvider(client.providers["a"], Chaos.parse("latency=2s"), sleep=calm.sleep)
    client.providers["a"] = chaos
    assert says(await shown(client, "a:m"), "chaos: a:m is made to wait · 2.0 s to go")


class Asks:
    """A judge that asks a model."""

    def questions(self, request, text, model):
        return (Request("Good?", models=("a:judge",)),)

    def read(self, text, said):
        return Verdict(ok=True)


async def test_a_judge_that_takes_a_while_is_told():
    provider = ScriptedProvider({"m": [OK], "n": [OK], "judge": [OK]}, name="a")
    client = UnifiedLLMClient({"a": provider}, Cascade(("a:m", "a:n"), Asks()))
    page = await shown(client)
    assert says(page, "judging the answer of a:m")


# --- how the line reads


def test_the_line_says_for_how_long_this_goes_on_and_how_long_all_took():
    now = [0.0]
    page = Page(clock=lambda: now[0])
    page.card.show(AttemptStarted("a", "m", 1))
    now[0] = 3.0
    page.card.show(AttemptFailed(Attempt("a", "m", 1, latency_s=3.0, error_type="TimedOut")))
    page.card.show(AttemptStarted("a", "n", 2, 1))
    now[0] = 5.5
    page.card.tick()
    assert page.lines[-1] == "a:m failed (timed out, 3.0 s) · asking a:n · 2.5 s · 5.5 s in all"
    page.card.show(TextDelta("Hello"))
    now[0] = 6.0
    page.card.tick()
    assert page.lines[-1] == "Hello\n\na:n answers · 6.0 s"


def test_nothing_is_silent_for_more_than_a_second():
    now = [0.0]
    page = Page(clock=lambda: now[0])
    page.card.show(Notice("a:m: RateLimited; asking it in 4.0 s", 4.0))
    for tick in range(1, 17):  # the bridge ticks every quarter of a second
        now[0] = tick / 4
        page.card.tick()
    assert page.lines[0].endswith("· 3.8 s to go · 0.2 s")
    assert len(set(page.lines)) == 16
    assert page.lines[-1] == "a:m: RateLimited; asking it in 4.0 s · 4.0 s"


async def test_the_last_thing_shown_is_the_receipt():
    page = await shown(make_client({"m": [DOWN, OK]}), "a:m")
    assert page.lines[-1].startswith("ok\n\na:m")
    assert "asking" not in page.lines[-1]
