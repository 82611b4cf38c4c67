"""A small table as a value: plain text for terminals and tests, escaped HTML for notebooks.

Figures stand on the right of their column, digit under digit, and words on the left.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape

from multimodel_magic.notebook.columns import width
from multimodel_magic.notebook.safe_markdown import IGNORED_BY_MATHJAX, plain

__all__ = ["Report", "Table"]

_TABLE_STYLE = "border-collapse:collapse;margin:.2em 0 .6em;text-align:left"
_CELL_STYLE = (
    "padding:.15em .8em .15em 0;text-align:{};vertical-align:top;white-space:{};"
    "border-bottom:1px solid var(--jp-border-color2,#8884)"
)
_DIGITS_STYLE = ";font-variant-numeric:tabular-nums"
_NEVER_BROKEN = 24
"""Up to so many characters a cell stays on one line, however narrow the window is."""
_BOX_STYLE = "overflow-x:auto"
_CAPTION_STYLE = "font-weight:600;padding:.2em 0"
_NOTE_STYLE = "font-size:.85em;color:var(--jp-ui-font-color2,inherit)"


_FIGURE = re.compile(r"\(?[<+\-±]?\$?\d[\d,]*(\.\d+)?(e[+-]?\d+)?%?\)?")
_OF_FIGURES = frozenset(
    (
        *("about", "of", "to", "→", "+", "/", "?", "s", "ms", "min", "unknown", "cost"),
        *("(too", "few)"),
    )
)
"""Words among figures: of ranges, units and estimates."""
_NO_FIGURE = frozenset(("", "unknown", "cost unknown", "not known of both", "no finite estimate"))


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
    empty
        The line that stands in place of head and note where there are no rows: how they come to
        be there.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    empty: str = ""

    def without_empty(self) -> Table:
        """Return the table without the columns in which no row says anything."""
        said = [any(cells) for cells in zip(*self.rows, strict=True)]

        def kept(cells: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(cell for cell, is_said in zip(cells, said, strict=True) if is_said)

        if all(said):
            return self
        return replace(self, columns=kept(self.columns), rows=tuple(map(kept, self.rows)))

    def __str__(self) -> str:
        if not self.rows:
            return plain("\n".join(filter(None, (self.caption, self._below))))
        lines = [*([self.columns] if self.columns else []), *self.rows]
        widths = [max(map(width, column)) for column in zip(*lines, strict=True)]
        text = [_line(line, widths, self._sides) for line in lines]
        if self.columns:
            text.insert(1, "  ".join("-" * wide for wide in widths))
        return plain("\n".join(filter(None, (self.caption, *text, self._below))))

    def _repr_html_(self) -> str:
        caption = escape(plain(self.caption))
        # No <caption>: it is as wide as the table, and a long one must wrap by the page's width.
        return (
            f'<div class="{IGNORED_BY_MATHJAX}"><div style="{_CAPTION_STYLE}">{caption}</div>'
            f"{self._grid(caption) if self.rows else ''}{_note(self._below)}</div>"
        )

    def _grid(self, caption: str) -> str:
        head = _row(self.columns, "th", ' scope="col"', self._sides) if self.columns else ""
        body = "".join(_row(row, "td", "", self._sides) for row in self.rows)
        return (
            f'<div style="{_BOX_STYLE}"><table aria-label="{caption}" style="{_TABLE_STYLE}">'
            f"{head}{body}</table></div>"
        )

    @property
    def _below(self) -> str:
        return self.note if self.rows else self.empty or self.note

    @property
    def _sides(self) -> tuple[str, ...]:
        """On which side the cells of each column stand; of facts, which have no head, the left."""
        if not self.columns:
            return ("left",) * max(map(len, self.rows))
        return tuple(
            "right" if _are_figures(cells) else "left" for cells in zip(*self.rows, strict=True)
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


def _are_figures(cells: Sequence[str]) -> bool:
    """Whether a column holds figures, and words only where one is unknown.

    Examples
    --------
    >>> _are_figures(("$0.0002", "cost unknown")), _are_figures(("92% (80% to 97%)", "2.1 s ?"))
    (True, True)
    >>> _are_figures(("gpt-6", "4")), _are_figures(("2026-11-22",)), _are_figures(("unknown",))
    (False, False, False)
    """
    found = [cell for cell in cells if cell not in _NO_FIGURE]
    return bool(found) and all(map(_is_figure, found))


def _is_figure(cell: str) -> bool:
    figures = [word for word in cell.split() if word not in _OF_FIGURES]
    return bool(figures) and all(map(_FIGURE.fullmatch, figures))


def _line(cells: Sequence[str], widths: Sequence[int], sides: Sequence[str]) -> str:
    padded = (
        " " * (wide - width(cell)) + cell if side == "right" else cell + " " * (wide - width(cell))
        for cell, wide, side in zip(cells, widths, sides, strict=True)
    )
    return "  ".join(padded).rstrip()


def _row(cells: Sequence[str], tag: str, attributes: str, sides: Sequence[str]) -> str:
    inner = "".join(
        f'<{tag}{attributes} style="{_style(cell, side)}">{escape(plain(cell))}</{tag}>'
        for cell, side in zip(cells, sides, strict=True)
    )
    return f"<tr>{inner}</tr>"


def _style(cell: str, side: str) -> str:
    style = _CELL_STYLE.format(side, "pre" if width(cell) <= _NEVER_BROKEN else "pre-wrap")
    return style + _DIGITS_STYLE if side == "right" else style


def _note(text: str) -> str:
    return f'<div style="{_NOTE_STYLE}">{escape(plain(text))}</div>' if text else ""
