import pytest

from multimodel_magic import ComplexityRouter, CostTierRouter, TaskSpecializedRouter
from multimodel_magic.catalogue import Catalogue
from multimodel_magic.errors import Misconfigured, UsageError
from multimodel_magic.strategies import Experiment, Fixed, Named, Resolved
from multimodel_magic.types import Request, Strategy

NO_KEY = Catalogue(unusable={"openai": "no key"})


def refused(request: Request) -> str:
    with pytest.raises(Misconfigured) as caught:
        Resolved(Named(Fixed(("fast",))), NO_KEY).route(request)
    return str(caught.value)


def test_where_only_keys_are_missing_nobody_is_told_to_change_the_request() -> None:
    told = refused(Request("Hi", models=("openai:gpt-6-luna",)))
    assert told.endswith("openai:gpt-6-luna: no key; who can is listed by %llm models")


def test_where_a_model_here_lacks_what_is_needed_the_request_may_be_changed() -> None:
    told = refused(Request("Hi", models=("local:smollm2",), needs=frozenset({"vision"})))
    assert told.endswith("no vision; shorten or change the request, or see %llm models")


def test_a_name_that_may_be_misspelt_is_spoken_of_where_its_key_is_missing_too() -> None:
    told = refused(Request("Hi", models=("gpt-6-lunar",)))
    assert "gpt-6-lunar: no key" in told
    assert "is not in the catalogue: asking openai; did you mean 'gpt-6-luna'?" in told


def test_a_request_that_names_an_experiment_and_takes_no_part_is_told_who_came_first() -> None:
    test = Experiment.split("e1", control="scripted:echo", treatment="scripted:down", share=0.5)

    def notices(strategy: Strategy, *models: str) -> tuple[str, ...]:
        request = Request("Hi", models=models, experiment="e1")
        return Resolved(Named(strategy), Catalogue()).route(request).notices

    assert notices(test) == ()
    said = "experiment e1: this request takes no part, the model that you named came first"
    assert notices(test, "scripted:echo") == (said,)
    assert "'fixed' came first" in notices(Fixed(("scripted:echo",)))[0]


@pytest.mark.parametrize(
    ("router", "given", "said"),
    [
        (TaskSpecializedRouter(), None, "task: None is no task; give its name, or a Request"),
        (CostTierRouter(), "pro", "cost: 'pro' is no request; give {'user_tier': ..."),
        (ComplexityRouter(), 5, "complexity: 5 is no prompt; give a text, or a Request"),
    ],
)
def test_what_a_router_cannot_route_is_one_line(router: object, given: object, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        router.route(given)
    assert str(caught.value).startswith(said)
