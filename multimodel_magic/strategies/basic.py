"""The strategies that every route passes through: a fixed choice, the user's own, fallbacks.

A route is built from the inside out, each layer adding one thing::

    Resolved(WithFallbacks(Named(Fixed(("balanced",))), fallbacks=("fast",)), catalogue)

`Fixed` and its like choose by name (role, alias or model), `Named` lets the user's own choice
come first, `WithFallbacks` appends what is asked after a failure, and `Resolved` turns names
into `provider:model` and leaves out what cannot answer here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from multimodel_magic.catalogue import Catalogue
from multimodel_magic.errors import Misconfigured, UnknownModel
from multimodel_magic.types import LeftOut, Model, Reason, Request, Route, Strategy

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
        return replace(route, models=(*route.models, *new)) if new else route

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
        chosen = self.strategy.route(request)
        kept: dict[str, str] = {}
        absent: dict[str, str] = {}
        left_out = [self._in_full(out) for out in chosen.left_out]
        notices = list(chosen.notices)
        models: list[str] = []
        rungs: dict[str, None] = {}
        passed_over: dict[str, str] = {}
        for name in chosen.models:
            found = self.catalogue.resolve(name)
            notices += found.notices
            passed_over |= self._whys(found.passed_over)
            why = self.catalogue.unusable.get(found.model.provider) or self.catalogue.meets(
                found.model, request.needs, request.estimated_input_tokens()
            )
            full = found.model.full_name
            if name in chosen.rungs:
                rungs[full] = None
            if why:
                left_out.append(LeftOut(full, why))
                # Who names a model must not get another one unawares. A strategy's own candidates
                # are passed over without noise: %llm why lists them.
                if request.models and found.model.provider in self.catalogue.unusable:
                    absent.update({} if models else {full: why})
            elif kept.setdefault(full, name) == name:
                # Two names of one model (roles that meet at `local`) are one candidate; the
                # same name twice is the user's wish.
                models.append(full)
        if not models:
            raise Misconfigured(_nobody_left(chosen.models, left_out, self.catalogue.unusable))
        return replace(
            chosen,
            models=tuple(models),
            left_out=tuple(left_out),
            passed_over=_besides(passed_over, models, left_out),
            notices=(*dict.fromkeys(notices), *_absent(absent)),
            stands_in_for=tuple(absent),
            rungs=tuple(rungs),
        )

    def _in_full(self, out: LeftOut) -> LeftOut:
        """Say which model a role or alias that was left out means: its price can be looked up."""
        try:
            full = self.catalogue.resolve(out.model).model.full_name
        except UnknownModel:
            return out
        return LeftOut(full, out.why if out.model in full else f"{out.model}: {out.why}")

    def _whys(self, models: tuple[Model, ...]) -> dict[str, str]:
        return {one.full_name: self.catalogue.unusable[one.provider] for one in models}


def _besides(
    passed_over: Mapping[str, str], models: list[str], left_out: list[LeftOut]
) -> tuple[LeftOut, ...]:
    """Return who was passed over and stands nowhere else in the route."""
    spoken_of = {*models, *(out.model for out in left_out)}
    return tuple(LeftOut(name, why) for name, why in passed_over.items() if name not in spoken_of)


def _absent(absent: Mapping[str, str]) -> Iterator[str]:
    return (f"{model} was not asked: {why}" for model, why in absent.items())


def _nobody_left(
    names: tuple[str, ...], left_out: list[LeftOut], unusable: Mapping[str, str]
) -> str:
    if not names:
        return "the strategy chose no model at all: name one with -m"
    whys = "; ".join(f"{out.model}: {out.why}" for out in left_out)
    are_here = any(out.model.partition(":")[0] not in unusable for out in left_out)
    hint = "shorten or change the request, or see" if are_here else "who can is listed by"
    hint = f"{hint} %llm models"
    return f"no model can answer this here. {whys}; {hint}"
