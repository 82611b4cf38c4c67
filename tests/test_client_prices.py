"""The price list is loaded beside the event loop, whoever needs it first."""

import asyncio
import subprocess
import sys
import threading
from datetime import UTC, datetime

import pytest

from multimodel_magic import bridge, pricing
from multimodel_magic.client.prices import PriceList
from multimodel_magic.types import Route

FIRST_USE = """
import asyncio, threading
from multimodel_magic import pricing
from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.config import parse_config
from multimodel_magic.notebook.plan import plan
from multimodel_magic.providers.scripted import ScriptedProvider
from multimodel_magic.routing import build_strategy
from multimodel_magic.strategies import Fixed
from multimodel_magic.types import Request

import genai_prices  # the package itself is small: its list is what takes long

importers = []

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name.startswith("genai_prices."):
            importers.append(threading.current_thread() is threading.main_thread())
        return None

import sys
for name in [n for n in sys.modules if n.startswith("genai_prices")]:
    del sys.modules[name]
sys.meta_path.insert(0, Watch())
client = UnifiedLLMClient({"anthropic": ScriptedProvider(name="anthropic")})
request = Request("Hello", models=MODELS)
client.strategy = STRATEGY
asyncio.run(ASKED)
assert pricing.is_warm()
print(sorted(set(importers)))
"""
CEILING = "build_strategy(parse_config('routing: {default_model: strong, max_cost_usd: 5}'))"
COST = "build_strategy(parse_config('routing: {strategy: cost}'))"


@pytest.mark.parametrize(
    ("models", "strategy", "asked"),
    [
        ("()", CEILING, "client.route(request)"),
        ("()", COST, "client.route(request)"),
        ("('anthropic:echo',)", "Fixed(('fast',))", "client.generate(request)"),
        ("('anthropic:echo',)", "Fixed(('fast',))", "plan(client, request)"),
    ],
    ids=["ceiling", "cost", "a fast first answer", "dry run"],
)
def test_nobody_imports_the_price_list_on_the_loop(models, strategy, asked):
    script = FIRST_USE.replace("MODELS", models).replace("STRATEGY", strategy)
    script = script.replace("ASKED", asked)
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "[False]"


FALLS_BACK = """
import asyncio
from multimodel_magic import pricing
from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.errors import Overloaded
from multimodel_magic.providers.scripted import Fail, Say, ScriptedProvider
from multimodel_magic.types import Request

class Watched:
    func = staticmethod(pricing.price)  # ours, with something around it
    said = []

    def __call__(self, *asked):
        self.said.append((asked[0], pricing.is_warm()))
        return pricing.price(*asked)

plays = {"m": [[Say("ok")]], "busy": [[Fail(Overloaded("busy"))]]}
providers = {name: ScriptedProvider(plays, name=name) for name in ("anthropic", "local")}
client = UnifiedLLMClient(providers, price=Watched())
asyncio.run(client.generate(Request("Hello", models=MODELS, retries=0)))
print(Watched.said)
"""


@pytest.mark.parametrize(
    ("models", "priced"),
    [
        ("('anthropic:busy', 'local:m')", [("anthropic", True), ("local", True)]),
        ("('local:m', 'anthropic:m')", [("local", False)]),
    ],
    ids=["a failure at once waits for it beside the loop", "a spare that is not asked needs none"],
)
def test_the_price_list_is_there_for_who_is_asked_and_not_for_who_stands_by(models, priced):
    run = subprocess.run(
        [sys.executable, "-c", FALLS_BACK.replace("MODELS", models)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == str(priced)


async def test_work_that_is_done_once_is_done_once_for_all_who_wait():
    begun = []
    once = bridge.Once(lambda: begun.append(1))
    await asyncio.gather(*(once.done() for _ in range(20)))
    await once.done()
    once.begin()
    assert begun == [1]


def test_who_waits_on_another_loop_is_told_too():
    may_end = threading.Event()
    once = bridge.Once(may_end.wait)

    async def waited_for():
        here = asyncio.create_task(once.done())
        there = asyncio.create_task(bridge.arun(once.done()))
        await asyncio.sleep(0)
        may_end.set()
        await asyncio.gather(here, there)

    asyncio.run(waited_for())


async def test_a_choice_that_needs_no_price_is_made_once_and_at_once():
    asked = []

    def choose():
        asked.append(1)
        return Route(("a:m",), "x")

    assert (await PriceList().choosing(choose)).models == ("a:m",)
    assert asked == [1]


def test_a_list_that_is_not_there_is_no_unknown_price():
    # No `except Exception` of a strategy may swallow it and route by unknown prices.
    assert not issubclass(pricing.NotLoaded, Exception)
    pricing.warm()
    with pricing.not_loading():
        priced = pricing.estimate(
            "anthropic", "claude-opus-5-5", datetime.now(UTC), input_tokens=1, output_tokens=1
        )
    assert priced.cost_usd is not None
