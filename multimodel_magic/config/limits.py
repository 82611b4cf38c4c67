"""What guards the requests of a session together: rates, budgets, breakers; and the hedge.

Money is US dollars, durations are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from multimodel_magic.config.conditions import Strict, Word, fault
from multimodel_magic.config.settings import Money

__all__ = [
    "BreakerSettings",
    "BudgetSettings",
    "Hedge",
    "LimitsSettings",
    "RateSettings",
    "Seconds",
]

MOST_S = 86_400
Seconds: TypeAlias = Annotated[float, Field(gt=0, le=MOST_S)]

PerMinute: TypeAlias = Annotated[float, Field(gt=0, le=1e9)]


def _hedge(value: object) -> object:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if value == "p95" or (is_number and 0 < float(str(value)) <= MOST_S):
        return value
    raise fault(f"must be seconds, such as 20, or p95; got {str(value)[:40]!r}")


Hedge: TypeAlias = Annotated[
    Literal["p95"] | Seconds,
    Field(union_mode="left_to_right"),
    BeforeValidator(_hedge, json_schema_input_type=Literal["p95"] | Seconds),
]
"""After what silence a second model is asked too: seconds, or the first one's own p95."""


class RateSettings(Strict):
    """What a provider or a model may be asked in a minute."""

    requests_per_minute: PerMinute | None = None
    tokens_per_minute: PerMinute | None = None
    """Input and output together."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.requests_per_minute is None and self.tokens_per_minute is None:
            raise fault("no rate given: use requests_per_minute or tokens_per_minute")
        return self


class BudgetSettings(Strict):
    """What may be spent; a model that costs nothing answers whatever was spent."""

    call_usd: Money | None = None
    """By one request, all its attempts together."""
    session_usd: Money | None = None
    """By one kernel."""
    day_usd: Money | None = None
    """From midnight UTC on, by every kernel that writes the same ledger."""
    unknown: Literal["refuse", "allow"] = "refuse"
    """Whether a model of unknown price is asked while any limit holds."""


class BreakerSettings(Strict):
    """When a model that fails rests, and for how long."""

    failures: Annotated[int, Field(ge=1, le=1000)] = 5
    of: Annotated[int, Field(ge=1, le=1000)] = 10
    """A breaker opens when `failures` of so many last attempts failed."""
    rest_s: Seconds = 5.0
    """The first rest; doubled each time that the model fails again when it is tried."""
    rest_most_s: Seconds = 60.0
    """The longest rest."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.failures > self.of:
            raise fault(f"{self.failures} failures of the last {self.of} can never be; raise 'of'")
        if self.rest_s > self.rest_most_s:
            raise fault(f"rest_s {self.rest_s:g} is more than rest_most_s {self.rest_most_s:g}")
        return self


class LimitsSettings(Strict):
    """What holds for all requests of a session together."""

    rates: Mapping[Word, RateSettings] = Field(default_factory=dict)
    """By provider or `provider:model`; where both are given, both hold."""
    budget: BudgetSettings | None = None
    breaker: BreakerSettings | None = None
