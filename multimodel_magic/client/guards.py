"""What a client's guards are set to, as one value: made of a configuration, and put back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, TypeVar

from multimodel_magic.limits import BreakerTerms, Budget, Patience, Rate

if TYPE_CHECKING:
    from multimodel_magic.client.unified import UnifiedLLMClient
    from multimodel_magic.config import RoutingConfig

__all__ = ["Guards", "configured", "guards_of", "set_guards"]

V = TypeVar("V", Patience, Budget)

_PATIENCE = (
    *("timeout_s", "retries", "connect_s", "first_token_s", "stall_s", "hedge"),
    "on_auth_error",
)
"""What a configuration's `routing` says under the same names as `Patience`; None is unsaid."""


@dataclass(frozen=True, slots=True)
class Guards:
    """How long a client waits, what it may spend and ask, and when models rest."""

    patience: Patience
    budget: Budget
    rates: Mapping[str, Rate]
    breaker: BreakerTerms


def guards_of(client: UnifiedLLMClient) -> Guards:
    """Return what a client's guards are set to."""
    return Guards(client.patience, client.budget, client.limiter.rates, client.breakers.terms)


def set_guards(client: UnifiedLLMClient, guards: Guards, before: Guards) -> None:
    """Set what differs from `before`; what was set by hand in between stays, as do all states."""
    client.patience = _moved(client.patience, before.patience, guards.patience)
    client.budget = _moved(client.budget, before.budget, guards.budget)
    if guards.rates != before.rates:
        client.limiter.use(guards.rates)
    if guards.breaker != before.breaker:
        client.breakers.use(guards.breaker)


def _moved(value: V, before: V, after: V) -> V:
    """Give `value` the fields that differ between `before` and `after`.

    A budget that somebody has set by hand must not vanish when a file says another timeout.
    """
    pairs = ((field.name, getattr(after, field.name)) for field in fields(after))
    changed = {name: new for name, new in pairs if new != getattr(before, name)}
    return replace(value, **changed) if changed else value


def configured(config: RoutingConfig, base: Guards) -> Guards:
    """Return the guards that a configuration asks for; what it leaves unsaid is as in `base`."""
    routing, limits = config.routing, config.limits
    said = {name: getattr(routing, name) for name in _PATIENCE}
    given = {name: value for name, value in said.items() if value is not None}
    rates = {
        name: Rate(rate.requests_per_minute, rate.tokens_per_minute)
        for name, rate in limits.rates.items()
    }
    return Guards(
        replace(base.patience, broken_stream=routing.stream_broken, **given),
        base.budget if limits.budget is None else Budget(**dict(limits.budget)),
        {**base.rates, **rates},
        base.breaker if limits.breaker is None else BreakerTerms(**dict(limits.breaker)),
    )
