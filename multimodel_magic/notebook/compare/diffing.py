"""Where the answers agree and where they differ, for reading."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from multimodel_magic.comparison import Differences
from multimodel_magic.comparison.diff import Row
from multimodel_magic.notebook.safe_markdown import code_block
from multimodel_magic.notebook.widgets.look import edge, safe
from multimodel_magic.wording import number_of

__all__ = ["html", "summary", "text"]

MOST_SHOWN = 40
"""So many sentences of a kind are listed; the rest is counted."""

_BOX = f"margin:.6em 0 .2em;padding:.3em .75em;{edge()};border-radius:6px"
_SUMMARY = "cursor:pointer;font-weight:600"
_HEAD = "font-weight:600;margin:.6em 0 .2em"
_LIST = "margin:.1em 0;padding-left:1.2em"
_WHO = "color:var(--jp-ui-font-color2,inherit);font-size:.85em"
_NOTE = "margin:.4em 0;font-size:.85em;color:var(--jp-ui-font-color2,inherit)"


def summary(found: Differences) -> str:
    """Say in one line how far the answers agree.

    Examples
    --------
    >>> from multimodel_magic.comparison import differences
    >>> summary(differences(["It is 42.", "It is 43."]))
    '0 of 2 sentences are in both; numbers differ: 42, 43'
    """
    all_of_them = "both" if found.answers == 2 else f"all {found.answers}"  # noqa: PLR2004 - both
    shared = sum(row.agreed for row in found.sentences)
    said = number_of(len(found.sentences), "sentence is", "sentences are")
    parts = [f"{shared} of {said} in {all_of_them}"]
    if odd := [row.first for row in found.numbers if not row.by_all]:
        more = f" and {len(odd) - 6} more" if len(odd) > 6 else ""  # noqa: PLR2004 - fits a line
        parts.append(f"numbers differ: {', '.join(odd[:6])}{more}")
    elif found.numbers:
        parts.append("the same numbers")
    if found.code:
        same = all(row.agreed for row in found.code)
        parts.append("the same code" if same else "the code differs")
    return "; ".join(parts)


def html(found: Differences, labels: Sequence[str], *, opened: bool = False, note: str = "") -> str:
    """Write it as HTML: a line that can be opened; nothing where there is nothing to compare."""
    if not (found.sentences or found.code or found.numbers):
        return ""
    return (
        f'<details{" open" if opened else ""} style="{_BOX}"><summary style="{_SUMMARY}">'
        f"Agreement: {safe(note + summary(found))}</summary>{_sentences(found, labels)}"
        f"{_numbers(found, labels)}{_code(found, labels)}"
        f'<div style="{_NOTE}">Compared by their words, not by what they mean.</div></details>'
    )


def text(found: Differences, labels: Sequence[str], *, note: str = "") -> str:
    """Write it as text: the line, and who alone says which numbers."""
    if not (found.sentences or found.code or found.numbers):
        return ""
    odd = (f"  {row.first}: {_names(row, labels)}" for row in found.numbers if not row.by_all)
    return "\n".join([f"Agreement: {note}{summary(found)}", *odd])


def _sentences(found: Differences, labels: Sequence[str]) -> str:
    rows = found.sentences
    agreed = [row for row in rows if row.agreed]
    several = [row for row in rows if len(row.by) > 1 and not row.agreed]
    alone = (
        _group(
            f"Only {safe(label)} says",
            (safe(row.first) for row in rows if row.by == (place,)),
        )
        for place, label in enumerate(labels)
    )
    return (
        _group("All say", (safe(row.first) for row in agreed))
        + _group("Several say, in these words", (_worded(row, labels) for row in several))
        + "".join(alone)
    )


def _group(title: str, items: Iterable[str]) -> str:
    listed = list(items)
    if not listed:
        return ""
    inner = "".join(f"<li>{item}</li>" for item in listed[:MOST_SHOWN])
    rest = len(listed) - MOST_SHOWN
    more = f"<li>and {rest} more</li>" if rest > 0 else ""
    return f'<div style="{_HEAD}">{title}</div><ul style="{_LIST}">{inner}{more}</ul>'


def _said(label: str, words: str) -> str:
    return f'<span style="{_WHO}">{safe(label)}:</span> {safe(words)}'


def _worded(row: Row, labels: Sequence[str]) -> str:
    if row.same:
        return f'<span style="{_WHO}">{safe(_names(row, labels))}:</span> {safe(row.first)}'
    return "<br>".join(_said(labels[place], row.said[place] or "") for place in row.by)


def _numbers(found: Differences, labels: Sequence[str]) -> str:
    by: dict[tuple[int, ...], list[str]] = {}
    for row in found.numbers:
        by.setdefault(row.by, []).append(row.first)
    everyone = tuple(range(found.answers))
    items = (
        f'<span style="{_WHO}">{"all" if who == everyone else safe(_listed(who, labels))}:</span> '
        f"{safe(', '.join(said[:MOST_SHOWN]))}"
        for who, said in sorted(by.items(), key=lambda one: (-len(one[0]), one[0]))
    )
    return _group("Numbers", items)


def _code(found: Differences, labels: Sequence[str]) -> str:
    said = number_of(len(found.sentences), "sentence is", "sentences are")
    parts = []
    for number, row in enumerate(found.code, start=1):
        names = "all" if row.by_all else _names(row, labels)
        if row.same:
            said = f"the same ({names})" if len(row.by) > 1 else f"only in {names}"
            parts.append(f'<div style="{_NOTE}">Code {number}: {safe(said)}</div>')
            continue
        lines = found.code_diff(row, labels)
        parts.append(f'<div style="{_NOTE}">Code {number}</div>' + code_block("\n".join(lines)))
    return f'<div style="{_HEAD}">Code</div>{"".join(parts)}' if parts else ""


def _names(row: Row, labels: Sequence[str]) -> str:
    return _listed(row.by, labels)


def _listed(places: Iterable[int], labels: Sequence[str]) -> str:
    return ", ".join(labels[place] for place in places)
