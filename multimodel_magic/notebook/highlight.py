"""Colour code for the eye, with JupyterLab's own editor colours; never needed to read it."""

from __future__ import annotations

from functools import cache
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pygments.lexer import Lexer  # type: ignore[import-untyped]  # no stubs here

__all__ = ["highlighted"]

# Only well-trodden lexers: a lexer is a heap of regular expressions that runs on hostile text.
_LEXERS = {
    "python": "python py python3 ipython",
    "json": "json",
    "bash": "bash sh shell zsh console",
    "sql": "sql",
    "javascript": "javascript js",
    "typescript": "typescript ts",
    "java": "java",
    "c": "c h",
    "cpp": "cpp c++",
    "go": "go golang",
    "rust": "rust rs",
    "r": "r",
    "yaml": "yaml yml",
    "toml": "toml",
    "css": "css",
}
_NAMES = {word: name for name, words in _LEXERS.items() for word in words.split()}
_MOST_CHARS, _LONGEST_LINE = 20_000, 400

# Pygments' token kinds (its short names, longest first) to styles. Outside Lab the colours fall
# away and weight and slope remain.
_STYLES = {
    "k": "font-weight:600;color:var(--jp-mirror-editor-keyword-color,inherit)",
    "ow": "font-weight:600;color:var(--jp-mirror-editor-keyword-color,inherit)",
    "c": "font-style:italic;color:var(--jp-mirror-editor-comment-color,inherit)",
    "s": "color:var(--jp-mirror-editor-string-color,inherit)",
    "m": "color:var(--jp-mirror-editor-number-color,inherit)",
    "nf": "color:var(--jp-mirror-editor-def-color,inherit)",
    "nc": "color:var(--jp-mirror-editor-def-color,inherit)",
    "nb": "color:var(--jp-mirror-editor-builtin-color,inherit)",
    "nt": "color:var(--jp-mirror-editor-tag-color,inherit)",
}


def highlighted(code: str, language: str) -> str:
    """Return `code` as escaped HTML, coloured where `language` is known and the code is short.

    Examples
    --------
    >>> highlighted("<b>", "no such language")
    '&lt;b&gt;'
    """
    name = _NAMES.get(language.lower())
    longest = max(map(len, code.split("\n")), default=0)
    if name is None or len(code) > _MOST_CHARS or longest > _LONGEST_LINE:
        return escape(code)
    return "".join(_span(kind, text) for kind, text in _runs(code, _lexer(name)))


@cache
def _lexer(name: str) -> Lexer:
    from pygments.lexers import (  # type: ignore[import-untyped]
        get_lexer_by_name,
    )

    return get_lexer_by_name(name, stripnl=False, ensurenl=False)


def _runs(code: str, lexer: Lexer) -> list[tuple[str, str]]:
    """Join neighbours of one kind, so that the HTML stays small."""
    from pygments.token import STANDARD_TYPES  # type: ignore[import-untyped]

    runs: list[tuple[str, str]] = []
    for token, text in lexer.get_tokens(code):
        short = STANDARD_TYPES.get(token, "")
        kind = short if short in _STYLES else short[:1] if short[:1] in _STYLES else ""
        if runs and runs[-1][0] == kind:
            runs[-1] = (kind, runs[-1][1] + text)
        else:
            runs.append((kind, text))
    return runs


def _span(kind: str, text: str) -> str:
    style = _STYLES.get(kind)
    return f'<span style="{style}">{escape(text)}</span>' if style else escape(text)
