"""What a request must be before anybody is asked, and what of the user's must not fail a call."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime

from multimodel_magic.client.cache import mode_named
from multimodel_magic.errors import MultimodelError, UsageError, did_you_mean, must_be
from multimodel_magic.strategies import Fixed
from multimodel_magic.strategies.cost import seed_table
from multimodel_magic.types import (
    BREAKS,
    NEEDS,
    Message,
    Price,
    PriceOf,
    Provider,
    Recorder,
    Request,
    Response,
    Strategy,
    Usage,
)

__all__ = [
    "check",
    "named",
    "names",
    "priced",
    "providers_of",
    "recorded",
    "strategy_of",
    "trouble",
    "turns",
]

_NUMBERS = (
    *("timeout_s", "retries", "max_tokens", "hedge_s", "max_cost_usd"),
    *("connect_s", "silence_s"),
)

_TIERS, _VALUES = (dict.fromkeys(kind) for kind in zip(*seed_table(), strict=True))

_SLIP = 0.75
"""How near a tier must be to one of these to be a slip: `Pro`, `hihg`, but not `highest`."""

_log = logging.getLogger("multimodel_magic.client")


def check(request: Request) -> None:
    """Refuse what makes no sense, in one line.

    Raises
    ------
    UsageError
        For an empty prompt, an unknown need, and numbers below zero.
    """
    if not request.prompt.strip():
        raise UsageError("the prompt is empty")
    for need in sorted(request.needs - set(NEEDS)):
        near = did_you_mean(need, NEEDS, most=1) or f"; there are {', '.join(NEEDS)}"
        raise UsageError(f"no need is called {need!r}{near}")
    for name, known in (("user_tier", _TIERS), ("task_value", _VALUES)):
        said = getattr(request, name)
        if said is not None and said not in known:
            _refuse_slip(name, said, known)
    if request.broken_stream not in (None, *BREAKS):
        near = did_you_mean(request.broken_stream, BREAKS) or f"; there are {', '.join(BREAKS)}"
        raise UsageError(f"no policy for a broken stream is {request.broken_stream!r}{near}")
    if request.cache is not None:
        mode_named(request.cache)
    for name in _NUMBERS:
        value = getattr(request, name)
        if value is not None and not value >= 0:  # NaN is not, either
            raise UsageError(f"{name} is {value}: it cannot be below 0")


def _refuse_slip(name: str, said: str, known: Iterable[str]) -> None:
    """Refuse what is nearly a known value; a strategy of the user's may know others."""
    if near := did_you_mean(said.lower(), known, most=1, alike=_SLIP):
        raise UsageError(f"unknown {name} {said!r}{near}")


def names(given: str | Iterable[str]) -> tuple[str, ...]:
    """Take one name for a list of one: a text would else be taken letter by letter."""
    must_be("a list of names", given, Iterable, "names such as ['fast', 'strong']")
    return (given,) if isinstance(given, str) else tuple(given)


def turns(given: Iterable[Message]) -> tuple[Message, ...]:
    """Take what was said before; only messages, for a text does not say who spoke."""
    must_be("the history", given, Iterable, "what was said: [Message('user', 'text')]")
    said = tuple(given)
    for one in said:
        must_be("a turn of the history", one, Message, "Message('user', 'text')")
    return said


def providers_of(models: Iterable[str]) -> frozenset[str]:
    """Return the providers of models that are given as `provider:model` or `provider/model`.

    Examples
    --------
    >>> sorted(providers_of(["ollama:a:8b", "openai/b"]))
    ['ollama', 'openai']
    """
    return frozenset(name.replace("/", ":", 1).partition(":")[0].strip() for name in models)


def named(request: Request, strategy: Strategy, fallbacks: tuple[str, ...]) -> frozenset[str]:
    """Return the providers that a request, or what it goes by, calls by their names."""
    chosen = strategy.models if isinstance(strategy, Fixed) else ()
    more = fallbacks if request.fallbacks is None else request.fallbacks
    return providers_of((*(request.models or chosen), *more))


def priced(price: PriceOf, provider: str, model: str, usage: Usage, at: datetime) -> Price:
    """Ask the user's `price`; what it raises costs a warning and the price, not the answer."""
    try:
        return price(provider, model, usage, at)
    except Exception as error:  # noqa: BLE001 - anybody's function; the answer is paid already
        _log.warning("the price of %s:%s is unknown: %r", provider, model, error)
        return Price(None, "unknown")


def recorded(recorder: Recorder, response: Response) -> None:
    """Hand a response to the user's recorder; what it raises costs a warning, not the answer."""
    try:
        recorder.record(response)
    except Exception as error:  # noqa: BLE001 - as above
        _log.warning("request %s was not recorded: %r", response.request_id, error)


def strategy_of(
    request: Request, strategies: Mapping[str, Strategy], otherwise: Strategy
) -> Strategy:
    """Return the strategy that the request names, `otherwise` where it names none or a model.

    Raises
    ------
    UsageError
        For a name that is none; names the nearest, else what there is.
    """
    name = request.strategy
    if name is None or request.models:
        return otherwise
    if name not in strategies:
        known = sorted(strategies)
        near = did_you_mean(name, known) or f"; there are {', '.join(known) or 'none'}"
        raise UsageError(f"no strategy is called {name!r}{near}")
    return strategies[name]


async def trouble(provider: Provider, *, is_named: bool = False) -> str | None:
    """Say why a provider cannot be asked here, or None; who can probe its server does.

    Not where a model of it `is_named`: an attempt is never out of date, and leaves a row.
    """
    unfit: Callable[[], str | None] | None = getattr(provider, "unfit", None)
    probe: Callable[[], Awaitable[str | None]] | None = getattr(provider, "probe", None)
    try:
        if is_named and unfit is not None:
            return unfit()
        return await probe() if probe is not None else provider.unusable()
    except MultimodelError:
        raise
    except Exception as error:  # noqa: BLE001 - anybody's provider; the others can answer
        what = next(iter(str(error).splitlines()), "")
        return f"it cannot be asked whether it is usable: {type(error).__name__}: {what}"
