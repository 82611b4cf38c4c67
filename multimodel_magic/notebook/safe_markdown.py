r"""Show what a model wrote without trusting it: markdown in, HTML out whose every tag is ours.

A cell that has just run is trusted by JupyterLab, which then executes `<script>`, `onerror` and
`<iframe srcdoc>` in text/markdown and text/html alike, and fetches `![](http://...)` at once,
which leaks data without any script. Filtering markdown for Lab's own parser would mean to agree
with that parser on what is code. So the text is parsed here, with raw HTML switched off, and only
tags that this module wrote leave it; whatever it does not know is escaped text. No text/markdown
is displayed at all.

MathJax is the second interpreter: it stays out (`mathjax_ignore`) except in the spans made
here, and a formula with a command that sets attributes, links, loads or defines stays as code.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from multimodel_magic.errors import UNPRINTABLE
from multimodel_magic.notebook.highlight import highlighted

if TYPE_CHECKING:
    from markdown_it.token import Token

__all__ = [
    "GrowingMarkdown",
    "code_block",
    "fences",
    "language_of",
    "plain",
    "prepare",
    "text_block",
    "to_html",
]

IGNORED_BY_MATHJAX = "mathjax_ignore tex2jax_ignore"
"""Classes for the element around what `to_html` gives: MathJax 3 and 2 leave its text alone."""

# Hostile text costs up to 10 us a character; these bound a paint, and no real answer comes near.
_MOST_CHARS, _MOST_LINES = 1_000_000, 20_000
_CODE_STYLE = "margin:.5em 0;padding:.5em .75em;overflow-x:auto;white-space:pre"
# Said of `code` too: nbconvert wraps it, and breaks 300 into "30" and "0" where a pane is narrow.
_LINE_STYLE = "white-space:inherit;word-break:normal;overflow-wrap:normal"
_TEXT_STYLE = "margin:0;white-space:pre-wrap;overflow-wrap:anywhere"


def plain(text: str) -> str:
    r"""Return `text` without what a terminal or page would obey: controls, escapes, overrides.

    Examples
    --------
    >>> plain("red \x1b[31malert\x07 \u202e$0")
    'red \ufffd[31malert\ufffd \ufffd$0'
    """
    return UNPRINTABLE.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


def text_block(text: str) -> str:
    """Return `text` as it is, escaped, in a `<pre>` that wraps.

    Examples
    --------
    >>> "&lt;b&gt;" in text_block("<b>")
    True
    """
    return f'<pre style="{_TEXT_STYLE}">{escape(plain(text))}</pre>\n'


def code_block(code: str, language: str = "") -> str:
    """Return `code` escaped in a `<pre><code>`, coloured where `language` is a known one."""
    inner = highlighted(plain(code), language)
    return f'<pre style="{_CODE_STYLE}"><code style="{_LINE_STYLE}">{inner}</code></pre>\n'


def to_html(markdown: str, *, final: bool = True) -> str:
    """Render a model's markdown as HTML that runs nothing, restyles nothing and fetches nothing.

    Parameters
    ----------
    markdown
        What the model wrote, whole or cut anywhere.
    final
        False while the answer still grows: formulas and code are then not yet typeset and
        coloured, so that they do not flicker.

    Returns
    -------
    str
        Elements without ids or classes of the model's choice, to be put into an element that
        carries the classes `IGNORED_BY_MATHJAX`. Images become links; links go to http, https
        and mailto only.

    Examples
    --------
    >>> to_html("<script>x</script> **b**").strip()
    '<p>&lt;script&gt;x&lt;/script&gt; <strong>b</strong></p>'
    """
    text = plain(markdown)
    if _costs_too_much(text):
        return text_block(text)
    from multimodel_magic.notebook.markdown_rules import fresh_environment, parser

    return str(parser().render(text, fresh_environment(final=final)))


def _costs_too_much(text: str) -> bool:
    return len(text) > _MOST_CHARS or text.count("\n") > _MOST_LINES


def fences(markdown: str) -> list[tuple[str, str]]:
    r"""List the fenced code of a model's markdown as `(language, code)`; none of a huge text.

    Examples
    --------
    >>> fences("so:\n```sql\nselect 1\n```\n")
    [('sql', 'select 1\n')]
    """
    from multimodel_magic.notebook.markdown_rules import fresh_environment, parser

    text = plain(markdown)
    if _costs_too_much(text):
        return []
    tokens = parser().parse(text, fresh_environment(final=True))
    return [(language_of(token), token.content) for token in tokens if token.type == "fence"]


def language_of(token: Token) -> str:
    """Return the language that a fence names, or an empty string."""
    return [*token.info.split(maxsplit=1), ""][0]


def prepare() -> None:
    """Load the parser (50 ms, once), for moments in which one waits anyway."""
    from multimodel_magic.notebook.markdown_rules import parser

    parser()


class GrowingMarkdown:
    """Markdown that grows: each `html()` renders only what is new since the block before last.

    A block of markdown that another one follows does not change any more (but for link
    definitions that come later: the final `to_html` of the whole text has those right). Each
    part is rendered by `to_html`'s parser into balanced HTML, so the sum is as safe as its parts.
    """

    def __init__(self) -> None:
        self._settled: list[str] = []
        self._tail = ""

    def add(self, text: str) -> None:
        """Append what has just come."""
        self._tail += text

    def html(self) -> str:
        """Render everything so far."""
        tail = plain(self._tail)
        if _costs_too_much(tail):
            return "".join([*self._settled, text_block(tail)])
        from multimodel_magic.notebook.markdown_rules import fresh_environment, parser

        markdown, environment = parser(), fresh_environment(final=False)
        tokens = markdown.parse(tail, environment)
        cut, line = _last_block(tokens, tail.count("\n"))
        if cut:
            self._settled.append(
                markdown.renderer.render(tokens[:cut], markdown.options, environment)
            )
            self._tail = tail.split("\n", line)[line]
        rest = markdown.renderer.render(tokens[cut:], markdown.options, environment)
        return "".join([*self._settled, rest])


def _last_block(tokens: Sequence[Token], last_line: int) -> tuple[int, int]:
    """Find the last top-level block that began above the last, perhaps unfinished, line."""
    for index in range(len(tokens) - 1, 0, -1):
        token = tokens[index]
        if token.level == 0 and token.nesting >= 0 and token.map and token.map[0] < last_line:
            return index, token.map[0]
    return 0, 0
