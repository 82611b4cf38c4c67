"""When a rule or an experiment applies: conditions as values, in one canonical form.

What may be written in several ways (`complexity: high`, `complexity: ">= 0.7"`,
`complexity: {ge: 0.7}`) is one value once it is read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    StringConstraints,
    WrapSerializer,
    model_serializer,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

__all__ = [
    "TIERS",
    "AnyOf",
    "Band",
    "ComplexityBand",
    "Condition",
    "Strict",
    "TaskValue",
    "Tier",
    "UserTier",
    "Word",
    "fault",
]


def fault(what: str) -> PydanticCustomError:
    """Make an error whose message is shown as it is."""
    return PydanticCustomError("fault", "{what}", {"what": what})


class Strict(BaseModel):
    """A mapping of known keys: others are refused, and so is text where a number belongs."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )


def _listed(value: object) -> object:
    """Read one value as a list of one, and a list as the tuple that strict mode asks for."""
    if isinstance(value, list | tuple):
        return tuple(value)
    return value if value is None else (value,)


_UNSEEN = r"\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff"
"""Characters that come along with what is pasted, and make two names of what looks like one."""

Word: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=rf"^[^\s\x00-\x1f\x7f{_UNSEEN}]+$", max_length=200, min_length=1),
]
"""Text without spaces: a name of a model, role, alias, task or strategy."""

UserTier: TypeAlias = Literal["free", "pro", "enterprise"]
TaskValue: TypeAlias = Literal["low", "medium", "high"]
Tier: TypeAlias = Literal["low", "medium", "high"]

TIERS: Mapping[str, Tier] = {"simple": "low", "complex": "high"}
"""The seed's other names of the tiers of complexity."""

_OPERATORS = {">": "gt", ">=": "ge", "<": "lt", "<=": "le"}
_SIGNS = {name: sign for sign, name in _OPERATORS.items()}
_COMPARISON = re.compile(r"^\s*(>=|<=|>|<)\s*([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s*$")
_NUMBER_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "number", "description": "at least this much"},
        {"type": "string", "pattern": _COMPARISON.pattern, "examples": [">= 0.7", "< 0.3"]},
        {
            "type": "object",
            "additionalProperties": False,
            "minProperties": 1,
            "properties": {name: {"type": "number"} for name in _SIGNS},
        },
    ]
}


class Band(Strict):
    """A range of numbers: `4000` (at least), `"> 4000"`, or `{gt: 100, le: 4000}`."""

    gt: float | None = None
    """Greater than."""
    ge: float | None = None
    """Greater than or equal to."""
    lt: float | None = None
    """Less than."""
    le: float | None = None
    """Less than or equal to."""

    @model_validator(mode="before")
    @classmethod
    def _any_spelling(cls, value: object) -> object:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return {"ge": value}
        if isinstance(value, str):
            return _comparison(value)
        return value

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if not self.bounds and not getattr(self, "tiers", ()):
            raise fault("no bound given: use gt, ge, lt or le")
        for one, other in (("gt", "ge"), ("lt", "le")):
            if {one, other} <= self.bounds.keys():
                raise fault(f"{one} and {other} bound the same side; give one of them")
        low = max((v for k, v in self.bounds.items() if k in {"gt", "ge"}), default=-math.inf)
        high = min((v for k, v in self.bounds.items() if k in {"lt", "le"}), default=math.inf)
        open_ended = low == self.gt or high == self.lt
        if low > high or (low == high and open_ended):
            raise fault(f"can never be true: {self.words}")
        return self

    @property
    def bounds(self) -> dict[str, float]:
        """The bounds that are given, by operator."""
        pairs = ((name, getattr(self, name)) for name in _SIGNS)
        return {name: number for name, number in pairs if number is not None}

    @property
    def words(self) -> str:
        """The range as a person writes it: `>= 0.3 and < 0.7`."""
        return " and ".join(f"{_SIGNS[name]} {number:g}" for name, number in self.bounds.items())

    def holds(self, number: float) -> bool:
        """Whether the number lies in the range.

        Examples
        --------
        >>> Band(gt=0.3, le=0.7).holds(0.7), Band(gt=0.3).holds(0.3)
        (True, False)
        """
        return (
            (self.gt is None or number > self.gt)
            and (self.ge is None or number >= self.ge)
            and (self.lt is None or number < self.lt)
            and (self.le is None or number <= self.le)
        )

    @model_serializer
    def _bounds_only(self) -> dict[str, float]:
        return self.bounds

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        del schema, handler  # what may be written is more than what is kept
        return {**_NUMBER_SCHEMA, "description": cls.__doc__}


def _comparison(text: str) -> dict[str, float]:
    found = _COMPARISON.match(text)
    try:
        return {_OPERATORS[found[1]]: float(found[2])} if found else _no_comparison(text)
    except ValueError:
        return _no_comparison(text)


def _no_comparison(text: str) -> dict[str, float]:
    raise fault(f"{text[:40]!r} is no comparison; write '>= 0.7' or {{ge: 0.7}}")


class ComplexityBand(Band):
    """Complexity by tier (`high`, or `[low, medium]`) or by number (`">= 0.7"`, `{gt: 0.7}`)."""

    tiers: tuple[Tier, ...] = ()
    """Any of these; the cuts are those of `routing.complexity.cuts`."""

    @model_validator(mode="before")
    @classmethod
    def _tier_names(cls, value: object) -> object:
        if isinstance(value, dict) and isinstance(value.get("tiers"), list | tuple):
            return {**value, "tiers": _tiers(value["tiers"])}
        if isinstance(value, list | tuple):
            return {"tiers": _tiers(value)}
        if isinstance(value, str) and not _is_number(value):
            return {"tiers": _tiers([value])}
        return value

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if self.tiers and self.bounds:
            raise fault("give tiers or bounds, not both")
        return self

    @model_validator(mode="after")
    def _on_the_scale(self) -> Self:
        outside = next((bound for bound in self.bounds.values() if not 0 <= bound <= 1), None)
        if outside is not None:
            raise fault(f"complexity lies between 0 and 1; got {outside:g}")
        return self

    @property
    def words(self) -> str:
        """The condition as a person writes it."""
        return " or ".join(self.tiers) if self.tiers else super().words

    @model_serializer
    def _one_spelling(self) -> object:
        if not self.tiers:
            return self.bounds
        return self.tiers[0] if len(self.tiers) == 1 else list(self.tiers)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        del schema, handler  # what may be written is more than what is kept
        tier = {"enum": ["low", "medium", "high", *TIERS]}
        names = [tier, {"type": "array", "items": tier, "minItems": 1}]
        return {"anyOf": [*names, *_NUMBER_SCHEMA["anyOf"]], "description": cls.__doc__}


def _is_number(text: str) -> bool:
    return text.lstrip()[:1] in {"<", ">", "="}


def _tiers(names: list[object] | tuple[object, ...]) -> tuple[Tier, ...]:
    from multimodel_magic.errors import did_you_mean

    known: dict[str, Tier] = {"low": "low", "medium": "medium", "high": "high", **TIERS}
    if not names:
        raise fault("must not be empty")
    for name in names:
        if not isinstance(name, str) or name not in known:
            near = did_you_mean(str(name), known)
            raise fault(f"{name!r} is no tier of complexity: low, medium, high, or '>= 0.7'{near}")
    found = {known[str(name)] for name in names}
    order: tuple[Tier, ...] = ("low", "medium", "high")
    return tuple(tier for tier in order if tier in found)


def _shortest(value: object, handler: SerializerFunctionWrapHandler) -> object:
    """Write a list of one as the one."""
    items = handler(value)
    return items[0] if len(items) == 1 else items


class _OneOrMore:
    """Tells editors that one value may be written without a list."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        listed = handler(schema)
        return {"anyOf": [listed["items"], listed]}


_Item = TypeVar("_Item")
AnyOf: TypeAlias = Annotated[
    tuple[_Item, ...],
    BeforeValidator(_listed),
    WrapSerializer(_shortest),
    Field(min_length=1),
    _OneOrMore(),
]
"""One value, or a list of them, of which any will do."""


class Condition(Strict):
    """What a request must be. All keys given must hold; a list means any of its values."""

    task_type: AnyOf[Word] | None = None
    """A task, or a family of tasks: `code` covers `code_generation` and `code_review`."""
    complexity: ComplexityBand | None = None
    user_tier: AnyOf[UserTier] | None = None
    task_value: AnyOf[TaskValue] | None = None
    requires_vision: bool | None = None
    """Whether the request needs a model that sees images."""
    requires_tools: bool | None = None
    requires_json: bool | None = None
    input_tokens: Band | None = None
    """Estimated tokens of system, history and prompt."""
    any_of: AnyOf[Condition] | None = Field(default=None, alias="any")
    """At least one of these holds."""
    all_of: AnyOf[Condition] | None = Field(default=None, alias="all")
    """Every one of these holds."""
    none_of: AnyOf[Condition] | None = Field(default=None, alias="not")
    """This does not hold (of a list: none of them)."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if all(getattr(self, name) is None for name in type(self).model_fields):
            raise fault("an empty condition; leave 'condition' out to match every request")
        return self
