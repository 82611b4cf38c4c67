"""The strategies that a configuration is built of: rules, experiments, guarded fallbacks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import ClassVar

from multimodel_magic.config.conditions import Condition
from multimodel_magic.errors import BudgetExceeded, UsageError, did_you_mean
from multimodel_magic.pricing import money
from multimodel_magic.routing.matching import Look, Verdict, judge
from multimodel_magic.types import LeftOut, Reason, Request, Route, Strategy

__all__ = ["Asked", "BoundRule", "ByRules", "Dealt", "Estimate", "Guarded"]

Estimate = Callable[[str, Request], Decimal | None]
"""What asking a model (role, alias) would cost in US dollars; None where nobody knows."""


@dataclass(frozen=True, slots=True)
class BoundRule:
    """A strategy and the condition under which it is asked."""

    name: str
    condition: Condition | None
    strategy: Strategy


@dataclass(frozen=True, slots=True)
class ByRules:
    """The first rule whose condition holds decides; where none does, `otherwise`.

    Each rule that was tried leaves a reason: why it did not match, or what it matched.
    """

    rules: tuple[BoundRule, ...]
    otherwise: Strategy
    look: Look
    name: str = "rules"

    def route(self, request: Request) -> Route:
        """Return the route of the first rule that matches, else that of `otherwise`."""
        facts = self.look(request)
        tried: list[Reason] = []
        for rule in self.rules:
            verdict = judge(rule.condition, facts)
            if verdict.holds:
                return _matched(rule, verdict, tried, request)
            tried.append(Reason(rule.name, f"no: {verdict.saw}"))
        route = self.otherwise.route(request)
        return replace(route, reasons=(*tried, *route.reasons))


def _matched(rule: BoundRule, verdict: Verdict, tried: list[Reason], request: Request) -> Route:
    route = rule.strategy.route(request)
    seen = Reason("rules", f"{rule.name}: {verdict.saw}")
    if route.strategy == "fixed":
        # The rule named its models: its own clause is the last word, for the receipt.
        fixed = replace(route, strategy="rules", reasons=(*tried, seen))
    else:
        fixed = replace(route, reasons=(*tried, seen, *route.reasons))
    if request.strategy is None or request.strategy in {"rules", route.strategy}:
        return fixed
    notice = f"{rule.name} comes before --strategy {request.strategy}: {verdict.saw}"
    return replace(fixed, notices=(*fixed.notices, notice))


@dataclass(frozen=True, slots=True)
class Dealt:
    """The first experiment that the request takes part in deals it to an arm.

    Raises
    ------
    UsageError
        From `route`, where the request names an experiment that is not there.
    """

    experiments: tuple[BoundRule, ...]
    otherwise: Strategy
    look: Look
    name: str = "ab"

    def route(self, request: Request) -> Route:
        """Return the arm's model, else the route of `otherwise`."""
        if request.experiment is not None:
            return self._named(request.experiment).route(request)
        facts = self.look(request)
        tried: list[Reason] = []
        for experiment in self.experiments:
            verdict = judge(experiment.condition, facts)
            if verdict.holds:
                route = experiment.strategy.route(request)
                return replace(route, reasons=(*tried, *route.reasons))
            tried.append(Reason(f"experiment {experiment.name}", f"no: {verdict.saw}"))
        route = self.otherwise.route(request)
        return replace(route, reasons=(*tried, *route.reasons))

    def _named(self, name: str) -> Strategy:
        known = {experiment.name: experiment.strategy for experiment in self.experiments}
        if name not in known:
            near = did_you_mean(name, known) or "; there are: " + (", ".join(known) or "none")
            raise UsageError(f"no experiment is called {name!r}{near}")
        return known[name]


@dataclass(frozen=True, slots=True)
class Asked:
    """The strategy that the request names; where it names none, what is configured.

    Parameters
    ----------
    shelf
        Finds a strategy by name; `UsageError` names the nearest.
    otherwise
        What runs where the request names no strategy, or the whole (`WHOLE`).
    """

    WHOLE: ClassVar[frozenset[str]] = frozenset({"rules", "smart"})
    """Names of the whole: rules, then experiments, then the configured strategy."""

    shelf: Callable[[str], Strategy]
    otherwise: Strategy

    @property
    def name(self) -> str:
        """The name of what is configured."""
        return self.otherwise.name

    def route(self, request: Request) -> Route:
        """Return the named strategy's route, else the configured one's."""
        if request.strategy is None or request.strategy in self.WHOLE:
            return self.otherwise.route(request)
        return self.shelf(request.strategy).route(request)


@dataclass(frozen=True, slots=True)
class Guarded:
    """Append fallbacks, but none that would cost more than is allowed.

    Parameters
    ----------
    strategy
        Who chooses first.
    fallbacks
        Asked after a failure, where the request does not say who is (`--fallback`).
    estimate
        Prices a candidate for this request; asked only where a ceiling applies.
    max_cost_usd
        Ceiling of every candidate; None is no ceiling.
    dearer
        Whether the failure of a free user's request may climb to a model that is dearer than
        the dearest chosen one. What the request itself names as a fallback is let through.
    """

    strategy: Strategy
    fallbacks: tuple[str, ...]
    estimate: Estimate
    max_cost_usd: Decimal | None = None
    dearer: bool = False

    @property
    def name(self) -> str:
        """The wrapped strategy's name."""
        return self.strategy.name

    def route(self, request: Request) -> Route:
        """Return the strategy's route with the fallbacks that are allowed behind it."""
        route = self.strategy.route(request)
        chosen, dear = self._below_ceiling(route.models, request)
        if route.models and not chosen:
            raise BudgetExceeded(f"every model is above routing.max_cost_usd. {_whys(dear)}")
        more, out = self._allowed(route, request)
        new = tuple(dict.fromkeys(name for name in more if name not in chosen))
        return replace(route, models=(*chosen, *new), left_out=(*route.left_out, *dear, *out))

    def _below_ceiling(
        self, names: tuple[str, ...], request: Request
    ) -> tuple[tuple[str, ...], list[LeftOut]]:
        if self.max_cost_usd is None:
            return names, []
        out: dict[str, str] = {}
        for name in names:
            cost_usd = self.estimate(name, request)
            if cost_usd is None:
                out[name] = f"its price is unknown, so it may cost more than {self._ceiling}"
            elif cost_usd > self.max_cost_usd:
                out[name] = f"{money(cost_usd, about=True, digits=4)}, above {self._ceiling}"
        kept = tuple(name for name in names if name not in out)
        return kept, [LeftOut(name, why) for name, why in out.items()]

    @property
    def _ceiling(self) -> str:
        return f"max_cost_usd ${self.max_cost_usd:f}"

    def _allowed(self, route: Route, request: Request) -> tuple[tuple[str, ...], list[LeftOut]]:
        if request.fallbacks is not None:
            return request.fallbacks, []
        kept, out = self._below_ceiling(self.fallbacks, request)
        # `cost` takes who says nothing for a free user.
        tier = request.user_tier or ("free" if route.strategy == "cost" else None)
        if self.dearer or tier != "free" or not kept:
            return kept, out
        dear = self._dearer(route.models, kept, request)
        return (
            tuple(name for name in kept if name not in dear),
            [*out, *(LeftOut(name, why) for name, why in dear.items())],
        )

    def _dearer(
        self, chosen: tuple[str, ...], names: tuple[str, ...], request: Request
    ) -> Mapping[str, str]:
        """Say why names are too dear; nothing is where the chosen ones have no known price."""
        most = max(
            (cost for c in chosen if (cost := self.estimate(c, request)) is not None), default=None
        )
        if most is None:
            return {}
        out: dict[str, str] = {}
        for name in names:
            cost_usd = self.estimate(name, request)
            if name not in chosen and (cost_usd is None or cost_usd > most):
                shown = (
                    "of unknown price"
                    if cost_usd is None
                    else f"{money(cost_usd, digits=3)} > {money(most, digits=3)}"
                )
                out[name] = f"dearer ({shown}) for a free user; see allow_dearer_fallbacks"
        return out


def _whys(out: list[LeftOut]) -> str:
    return "; ".join(f"{one.model}: {one.why}" for one in out)
