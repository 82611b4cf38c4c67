"""What runs when nothing is said: rules first, then experiments, then the default strategy."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol, overload

from multimodel_magic.errors import UsageError, did_you_mean
from multimodel_magic.strategies.complexity import ByComplexity
from multimodel_magic.strategies.experiment import Experiment
from multimodel_magic.types import Reason, Request, Route, Strategy

__all__ = ["Chooser", "First", "Maybe", "SmartRouter"]

Maybe = Callable[[Request], Route | None]
"""Chooses, or abstains with None."""


_OPTIONS = ("experiment", "task", "task_value", "unit", "user_tier")
"""What routing may be told besides the prompt, in the seed's call shape."""


class Chooser(Protocol):
    """A strategy that may abstain: rules, of which none need match."""

    @property
    def name(self) -> str:
        """What the route calls it."""
        ...

    def maybe(self, request: Request) -> Route | None:
        """Choose models, or None to let the next one choose. Pure, as every strategy."""
        ...


@dataclass(frozen=True, slots=True)
class First:
    """Ask choosers in turn; the first that does not abstain decides, else the last resort.

    The route's reasons begin with who abstained.
    """

    choosers: tuple[Chooser, ...]
    otherwise: Strategy
    name: str = "first"

    def route(self, request: Request) -> Route:
        """Return the route of the first chooser that has one."""
        passed: list[Reason] = []
        for chooser in self.choosers:
            route = chooser.maybe(request)
            if route is not None:
                break
            passed.append(Reason(chooser.name, "did not apply"))
        else:
            route = self.otherwise.route(request)
        return replace(route, reasons=(*passed, *route.reasons)) if passed else route


@dataclass(frozen=True, slots=True)
class SmartRouter:
    """The seed's name for what runs when nothing is said: rules, experiments, default strategy.

    Parameters
    ----------
    rules
        Choosers that come first, in order.
    experiments
        Every request takes part in the first one, or in the one that it names.
    default
        Decides where nothing else did; by default, complexity.

    Raises
    ------
    UsageError
        From `route`, where the request names an experiment that is not here.

    Examples
    --------
    >>> SmartRouter(default=ByComplexity(classifier="seed")).route(Request("Hello")).models
    ('fast',)
    """

    rules: tuple[Chooser, ...] = ()
    experiments: tuple[Experiment, ...] = ()
    default: Strategy = field(default_factory=ByComplexity)
    name: str = "smart"

    @overload
    def route(self, request: Request) -> Route: ...
    @overload
    def route(self, request: str, options: Mapping[str, str] | None = None) -> Awaitable[str]: ...
    def route(
        self, request: Request | str, options: Mapping[str, str] | None = None
    ) -> Route | Awaitable[str]:
        """Return what the first of rules, experiments and the default strategy chooses.

        In the seed's shape, `await router.route(prompt, {"user_tier": ...})`, the model's name.
        """
        if isinstance(request, Request):
            return self._choose(request)
        return self._model_for(request, options or {})

    async def _model_for(self, prompt: str, options: Mapping[str, str]) -> str:
        for option in options:
            if option not in _OPTIONS:
                raise UsageError(
                    f"route: unknown option {option!r}{did_you_mean(option, _OPTIONS)}"
                )
        return self._choose(replace(Request(prompt), **options)).models[0]  # type: ignore[arg-type]

    def _choose(self, request: Request) -> Route:
        known = [experiment.name for experiment in self.experiments]
        asked = request.experiment
        if asked is not None and asked not in known:
            near = did_you_mean(asked, known) or "; there is none" * (not known)
            raise UsageError(f"no experiment is called {asked!r}{near}")
        return First((*self.rules, *self.experiments), self.default).route(request)
