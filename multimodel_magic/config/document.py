"""YAML text -> plain values that know their lines, and nothing that YAML can hide.

PyYAML accepts duplicate keys (the last wins), expands anchors without limit, turns `12:30` into
750 and an unquoted date into an object. A configuration that was misread is worse than none, so
each of these is an error with its line, or read as the text it looks like.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import yaml

__all__ = ["Path", "Plain", "Problem", "Source", "dump", "parse", "read"]

Plain: TypeAlias = "str | int | float | bool | list[Plain] | dict[str, Plain] | None"
Path: TypeAlias = tuple[str | int, ...]

MOST_BYTES = 262_144
MOST_DEPTH = 30
MOST_NODES = 10_000
"""After expansion of anchors: ten lines of nested anchors can otherwise fill the memory."""


_BLANKS = "\u00a0\u2000-\u200a\u202f\u3000"
_ODD_BLANK = re.compile(rf"^[ \t]*(?:- +)*(?:[\w.-]+:)?[ ]*([{_BLANKS}])", re.MULTILINE)
"""Pasted from a page: it looks like the space that YAML is written with, and is none."""
_BARE_COMPARISON = re.compile(r":\s*([<>]=?)\s*([-+]?[\d.]+)")
_CONFLICT = re.compile(r"^<{7} ", re.MULTILINE)
_TOO_MANY = f"more than {MOST_NODES:,} values"


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault: what is wrong, at which path, in which line (from 1; None where it has none)."""

    path: Path
    what: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """Where a configuration was read; no part of what it says, so all sources are equal."""

    name: str = field(default="routing_config.yml", compare=False)
    lines: Mapping[Path, int] = field(default_factory=dict, compare=False)

    def line(self, path: Path) -> int | None:
        """Line of the path, or of the nearest part of it that was written down."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)


class _Refusal(Exception):
    """A fault found while reading."""

    def __init__(self, what: str, line: int | None = None, path: Path = ()) -> None:
        super().__init__(what)
        self.problem = Problem(path, what, line)


class _Loader(yaml.SafeLoader):
    """YAML with the scalars of version 1.2, and with a limit to its depth."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012
    depth = 0
    nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose one node, unless it lies too deep or is one too many."""
        self.depth += 1
        self.nodes += 1
        if self.depth > MOST_DEPTH or self.nodes > MOST_NODES:
            line = self.peek_event().start_mark.line + 1  # type: ignore[no-untyped-call]
            deep = f"nested deeper than {MOST_DEPTH} levels"
            raise _Refusal(deep if self.depth > MOST_DEPTH else _TOO_MANY, line)
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


class _Dumper(yaml.SafeDumper):
    """Quotes what `_Loader` would not read as text."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the base class's signature
        """Write every value out: anchors are for people."""
        return True


_SCALARS = (
    # `yes` and `on` are not in YAML 1.2, but every reader of YAML takes them for true.
    ("bool", r"true|True|TRUE|false|False|FALSE|yes|Yes|no|No|on|On|off|Off", "tTfFyYnNoO"),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", "-+0123456789"),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan",
        "-+.0123456789",
    ),
    ("null", r"~|null|Null|NULL|", "~nN\0"),
)

for _tag, _pattern, _first in _SCALARS:
    for _kind in (_Loader, _Dumper):
        _kind.add_implicit_resolver(
            f"tag:yaml.org,2002:{_tag}",
            re.compile(f"^(?:{_pattern})$"),
            ["" if letter == "\0" else letter for letter in _first],
        )


def read(data: bytes) -> tuple[Plain, Mapping[Path, int], tuple[Problem, ...]]:
    """Read one YAML document.

    Returns
    -------
    value, lines, problems
        The plain value, the line of each path (of its key, where it has one), and what is wrong;
        with a problem the value is None.
    """
    try:
        reading = _Reading()
        value = reading.value(_compose(_text(data)), ())
    except _Refusal as refusal:
        return None, {}, (refusal.problem,)
    return value, reading.lines, ()


def dump(value: Plain, *, flow: bool = False) -> str:
    """Write a plain value as YAML that `read` gives back; with `flow` in one line, `{a: [b]}`."""
    text: str = yaml.dump(
        value,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=sys.maxsize if flow else 100,
        default_flow_style=flow,
    )
    return text.removesuffix("\n").removesuffix("\n...") if flow else text


def parse(text: str) -> tuple[yaml.Node, Plain] | None:
    """Return the nodes of a YAML document, with their places, and its value.

    None where `read` refuses it.
    """
    try:
        node = _compose(_text(text.encode("utf-8", "surrogatepass")))
        return node, _Reading().value(node, ())
    except _Refusal:
        return None


def _text(data: bytes) -> str:
    if len(data) > MOST_BYTES:
        raise _Refusal(f"too large: the limit is {MOST_BYTES:,} bytes", 1)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _Refusal("not UTF-8: save the file as UTF-8", line) from error
    if not text.strip():
        raise _Refusal("the file is empty; a first line may be 'version: 1'", 1)
    if conflict := _CONFLICT.search(text):
        line = text.count("\n", 0, conflict.start()) + 1
        raise _Refusal("git left a conflict here: choose one of its sides", line)
    if odd := _ODD_BLANK.search(text):
        what = f"the blank U+{ord(odd[1]):04X} looks like a space and is none: type it anew"
        raise _Refusal(what, text.count("\n", 0, odd.start(1)) + 1)
    return text


def _compose(text: str) -> yaml.Node:
    try:
        loader = _Loader(text)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        what = f"the character U+{ord(text[error.position]):04X} is not allowed"
        raise _Refusal(what, line) from error
    try:
        node: yaml.Node | None = loader.get_single_node()
    except (ValueError, OverflowError) as error:  # PyYAML asks chr() for "\UFFFFFFFF"
        raise _Refusal("an escape sequence that is no character", loader.line + 1) from error
    except yaml.MarkedYAMLError as error:
        at_end = error.problem_mark and error.problem_mark.index >= len(text.rstrip())
        # What is never closed is to be looked for where it was opened.
        mark = (error.context_mark if at_end else None) or error.problem_mark
        line = mark.line + 1 if mark else 1
        raise _Refusal(_in_words(error, text, line), line) from error
    if node is None:
        raise _Refusal("the file holds only comments; a first line may be 'version: 1'", 1)
    return node


def _in_words(error: yaml.MarkedYAMLError, text: str, line: int) -> str:
    problem = error.problem or "this is not YAML"
    lines = text.splitlines()
    here = lines[line - 1] if line <= len(lines) else ""
    if r"'\t'" in problem or "\t" in here[: len(here) - len(here.lstrip())]:
        return "a tab; YAML is indented with spaces"
    if "found another document" in problem or "expected a single document" in str(error.context):
        return "a second document ('---'); a configuration is one"
    if bare := _BARE_COMPARISON.search(here):
        return f"a comparison must stand in quotes: '{bare[1]} {bare[2]}'"
    if "mapping values are not allowed" in problem:
        return "not valid YAML: a ':' where no key can stand (indentation, or text to be quoted)"
    quote = "; put the value in quotes" if "cannot start any token" in problem else ""
    return f"not valid YAML: {problem}{quote}"


class _Reading:
    """One walk over the nodes: values, lines, and how much there is."""

    def __init__(self) -> None:
        self.lines: dict[Path, int] = {}
        self._nodes = 0

    def value(self, node: yaml.Node, path: Path) -> Plain:
        self._nodes += 1
        line = node.start_mark.line + 1
        self.lines.setdefault(path, line)
        if self._nodes > MOST_NODES:
            raise _Refusal(f"{_TOO_MANY} (are there anchors in anchors?)", line)
        if len(path) > MOST_DEPTH:
            raise _Refusal("an anchor that holds itself, or nested too deep", line)
        match node.tag.removeprefix("tag:yaml.org,2002:"), node:
            case "map", yaml.MappingNode():
                return self._mapping(node, path)
            case "seq", yaml.SequenceNode():
                return [self.value(item, (*path, n)) for n, item in enumerate(node.value)]
            case kind, yaml.ScalarNode() if kind in {"bool", "int", "float", "null", "str"}:
                return _scalar(kind, str(node.value), line, path)
        tag = node.tag.replace("tag:yaml.org,2002:", "!!")
        raise _Refusal(f"the tag {tag} is not allowed", line, path)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Plain]:
        values: dict[str, Plain] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise _Refusal("a key must be text", line, path)
            # The key as written: `on:` and `4:` are names here, whatever YAML takes them for.
            name = _characters(str(key.value), line, path)
            if name == "<<":
                raise _Refusal("merging with '<<' is not allowed: write the keys out", line, path)
            if name in values:
                first = self.lines[(*path, name)]
                raise _Refusal(f"this key is there already, in line {first}", line, (*path, name))
            self.lines[(*path, name)] = line
            values[name] = self.value(value, (*path, name))
        return values


def _scalar(kind: str, text: str, line: int, path: Path) -> Plain:
    match kind, text.lower():
        case "str", _:
            return _characters(text, line, path)
        case "bool", "true" | "yes" | "on":
            return True
        case "bool", "false" | "no" | "off":
            return False
        case "null", "" | "~" | "null":
            return None
        case "int", _:
            return _number(int, text, line, path)
        case "float", plain:
            return _number(float, plain.replace(".inf", "inf").replace(".nan", "nan"), line, path)
    raise _Refusal(f"the tag !!{kind} does not fit {text[:40]!r}", line, path)


def _characters(text: str, line: int, path: Path) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:  # half a surrogate pair, written as an escape
        raise _Refusal("an escape sequence that is no character", line, path) from error
    return text


def _number(kind: type[int | float], text: str, line: int, path: Path) -> int | float:
    try:
        return kind(text)
    except ValueError as error:  # more than 4,300 digits, or an explicit !!int on a word
        raise _Refusal("not a number that can be read", line, path) from error
