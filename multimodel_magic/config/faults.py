"""What is wrong with a configuration, in words: pydantic's errors and the checks across keys."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import starmap
from typing import Annotated, TypeGuard

from pydantic import AliasChoices, BaseModel, ValidationError
from pydantic_core import ErrorDetails

from multimodel_magic.config.conditions import Condition
from multimodel_magic.config.document import Path, Plain, Problem, Source
from multimodel_magic.config.limits import LimitsSettings
from multimodel_magic.config.schema import Routing, RoutingConfig
from multimodel_magic.errors import ConfigError, did_you_mean

__all__ = ["across", "as_error", "located", "problems_of", "secrets_in"]

_KEY_NAMES = frozenset(
    {"api_key", "apikey", "key", "secret", "token", "access_token", "password", "auth_token"}
)
_KEY_LOOKS = re.compile(r"^(sk-|sk_|xai-|gsk_|hf_|ghp_|AIza|Bearer )[A-Za-z0-9_-]{12,}")

_WORDS = {
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "is too large a number",
    "float_type": "must be a number",
    "decimal_type": "must be a number",
    "is_instance_of": "must be a number",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "mapping_type": "must be a mapping of keys to values",
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "model_attributes_type": "must be a mapping of keys to values",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be at most {le:g}",
    "finite_number": "must be a finite number",
    "too_long": "takes at most {max_length} values",
    "string_too_long": "must have at most {max_length} characters",
    "decimal_max_digits": "has too many digits (at most {max_digits})",
    "decimal_whole_digits": "is too much (at most {whole_digits} digits before the point)",
    "decimal_max_places": "has too many decimal places (at most {decimal_places})",
}
"""Pydantic's error types in the words of a YAML file."""


def as_error(problems: Sequence[Problem], source: Source) -> ConfigError:
    """Make one error of one line: the first fault in file order, and how many more there are.

    Its `faults` are all of them.
    """
    ordered = sorted(problems, key=lambda problem: _line(problem, source) or 0)
    faults = tuple(_fault(problem, source) for problem in ordered)
    (line, path, what), more = faults[0], len(faults) - 1
    where = ":".join(filter(None, [source.name, line]))
    rest = f" (and {more} more)" if more else ""
    message = ": ".join(filter(None, [where, path, what])) + rest
    return ConfigError(_printable(message), faults)


def _fault(problem: Problem, source: Source) -> tuple[str, str, str]:
    path = ".".join(str(part) or "''" for part in problem.path)
    return str(_line(problem, source) or ""), _printable(path), _printable(problem.what)


def _printable(text: str) -> str:
    """Mask escape sequences, which YAML can write into a key: a terminal must not obey them."""
    return "".join(c if c.isprintable() or c.isspace() else "?" for c in text)


def _line(problem: Problem, source: Source) -> int | None:
    return problem.line or source.line(problem.path)


def problems_of(error: ValidationError, source: Source) -> list[Problem]:
    """Translate pydantic's errors, each with the path as it was written."""
    return [
        Problem(_written(detail["loc"], source), _in_words(detail))
        for detail in error.errors(include_url=False)
    ]


def located(problems: Sequence[Problem], source: Source) -> list[Problem]:
    """Give each problem the path as it was written."""
    return [Problem(_written(p.path, source), p.what, p.line) for p in problems]


def _written(loc: Path, source: Source) -> Path:
    """Drop the index of a list that was written as a single value, and pydantic's own marks."""
    path: Path = ()
    for part in loc:
        invented = (isinstance(part, int) or part == "[key]") and (*path, part) not in source.lines
        path = path if invented else (*path, part)
    return path


def _in_words(detail: ErrorDetails) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in _WORDS:
        return _WORDS[kind].format(**context) + _got(detail)
    translate = _TRANSLATED.get(kind)
    return translate(detail) if translate else detail["msg"]


def _missing(detail: ErrorDetails) -> str:
    return "is required" if isinstance(detail["loc"][-1], str) else "needs one value more"


def _text(detail: ErrorDetails) -> str:
    quoted = " (put it in quotes)" if isinstance(detail["input"], int | float) else ""
    return f"must be text{quoted}{_got(detail)}"


def _pattern(detail: ErrorDetails) -> str:
    pattern = str(detail["ctx"]["pattern"])
    if r"\s" in pattern:
        hidden = "" if str(detail["input"]).isprintable() else " or characters that nobody sees"
        return f"must be a name without spaces{hidden}{_got(detail)}"
    if pattern.startswith("^[A-Z"):
        return f"must be a name of letters, digits, '_', '.' and '-'{_got(detail)}"
    return "must be one line of text"


def _short(detail: ErrorDetails) -> str:
    least = detail["ctx"]["min_length"]
    return "must not be empty" if least == 1 else f"needs at least {least} entries"


def _got(detail: ErrorDetails) -> str:
    value = detail["input"]
    if "providers" in detail["loc"]:
        return ""  # a key may have been pasted there
    if value is None:
        return "; got nothing: remove the key or give it a value"
    if isinstance(value, dict | list | tuple):
        return f"; got a {'mapping' if isinstance(value, dict) else 'list'}"
    if isinstance(value, bool):
        return f"; got {str(value).lower()}"
    shown = str(value) if isinstance(value, Decimal) else repr(value)
    return f"; got {shown if len(shown) <= 60 else shown[:57] + '...'}"  # noqa: PLR2004


def _not_among(detail: ErrorDetails) -> str:
    expected = str(detail["ctx"]["expected"])
    known = re.findall(r"'([^']*)'", expected)
    near = did_you_mean(str(detail["input"]), known) if known else ""
    return f"must be {expected}{_got(detail)}{near}"


def _unknown_key(detail: ErrorDetails) -> str:
    loc, key = detail["loc"], str(detail["loc"][-1])
    if key.lower() in _KEY_NAMES and "providers" in loc:
        return "never write a key into this file: name its environment variable in 'api_key_env'"
    model = _model_at(RoutingConfig, loc[:-1])
    known = _keys(model) if model else []
    if key in known:
        return "is given already, in the other spelling"
    return f"unknown key{_advice(key, known, model)}"


def _advice(key: str, known: Sequence[str], model: type[BaseModel] | None) -> str:
    if _SYNONYMS.get(key) in known:
        return f"; did you mean {_SYNONYMS[key]!r}?"
    if near := did_you_mean(key, known, most=1):
        return near
    if model is RoutingConfig and key in _keys(Routing):
        return " here; it belongs under 'routing'"
    if key in _keys(LimitsSettings) and model in {Routing, RoutingConfig}:
        return " here; it belongs under 'limits'"
    if model is Routing and key in _keys(RoutingConfig):
        return " here; it belongs at the top level"
    return f"; known here: {', '.join(known)}"


_SYNONYMS: Mapping[str, str] = {
    # What others call it, too far from our word for `did_you_mean`.
    "gte": "ge",
    "lte": "le",
    "min": "ge",
    "max": "le",
    "json": "requires_json",
    "tools": "requires_tools",
    "vision": "requires_vision",
    "when": "condition",
    "if": "condition",
    "tokens": "input_tokens",
    "url": "base_url",
    "timeout": "timeout_s",
    "weight": "share",
    "share": "percentage",
    "requests": "requests_per_minute",
    "rpm": "requests_per_minute",
    "tpm": "tokens_per_minute",
    "open_s": "rest_s",
    "on_break": "stream_broken",
    "broken_stream": "stream_broken",
    "after_s": "hedge",
}

_TRANSLATED: Mapping[str, Callable[[ErrorDetails], str]] = {
    "extra_forbidden": _unknown_key,
    "missing": _missing,
    "too_short": _short,
    "string_too_short": _short,
    "literal_error": _not_among,
    "string_pattern_mismatch": _pattern,
    "string_type": _text,
}


def _keys(model: type[BaseModel]) -> list[str]:
    """Keys of a mapping as they are written in YAML."""
    keys: list[str] = []
    for name, field in model.model_fields.items():
        choices = field.validation_alias
        if isinstance(choices, AliasChoices):
            keys += [str(choice) for choice in choices.choices]
        else:
            keys.append(field.alias or name)
    return keys


def _model_at(model: type[BaseModel], loc: Path) -> type[BaseModel] | None:
    """Find the model whose keys stand at `loc`."""
    kind: object = model
    for part in loc:
        kind = _bare(_field(kind, part) if _is_model(kind) else _value_of(kind))
    return kind if _is_model(kind) else None


def _is_model(kind: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _field(model: type[BaseModel], part: str | int) -> object:
    fields = model.model_fields.items()
    return next((f.annotation for name, f in fields if part in {name, f.alias}), None)


def _bare(kind: object) -> object:
    """Type without `| None` and without annotations."""
    while typing.get_origin(kind) in {Annotated, types.UnionType, typing.Union}:
        kind = typing.get_args(kind)[0]
    return kind


def _value_of(container: object) -> object:
    """Type of the values of a list or a mapping."""
    kinds = [kind for kind in typing.get_args(container) if kind is not ...]
    return kinds[-1] if kinds else None


def secrets_in(value: Plain, path: Path = ()) -> Iterator[Problem]:
    """Find what looks like a key, in any place; the message does not repeat it."""
    if isinstance(value, dict):
        for key, item in value.items():
            if _KEY_LOOKS.match(key):
                yield Problem(path, "a key of this mapping looks like an API key: take it out")
            else:
                yield from secrets_in(item, (*path, key))
    elif isinstance(value, list):
        for n, item in enumerate(value):
            yield from secrets_in(item, (*path, n))
    elif isinstance(value, str) and _KEY_LOOKS.match(value):
        what = "this looks like an API key: put it in an environment variable"
        yield Problem(path, f"{what} and name that under providers.NAME.api_key_env")


def across(config: RoutingConfig) -> Iterator[Problem]:
    """Check what one key says against another: tasks that rules name, names that collide."""
    for path, condition in _conditions(config.routing):
        yield from _unknown_tasks(config, path, condition)
    yield from _strategies_without_settings(config.routing)
    for name in config.aliases:
        if name in config.roles:
            yield Problem(("aliases", name), "is a role too; one name, one meaning")
        if config.aliases[name] == name:
            yield Problem(("aliases", name), "is an alias of itself")
    for name in ("local", "scripted"):
        if name in config.providers:
            yield Problem(("providers", name), f"{name!r} is built in; choose another name")


def _strategies_without_settings(routing: Routing) -> Iterator[Problem]:
    lacks = {}
    if not routing.weighted.models:
        lacks["weighted"] = "'weighted' needs weights: give routing.weighted.models"
    if not routing.experiments:
        lacks["ab"] = "'ab' needs an experiment: give routing.experiments"
    rules = enumerate(routing.rules)
    named: dict[Path, str | None] = {("routing", "strategy"): routing.strategy}
    named |= {("routing", "rules", n, "strategy"): rule.strategy for n, rule in rules}
    yield from (Problem(path, lacks[name]) for path, name in named.items() if name in lacks)


def _conditions(routing: Routing) -> Iterator[tuple[Path, Condition]]:
    for n, rule in enumerate(routing.rules):
        if rule.condition is not None:
            yield from _nested(("routing", "rules", n, "condition"), rule.condition)
    for name, experiment in routing.experiments.items():
        if experiment.condition is not None:
            yield from _nested(("routing", "experiments", name, "condition"), experiment.condition)


def _nested(path: Path, condition: Condition) -> Iterator[tuple[Path, Condition]]:
    yield path, condition
    groups = {"any": condition.any_of, "all": condition.all_of, "not": condition.none_of}
    for key, conditions in groups.items():
        for n, inner in enumerate(conditions or ()):
            yield from _nested((*path, key, n), inner)


def _unknown_tasks(config: RoutingConfig, path: Path, condition: Condition) -> Iterator[Problem]:
    known = config.routing.task.known

    def what(task: str) -> str:
        near = did_you_mean(task, sorted(known), most=1)
        return f"unknown task {task!r}{near or '; declare your own under routing.task.models'}"

    unknown = [(n, task) for n, task in enumerate(condition.task_type or ()) if task not in known]
    yield from starmap(lambda n, task: Problem((*path, "task_type", n), what(task)), unknown)
