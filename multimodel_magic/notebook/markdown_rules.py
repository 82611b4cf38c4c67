"""How a model's markdown is parsed and rendered: the half of `safe_markdown` that loads late.

Every tag that leaves here is written here or by markdown-it's renderer, whose raw HTML is off.
"""

from __future__ import annotations

import re
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from itertools import accumulate
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, table
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from multimodel_magic.notebook.safe_markdown import code_block, language_of

__all__ = ["fresh_environment", "parser"]

# A formula that holds one of these is shown as code: they set attributes or styles, link, load,
# take a box out of its place so that it covers others, or change later formulas of the whole page
# (in Lab 4.6 `$\let\alpha=\beta$` turns every later alpha into beta). Lab's MathJax filters
# javascript: links and classes itself; other viewers' may not.
_DENIED_NAMES = """
above abovewithdelims bbox clap class colorbox crampedclap crampedllap crampedrlap csname cssId data
DeclareMathOperator DeclarePairedDelimiter DeclarePairedDelimiters DeclarePairedDelimitersX
DeclarePairedDelimitersXPP def definecolor edef enclose eqref fcolorbox futurelet gdef global href
hskip hss html htmlClass htmlData htmlId htmlStyle includegraphics kern leftroot let llap long lower
makebox mathclap mathllap mathmakebox mathmbox mathrlap mathtip mathtoolsset mkern mmlToken
MoveEqLeft moveleft moveright mskip MTFlushSpaceAbove MTFlushSpaceBelow newcolumntype newcommand
newenvironment Newextarrow newtagform providecommand raise raisebox ref renewcommand
renewenvironment renewtagform require rlap Rule rule setOptions smash smashoperator Space special
style textclap textllap textrlap texttip toggle unicode uproot url usetagform xdef
"""
_DENIED = frozenset(_DENIED_NAMES.split())
_UNIT = r"(?:em|ex|mu|pc|pt|px|cm|mm|in)\b"
# So is one with a length below zero, which draws one thing over another, or with one such as
# `\[900em]`, which would push all else away.
_BACKWARDS = re.compile(
    rf"\\[hmv]space\b[*\s{{]*-|\[\s*-\s*[\d.,]+\s*{_UNIT}\s*\]"
    # `f\!\left(x\right)` is good style; a row of them, or very many, walks back over a word.
    r"|(?:\\(?:!|neg(?:thin|med|thick)space(?![A-Za-z]))[\s{}]*){5}"
)
_TIGHT, _MOST_TIGHT = re.compile(r"\\(?:!|neg(?:thin|med|thick)space)"), 40
_HUGE = re.compile(
    r"\d{3}(?:[.,]\d*)?\s*(?:em|ex|mu|pc)\b|[2-9]\d(?:[.,]\d*)?\s*(?:em|ex|pc)\b"
    rf"|[\[{{]\s*[-+]?\d{{3,9}}(?:[.,]\d*)?\s*{_UNIT}\s*[\]}}]"
)
_COMMAND = re.compile(r"\\([A-Za-z]+)")
# So is one nested deeper than any real formula: a hundred fractions in each other, more or less
# (1 kB), crash the browser's tab.
_MOST_NESTED = 30
_NESTING = re.compile(r"\\(?:left|right|begin|end)(?![A-Za-z])|\\.|[{}]", re.DOTALL)
_OPENING, _CLOSING = {"{", "\\left", "\\begin"}, {"}", "\\right", "\\end"}
# What closes in a comment or verbatim closes nothing.
_HIDING = re.compile(r"(?<!\\)%|\\verb")
_LABEL = re.compile(r"(?<!\\)\\label\{[^{}]*\}")
_ENVIRONMENT = re.compile(r"\\begin\{([a-zA-Z]{1,20}\*?)\}")
# Hostile text costs up to 10 us a character, and more within one paragraph. These bound what a
# paint can cost; real answers stay far below.
_MOST_MARKS, _MOST_LINES_SOUGHT = 20_000, 20_000
_MOST_MARKS_TOGETHER = 3_000
_MATH_CHARS, _MATH_LINES, _MOST_FORMULAS = 2_000, 100, 500
# A table's cell costs ten times a character, and a short row is filled up to the head's width:
# a row of 120,000 cells took 3.7 s.
_MOST_CELLS = 20_000
_UNDER_A_HEAD = re.compile(r"[-:|\s]+")
_ADDRESS = re.compile(r"://|www\.|@")
_WORD = re.compile(r"(?<![\\A-Za-z{])[A-Za-z]{2,}\s")
_MARKS = re.compile(r"[\[\]!*_~`<&$\\]")
_INTERRUPTED_BY_MATH = ["paragraph", "reference", "blockquote", "list"]
_FORMULA_STYLE = "overflow-x:auto;overflow-y:hidden"
_TABLE_STYLE = "overflow-x:auto;overflow-wrap:normal"
_TABLE_END = "</table></div>\n"


def fresh_environment(*, final: bool) -> dict[str, Any]:
    """Make what one parse carries along; `final` as in `safe_markdown.to_html`."""
    return {"final": final, "marks": 0, "sought": 0, "formulas": 0, "links": 0, "cells": 0}


@cache
def parser() -> MarkdownIt:
    """Make the parser, once: CommonMark without raw HTML, with tables and formulas."""
    made = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    made.validateLink = _may_link  # type: ignore[method-assign]  # the documented way
    made.block.ruler.at("table", _table, {"alt": ["paragraph", "reference"]})
    made.block.ruler.before("fence", "math_block", _math_block, {"alt": _INTERRUPTED_BY_MATH})
    made.inline.ruler.before("escape", "math_inline", _math_inline)
    made.core.ruler.before("inline", "costly_text", _costly_text)
    for name, rule in _RULES.items():
        made.add_render_rule(name, _adapted(rule))
    return made


def _may_link(url: str) -> bool:
    """Let only absolute links leave; others stay in the text as the model wrote them."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return False
    return (parts.scheme in {"http", "https"} and bool(parts.netloc)) or parts.scheme == "mailto"


def _costly_text(state: StateCore) -> None:
    """Leave a paragraph unparsed where marks are more than any real answer has.

    markdown-it matches pairs of `*` in quadratic time: 13,000 in one paragraph took 0.25 s.
    """
    for token in state.tokens:
        if token.type == "inline":
            marks = len(_MARKS.findall(token.content))
            state.env["marks"] += marks
            if marks > _MOST_MARKS_TOGETHER or state.env["marks"] > _MOST_MARKS:
                token.type = "unparsed"


def _math_inline(state: StateInline, silent: bool) -> bool:  # noqa: FBT001  # their signature
    r"""Take `$x$`, `$$x$$`, `\(x\)` and `\[x\]` out of the markdown."""
    found = _formula_at(state.src, state.pos)
    if found is None:
        return False
    if not silent:
        token = state.push("math_inline", "", 0)
        token.content = found
    state.pos += len(found)
    return True


def _formula_at(text: str, start: int) -> str | None:
    opening = text[start : start + 2]
    closing = {"$$": "$$", "\\(": "\\)", "\\[": "\\]"}.get(opening)
    if closing is None:
        return _dollars_at(text, start) if opening[:1] == "$" else None
    end = text.find(closing, start + 2, start + _MATH_CHARS)
    return text[start : end + 2] if end > start + 2 else None


def _dollars_at(text: str, start: int) -> str | None:
    """Find `$x$` by pandoc's rule, so that "$5 or $10" stays money; so does "$5 or US$ 7"."""
    end = text.find("$", start + 1, start + _MATH_CHARS)
    while end > 0 and text[end - 1] == "\\":
        end = text.find("$", end + 1, start + _MATH_CHARS)
    inner = text[start + 1 : end] if end > 0 else ""
    if not inner or inner != inner.strip() or text[end + 1 : end + 2].isdigit():
        return None
    if inner[0].isdigit() and _WORD.search(inner):
        return None
    return text[start : end + 1]


def _math_block(
    state: StateBlock,
    start: int,
    end: int,
    silent: bool,  # noqa: FBT001  # their signature
) -> bool:
    """Take a formula that fills whole lines out of the markdown."""
    closing = None if state.is_code_block(start) else _closing_of(_line(state, start))
    if closing is None or state.env["sought"] > _MOST_LINES_SOUGHT:
        return False
    for number in range(start, min(end, start + _MATH_LINES)):
        state.env["sought"] += 1
        line = _line(state, number).rstrip()
        if not line or state.sCount[number] < state.blkIndent:
            return False
        if line.endswith(closing) and (number > start or len(line) > 2 * len(closing)):
            return silent or _push_math(state, start, number + 1)
    return False


def _table(
    state: StateBlock,
    start: int,
    end: int,
    silent: bool,  # noqa: FBT001  # their signature
) -> bool:
    """Take a table out of the markdown unless all its cells are more than any real answer has."""
    if start + 1 >= end or not _UNDER_A_HEAD.fullmatch(_line(state, start + 1)):
        return False
    columns, left = _line(state, start).count("|") + 1, _MOST_CELLS - state.env["cells"]
    rows = 0
    while start + rows < end and _line(state, start + rows):
        rows += 1
        state.env["sought"] += 1
        if rows * columns > left or state.env["sought"] > _MOST_LINES_SOUGHT:
            return False
    taken = table(state, start, end, silent)
    state.env["cells"] += rows * columns if taken and not silent else 0
    return taken


def _line(state: StateBlock, number: int) -> str:
    return state.src[state.bMarks[number] + state.tShift[number] : state.eMarks[number]]


def _closing_of(line: str) -> str | None:
    environment = _ENVIRONMENT.match(line)
    if environment:
        return f"\\end{{{environment[1]}}}"
    closing = {"$$": "$$", "\\[": "\\]"}.get(line[:2])
    # "$$x$$ and more" is a formula in a paragraph.
    return None if closing is None or closing in line.rstrip()[2:-2] else closing


def _push_math(state: StateBlock, start: int, end: int) -> bool:
    token = state.push("math_block", "", 0)
    token.block = True
    token.map = [start, end]
    token.content = state.getLines(start, end, state.blkIndent, keepLastLF=False).strip()
    state.line = end
    return True


# --- rendering

_Environment: TypeAlias = MutableMapping[str, Any]
"""What a parse carries along: `final`, and counts: `marks`, lines `sought` for a formula's end,
`formulas`, `cells` and open `links`."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A token where it stands: what a rule of `_RULES` renders."""

    tokens: Sequence[Token]
    at: int
    environment: _Environment

    @property
    def token(self) -> Token:
        return self.tokens[self.at]


_Rule: TypeAlias = Callable[[_Place], str]


def _adapted(rule: _Rule) -> Callable[..., str]:
    """Give `rule` the signature that markdown-it calls."""

    def render(
        _renderer: object,
        tokens: Sequence[Token],
        at: int,
        _options: object,
        environment: _Environment,
    ) -> str:
        return rule(_Place(tokens, at, environment))

    return render


def _formula(place: _Place, *, display: bool) -> str:
    tex, environment = place.token.content, place.environment
    environment["formulas"] += 1
    if not _harmless(tex) or not environment["final"] or environment["formulas"] > _MOST_FORMULAS:
        return code_block(tex) if display else f"<code>{escape(tex)}</code>"
    tag, style = ("div", f' style="{_FORMULA_STYLE}"') if display else ("span", "")
    shown = escape(_LABEL.sub("", tex))
    return f'<{tag} class="mathjax_process tex2jax_process"{style}>{shown}</{tag}>'


def _harmless(tex: str) -> bool:
    known = _DENIED.isdisjoint(_COMMAND.findall(tex))
    in_place = not (_BACKWARDS.search(tex) or _HUGE.search(tex))
    tight = len(_TIGHT.findall(tex))
    return known and in_place and tight <= _MOST_TIGHT and _depth(tex) <= _MOST_NESTED


def _depth(tex: str) -> int:
    """Count how many groups, brackets and environments stand in each other at most."""
    closing = set() if _HIDING.search(tex) else _CLOSING
    marks = _NESTING.findall(tex)
    return max(accumulate((mark in _OPENING) - (mark in closing) for mark in marks), default=0)


def _math_inline_html(place: _Place) -> str:
    return _formula(place, display=False)


def _math_block_html(place: _Place) -> str:
    return _formula(place, display=True) + "\n"


def _code_html(place: _Place) -> str:
    return code_block(
        place.token.content, language_of(place.token) if place.environment["final"] else ""
    )


def _unparsed_html(place: _Place) -> str:
    return escape(place.token.content)


def _heading_html(place: _Place) -> str:
    """Put the model's headings below the notebook's own."""
    level = min(6, int(place.token.tag[1]) + 2)
    return f"<h{level}>" if place.token.nesting == 1 else f"</h{level}>\n"


def _table_html(place: _Place) -> str:
    """Let a wide table scroll: elsewhere words are broken to fit, which cuts columns to letters."""
    return f'<div style="{_TABLE_STYLE}"><table>\n' if place.token.nesting == 1 else _TABLE_END


def _cell_html(place: _Place) -> str:
    """Align to the left where the model does not say: Lab aligns HTML tables to the right."""
    align = str(place.token.attrs.get("style", "text-align:left"))
    return f'<{place.token.tag} style="{escape(align)}">'


def _link_open_html(place: _Place) -> str:
    place.environment["links"] += 1
    return _link(str(place.token.attrs["href"]))


def _link_close_html(place: _Place) -> str:
    """Close the link; where its text looks like an address, say where it really goes."""
    place.environment["links"] -= 1
    begin = next(i for i in range(place.at, -1, -1) if place.tokens[i].type == "link_open")
    shown = "".join(token.content for token in place.tokens[begin : place.at]).strip()
    href = str(place.tokens[begin].attrs["href"])
    honest = _leads_to(shown, href) or not _ADDRESS.search(shown)
    return "</a>" if honest else f"</a> (goes to {escape(href)})"


def _leads_to(shown: str, href: str) -> bool:
    """Whether an address is shown of the very server that `href` asks, not only a part of it."""
    if shown in {href, href.removeprefix("mailto:")}:
        return True
    try:
        server = urlsplit(shown if "://" in shown else f"//{shown}").netloc
    except ValueError:
        return False
    return bool(server) and server == urlsplit(href).netloc


def _link(href: str) -> str:
    where = escape(href)
    return f'<a href="{where}" title="{where}" target="_blank" rel="noopener noreferrer">'


def _image_html(place: _Place) -> str:
    """Name the image instead of fetching it: its address alone can carry data away."""
    text = f"image (not loaded): {escape(place.token.content or 'no description')}"
    inside = place.environment["links"] > 0
    return text if inside else f"{_link(str(place.token.attrs['src']))}{text}</a>"


_RULES: dict[str, _Rule] = {
    "math_inline": _math_inline_html,
    "math_block": _math_block_html,
    "fence": _code_html,
    "code_block": _code_html,
    "unparsed": _unparsed_html,
    "heading_open": _heading_html,
    "heading_close": _heading_html,
    "table_open": _table_html,
    "table_close": _table_html,
    "th_open": _cell_html,
    "td_open": _cell_html,
    "link_open": _link_open_html,
    "link_close": _link_close_html,
    "image": _image_html,
}
