"""What `routing_config.yml` may hold, key by key; the JSON Schema for editors is made from it.

Money is US dollars, prices are US dollars per million tokens, durations are seconds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AliasChoices, BeforeValidator, Field, PrivateAttr, model_validator

from multimodel_magic.config.conditions import Condition, Strict, Word, fault
from multimodel_magic.config.document import Source, dump
from multimodel_magic.config.limits import Hedge, LimitsSettings, Seconds
from multimodel_magic.config.settings import (
    CacheSettings,
    CascadeSettings,
    ComplexitySettings,
    CostSettings,
    Money,
    Name,
    OwnPrice,
    ProviderSettings,
    Share,
    TaskSettings,
    WeightedSettings,
    Words,
    as_tuple,
)

__all__ = ["Arm", "ExperimentSettings", "Routing", "RoutingConfig", "Rule"]


class Rule(Strict):
    """If a request meets the condition, this is who answers."""

    name: str | None = Field(default=None, max_length=80, pattern=r"^[^\x00-\x1f\x7f]*$")
    """What the explanation calls the rule."""
    condition: Condition | None = None
    """Without a condition the rule matches every request."""
    model: Word | None = None
    """A model, alias or role."""
    models: Annotated[Words, Field(min_length=1)] | None = None
    """Several models, in the order in which they are asked."""
    strategy: Word | None = None
    """Let this strategy choose."""
    fallbacks: Words | None = None
    """Instead of `routing.fallbacks`; an empty list means none."""
    max_cost_usd: Money | None = None
    """Instead of `routing.max_cost_usd`."""
    allow_dearer_fallbacks: bool | None = None
    """Instead of `routing.allow_dearer_fallbacks`."""

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        given = [key for key in ("model", "models", "strategy") if getattr(self, key) is not None]
        if len(given) != 1:
            what = f"has {' and '.join(given)}" if given else "names nobody"
            raise fault(f"the rule {what}; give one of model, models, strategy")
        return self

    @property
    def chosen(self) -> tuple[str, ...]:
        """The models that the rule names; empty where a strategy chooses."""
        return (self.model,) if self.model is not None else self.models or ()


class Arm(Strict):
    """One arm of an experiment."""

    model: Word
    share: Share
    """Of the units, in [0, 1]; the shares of all arms sum to 1."""


class ExperimentSettings(Strict):
    """An experiment: the seed's `treatment`, `control`, `percentage`, or any number of `arms`."""

    treatment: Word | None = Field(
        default=None, validation_alias=AliasChoices("treatment", "treatment_model")
    )
    control: Word | None = Field(
        default=None, validation_alias=AliasChoices("control", "control_model")
    )
    percentage: Annotated[float, Field(ge=0, le=100)] | None = Field(
        default=None, validation_alias=AliasChoices("percentage", "treatment_percentage")
    )
    """How many of 100 units get the treatment."""
    arms: Annotated[Mapping[Name, Arm], Field(min_length=2)] | None = None
    salt: str = Field(default="", max_length=80)
    """Change it to deal all units anew."""
    unit: Name = "unit"
    """What is randomised over: `unit` (`--unit`, else the request), `request`, or a label."""
    condition: Condition | None = None
    """Who takes part; without it, every request that no rule has taken."""

    @model_validator(mode="after")
    def _one_spelling(self) -> Self:
        seed = {k: getattr(self, k) for k in ("treatment", "control", "percentage")}
        given = [key for key, value in seed.items() if value is not None]
        if self.arms is None and len(given) < len(seed):
            lacks = [key for key in seed if key not in given]
            raise fault(f"lacks {' and '.join(lacks)} (or give 'arms')" if given else "has no arms")
        if self.arms is not None and given:
            raise fault(f"has both 'arms' and {given[0]!r}; give one of them")
        return self

    @model_validator(mode="after")
    def _shares_that_can_be_dealt(self) -> Self:
        shares = [arm.share for arm in self.dealt.values()]
        if not math.isclose(math.fsum(shares), 1, abs_tol=1e-9):
            raise fault(f"the shares of the arms sum to {math.fsum(shares):g}, not to 1")
        if any(abs(share * 10_000 - round(share * 10_000)) > 1e-6 for share in shares):  # noqa: PLR2004
            raise fault("a share is finer than 0.01 %: units are dealt into 10,000 buckets")
        return self

    @property
    def dealt(self) -> Mapping[str, Arm]:
        """The arms by name, in whichever way they were written."""
        if self.arms is not None:
            return self.arms
        share = (self.percentage or 0) / 100
        return {
            "control": Arm(model=self.control or "", share=1 - share),
            "treatment": Arm(model=self.treatment or "", share=share),
        }


class Routing(Strict):
    """Who answers what."""

    default_model: Word | None = None
    """Model, alias or role that answers where nothing else speaks."""
    strategy: Word | None = None
    """Chooses where no rule and no experiment has spoken."""
    rules: Annotated[tuple[Rule, ...], BeforeValidator(as_tuple)] = ()
    """The first rule whose condition holds decides."""
    fallbacks: Words = ()
    """Who is asked after a failure, in this order."""
    experiments: Mapping[Name, ExperimentSettings] = Field(default_factory=dict)
    complexity: ComplexitySettings = ComplexitySettings()
    cost: CostSettings = CostSettings()
    task: TaskSettings = TaskSettings()
    weighted: WeightedSettings = WeightedSettings()
    cascade: CascadeSettings = CascadeSettings()
    max_cost_usd: Money | None = None
    """Leave out every candidate that would cost more for this request (an estimate)."""
    allow_dearer_fallbacks: bool = False
    """Let the failure of a free user's request climb to a dearer model."""
    stream_broken: Literal["restart", "keep", "fail"] = "restart"
    """After a stream that broke in mid-answer: the next model, the partial answer, or an error."""
    on_auth_error: Literal["skip", "stop"] | None = None
    """After a refused key: the next provider (the default), or an error."""
    timeout_s: Seconds | None = None
    """Deadline of a whole request, attempts and waits included."""
    connect_s: Seconds | None = None
    """How long a connection to a vendor may take."""
    first_token_s: Seconds | None = None
    """From sending to the first token; models that reason say nothing for minutes."""
    stall_s: Seconds | None = None
    """Between two tokens."""
    hedge: Hedge | None = None
    """Ask a second model too when the first has said nothing for so long; both are paid for."""
    retries: Annotated[int, Field(ge=0, le=20)] | None = None
    """How often the same model is asked again after a failure that may pass."""


def _whole(value: object) -> object:
    if isinstance(value, bool | float):  # equal to 1, and yet not what was meant
        raise fault(f"must be 1; got {str(value).lower()}")
    return value


class RoutingConfig(Strict):
    """A whole routing configuration; the seed's file is one as it stands.

    Examples
    --------
    >>> config = RoutingConfig(routing=Routing(default_model="balanced"))
    >>> print(config.to_yaml(), end="")
    version: 1
    routing:
      default_model: balanced
    """

    version: Annotated[Literal[1], BeforeValidator(_whole)] = 1
    routing: Routing = Routing()
    roles: Mapping[Name, Annotated[Words, Field(min_length=1)]] = Field(default_factory=dict)
    """Role -> its models; the first whose provider is usable here is the one meant."""
    aliases: Mapping[Name, Word] = Field(default_factory=dict)
    """A short name of your own -> a model."""
    prices: Mapping[Word, OwnPrice] = Field(default_factory=dict)
    """Your own prices, by `provider:model`, model, or `provider:*`."""
    providers: Mapping[Name, ProviderSettings] = Field(default_factory=dict)
    """Servers under names of their own."""
    limits: LimitsSettings = LimitsSettings()
    """What may be asked a minute and spent, and when a model that fails rests."""
    cache: CacheSettings = CacheSettings()
    """Answers that were given before; `%config LLMMagics.cache` and the line outweigh it."""
    _source: Source = PrivateAttr(default=Source())

    @property
    def source(self) -> Source:
        """The file and the lines that it was read from; no part of what it says."""
        return self._source

    def read_from(self, source: Source) -> RoutingConfig:
        """Return a copy that knows where it was read."""
        copy = self.model_copy()
        copy._source = source  # noqa: SLF001 - its own copy
        return copy

    def to_yaml(self) -> str:
        """Write the configuration as YAML that loads to an equal one."""
        value = self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return dump({"version": self.version, **value})
