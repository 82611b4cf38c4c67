"""The strategies that every route passes through: a fixed choice, the user's own, fallbacks.

A route is built from the inside out, each layer adding one thing::

    Resolved(WithFallbacks(Named(Fixed(("balanced",))), fallbacks=("fast",)), catalogue)

`Fixed` and its like choose by name (role, alias or model), `Named` lets the user's own choice
come first, `WithFallbacks` appends what is asked after a failure, and `Resolved` turns names
into `provider:model` and leaves out what cannot answer here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile

from multimodel_magic.catalogue import Catalogue
from multimodel_magic.catalogue import Resolved as Found
from multimodel_magic.errors import Misconfigured, UnknownModel
from multimodel_magic.strategies.guest import sound
from multimodel_magic.types import LeftOut, Model, Reason, Request, Route, Strategy, changed

__all__ = ["Fixed", "Named", "Resolved", "WithFallbacks"]


@dataclass(frozen=True, slots=True)
class Fixed:
    """Always the same models, in the same order.

    Parameters
    ----------
    models
        Roles, aliases or models.
    why
        What the receipt says of the choice.
    """

    models: tuple[str, ...]
    why: str = "default"
    name: str = "fixed"

    def route(self, request: Request) -> Route:  # noqa: ARG002 - that is what fixed means
        """Return the fixed models."""
        return Route(self.models, self.name, (Reason(self.name, self.why),))


@dataclass(frozen=True, slots=True)
class Named:
    """The models that the user named come first; the strategy is asked only where none is."""

    strategy: Strategy

    @property
    def name(self) -> str:
        """The wrapped strategy's name."""
        return self.strategy.name

    def route(self, request: Request) -> Route:
        """Return the request's own models, else the strategy's route."""
        if not request.models:
            return self.strategy.route(request)
        return Route(request.models, "named", (Reason("named", "named by you"),))


@dataclass(frozen=True, slots=True)
class WithFallbacks:
    """Append the models that are asked when the ones before them fail.

    What the request itself says (`--fallback A,B`, `--no-fallback`) comes before the configured
    `fallbacks`. A model that the user named keeps to itself unless the request says otherwise:
    who asks for one model by name wants that one or an error.
    """

    strategy: Strategy
    fallbacks: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The wrapped strategy's name."""
        return self.strategy.name

    def route(self, request: Request) -> Route:
        """Return the strategy's route with the fallbacks behind it."""
        route = self.strategy.route(request)
        more = self._fallbacks(request)
        new = tuple(name for name in more if name not in route.models)
        return changed(route, models=(*route.models, *new)) if new else route

    def _fallbacks(self, request: Request) -> tuple[str, ...]:
        if request.fallbacks is not None:
            return request.fallbacks
        return () if request.models else self.fallbacks


@dataclass(frozen=True, slots=True)
class Resolved:
    """Turn a route's names into `provider:model` and leave out what cannot answer here.

    Raises
    ------
    Misconfigured
        From `route`, where no candidate is left; the message says why each was left out.
    UnknownModel
        From `route`, where a name means nothing.
    """

    strategy: Strategy
    catalogue: Catalogue

    @property
    def name(self) -> str:
        """The wrapped strategy's name."""
        return self.strategy.name

    def route(self, request: Request) -> Route:
        """Return the strategy's route in full names, with who was left out and why."""
        chosen = sound(self.strategy.route(request), self.name)
        found = {name: self.catalogue.resolve(name) for name in chosen.models}
        whys = {name: self._why_not(one.model, request) for name, one in found.items()}
        named = [(name, found[name].model.full_name) for name in chosen.models]
        models = _candidates((name, full) for name, full in named if not whys[name])
        unfit = (LeftOut(full, why) for name, full in named if (why := whys[name]))
        left_out = (*map(self._in_full, chosen.left_out), *unfit)
        told = [notice for one in found.values() for notice in one.notices]
        if not models:
            whole = _nobody_left(chosen.models, left_out, self.catalogue.unusable)
            # A key for a name that is misspelt would be the next disappointment.
            raise Misconfigured(". ".join([whole, *dict.fromkeys(told)]))
        absent = self._absent(found, whys) if request.models else {}
        return changed(
            chosen,
            models=models,
            left_out=left_out,
            passed_over=self._passed_over(found, {*models, *(out.model for out in left_out)}),
            notices=(
                *dict.fromkeys((*chosen.notices, *told)),
                *_told(absent),
                *_undealt(request, chosen),
            ),
            stands_in_for=tuple(absent),
            rungs=tuple(dict.fromkeys(full for name, full in named if name in chosen.rungs)),
        )

    def _why_not(self, model: Model, request: Request) -> str | None:
        return self.catalogue.unusable.get(model.provider) or self.catalogue.meets(
            model, request.needs, request.estimated_input_tokens()
        )

    def _in_full(self, out: LeftOut) -> LeftOut:
        """Say which model a role or alias that was left out means: its price can be looked up."""
        try:
            full = self.catalogue.resolve(out.model).model.full_name
        except UnknownModel:
            return out
        return LeftOut(full, out.why if out.model in full else f"{out.model}: {out.why}")

    def _absent(
        self, found: Mapping[str, Found], whys: Mapping[str, str | None]
    ) -> Mapping[str, str]:
        """Return those before the first candidate whose providers cannot be asked here, and why.

        Who names a model must not get another one unawares. A strategy's own candidates are
        passed over without noise: %llm why lists them.
        """
        before = takewhile(lambda name: whys[name], found)
        models = (found[name].model for name in before)
        unusable = self.catalogue.unusable
        return {one.full_name: unusable[one.provider] for one in models if one.provider in unusable}

    def _passed_over(
        self, found: Mapping[str, Found], spoken_of: Collection[str]
    ) -> tuple[LeftOut, ...]:
        """Return whom roles passed over and who stands nowhere else in the route."""
        models = (model for one in found.values() for model in one.passed_over)
        whys = {model.full_name: self.catalogue.unusable[model.provider] for model in models}
        return tuple(LeftOut(name, why) for name, why in whys.items() if name not in spoken_of)


def _candidates(named: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return full names in order.

    Two names of one model (roles that meet at `local`) are one candidate; the same name twice is
    the user's wish.
    """
    kept: dict[str, str] = {}
    return tuple(full for name, full in named if kept.setdefault(full, name) == name)


def _told(absent: Mapping[str, str]) -> Iterator[str]:
    return (f"{model} was not asked: {why}" for model, why in absent.items())


def _undealt(request: Request, route: Route) -> Iterator[str]:
    """Say that a request takes no part in the experiment that it names: its results lack it."""
    if request.experiment is None or (route.arm or "").startswith(f"{request.experiment}:"):
        return
    first = "the model that you named" if route.strategy == "named" else f"{route.strategy!r}"
    yield f"experiment {request.experiment}: this request takes no part, {first} came first"


def _nobody_left(
    names: tuple[str, ...], left_out: Iterable[LeftOut], unusable: Mapping[str, str]
) -> str:
    if not names:
        return "the strategy chose no model at all: name one with -m"
    whys = "; ".join(f"{out.model}: {out.why}" for out in left_out)
    are_here = any(out.model.partition(":")[0] not in unusable for out in left_out)
    hint = "shorten or change the request, or see" if are_here else "who can is listed by"
    hint = f"{hint} %llm models"
    return f"no model can answer this here. {whys}; {hint}"
