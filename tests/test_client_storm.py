"""Many requests at once, and interrupts at any point: nothing is lost, leaked or asked twice."""

import asyncio
import random
import subprocess
import sys
import textwrap
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multimodel_magic.errors import Cancelled, Overloaded, RateLimited, StreamInterrupted
from multimodel_magic.ledger import Ledger
from multimodel_magic.limits import Breakers, Patience, Rate
from multimodel_magic.providers.scripted import Fail, Say, ScriptedProvider, Wait
from multimodel_magic.types import Finished, Request, Stopped, TextDelta, Usage
from tests.reliability import RealClock, make_client

pytestmark = pytest.mark.slow  # hundreds of requests and real time


class Shaky(ScriptedProvider):
    """Fails 30 % of its calls at random, before or in the middle of its text."""

    def __init__(self, share=0.3, seed=7, **more):
        super().__init__(**more)
        self._share = share
        self._dice = random.Random(seed)  # noqa: S311 - no secret
        self.answered = 0

    async def stream(self, model, request):
        self.requests.append((model, request))
        thrown = self._dice.random()
        await asyncio.sleep(0.001 + 0.004 * self._dice.random())
        if thrown < self._share / 2:
            raise Overloaded("busy")
        yield TextDelta("half of ")
        if thrown < self._share:
            raise StreamInterrupted("broke")
        yield TextDelta(request.prompt)
        self.answered += 1
        yield Usage(1, 1)
        yield Stopped("stop")


async def test_200_requests_over_a_shaky_provider_are_all_answered_once():
    client = make_client(clock=RealClock())
    client.breakers = Breakers(rest_s=0.02, rest_most_s=0.05, clock=time.monotonic)
    shaky = Shaky(name="a"), Shaky(share=0.0, name="b")
    client.providers.update({provider.name: provider for provider in shaky})
    client.catalogue = client.catalogue.with_providers(["b"])
    client.patience = Patience(retries=0)
    states = set()

    async def ask(n):
        await asyncio.sleep(0.001 * n)
        response = await client.generate(Request(f"{n}", models=("a:m", "b:n")))
        states.update(breaker.state for breaker in client.breakers.values())
        return response

    responses = await asyncio.gather(*map(ask, range(200)))
    assert [r.text for r in responses] == [f"half of {n}" for n in range(200)]
    attempts = [a for r in client.ledger.responses for a in r.attempts]
    assert len(attempts) == sum(len(provider.requests) for provider in shaky)
    assert len(client.ledger.responses) == 200
    assert sum(provider.answered for provider in shaky) == 200
    assert {"open", "closed"} <= states
    assert client.breakers["a:m"].opened >= 1


PLAYS = {
    "ok": [[Say("tick " * 10, chunk_chars=5, delay_s=0.002)]],
    "late": [[Wait(0.02), Say("ok")]],
    "busy": [[Wait(0.003), Fail(Overloaded("busy"))]],
    "limited": [[Fail(RateLimited("429", retry_after_s=0.02))]],
    "breaks": [[Say("half", delay_s=0.004), Fail(StreamInterrupted("broke"))]],
    "silent": [[Wait(60)]],
}


class Slow(ScriptedProvider):
    """Takes its time to say whether it can be asked: a point to interrupt routing at."""

    async def probe(self):
        await asyncio.sleep(0.003)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(sorted(PLAYS)), min_size=1, max_size=3),
    st.floats(0, 0.05),
    st.booleans(),
    st.booleans(),
)
def test_an_interrupt_at_any_point_ends_at_once_leaves_a_row_and_no_task(
    models, after_s, hedges, limited
):
    asyncio.run(_interrupted(models, after_s, hedges=hedges, limited=limited))


async def _interrupted(models, after_s, *, hedges, limited):
    rates = {"a": Rate(requests=300)} if limited else None
    client = make_client(PLAYS, kind=Slow, clock=RealClock(), rates=rates)
    client.patience = Patience(hedge=0.005 if hedges else None, backoff_s=0.02)
    if limited:
        for _ in range(50):
            client.limiter.take("a:ok", 0)
    seen = []

    async def read():
        request = Request("Hi", models=tuple(f"a:{name}" for name in models))
        async for event in client.stream(request):
            seen.append(event)

    task = asyncio.create_task(read())
    await asyncio.sleep(after_s)
    asked_s = time.monotonic()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert time.monotonic() - asked_s < 5.0
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert len(client.ledger.responses) == bool(seen)
    for response in client.ledger.responses:
        assert isinstance(seen[-1], Finished)
        assert seen[-1].response is response
        ended_before = not isinstance(response.error, Cancelled)
        assert ended_before == (not task.cancelled())
    wire = len(client.providers["a"].requests)
    assert sum(len(r.attempts) for r in client.ledger.responses) == wire
    assert client.purse.held_usd == 0
    assert not any(breaker.probing for breaker in client.breakers.values())


KILLED = """
import asyncio, os, signal, sys
from multimodel_magic import Ledger, UnifiedLLMClient
from multimodel_magic.errors import Overloaded
from multimodel_magic.providers.scripted import Fail, Say, ScriptedProvider
from multimodel_magic.types import Request, TextDelta

script = {"down": [[Fail(Overloaded("busy"))]], "m": [[Say("tick " * 9999, delay_s=0.01)]]}
client = UnifiedLLMClient({"scripted": ScriptedProvider(script)}, ledger=Ledger(sys.argv[1]))

async def main():
    await client.generate("before", "scripted:answers")
    asked = Request("Hi", models=("scripted:down", "scripted:m"), retries=0)
    async for event in client.stream(asked):
        if isinstance(event, TextDelta):
            print("streaming", flush=True)

asyncio.run(main())
"""


@pytest.mark.slow
def test_a_kernel_killed_in_mid_stream_leaves_its_request_as_unfinished(tmp_path):
    file = tmp_path / "ledger.db"
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "streaming\n"
        ledger = Ledger(file)
        written_by_s = time.monotonic() + 20
        while len(ledger.attempts_frame()) < 3 and time.monotonic() < written_by_s:
            time.sleep(0.05)
        process.kill()
    ledger.close()
    ledger = Ledger(file)
    requests, attempts = ledger.requests_frame(), ledger.attempts_frame()
    assert list(requests.status) == ["answered", "unfinished"]
    assert list(requests.prompt) == ["before", "Hi"]
    assert [(a.model, a.status) for a in attempts.itertuples()] == [
        ("answers", "answered"),
        ("down", "failed"),
        ("m", "unfinished"),
    ]
    assert ledger.trouble is None
    ledger.close()


async def test_a_request_that_ends_replaces_its_unfinished_row(tmp_path):
    ledger = Ledger(tmp_path / "ledger.db")
    script = {"m": [[Wait(0.8), Say("ok")]], "busy": [[Fail(Overloaded("busy"))]]}
    client = make_client(script, clock=RealClock())
    client.ledger = ledger
    assert len(ledger.requests_frame()) == 0
    task = asyncio.create_task(client.generate("Hi", "a:busy", fallbacks=["a:m"], retries=0))
    await asyncio.sleep(0.5)
    assert list(ledger.requests_frame().status) == ["unfinished"]
    assert list(ledger.attempts_frame().status) == ["failed", "unfinished"]
    await task
    assert list(ledger.requests_frame().status) == ["answered"]
    assert list(ledger.attempts_frame().status) == ["failed", "answered"]
    ledger.close()


async def test_the_same_request_asked_again_keeps_both_rows(tmp_path):
    ledger = Ledger(tmp_path / "ledger.db")
    client = make_client({"m": [[Wait(0.5), Say("ok")]]}, clock=RealClock())
    client.ledger = ledger
    assert len(ledger.requests_frame()) == 0
    request = Request("Hi", models=("a:m",))
    for _ in range(2):
        await client.generate(request)
        ledger.flush()
    assert list(ledger.requests_frame().status) == ["answered", "answered"]
    assert len(ledger.attempts_frame()) == 2
    ledger.close()
