"""Several prompts, each put to the same contestants: a table to look at."""

from __future__ import annotations

from multimodel_magic.comparison import Comparison, Comparisons
from multimodel_magic.comparison.values import letter
from multimodel_magic.notebook.compare.pane import MARKS, Pane, View
from multimodel_magic.notebook.safe_markdown import IGNORED_BY_MATHJAX, plain
from multimodel_magic.notebook.widgets.look import RAISED, edge, notice, safe
from multimodel_magic.types import Finished

__all__ = ["html", "text"]

_NAME = "mm-table"
# Paper is narrow and nothing scrolls there: the columns share its width.
_ON_PAPER = (
    f"<style>@media print {{ .{_NAME} :is(table, th, td) {{ min-width: 0 !important }} }}</style>"
)
_BOX = "overflow-x:auto;max-width:100%"
_TABLE = "border-collapse:collapse;margin:.25em 0;text-align:left;min-width:40em"
_CELL = (
    "vertical-align:top;text-align:left;padding:.4em .8em;min-width:12em;white-space:normal;"
    f"overflow-wrap:anywhere;{edge()}"
)
_HEAD = f"{_CELL};font-weight:600;{RAISED}"
_QUIET = "font-size:.85em;color:var(--jp-ui-font-color2,inherit);margin-top:.3em"


def html(compared: Comparisons) -> str:
    """Write it as HTML: a row a prompt, a column a contestant; every text escaped."""
    head = "".join(
        f'<th scope="col" style="{_HEAD}">{safe(name)}</th>' for name in _columns(compared)
    )
    rows = "".join(map(_row, compared))
    return (
        f'<div class="{_NAME} {IGNORED_BY_MATHJAX}" style="{_BOX}">{_ON_PAPER}'
        f'<table style="{_TABLE}">'
        f'<thead><tr><th scope="col" style="{_HEAD}">prompt</th>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def text(compared: Comparisons) -> str:
    """Write it as text: a paragraph a prompt."""
    return plain("\n\n".join(map(_paragraph, compared)))


def _columns(compared: Comparisons) -> tuple[str, ...]:
    """Name the columns: by place while any of them is blind, for then places differ by row."""
    if any(one.blind for one in compared):
        return tuple(map(letter, range(len(compared[0]))))
    return compared[0].names if len(compared) else ()


def _row(one: Comparison) -> str:
    cells = "".join(f'<td style="{_CELL}">{_answer(one, place)}</td>' for place in range(len(one)))
    return f'<tr><th scope="row" style="{_CELL}">{safe(one.prompt)}</th>{cells}</tr>'


def _answer(one: Comparison, place: int) -> str:
    view = _pane(one, place).view(hidden=one.hidden)
    who = f"{one.names[place]} · " if one.blind and one.revealed else ""
    told = "".join(notice(line, fault=view.state == "failed") for line in view.notices)
    return f'{view.html}{told}<div style="{_QUIET}">{safe(who + _status(view))}</div>'


def _status(view: View) -> str:
    """Say how it ended, in a sign and words; a receipt may begin with the same words."""
    if view.state == "answered":
        return view.status
    words = MARKS[view.state].partition(" ")[2]
    rest = view.status.removeprefix(words).removeprefix(" · ")
    return " · ".join(part for part in (MARKS[view.state], rest) if part)


def _paragraph(one: Comparison) -> str:
    views = (_pane(one, place).view(hidden=one.hidden) for place in range(len(one)))
    answers = (
        f"  {label}: {view.text or MARKS[view.state]}\n    {view.status}"
        for label, view in zip(one.labels, views, strict=True)
    )
    return "\n".join([one.prompt, *answers])


def _pane(one: Comparison, place: int) -> Pane:
    pane = Pane(place, one.names[place])
    response = one.responses[place]
    if response is not None:
        pane.hear(Finished(response))
    pane.stopped()
    return pane
