"""A dry run and `%llm why`: who would be asked, who would not, why, and at what cost."""

from decimal import Decimal

import pytest

from multimodel_magic.catalogue import Catalogue
from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.notebook.plan import plan
from multimodel_magic.notebook.reports import reasons, why
from multimodel_magic.providers.scripted import Say, ScriptedProvider, Sure
from multimodel_magic.strategies import ByComplexity, ByCostTier, Cascade
from multimodel_magic.strategies.cascade import Confident
from multimodel_magic.types import Price, Reason, Request, Route


class Keyless(ScriptedProvider):
    """A provider whose key is not set."""

    def unusable(self):
        return "FAR_KEY is not set"


def price(provider, model, usage, at):
    return Price(Decimal("0.5") if provider == "far" else Decimal(0), "override")


@pytest.fixture
def client():
    roles = {"fast": ("far:big", "scripted:echo"), "strong": ("far:big", "far:huge")}
    providers = {"scripted": ScriptedProvider(), "far": Keyless(name="far")}
    catalogue = Catalogue().with_roles(roles).with_providers(["far"])
    return UnifiedLLMClient(providers, catalogue=catalogue, price=price)


async def test_a_dry_run_names_whom_the_role_passes_over_why_and_what_it_would_have_cost(client):
    route = await client.route(Request("Hi", models=("fast",)))
    assert [(out.model, out.why) for out in route.passed_over] == [
        ("far:big", "FAR_KEY is not set")
    ]
    assert route.left_out == ()
    said = str(await plan(client, Request("Hi", models=("fast",))))
    assert [line.split() for line in said.splitlines() if line.startswith("far:big")] == [
        ["far:big", "FAR_KEY", "is", "not", "set", "about", "$0.50"]
    ]


async def test_why_names_them_too(client):
    response = await client.generate("Hi", "fast")
    said = str(why(response, price))
    assert "far:big        left out: FAR_KEY is not set  about $0.50" in said


async def test_why_has_a_column_of_scores_only_where_something_scored(client):
    named = why(await client.generate("Hi", "scripted:echo"), price)
    assert named.tables[1].columns == ("rule or signal", "saw")
    client.strategy = ByComplexity()
    scored = why(await client.generate("Prove it"), price)
    assert scored.tables[1].columns == ("rule or signal", "saw", "score")


def test_scores_have_even_digits_and_costs_are_written_as_money():
    scored = Route(("a:b",), "mine", (Reason("first", "x", 0.1), Reason("second", "y", 0.83214)))
    assert [row[-1] for row in reasons(scored).rows] == ["0.100", "0.832"]
    cheapest = ByCostTier(Catalogue()).route(Request("Hi"))
    assert cheapest.reasons[0].score > 0
    rows = reasons(cheapest).rows
    assert rows[0][1].startswith("about $0.0")
    assert {row[-1] for row in rows} == {""}


@pytest.mark.parametrize(
    ("least", "ended"),
    [
        (-0.5, ["stop; turned down: mean log-probability -1.50", "stop"]),
        (-2.0, ["stop; mean log-probability -1.50"]),
    ],
)
async def test_why_says_once_how_sure_a_model_was(least, ended):
    models = ScriptedProvider({"unsure": [[Say("Rome"), Sure(-1.5)]], "sure": [[Say("Paris")]]})
    rungs = ("scripted:unsure", "scripted:sure")
    client = UnifiedLLMClient({"scripted": models}, strategy=Cascade(rungs, Confident(least)))
    attempts = why(await client.generate("Hi"), price).tables[-1]
    assert [row[-1] for row in attempts.rows] == ended


async def test_who_is_left_out_or_asked_is_not_passed_over_besides(client):
    request = Request("Hi", models=("fast", "far:big"))
    route = await client.route(request)
    assert [out.model for out in route.left_out] == ["far:big"]
    assert route.passed_over == ()


async def test_a_dry_run_shows_the_notices_of_the_choice(client):
    said = str(await plan(client, Request("Hi", models=("scripted:echo", "gpt-3.5-turbo"))))
    assert "gpt-3.5-turbo was retired on 2026-10-23: gpt-6-luna stands in for it" in said
