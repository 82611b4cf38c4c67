from dataclasses import dataclass

import pytest

from multimodel_magic.errors import UsageError
from multimodel_magic.strategies import Experiment, First, Fixed, SmartRouter
from multimodel_magic.types import Reason, Request, Route

TEST = Experiment.split("trial", control="fast", treatment="strong", share=0.5)


@dataclass(frozen=True)
class CodeRule:
    """A rule that knows one task."""

    name: str = "rules"

    def maybe(self, request: Request) -> Route | None:
        if request.task != "code":
            return None
        return Route(("strong",), self.name, (Reason("rule 1", "task_type: code"),))


ROUTER = SmartRouter((CodeRule(),), (TEST,), Fixed(("balanced",)))


def test_rule_comes_before_experiment_and_default() -> None:
    route = ROUTER.route(Request("Hi", task="code"))
    assert (route.models, route.strategy, route.arm) == (("strong",), "rules", None)


def test_experiment_comes_before_the_default_and_says_which_rules_did_not_apply() -> None:
    route = ROUTER.route(Request("Hi"))
    assert route.arm is not None
    assert route.reasons[0] == Reason("rules", "did not apply")
    assert route.why.startswith("trial: ")


def test_default_decides_where_nothing_else_does() -> None:
    router = SmartRouter((CodeRule(),), (), Fixed(("balanced",)))
    assert router.route(Request("Hi")).models == ("balanced",)
    assert router.route(Request("Hi")).why == "default"


def test_with_nothing_said_complexity_decides() -> None:
    assert SmartRouter().route(Request("thanks!")).strategy == "complexity"


def test_experiment_asked_for_by_name_is_the_one_and_a_typo_names_it() -> None:
    other = Experiment.split("other", control="fast", treatment="strong", share=0.5)
    router = SmartRouter(experiments=(TEST, other))
    arm = router.route(Request("Hi", experiment="other")).arm
    assert arm is not None
    assert arm.startswith("other:")
    with pytest.raises(UsageError, match="no experiment is called 'trail'; did you mean 'trial'"):
        router.route(Request("Hi", experiment="trail"))


def test_first_with_no_choosers_is_its_last_resort() -> None:
    route = First((), Fixed(("fast",))).route(Request("Hi"))
    assert route == Fixed(("fast",)).route(Request("Hi"))


async def test_seeds_call_shape_awaits_a_name() -> None:
    assert await ROUTER.route("Hi", {"task": "code"}) == "strong"
    with pytest.raises(UsageError, match="unknown option 'user_teir'; did you mean 'user_tier'"):
        await ROUTER.route("Hi", {"user_teir": "pro"})
