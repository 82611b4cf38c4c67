"""What strangers' strategies, providers and judges do beside the contract is one line."""

from dataclasses import dataclass, field

import pytest

from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.errors import Misconfigured, UsageError
from multimodel_magic.ledger import Ledger
from multimodel_magic.providers.scripted import Say, ScriptedProvider
from multimodel_magic.strategies import Cascade, Fixed
from multimodel_magic.strategies.guest import Guest, sound
from multimodel_magic.types import Reason, Request, Route, Strategy
from tests.reliability import asked, make_client

ROUTE = Route(("scripted:echo",), "odd", (Reason("odd", "why"),))


@dataclass(frozen=True)
class Odd:
    """Gives whatever it is told to give, or raises it."""

    answer: object
    name: str = "odd"

    def route(self, request: Request) -> object:
        del request
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@dataclass(frozen=True)
class Awaited:
    name: str = "odd"

    async def route(self, request: Request) -> Route:
        del request
        return ROUTE


@dataclass
class Broken(ScriptedProvider):
    """A provider that cannot even say whether it can be asked."""

    name: str = "broken"
    fault: Exception = field(default_factory=lambda: OSError("no licence\nsecond line"))

    def unusable(self) -> str | None:
        raise self.fault


RUBBISH = [
    (None, "gives NoneType, no Route"),
    ("scripted:echo", "gives str, no Route"),
    (Route("fast", "odd", ROUTE.reasons), "models are no tuple"),
    (Route((1,), "odd", ROUTE.reasons), r"a model that is no text \(1\)"),
    (Route(("fast",), "odd", ("because",)), r"no Reason\(rule, saw\) \('because'\)"),
    (Route(("fast",), "odd", ROUTE.reasons, arm="x"), "'EXPERIMENT:ARM' with a probability"),
]


@pytest.mark.parametrize(("answer", "said"), RUBBISH)
def test_what_is_no_route_is_told_in_one_line(answer, said):
    with pytest.raises(Misconfigured, match=f"the strategy 'theirs' .*{said}") as caught:
        Guest(Odd(answer), "theirs").route(Request("Hi"))
    assert "\n" not in str(caught.value)
    assert "check_strategy" in str(caught.value)


def test_a_strategy_that_must_be_awaited_is_told_and_leaves_no_warning():
    with pytest.raises(Misconfigured, match="gives coroutine, no Route"):
        Guest(Awaited(), "theirs").route(Request("Hi"))


def test_what_a_strangers_strategy_raises_is_one_line_that_says_where():
    guest = Guest(Odd(ZeroDivisionError("my bug\nsecond line")), "theirs")
    with pytest.raises(Misconfigured, match=r"ZeroDivisionError: my bug \(.*\.py:\d+\)") as caught:
        guest.route(Request("Hi"))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_our_own_errors_pass_as_they_are():
    with pytest.raises(UsageError, match="no such tier"):
        Guest(Odd(UsageError("no such tier")), "theirs").route(Request("Hi"))


def test_a_sound_strategy_is_handed_on_unchanged():
    guest = Guest(Odd(ROUTE), "theirs")
    assert guest.name == "odd"
    assert guest.route(Request("Hi")) is ROUTE
    assert isinstance(guest, Strategy)


@pytest.mark.parametrize("name", ["fast", "scripted:echo"])
def test_our_strategies_give_sound_routes(name):
    assert sound(Fixed((name,)).route(Request("Hi")), "fixed").models == (name,)


async def test_a_route_that_is_none_stops_no_ledger():
    ledger = Ledger(":memory:")
    rubbish = Odd(Route(("scripted:echo",), "odd", ("because",)))
    client = UnifiedLLMClient({"scripted": ScriptedProvider()}, strategy=rubbish, ledger=ledger)
    with pytest.raises(Misconfigured, match="no Reason"):
        await client.generate("Hi")
    await client.generate("Hi", "scripted:echo")
    assert ledger.requests_frame().status.tolist() == ["failed", "answered"]
    ledger.close()


async def test_a_provider_that_cannot_be_asked_whether_it_is_usable_stops_no_other():
    providers = {"scripted": ScriptedProvider(), "broken": Broken()}
    client = UnifiedLLMClient(providers, fallbacks=("broken:echo",))
    response = await client.generate("Hi", "scripted:echo")
    assert response.provider == "scripted"
    unusable = await client.survey()
    assert unusable["broken"].endswith("whether it is usable: OSError: no licence")


@pytest.mark.parametrize("judge", [lambda *_: 1 / 0, lambda *_: True])
async def test_an_answer_stands_where_the_judge_is_broken(judge, caplog):
    strategy = Cascade(("a:m", "a:n"), judge)
    client = make_client({"m": [[Say("Paid.")]], "n": [[Say("Dear.")]]}, strategy=strategy)
    assert (await client.generate("Hi")).text == "Paid."
    assert asked(client) == ["m"]
    assert "the answer was not judged" in caplog.text
