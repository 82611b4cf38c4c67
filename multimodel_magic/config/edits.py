"""A configuration's text with other values in it: what did not change keeps its very characters.

Comments and layout are the user's. Only the values that differ are written anew, each in its own
place; where that cannot be done the whole text is, and `lost` says which comments went.
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, pairwise, zip_longest
from pathlib import Path

import yaml

from multimodel_magic.config.document import Plain, dump, parse
from multimodel_magic.config.moves import is_cut, is_moved, origins_of
from multimodel_magic.errors import ConfigError

__all__ = ["Edited", "comments", "edited", "save"]


@dataclass(frozen=True, slots=True)
class Edited:
    """A text with changed values, and the comments of the former one that it lacks."""

    text: str
    lost: tuple[str, ...] = ()


def edited(text: str, value: Mapping[str, Plain]) -> Edited:
    r"""Return `text` changed so that it says `value`.

    Parameters
    ----------
    text
        The YAML before; empty for a new file.
    value
        What it shall say.

    Examples
    --------
    >>> edited("routing:  # who\n  default_model: fast # cheap\n",
    ...        {"routing": {"default_model": "strong"}}).text
    'routing:  # who\n  default_model: strong # cheap\n'
    """
    wanted = dict(value)
    unix = text.replace("\r\n", "\n")
    found = unix if not unix or unix.endswith("\n") else f"{unix}\n"
    new = _in_place(found, wanted)
    if new is None or _value(new) != wanted:
        new = dump(wanted)
    new = unix if new == found else new
    gone = Counter(comments(unix)) - Counter(comments(new))
    return Edited(new.replace("\n", "\r\n") if "\r\n" in text else new, tuple(gone.elements()))


def comments(text: str) -> tuple[str, ...]:
    r"""Return the comments of a YAML text, in order; none of a text that is no YAML.

    Examples
    --------
    >>> comments("a: '# no' # yes\n# and this\n")
    ('# yes', '# and this')
    """
    parsed = _parsed(text)
    lines = text if parsed is None else _without_scalars(text, parsed[0])
    found = (re.search(r"(?:^|(?<=\s))#.*", line) for line in lines.splitlines())
    return tuple(match[0].rstrip() for match in found if match)


def _without_scalars(text: str, node: yaml.Node) -> str:
    """Blank every value and key, so that a `#` that is left begins a comment."""
    letters = list(text)
    for scalar in _scalars(node):
        for at in range(scalar.start_mark.index, min(scalar.end_mark.index, len(letters))):
            letters[at] = letters[at] if letters[at] == "\n" else "x"
    return "".join(letters)


def _scalars(node: yaml.Node) -> Iterator[yaml.ScalarNode]:
    if isinstance(node, yaml.ScalarNode):
        yield node
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _scalars(item)
    elif isinstance(node, yaml.MappingNode):
        for key, item in node.value:
            yield from _scalars(key)
            yield from _scalars(item)


@lru_cache(maxsize=8)
def _parsed(text: str) -> tuple[yaml.Node, Plain] | None:
    """Parse a text once: at every keystroke the text before is the same."""
    return parse(text)


def _value(text: str) -> Plain:
    parsed = _parsed(text)
    return None if parsed is None else parsed[1]


# --- changing in place

_Splice = tuple[int, int, str]
"""From which character to which, and what stands there instead."""


class _Elsewhere(Exception):
    """A node cannot take the change in its place: it is made one level up."""


def _in_place(text: str, wanted: dict[str, Plain]) -> str | None:
    node, before = _parsed(text) or (None, None)
    if not isinstance(node, yaml.MappingNode) or not isinstance(before, dict):
        return None
    try:
        return _spliced(text, [*_changed(text, node, before, wanted)])
    except _Elsewhere:
        return None


def _changed(text: str, node: yaml.Node, before: Plain, wanted: Plain) -> Iterator[_Splice]:
    """Yield what makes a node say `wanted`; _Elsewhere where its place does not allow it."""
    if before == wanted and type(before) is type(wanted):
        return
    if _in_a_line(node):
        yield _inline(text, node, wanted)
    elif isinstance(node, yaml.MappingNode) and isinstance(before, dict) and _full(wanted, dict):
        yield from _mapping(text, node, before, wanted)  # type: ignore[arg-type]  # _full has asked
    elif isinstance(node, yaml.SequenceNode) and isinstance(before, list) and _full(wanted, list):
        yield from _sequence(text, node, before, wanted)  # type: ignore[arg-type]  # same
    else:
        raise _Elsewhere


def _in_a_line(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) or bool(getattr(node, "flow_style", None))


def _full(value: Plain, kind: type) -> bool:
    return isinstance(value, kind) and bool(value)


def _inline(text: str, node: yaml.Node, wanted: Plain) -> _Splice:
    start, end = node.start_mark.index, node.end_mark.index
    if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
        raise _Elsewhere
    if _full(wanted, list) and any(isinstance(item, dict) for item in wanted):  # type: ignore[union-attr]
        raise _Elsewhere  # a list of rules reads better line by line
    new = dump(wanted, flow=True)
    return start, end, f" {new}" if text[start - 1 : start] in {":", "-"} else new


def _mapping(
    text: str, node: yaml.MappingNode, before: dict[str, Plain], wanted: dict[str, Plain]
) -> Iterator[_Splice]:
    column = node.start_mark.column
    for key, child in node.value:
        name = str(key.value)
        start, end = _line_start(text, key.start_mark.index), _end(text, child)
        if name in wanted and before[name] == wanted[name]:
            continue
        try:
            if name not in wanted:
                raise _Elsewhere  # noqa: TRY301 - it goes as a whole
            yield from [*_changed(text, child, before[name], wanted[name])]
        except _Elsewhere:
            if text[start : key.start_mark.index].strip():
                raise  # behind the dash of a list: the dash would go too
            kept = {name: wanted[name]} if name in wanted else {}
            yield start, end, _indented(dump(kept), column) if kept else ""
    if new := {name: item for name, item in wanted.items() if name not in before}:
        at = _end(text, node.value[-1][1])
        yield at, at, _indented(dump(new), column)


def _sequence(
    text: str, node: yaml.SequenceNode, before: list[Plain], wanted: list[Plain]
) -> Iterator[_Splice]:
    if is_cut(before, wanted):
        yield from _without(text, node, before, wanted)
        return
    origins = origins_of(before, wanted)
    if len(wanted) < len(before) or is_moved(origins):
        yield _rearranged(text, node, before, wanted, origins)
        return
    column = node.start_mark.column
    for n, child in enumerate(node.value):
        try:
            yield from [*_changed(text, child, before[n], wanted[n])]
        except _Elsewhere:
            start = _line_start(text, child.start_mark.index)
            if text[start : child.start_mark.index].strip() != "-":
                raise
            yield start, _end(text, child), _indented(dump([wanted[n]]), column)
    if len(wanted) > len(before):
        at = _end(text, node.value[-1])
        yield at, at, _indented(dump(wanted[len(before) :]), column)


def _without(
    text: str, node: yaml.SequenceNode, before: list[Plain], wanted: list[Plain]
) -> Iterator[_Splice]:
    """Take items out."""
    left = list(wanted)
    for n, child in enumerate(node.value):
        if left and before[n] == left[0]:
            left.pop(0)
            continue
        start = _line_start(text, child.start_mark.index)
        if text[start : child.start_mark.index].strip() != "-":
            raise _Elsewhere
        yield start, _end(text, child), ""


def _rearranged(
    text: str,
    node: yaml.SequenceNode,
    before: list[Plain],
    wanted: list[Plain],
    origins: Sequence[int | None],
) -> _Splice:
    """Write items in another order: each takes the comments beside and right above it along."""
    spans = [*_spans(text, node)]
    blank = [text[end:start] for (_, end), (start, _) in pairwise(spans)]
    items = [
        _indented(dump([item]), node.start_mark.column)
        if origin is None
        else _taken_along(text, node.value[origin], spans[origin], before[origin], item)
        for item, origin in zip(wanted, origins, strict=True)
    ]
    parts = chain.from_iterable(zip_longest(items, blank[: len(items) - 1], fillvalue=""))
    return spans[0][0], spans[-1][1], "".join(parts)


def _taken_along(
    text: str, node: yaml.Node, span: tuple[int, int], before: Plain, item: Plain
) -> str:
    """Return an item of a list with its comments, changed where it has changed."""
    start, end = span
    try:
        return _spliced(text, [*_changed(text, node, before, item)], start, end)
    except _Elsewhere:
        dash = _line_start(text, node.start_mark.index)
        column = text.index("-", dash) - dash
        return text[start:dash] + _indented(dump([item]), column)


def _spans(text: str, node: yaml.SequenceNode) -> Iterator[tuple[int, int]]:
    """Yield where each item of a list begins, with the lines of comment right above, and ends."""
    end = 0
    for item in node.value:
        start = _line_start(text, item.start_mark.index)
        if text[start : item.start_mark.index].strip() != "-":
            raise _Elsewhere
        # What looks like a comment may be the end of a text before.
        while start > end and text[_line_start(text, start - 1) : start].lstrip().startswith("#"):
            start = _line_start(text, start - 1)
        end = _end(text, item)
        yield start, end


def _spliced(text: str, splices: Iterable[_Splice], start: int = 0, end: int | None = None) -> str:
    """Return a part of a text, changed."""
    end = len(text) if end is None else end
    for since, until, new in sorted(splices, reverse=True):
        text = text[:since] + new + text[until:]
        end += len(new) - (until - since)
    return text[start:end]


def _line_start(text: str, index: int) -> int:
    return text.rfind("\n", 0, index) + 1


def _end(text: str, node: yaml.Node) -> int:
    """Return where the last line of a node ends, comments and empty lines below it left out."""
    last = node.start_mark.index
    for scalar in _scalars(node):
        last = max(last, scalar.end_mark.index)
    if _in_a_line(node):
        last = max(last, node.end_mark.index)
    # A block scalar ends where the next line begins.
    begun = last > 0 and text[last - 1] == "\n"
    newline = last - 1 if begun else text.find("\n", last)
    return len(text) if newline < 0 else newline + 1


def _indented(text: str, column: int) -> str:
    return "".join(f"{' ' * column}{line}" for line in text.splitlines(keepends=True))


# --- saving


def save(path: Path, text: str, *, before: bytes | None) -> None:
    """Write a configuration file, wholly or not at all.

    Parameters
    ----------
    path
        The file; where it is a link, what it leads to.
    text
        What it shall hold.
    before
        What it held when it was read, None where there was no file: it is not written over
        another state.

    Raises
    ------
    ConfigError
        Where the file has changed meanwhile, or cannot be written.
    """
    target = path.resolve()
    try:
        now = target.read_bytes() if target.exists() else None
        if now != before:
            raise ConfigError(f"{path}: has changed since it was read; read it again first")
        _replace(target, text.encode("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({error.strerror or error})") from error


def _replace(target: Path, data: bytes) -> None:
    mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o644
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
