"""A small table as a value: plain text for terminals and tests, escaped HTML for notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from multimodel_magic.notebook.safe_markdown import IGNORED_BY_MATHJAX, plain

__all__ = ["Report", "Table"]

_TABLE_STYLE = "border-collapse:collapse;margin:.2em 0 .6em;text-align:left"
_CELL_STYLE = (
    "padding:.15em .8em .15em 0;text-align:left;vertical-align:top;white-space:{};"
    "border-bottom:1px solid var(--jp-border-color2,#8884)"
)
_NEVER_BROKEN = 24
"""Up to so many characters a cell stays on one line, however narrow the window is."""
_BOX_STYLE = "overflow-x:auto"
_CAPTION_STYLE = "font-weight:600;padding:.2em 0"
_NOTE_STYLE = "font-size:.85em;color:var(--jp-ui-font-color2,inherit)"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under column names, with a caption above and a note below.

    Parameters
    ----------
    caption
        What the table shows.
    columns
        The names of the columns; empty for a table of facts without a head.
    rows
        The cells, as text; every row as long as the longest.
    note
        A line below.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    def __str__(self) -> str:
        lines = [*([self.columns] if self.columns else []), *self.rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)] if lines else []
        text = [_line(line, widths) for line in lines]
        if self.columns:
            text.insert(1, "  ".join("-" * width for width in widths))
        return plain("\n".join(part for part in (self.caption, *text, self.note) if part))

    def _repr_html_(self) -> str:
        head = _row(self.columns, "th", ' scope="col"') if self.columns else ""
        body = "".join(_row(row, "td", "") for row in self.rows)
        caption = escape(plain(self.caption))
        # No <caption>: it is as wide as the table, and a long one must wrap by the page's width.
        return (
            f'<div class="{IGNORED_BY_MATHJAX}"><div style="{_CAPTION_STYLE}">{caption}</div>'
            f'<div style="{_BOX_STYLE}"><table aria-label="{caption}" style="{_TABLE_STYLE}">'
            f"{head}{body}</table></div>{_note(self.note)}</div>"
        )

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": str(self), "text/html": self._repr_html_()}


@dataclass(frozen=True, slots=True)
class Report:
    """Several tables, one under the other, in one output."""

    tables: tuple[Table, ...]

    def __str__(self) -> str:
        return "\n\n".join(map(str, self.tables))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        html = "".join(table._repr_html_() for table in self.tables)
        return {"text/plain": str(self), "text/html": html}


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return "  ".join(padded).rstrip()


def _row(cells: Sequence[str], tag: str, attributes: str) -> str:
    inner = "".join(
        f'<{tag}{attributes} style="{_style(cell)}">{escape(plain(cell))}</{tag}>' for cell in cells
    )
    return f"<tr>{inner}</tr>"


def _style(cell: str) -> str:
    return _CELL_STYLE.format("pre" if len(cell) <= _NEVER_BROKEN else "pre-wrap")


def _note(text: str) -> str:
    return f'<div style="{_NOTE_STYLE}">{escape(plain(text))}</div>' if text else ""
