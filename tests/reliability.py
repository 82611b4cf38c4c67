"""A client with fakes for the reliability tests: two providers, a clock that sleeping moves on."""

import asyncio
import time
from decimal import Decimal

from multimodel_magic.catalogue import Catalogue
from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.providers.scripted import ScriptedProvider
from multimodel_magic.types import Price, Request


class Books:
    def __init__(self):
        self.responses = []

    def record(self, response):
        self.responses.append(response)


class Clock:
    """Seconds that pass only when somebody sleeps."""

    def __init__(self):
        self.now_s = 0.0
        self.waits = []

    def __call__(self):
        return self.now_s

    async def sleep(self, seconds):
        self.waits.append(seconds)
        self.now_s += seconds
        await asyncio.sleep(0)


class RealClock:
    """Seconds as they pass."""

    sleep = staticmethod(asyncio.sleep)

    def __call__(self):
        return time.monotonic()


class Keyed(ScriptedProvider):
    """A scripted provider with a key."""

    key = "k1"

    def key_mark(self):
        return self.key


def price(provider, model, usage, at):
    if model == "free":
        return Price(Decimal(0), "local")
    if usage.input_tokens is None or usage.output_tokens is None or model == "unpriced":
        return Price(None, "unknown")
    return Price(Decimal(usage.input_tokens + usage.output_tokens) / 1000, "override")


def make_client(a=None, b=None, *, kind=ScriptedProvider, clock=None, **more):
    clock = clock or Clock()
    providers = {"a": kind(a or {}, name="a")}
    if b is not None:
        providers["b"] = kind(b, name="b")
    settings = {"price": price, "sleep": clock.sleep, "clock": clock, "dice": lambda: 0.0}
    client = UnifiedLLMClient(
        providers,
        ledger=Books(),
        catalogue=Catalogue(providers=frozenset(providers)),
        **settings | more,
    )
    client.test_clock = clock
    return client


async def events_of(client, *models, prompt="Hi", **more):
    request = Request(prompt, models=models, **more)
    return [event async for event in client.stream(request)]


def asked(client, name="a"):
    return [model for model, _ in client.providers[name].requests]
