"""The settings that stand beside the rules: prices, servers, and what each strategy is told."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal, Self, TypeAlias
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    StringConstraints,
    model_validator,
)

from multimodel_magic.config.conditions import AnyOf, Strict, TaskValue, UserTier, Word, fault
from multimodel_magic.config.tasks import FAMILIES, TASKS

__all__ = [
    "CacheSettings",
    "CascadeSettings",
    "ComplexitySettings",
    "CostSettings",
    "Money",
    "Name",
    "OwnPrice",
    "ProviderSettings",
    "Share",
    "TaskSettings",
    "Terms",
    "Tiers",
    "WeightedSettings",
    "Words",
    "as_tuple",
]


def _decimal(value: object) -> object:
    """Read a number as the decimal that was written, not as its nearest binary fraction."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Decimal(str(value))
    return value


def _number(value: Decimal | float) -> float | int:
    return int(value) if value == int(value) else float(value)


Money: TypeAlias = Annotated[
    Decimal,
    BeforeValidator(_decimal, json_schema_input_type=float),
    # 15 digits pass through a YAML number unharmed.
    Field(ge=0, max_digits=15, decimal_places=9),
    PlainSerializer(_number, return_type=float),
]


def as_tuple(value: object) -> object:
    """Make a YAML list the tuple that strict mode asks for."""
    return tuple(value) if isinstance(value, list) else value


Words: TypeAlias = Annotated[tuple[Word, ...], BeforeValidator(as_tuple)]
Name: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=80)
]
"""A name of the user's own: letters, digits, `_`, `.` and `-`."""


def _share(value: float) -> float:
    if not 0 <= value <= 1:
        raise fault(f"must lie between 0 and 1; got {value:g}")
    return value


Share: TypeAlias = Annotated[float, AfterValidator(_share)]


class OwnPrice(Strict):
    """A price of the user's own, in US dollars per million tokens."""

    input: Money
    output: Money
    cache_read: Money | None = None
    """Of input tokens read from the vendor's cache; as `input` where it is not given."""
    cache_write: Money | None = None
    """Of input tokens written to the vendor's cache; as `input` where it is not given."""


_PASTED = re.compile(r"^(sk-|sk_|xai-|gsk_|hf_|AIza)|[^A-Za-z0-9_]")


def _variable(name: str) -> str:
    if _PASTED.search(name) or name[:1].isdigit() or not name:
        # Not repeated: it may be the key itself.
        raise fault("must be the NAME of an environment variable, such as GROQ_API_KEY, no key")
    return name


def _url(url: str) -> str:
    if not re.match(r"^https?://[^\s/]+", url):
        raise fault("must be a URL that begins with http:// or https://")
    if "@" in url.split("//", 1)[1].split("/", 1)[0]:
        raise fault("a URL with a name or password in it; put the key in an environment variable")
    if "?" in url or "#" in url:
        raise fault("a URL with a query or a fragment, to which no path can be added")
    try:
        urlsplit(url).port  # noqa: B018 - reading it is the check
    except ValueError:
        raise fault("a URL whose host or port is none (ports are 0 to 65535)") from None
    return url


class ProviderSettings(Strict):
    """A server under a name of its own: `groq:llama-3.3-70b` asks the provider `groq`."""

    type: Literal["openai", "anthropic", "ollama"] = "openai"
    """Whose protocol it speaks; any OpenAI-compatible server is `openai`."""
    base_url: Annotated[str, AfterValidator(_url)] | None = None
    api_key_env: Annotated[str, AfterValidator(_variable)] | None = None
    """Name of the environment variable that holds the key. The key itself never stands here."""


Cuts: TypeAlias = Annotated[tuple[Share, Share], BeforeValidator(as_tuple)]


def _rising(cuts: tuple[float, float]) -> tuple[float, float]:
    if cuts[0] > cuts[1]:
        raise fault(f"the first cut must not be above the second; got {cuts[0]:g}, {cuts[1]:g}")
    return cuts


class Tiers(Strict):
    """Who answers what is simple, medium and complex: a role, alias or model each."""

    simple: Word = "fast"
    medium: Word = "balanced"
    complex: Word = "strong"


class ComplexitySettings(Strict):
    """How `complexity` chooses, and what `low`, `medium` and `high` mean in conditions."""

    classifier: Literal["default", "seed"] = "default"
    """`seed` is the arithmetic of the article, kept as a baseline."""
    cuts: Annotated[Cuts, AfterValidator(_rising)] = (0.3, 0.7)
    """Below the first is simple (low), from the second on complex (high)."""
    tiers: Tiers = Tiers()


class Terms(Strict):
    """A row of the cost table: what these users' requests of this value may have."""

    user_tier: AnyOf[UserTier] | None = None
    """Any of these; every tier where it is not given."""
    task_value: AnyOf[TaskValue] | None = None
    """Any of these; every value where it is not given."""
    floor: Literal["fast", "balanced", "strong"]
    """The lowest role that will do; the cheapest model from there on is taken."""
    ceiling_mtok: Money | None = None
    """No dearer than this, in US dollars per million tokens, input and output as they come."""


class CostSettings(Strict):
    """How `cost` chooses: the first row that fits, else the seed's three-way rule."""

    table: Annotated[tuple[Terms, ...], BeforeValidator(as_tuple)] = ()


class TaskSettings(Strict):
    """How `task` chooses."""

    models: Mapping[Name, Word] = Field(default_factory=dict)
    """Task or family -> model; also declares tasks of your own."""
    families: Mapping[Name, Words] = Field(default_factory=dict)
    """Family -> its tasks."""
    default: Word | None = None
    """Who answers a task that is not in the table."""
    infer: bool = False
    """Guess the task from the prompt where none is said."""

    @property
    def known(self) -> frozenset[str]:
        """Every task and family that a rule may name."""
        own = {task for tasks in self.families.values() for task in tasks}
        return frozenset({*TASKS, *FAMILIES, *self.models, *self.families, *own})

    @property
    def all_families(self) -> Mapping[str, tuple[str, ...]]:
        """The families, the user's before the built-in ones."""
        return {**FAMILIES, **self.families}


def _of_json(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Refuse numbers that YAML knows and JSON does not: they would be written as null."""
    try:
        json.dumps(schema, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise fault("JSON has no .nan and no .inf") from error
    return schema


class CascadeSettings(Strict):
    """How `cascade` goes up: the rungs from the cheapest, and what their answers must pass.

    An answer that is empty, cut or a refusal goes up in any case.
    """

    models: Annotated[Words, Field(min_length=1)] = ("fast", "strong")
    format: Literal["json", "code"] | None = None
    """What an answer must hold: JSON, or a fenced block of code."""
    answer_schema: Annotated[Mapping[str, Any], AfterValidator(_of_json)] | None = Field(
        default=None, alias="schema"
    )
    """A JSON Schema that an answer must fit."""
    least_logprob: Annotated[float, Field(le=0)] | None = None
    """The lowest mean log-probability of its tokens that will do, where the provider tells it."""
    samples: Annotated[int, Field(ge=2, le=9)] | None = None
    """How many answers to compare: the same model is asked again, and all are paid for."""
    agree: Annotated[float, Field(gt=0, le=1)] | None = None
    """The share of the samples that must agree with the first; 0.6 where it is not given."""
    judge: Word | None = None
    """The model, alias or role that grades each answer; better none of the rungs."""
    least: Annotated[int, Field(ge=1, le=10)] | None = None
    """The lowest grade of that judge, from 1 to 10, that will do; 6 where it is not given."""

    @model_validator(mode="after")
    def _measures_need_what_they_measure(self) -> Self:
        if self.least is not None and self.judge is None:
            raise fault("'least' is the grade of a judge: give cascade.judge, a model or role")
        if self.agree is not None and self.samples is None:
            raise fault("'agree' is a share of samples: give cascade.samples")
        return self


def _mode(value: object) -> object:
    """Read `on` and `off` as the words that they are here: YAML takes them for true and false."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


class CacheSettings(Strict):
    """Whether answers that were given before are given again."""

    mode: Annotated[Literal["auto", "on", "off"], BeforeValidator(_mode)] = "auto"
    """`auto`: only where the request sets the temperature to 0."""
    max_mb: Annotated[float, Field(gt=0, le=100_000)] = 256
    """How much is kept at most, in MiB; what was used longest ago makes room."""


class WeightedSettings(Strict):
    """How `weighted` chooses: by these weights, deterministically per unit."""

    models: Mapping[Word, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _some_weight(self) -> Self:
        if self.models and not sum(self.models.values()):
            raise fault("all weights are 0")
        return self
