"""How widgets look: panels, facts, meters; escaped HTML and inline styles with Lab's own colours.

Inline, because Lab strips `<style>` from the outputs of a notebook that is not trusted. Every
colour is a `--jp-*` variable with a fallback, and none carries meaning without a word beside it.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from multimodel_magic.notebook.safe_markdown import IGNORED_BY_MATHJAX, plain
from multimodel_magic.notebook.table import Table

__all__ = [
    "RAISED",
    "columns",
    "edge",
    "fact",
    "facts",
    "line",
    "meter",
    "notice",
    "panel",
    "safe",
]


def edge(side: str = "") -> str:
    """Return the style of a thin line around, or on one side.

    In an output that is not trusted Lab strips what holds `var()`: the grey before it stays, and
    shows on light and on dark.
    """
    name = f"border-{side}" if side else "border"
    return f"{name}:1px solid #8886;{name}-color:var(--jp-border-color2,#8886)"


RAISED = "background-color:#8881;background-color:var(--jp-layout-color2,#8881)"
"""The ground of heads, stripped or not."""

_PANEL = (
    "contain:content;max-width:64em;margin:.25em 0;padding:.7em 1em .5em;"
    f"{edge()};border-radius:6px;"
    "overflow-x:auto;overflow-wrap:break-word"
)
_TITLE = "font-weight:600;margin-bottom:.5em"
_QUIET = "font-size:.85em;color:var(--jp-ui-font-color2,inherit)"
_NOTICE = "margin:.4em 0;padding:.25em .6em;border-left:3px solid var(--jp-warn-color1,#b36b00)"
_FAULT = "margin:.4em 0;padding:.25em .6em;border-left:3px solid var(--jp-error-color1,#d32f2f)"
_FACTS = "display:flex;flex-wrap:wrap;gap:.4em 2.2em;margin:.1em 0 .7em"
_VALUE = "font-size:1.35em;font-weight:600;line-height:1.3"
_COLUMNS = "display:flex;flex-wrap:wrap;gap:0 2.5em"
_COLUMN = "flex:1 1 20em;min-width:min-content;max-width:100%"
_TRACK = (
    "position:relative;max-width:26em;height:.55em;margin:.3em 0;border-radius:3px;"
    "background:var(--jp-layout-color3,#8883);overflow:hidden"
)
_FILL = "position:absolute;left:0;top:0;bottom:0;background:var(--jp-brand-color1,#1976d2)"
_MARK = "position:absolute;top:0;bottom:0;width:2px;background:var(--jp-ui-font-color0,#888)"


def safe(text: str) -> str:
    """Return anybody's text as HTML that shows it and does nothing else."""
    return escape(plain(text))


def panel(title: str, *parts: str) -> str:
    """Frame HTML parts, under a title where there is one."""
    head = f'<div style="{_TITLE}">{safe(title)}</div>' if title else ""
    return (
        f'<div class="{IGNORED_BY_MATHJAX}" role="group" aria-label="{safe(title)}" '
        f'style="{_PANEL}">{head}{"".join(parts)}</div>'
    )


def line(text: str) -> str:
    """Write a quiet line."""
    return f'<div style="{_QUIET}">{safe(text)}</div>' if text else ""


def notice(text: str, *, fault: bool = False) -> str:
    """Write a line that must be seen; it says in a sign and in words what it is."""
    sign = "✗" if fault else "⚠"
    return f'<div style="{_FAULT if fault else _NOTICE}">{sign} {safe(text)}</div>'


def fact(name: str, value: str, more: str = "") -> str:
    """Write one number large, with its name above and more about it below."""
    return (
        f'<div><div style="{_QUIET}">{safe(name)}</div><div style="{_VALUE}">{safe(value)}</div>'
        f"{line(more)}</div>"
    )


def facts(items: Iterable[str]) -> str:
    """Set facts side by side; on a narrow screen one below the other."""
    return f'<div style="{_FACTS}">{"".join(items)}</div>'


def columns(*sides: Iterable[Table]) -> str:
    """Set tables side by side where there is room."""
    inner = "".join(
        f'<div style="{_COLUMN}">{"".join(table._repr_html_() for table in side)}</div>'
        for side in sides
    )
    return f'<div style="{_COLUMNS}">{inner}</div>'


def meter(share: float, words: str, marks: Iterable[float] = ()) -> str:
    """Draw a share in [0, 1] as a bar that `words` says too; marks are lines across it."""
    filled = f'<div style="{_FILL};width:{min(max(share, 0.0), 1.0):.1%}"></div>'
    ticks = "".join(f'<div style="{_MARK};left:{mark:.1%}"></div>' for mark in marks)
    return f'<div role="img" aria-label="{safe(words)}" style="{_TRACK}">{filled}{ticks}</div>'
