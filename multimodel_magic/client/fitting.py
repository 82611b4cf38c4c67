"""Calls whose arguments do not fit are told in one line: the nearest keyword, or where it goes."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

from multimodel_magic.errors import SLIP, UsageError, did_you_mean

__all__ = ["fitting"]

P = ParamSpec("P")
T = TypeVar("T")

_BY_PLACE = inspect.Parameter.POSITIONAL_OR_KEYWORD
_ELSEWHERE = {
    "api_key": "a key comes from the environment or a .env file, %llm models says from where",
    "base_url": "an address comes from the environment or from `providers` in routing_config.yml",
}


def fitting(call: Callable[P, T]) -> Callable[P, T]:
    """Return `call` itself, but a call with arguments that it does not take is a `UsageError`.

    A coroutine function stays one: frameworks look.

    Examples
    --------
    >>> @fitting
    ... def ask(prompt, *, unit=None):
    ...     return prompt
    >>> ask("Hi", units=3)
    Traceback (most recent call last):
    multimodel_magic.errors.UsageError: no argument is called 'units'; did you mean 'unit'?
    """

    @functools.wraps(call)
    def fitted(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return call(*args, **kwargs)
        except TypeError as error:
            # One from within the body has that frame on its way, and is somebody else's.
            if error.__traceback__ is None or error.__traceback__.tb_next is not None:
                raise
            raise UsageError(_misfit(call, args, kwargs)) from None

    if not inspect.iscoroutinefunction(call):
        return fitted

    @functools.wraps(call)
    async def awaited(*args: P.args, **kwargs: P.kwargs) -> Any:  # noqa: ANN401 - what `call` gives
        return await cast("Any", fitted(*args, **kwargs))

    return cast("Callable[P, T]", awaited)


def _misfit(call: Callable[..., object], args: tuple[object, ...], given: dict[str, Any]) -> str:
    signature = inspect.signature(call)
    takes = [name for name in signature.parameters if name != "self"]
    unknown = next((name for name in given if name not in takes), None)
    if unknown is not None:
        return f"no argument is called {unknown!r}{_instead(unknown, given[unknown], takes)}"
    try:
        signature.bind(*args, **given)
    except TypeError as error:
        by_place = [one for one in takes if signature.parameters[one].kind is _BY_PLACE]
        return f"{error}; it takes {', '.join(by_place) or 'nothing'}, all else by name"
    raise AssertionError("the call fits")


def _instead(name: str, value: object, takes: list[str]) -> str:
    if name in _ELSEWHERE:
        return f": {_ELSEWHERE[name]}"
    if near := did_you_mean(name, takes, most=1, alike=SLIP):
        return near
    # Numbers alone are repeated: another value may be a secret.
    shown = repr(value) if isinstance(value, int | float) else "..."
    options = f"options={{{name!r}: {shown}}}"
    if "options" in takes:
        far = did_you_mean(name, takes, most=1)
        return f": what only the vendor knows goes into {options}{far}"
    if takes[:1] == ["request"]:
        return ": a Request says everything, Request(prompt, models=('fast',), options={...})"
    return did_you_mean(name, takes, most=1) or f"; there are {', '.join(takes)}"
