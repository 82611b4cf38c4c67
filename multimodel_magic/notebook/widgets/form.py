"""A routing configuration as the texts of a form, and back; what was not typed stays as it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from multimodel_magic.config.document import Plain, dump, read
from multimodel_magic.errors import UsageError

__all__ = ["TARGETS", "Form", "RoleRow", "RuleRow"]

Document: TypeAlias = dict[str, Plain]

TARGETS = ("model", "models", "strategy")
"""What a rule may name, one of them."""
NOBODY = "none"
"""What stands for an empty list of fallbacks; an empty field is "as for all"."""


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule as it is typed."""

    name: str = ""
    condition: str = ""
    """As in YAML, without the braces: `task_type: code, complexity: high`; empty: always."""
    target: str = "model"
    who: str = ""
    fallbacks: str = ""
    """Names between commas; empty: as for all; `none`: nobody."""
    raw: Plain = field(default_factory=dict)
    """The rule as it was read: what the form does not show, and what was not changed."""

    @classmethod
    def of(cls, raw: Plain) -> RuleRow:
        """Read a rule of the document."""
        rule = raw if isinstance(raw, dict) else {}
        target = next((key for key in TARGETS if key in rule), "model")
        return cls(
            _text(rule.get("name")),
            _condition(rule.get("condition")),
            target,
            _names(rule.get(target)),
            _names(rule.get("fallbacks"), empty=NOBODY),
            raw,
        )

    def rule(self, number: int) -> Plain:
        """Return the rule for the document.

        Raises
        ------
        UsageError
            Where the condition is no YAML.
        """
        before = RuleRow.of(self.raw)
        if self == before:
            return self.raw
        rule = dict(self.raw) if isinstance(self.raw, dict) else {}
        if self.name != before.name:
            _put(rule, "name", self.name.strip() or None, first=True)
        if self.condition != before.condition:
            _put(rule, "condition", _read_condition(self.condition, number))
        if (self.target, self.who) != (before.target, before.who):
            _aim(rule, self.target, self.who)
        if self.fallbacks != before.fallbacks:
            _put(rule, "fallbacks", _fallbacks(self.fallbacks))
        return rule


@dataclass(frozen=True, slots=True)
class RoleRow:
    """One role and its models, between commas."""

    name: str = ""
    models: str = ""
    raw: Plain = None

    def listed(self) -> Plain:
        """Return the role's models for the document."""
        if self.raw is not None and self.models == _names(self.raw):
            return self.raw
        return [*_split(self.models)]


@dataclass(frozen=True, slots=True)
class Form:
    """What stands in the form."""

    default_model: str = ""
    strategy: str = ""
    fallbacks: str = ""
    rules: tuple[RuleRow, ...] = ()
    roles: tuple[RoleRow, ...] = ()

    @classmethod
    def of(cls, document: Mapping[str, Plain]) -> Form:
        """Fill the form from a document, however odd its values are."""
        routing, roles = _mapping(document.get("routing")), _mapping(document.get("roles"))
        rules = routing.get("rules")
        return cls(
            _text(routing.get("default_model")),
            _text(routing.get("strategy")),
            _names(routing.get("fallbacks")),
            tuple(RuleRow.of(rule) for rule in rules) if isinstance(rules, list) else (),
            tuple(RoleRow(name, _names(models), models) for name, models in roles.items()),
        )

    def document(self, before: Mapping[str, Plain]) -> Document:
        """Return `before` with what the form says in its place; unchanged fields stay as written.

        Raises
        ------
        UsageError
            Where a field cannot be read.
        """
        was = Form.of(before)
        document, routing = dict(before), dict(_mapping(before.get("routing")))
        for key in ("default_model", "strategy"):
            if getattr(self, key) != getattr(was, key):
                _put(routing, key, getattr(self, key).strip() or None)
        if self.rules != was.rules:
            rules = [row.rule(n) for n, row in enumerate(self.rules, start=1)]
            _put(routing, "rules", rules or None)
        if self.fallbacks != was.fallbacks:
            _put(routing, "fallbacks", [*_split(self.fallbacks)] or None)
        if routing != _mapping(before.get("routing")):
            document = _with(document, "routing", routing)
        if self.roles != was.roles:
            document = _with(document, "roles", _roles(self.roles))
        return document


def _roles(rows: tuple[RoleRow, ...]) -> dict[str, Plain]:
    named = [(row.name.strip(), row) for row in rows if row.name.strip() or row.models.strip()]
    names = [name for name, _ in named]
    for name in names:
        if not name:
            raise UsageError("a role has models and no name")
        if names.count(name) > 1:
            raise UsageError(f"the role {name!r} is there twice")
    return {name: row.listed() for name, row in named}


def _with(document: Document, key: str, value: dict[str, Plain]) -> Document:
    if value:
        return {**document, key: value}
    return {name: item for name, item in document.items() if name != key}


def _put(mapping: dict[str, Plain], key: str, value: Plain, *, first: bool = False) -> None:
    """Set a key, or take it away where there is no value."""
    if value is None:
        mapping.pop(key, None)
    elif first and key not in mapping:
        others = dict(mapping)
        mapping.clear()
        mapping.update({key: value, **others})
    else:
        mapping[key] = value


def _aim(rule: dict[str, Plain], target: str, who: str) -> None:
    """Let a rule name one kind of target, in the place where it named one before."""
    value: Plain = [*_split(who)] if target == "models" else who.strip()
    place = next((key for key in TARGETS if key in rule), None)
    pairs = [(target, value) if key == place else (key, item) for key, item in rule.items()]
    rule.clear()
    rule.update((key, item) for key, item in pairs if key == target or key not in TARGETS)
    rule.setdefault(target, value)


def _fallbacks(text: str) -> Plain:
    if text.strip() == NOBODY:
        return []
    return [*_split(text)] or None


def _mapping(value: Plain) -> Mapping[str, Plain]:
    return value if isinstance(value, dict) else {}


def _text(value: Plain) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else dump(value, flow=True)


def _names(value: Plain, *, empty: str = "") -> str:
    if value == []:
        return empty
    return ", ".join(map(_text, value)) if isinstance(value, list) else _text(value)


def _split(text: str) -> Iterator[str]:
    return (name.strip() for name in text.split(",") if name.strip())


def _condition(value: Plain) -> str:
    if value is None:
        return ""
    text = dump(value, flow=True)
    return text[1:-1] if isinstance(value, dict) else text


def _read_condition(text: str, number: int) -> Plain:
    if not text.strip():
        return None
    value, _, problems = read(f"{{{text}}}".encode("utf-8", "surrogatepass"))
    if problems:
        raise UsageError(f"rule {number}: its condition: {problems[0].what}")
    return value
