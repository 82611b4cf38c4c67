r"""Our magics in a cell's source, turned into calls.

IPython would read `%llm what is this?` as a question about `this`, miss a magic below a line with
an open bracket in its prompt, and strip `>>> ` off the lines of a prompt.
"""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["transform"]

_CELL = re.compile(r"%%(llm|mm)(?![\w?])[^\S\n]*(.*)", re.DOTALL)
_LINE = re.compile(
    r"(?P<before>\s*(?:[^\W\d][\w.]*(?:\[[^\]\n]*\])?\s*=\s*)?)%(?P<name>llm|mm)(?![\w?])"
    r"(?P<line>.*)"
)
_HELP = re.compile(r"\s*(?:(%%?(?:llm|mm))\?{1,2}|\?{1,2}(%%?(?:llm|mm)))\s*")
_LEXEME = re.compile(
    r"""\#.*|\"{3}|'{3}|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[()\[\]{}]|\\$""", re.VERBOSE
)


def transform(lines: list[str], *, awaited: Callable[[str], bool]) -> list[str]:
    """Replace `%%llm`, `%llm` and `x = %llm` (and `mm`) by calls.

    Parameters
    ----------
    lines
        The cell's lines with their ends. Lines that a backslash continues, and
        everything inside foreign cell magics, strings and brackets stay as they are.
    awaited
        Says of a magic's name whether the call in a cell may be an `await`.
    """
    first = next((n for n, line in enumerate(lines) if line.strip()), 0)
    if asked := _HELP.fullmatch(lines[first]):
        # `??` would show our source instead of the manual, and a body would run as Python.
        rest = [] if lines[first].lstrip("? ").startswith("%%") else _lines(lines[first + 1 :])
        return [f"{asked[1] or asked[2]}?\n", *rest]
    if cell := _CELL.match(lines[first]):
        return _cell(cell[1], cell[2].strip(), "".join(lines[first + 1 :]), awaited)
    if lines[first].lstrip().startswith("%%"):
        return lines  # a foreign cell magic: its body is its own
    return _lines(lines)


def _cell(name: str, line: str, body: str, awaited: Callable[[str], bool]) -> list[str]:
    # An empty body is IPython's to refuse: it names the line magic.
    if body.strip() and awaited(name):
        cells = "get_ipython().magics_manager.magics['cell']"
        return [f"await {cells}[{name!r}].awaited({line!r}, {body!r})\n"]
    return [f"get_ipython().run_cell_magic({name!r}, {line!r}, {body!r})\n"]


def _lines(lines: list[str]) -> list[str]:
    scanner = _Scanner()
    made = []
    for line in lines:
        found = None if scanner.inside else _LINE.fullmatch(line.rstrip("\r\n"))
        if found is None or found["line"].endswith("\\"):
            scanner.read(line)
            made.append(line)
        else:
            made.append(f"{found['before']}{_call(found['name'], found['line'].strip())}\n")
    return made


def _call(name: str, line: str) -> str:
    return f"get_ipython().run_line_magic({name!r}, {line!r})"


class _Scanner:
    """Follows strings and brackets from line to line, to know whether a statement can begin."""

    def __init__(self) -> None:
        self._quote = ""
        self._depth = 0
        self._continued = False

    @property
    def inside(self) -> bool:
        """Whether the next line belongs to a string, a bracket or a continued line."""
        return bool(self._quote) or self._depth > 0 or self._continued

    def read(self, line: str) -> None:
        """Take one more line into account."""
        text = line.rstrip("\r\n")
        if not self.inside and text.lstrip()[:1] in ("%", "!", "?"):
            self._continued = text.endswith("\\")
            return
        self._continued = False
        at = 0
        while at < len(text):
            at = self._skip_string(text, at) if self._quote else self._read_lexeme(text, at)

    def _skip_string(self, text: str, at: int) -> int:
        end = re.compile(r"(?:\\.|(?!" + self._quote + r").)*" + self._quote).match(text, at)
        if end is None:
            return len(text)
        self._quote = ""
        return end.end()

    def _read_lexeme(self, text: str, at: int) -> int:
        found = _LEXEME.search(text, at)
        if found is None:
            return len(text)
        lexeme = found[0]
        if lexeme in ('"""', "'''"):
            self._quote = lexeme
        elif lexeme == "\\":
            self._continued = True
        elif lexeme in "([{":
            self._depth += 1
        elif lexeme in ")]}":
            self._depth = max(0, self._depth - 1)
        return found.end()
