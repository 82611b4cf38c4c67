"""The static twin: a comparison as HTML and text that read well without a kernel."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from multimodel_magic.notebook.compare.pane import MARKS, State, View
from multimodel_magic.notebook.safe_markdown import IGNORED_BY_MATHJAX, plain
from multimodel_magic.notebook.widgets.look import RAISED, edge, notice, safe

__all__ = ["PANES", "Picture", "html", "text"]

PANES: Final = "mm-twin"
"""The class of the twin: beside its live widget it hides itself."""

# What only a trusted output gets, and none needs. On paper nothing can be opened: all is.
_ON_PAPER = f"""<style>@media print {{
.{PANES} details:not([open])::details-content {{ content-visibility: visible }} }}</style>"""
# The live view stands above the twin, and while it lives the twin is not shown twice. Without a
# kernel Lab writes `Loading widget...`, then `Error displaying widget`, as bare text in the output
# above: it is hidden.
_BESIDE_WIDGET = f"""<style>
.jp-OutputArea-child:has(.mm-live) + .jp-OutputArea-child:has(.{PANES}) {{ display: none }}
.jp-OutputArea-child:has(+ .jp-OutputArea-child .{PANES})
  > .jp-OutputArea-output:not(:has(*)) {{ display: none }}
</style>"""

_GRID = (
    "display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,{least}),1fr));"
    "gap:.75em;align-items:start;margin:.25em 0"
)
_PANE = (
    f"contain:content;min-width:0;{edge()};"
    "border-radius:6px;background:var(--jp-layout-color1,transparent)"
)
_CHOSEN = (
    "contain:content;min-width:0;border:2px solid #1976d2;"
    "border-color:var(--jp-brand-color1,#1976d2);border-radius:6px;background:var(--jp-layout-color1,transparent)"
)
_HEAD = (
    "display:flex;flex-wrap:wrap;gap:.1em .75em;justify-content:space-between;"
    f"align-items:baseline;padding:.4em .75em;{edge('bottom')};"
    f"{RAISED}"
)
_TITLE = "font-weight:600;overflow-wrap:anywhere"
_STATE = "font-size:.85em;white-space:nowrap;color:{colour}"
_COLOURS: Final[dict[State, str]] = {
    "waiting": "var(--jp-ui-font-color2,inherit)",
    "answering": "var(--jp-brand-color1,#1976d2)",
    "answered": "var(--jp-ui-font-color2,inherit)",
    "failed": "var(--jp-error-color1,#c62828)",
    "stopped": "var(--jp-warn-color0,#b36b00)",
}
_ANSWER = "contain:content;overflow-x:auto;overflow-wrap:anywhere;padding:.5em .75em"
_STATUS = (
    f"padding:.4em .75em;{edge('top')};font-size:.85em;"
    "color:var(--jp-ui-font-color2,inherit);overflow-wrap:anywhere"
)
_NOTICES = "padding:0 .75em"
_VERDICT = f"margin:.6em 0 .2em;padding:.4em .75em;border-radius:6px;font-weight:600;{RAISED}"
_PROMPT = (
    "margin:.25em 0 .5em;white-space:pre-wrap;overflow-wrap:anywhere;max-height:12em;"
    "overflow-y:auto;color:var(--jp-ui-font-color2,inherit)"
)


@dataclass(frozen=True, slots=True)
class Picture:
    """All that is to be seen of a comparison at one moment."""

    views: tuple[View, ...]
    chosen: int | None = None
    """The place that was preferred."""
    verdicts: tuple[str, ...] = ()
    """What votes said, a line each."""
    differences_html: str = ""
    differences_text: str = ""
    prompt: str = ""
    """Shown where the cell does not say it."""
    beside_widget: bool = False
    """Whether a live widget stands above."""


def html(picture: Picture) -> str:
    """Write the twin as HTML: every tag and style is ours, every text escaped."""
    panes = "".join(
        _pane(view, place, chosen=place == picture.chosen)
        for place, view in enumerate(picture.views)
    )
    asked = f'<div style="{_PROMPT}">{safe(picture.prompt)}</div>' if picture.prompt else ""
    least = "max(19em,34%)" if len(picture.views) == 4 else "19em"  # noqa: PLR2004 - two by two
    said = "".join(f'<div style="{_VERDICT}">{safe(line)}</div>' for line in picture.verdicts)
    style = _ON_PAPER + (_BESIDE_WIDGET if picture.beside_widget else "")
    grid = f'<div style="{_GRID.format(least=least)}">{panes}</div>'
    return (
        f'<div class="{PANES} {IGNORED_BY_MATHJAX}" role="group" aria-label="Comparison">'
        f"{style}{asked}{grid}{said}{picture.differences_html}</div>"
    )


def text(picture: Picture) -> str:
    """Write the twin as plain text, for terminals and tests."""
    panes = (
        _pane_text(view, chosen=place == picture.chosen) for place, view in enumerate(picture.views)
    )
    parts = [picture.prompt, *panes, "\n".join(picture.verdicts), picture.differences_text]
    return plain("\n\n".join(part for part in parts if part))


def _pane(view: View, place: int, *, chosen: bool) -> str:
    title = f"★ {view.title} · preferred" if chosen else view.title
    status = " · ".join(part for part in (view.status, view.elapsed) if part)
    # By this mark the live view finds what Lab has typeset here.
    mark = "" if view.running else f' data-mm-answer="{place}-{view.run}"'
    answer = f'<div style="{_ANSWER}"{mark}>\n{view.html}</div>' if view.html else ""
    return (
        f'<div role="group" aria-label="{safe(title)}" style="{_CHOSEN if chosen else _PANE}">'
        # Where styles are taken away, as on GitHub, a strong title and a space are left.
        f'<div style="{_HEAD}"><strong style="{_TITLE}">{safe(title)}</strong> '
        f'<span style="{_STATE.format(colour=_COLOURS[view.state])}">{MARKS[view.state]}</span>'
        f"</div>{answer}{_notices(view.notices, fault=view.state == 'failed')}"
        f'<div style="{_STATUS}">{safe(status)}</div></div>'
    )


def _notices(notices: Iterable[str], *, fault: bool) -> str:
    lines = "".join(notice(line, fault=fault) for line in notices)
    return f'<div style="{_NOTICES}">{lines}</div>' if lines else ""


def _pane_text(view: View, *, chosen: bool) -> str:
    mark = " ★ preferred" if chosen else ""
    head = f"{view.title}{mark} — {MARKS[view.state]}"
    below = "\n".join([*(f"! {line}" for line in view.notices), view.status])
    return "\n".join(part for part in (head, "-" * len(head), view.text, below) if part)
