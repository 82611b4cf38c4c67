"""Strategies that strangers wrote: what one does beside the contract is said in one line.

A route that is none would else be found out far from its strategy, in the middle of a card or by
the ledger, which stops for the whole session at what it cannot write.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from multimodel_magic.errors import Misconfigured, MultimodelError
from multimodel_magic.types import Reason, Request, Route, Strategy

__all__ = ["Guest", "sound"]


@dataclass(frozen=True, slots=True)
class Guest:
    """Ask a strategy that a package brought, and say in one line what is wrong with it.

    Parameters
    ----------
    strategy
        The package's own.
    called
        The name under which it is registered.

    Raises
    ------
    Misconfigured
        From `route`, where it raises what is not ours, or gives what is no route.
    """

    strategy: Strategy
    called: str

    @property
    def name(self) -> str:
        """The wrapped strategy's name."""
        return self.strategy.name

    def route(self, request: Request) -> Route:
        """Return the strategy's route, once it has been looked at."""
        try:
            route: object = self.strategy.route(request)
        except MultimodelError:
            raise
        except Exception as error:  # anybody's code may raise anything
            raise Misconfigured(f"the strategy {self.called!r} failed: {_told(error)}") from error
        return sound(route, self.called)


def sound(route: object, name: str) -> Route:
    """Return a strategy's answer if it is a route.

    Raises
    ------
    Misconfigured
        It is none, or one of its parts is of the wrong kind.

    Examples
    --------
    >>> sound(Route(("fast",), "mine", (Reason("mine", "I like it"),)), "mine").models
    ('fast',)
    >>> sound(None, "mine")
    Traceback (most recent call last):
    multimodel_magic.errors.Misconfigured: the strategy 'mine' gives NoneType, no Route; \
multimodel_magic.testing.check_strategy tells its author more
    """
    if inspect.iscoroutine(route):
        route.close()  # or Python warns that nobody awaited it
    fault = _no_route(route) if not isinstance(route, Route) else next(_faults(route), "")
    if fault or not isinstance(route, Route):
        more = "multimodel_magic.testing.check_strategy tells its author more"
        raise Misconfigured(f"the strategy {name!r} gives {fault}; {more}")
    return route


def _no_route(answer: object) -> str:
    return f"{type(answer).__name__}, no Route"


def _faults(route: Route) -> Iterator[str]:
    """Name what in a route is of the wrong kind; the types are a promise that nobody checked."""
    for part in ("models", "reasons", "left_out", "notices", "rungs"):
        if not isinstance(getattr(route, part), tuple | list):
            yield f"a route whose {part} are no tuple"
    for name in (*route.models, *route.rungs):
        if not isinstance(name, str):
            yield f"a route with a model that is no text ({name!r:.40})"
    for reason in route.reasons:
        if not isinstance(reason, Reason) or not isinstance(reason.saw, str):
            yield f"a route with a reason that is no Reason(rule, saw) ({reason!r:.40})"
    if not isinstance(route.strategy, str):
        yield f"a route whose strategy is no text ({route.strategy!r:.40})"
    if route.arm is not None and (":" not in route.arm or route.arm_probability is None):
        yield f"a route whose arm {route.arm!r:.40} is not 'EXPERIMENT:ARM' with a probability"


def _told(error: Exception) -> str:
    """Say in one line what a stranger's code raised, and where."""
    what = next(iter(str(error).splitlines()), "")
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {what} ({Path(where.filename).name}:{where.lineno})"
