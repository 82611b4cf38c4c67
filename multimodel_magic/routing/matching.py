"""Whether a condition holds, and in which words: what a rule saw, and why it did not match."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import get_args

from multimodel_magic.config.conditions import (
    Band,
    ComplexityBand,
    Condition,
    TaskValue,
    Tier,
    UserTier,
)
from multimodel_magic.errors import UsageError, did_you_mean
from multimodel_magic.strategies.complexity import ByComplexity
from multimodel_magic.strategies.inference import infer_task
from multimodel_magic.strategies.task import ByTask
from multimodel_magic.types import Request

__all__ = ["Facts", "Look", "Scored", "Verdict", "judge"]


@dataclass(frozen=True, slots=True)
class Scored:
    """Complexity of a prompt: its tier, its score (None: no signal), and the comparison."""

    tier: Tier
    score: float | None
    why: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What conditions look at; `complexity` is asked only where a condition speaks of it."""

    complexity: Callable[[], Scored]
    task: str | None = None
    user_tier: str | None = None
    task_value: str | None = None
    needs: frozenset[str] = frozenset()
    input_tokens: int = 0
    families: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tasks: frozenset[str] = frozenset()
    """Every known task and family; empty where any will do."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a condition holds, and what it saw."""

    holds: bool
    saw: str


@dataclass(frozen=True, slots=True)
class Look:
    """Collects from a request what conditions may look at.

    Parameters
    ----------
    classifier, cuts
        As `ByComplexity`, so that rules and strategy share one scale.
    families
        Family -> its tasks.
    tasks
        Every known task and family.
    infer
        Guess the task from the prompt where the request names none.
    """

    classifier: str = "default"
    cuts: tuple[float, float] = (0.3, 0.7)
    families: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tasks: frozenset[str] = frozenset()
    infer: bool = False

    def __call__(self, request: Request) -> Facts:
        """Collect the facts; complexity is scored when it is first asked for, and once."""
        scored: list[Scored] = []

        def complexity() -> Scored:
            if not scored:
                scored.append(self.scored(request))
            return scored[0]

        return Facts(
            complexity,
            request.task or (self._guess(request.prompt) if self.infer else None),
            request.user_tier,
            request.task_value,
            request.needs,
            request.estimated_input_tokens(),
            self.families,
            self.tasks,
        )

    def scored(self, request: Request) -> Scored:
        """Score a prompt on the scale of `ByComplexity`."""
        names = {name: str(tier) for tier, name in _TIERS.items()}
        route = ByComplexity(names, self.cuts, self.classifier).route(request)
        return Scored(_NAMED[route.models[0]], route.reasons[-1].score, route.why)

    @staticmethod
    def _guess(prompt: str) -> str | None:
        guess = infer_task(prompt)
        return guess.task if guess.confidence >= ByTask().least else None


_NAMED: Mapping[str, Tier] = {"low": "low", "medium": "medium", "high": "high"}
_TIERS: Mapping[Tier, str] = {"low": "simple", "medium": "medium", "high": "complex"}


def judge(condition: Condition | None, facts: Facts) -> Verdict:
    """Decide whether a condition holds; the first part that does not is what it saw."""
    if condition is None:
        return Verdict(True, "no condition")
    verdicts: list[Verdict] = []
    for verdict in _parts(condition, facts):
        if not verdict.holds:
            return verdict
        verdicts.append(verdict)
    return Verdict(True, ", ".join(verdict.saw for verdict in verdicts))


def _parts(condition: Condition, facts: Facts) -> Iterator[Verdict]:
    """Judge part by part, the cheap ones first: complexity takes a look at the whole prompt."""
    if condition.task_type is not None:
        yield _task(condition.task_type, facts)
    if condition.user_tier is not None:
        yield _among("user_tier", facts.user_tier, condition.user_tier, get_args(UserTier))
    if condition.task_value is not None:
        yield _among("task_value", facts.task_value, condition.task_value, get_args(TaskValue))
    yield from _needs(condition, facts)
    if condition.input_tokens is not None:
        yield _within("input tokens (estimate)", facts.input_tokens, condition.input_tokens)
    if condition.complexity is not None:
        yield _complexity(condition.complexity, facts.complexity())
    yield from _groups(condition, facts)


def _task(wanted: tuple[str, ...], facts: Facts) -> Verdict:
    if facts.task is None:
        return Verdict(False, "task_type is not said")
    for name in wanted:
        if facts.task == name:
            return Verdict(True, f"task_type is {name}")
        if facts.task in facts.families.get(name, ()):
            return Verdict(True, f"task_type {facts.task} is {name}")
    if facts.tasks and facts.task not in facts.tasks:
        near = did_you_mean(facts.task, sorted(facts.tasks), most=1)
        raise UsageError(f"unknown task {facts.task!r}{near or '; declare it in routing.task'}")
    return Verdict(False, f"task_type is {facts.task}, not {_or(wanted)}")


def _among(
    what: str, value: str | None, wanted: tuple[str, ...], known: tuple[str, ...]
) -> Verdict:
    if value in wanted:
        return Verdict(True, f"{what} is {value}")
    if value is not None and value not in known:
        near = did_you_mean(value, known, most=1) or f": known are {', '.join(known)}"
        raise UsageError(f"unknown {what} {value!r}{near}")
    said = "not said" if value is None else f"{value}, not {_or(wanted)}"
    return Verdict(False, f"{what} is {said}")


def _or(names: tuple[str, ...]) -> str:
    return " or ".join(names)


def _needs(condition: Condition, facts: Facts) -> Iterator[Verdict]:
    asked = {
        "vision": condition.requires_vision,
        "tools": condition.requires_tools,
        "json": condition.requires_json,
    }
    for need, wanted in asked.items():
        if wanted is not None:
            given = need in facts.needs
            yield Verdict(given is wanted, f"{'needs' if given else 'does not need'} {need}")


def _within(what: str, number: float, band: Band) -> Verdict:
    holds = band.holds(number)
    return Verdict(holds, f"{what} {number:g} {'' if holds else 'not '}{band.words}")


def _complexity(wanted: ComplexityBand, scored: Scored) -> Verdict:
    if wanted.tiers:
        holds = scored.tier in wanted.tiers
        said = f"is {scored.tier}" if holds else f"is {scored.tier}, not {wanted.words}"
        return Verdict(holds, f"complexity {said} ({scored.why.removeprefix('complexity ')})")
    if scored.score is None:
        return Verdict(False, scored.why)
    holds = wanted.holds(scored.score)
    return Verdict(holds, f"complexity {scored.score:.2f} {'' if holds else 'not '}{wanted.words}")


def _groups(condition: Condition, facts: Facts) -> Iterator[Verdict]:
    for inner in condition.all_of or ():
        yield judge(inner, facts)
    if condition.any_of is not None:
        verdicts = [judge(inner, facts) for inner in condition.any_of]
        first = next((verdict for verdict in verdicts if verdict.holds), None)
        yield first or Verdict(False, "none of: " + "; ".join(v.saw for v in verdicts))
    for inner in condition.none_of or ():
        verdict = judge(inner, facts)
        yield Verdict(not verdict.holds, f"{'excluded: ' * verdict.holds}{verdict.saw}")
