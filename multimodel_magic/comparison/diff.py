"""Where several answers agree and where they differ: sentences, numbers and code, each as such.

Nothing here understands a text. Two sentences are the same where their words are, and put
differently where most of their words are and all of their numbers; so `42 km` never agrees with
`43 km`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from difflib import SequenceMatcher, unified_diff
from typing import TypeAlias

__all__ = ["Differences", "Row", "blocks", "differences", "numbers", "sentences"]

ALIKE = 0.6
"""The share of words from which two sentences say the same thing in different words."""
MOST_SENTENCES = 200
"""Sentences beyond so many of one answer are not compared."""
MOST_LOOKS = 20_000
"""So many pairs of sentences are looked at for their likeness: 20 us each."""
MOST_WORDS = 80
"""Words of a sentence that are looked at to find its likes."""

_FENCE = re.compile(
    r"^[ ]{0,3}(?P<mark>`{3,16}|~{3,16})[^\n]*\n(?P<code>.*?)(?:^[ ]{0,3}(?P=mark)[`~]*[ \t]*$|\Z)",
    re.MULTILINE | re.DOTALL,
)
# A line end in a list or a heading ends a sentence too; `3.14` and `e.g. this` do not.
_END = re.compile(r"(?<=[.!?…])[\"')\]*_]*\s+(?=[^a-z\s])|\n\s*\n|\n(?=\s*(?:[-*+#>|]|\d+[.)]\s))")
_HEADING = re.compile(r"^([ ]{0,3}#{1,6}[ \t].*)$", re.MULTILINE)
_COUNTER = re.compile(r"^([ \t>]*)\d{1,9}[.)](?=\s)", re.MULTILINE)
_FORMULA = re.compile(r"\$[^$\n]{0,200}[\\^_{][^$\n]{0,200}\$")
"""TeX: its digits are no numbers of the prose."""
_MARKUP = re.compile(r"^[\s>#|]*(?:[-*+]\s+|\d+[.)]\s+)?|[*_`~|]+")
_MINUS = "\u2212"
_NUMBER = re.compile(
    rf"(?<![\w.])[-+{_MINUS}]?\d+(?:[,\u202f\u00a0]\d{{3}})*(?:\.\d+)?(?:[eE][-+]?\d{{1,3}})?%?"
)
_GROUPING = re.compile("[,\u202f\u00a0%]")
_EXACT_DIGITS = 28
"""Decimals are exact up to so many digits."""
_WORD = re.compile(r"\w+(?:[.,]\d+)*")


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that was said, and how each answer puts it; None where an answer does not."""

    said: tuple[str | None, ...]
    same: bool
    """Whether those that say it say exactly the same."""

    @property
    def by(self) -> tuple[int, ...]:
        """The answers that say it, from 0."""
        return tuple(place for place, text in enumerate(self.said) if text is not None)

    @property
    def by_all(self) -> bool:
        """Whether every answer says it, in whatever words."""
        return None not in self.said

    @property
    def agreed(self) -> bool:
        """Whether every answer says exactly this."""
        return self.same and self.by_all

    @property
    def first(self) -> str:
        """How the first answer that says it puts it."""
        return next(text for text in self.said if text is not None)


@dataclass(frozen=True, slots=True)
class Differences:
    """What several answers share and what they do not; columns in the order of the answers."""

    answers: int
    sentences: tuple[Row, ...] = ()
    numbers: tuple[Row, ...] = ()
    code: tuple[Row, ...] = ()
    """Row n holds the n-th fenced block of every answer."""

    @property
    def agreed_share(self) -> float | None:
        """The share of all that was said on which every answer agrees; None where nothing was."""
        rows = (*self.sentences, *self.code)
        return sum(row.agreed for row in rows) / len(rows) if rows else None

    def code_diff(self, row: Row, labels: Sequence[str]) -> tuple[str, ...]:
        """Return unified diffs from the first answer that has the block to each other one's."""
        first, *others = row.by
        lines = [
            line
            for other in others
            for line in unified_diff(
                _lines(row.first),
                _lines(row.said[other]),
                labels[first],
                labels[other],
                lineterm="",
            )
        ]
        return tuple(lines)


def differences(answers: Sequence[str]) -> Differences:
    r"""Compare answers to the same prompt.

    Parameters
    ----------
    answers
        Markdown, as it came.

    Returns
    -------
    Differences
        Every sentence and code block of every answer stands in exactly one row; every number of
        an answer's prose (its notation aside: `1,000` is `1e3`) stands in one row once.

    Examples
    --------
    >>> found = differences(["Paris. It has 2.1 million people.", "Paris. It is old."])
    >>> [row.first for row in found.sentences if row.agreed], found.agreed_share
    (['Paris.'], 0.3333333333333333)
    """
    prose = [sentences(answer) for answer in answers]
    return Differences(
        len(answers),
        _aligned(prose, _sentence, alike=True),
        _aligned([numbers(answer) for answer in answers], _value),
        _in_order([blocks(answer) for answer in answers]),
    )


def sentences(answer: str) -> list[str]:
    r"""Split an answer's prose into sentences, list items and headings; fenced code is left out.

    Examples
    --------
    >>> sentences("Pi is 3.14. Really?\n- one\n- two")
    ['Pi is 3.14.', 'Really?', 'one', 'two']
    """
    pieces = _END.split(_HEADING.sub(r"\1\n\n", _prose(answer)))
    cleaned = (" ".join(_MARKUP.sub("", piece).split()) for piece in pieces)
    return [piece for piece in cleaned if _WORD.search(piece)][:MOST_SENTENCES]


def numbers(answer: str) -> list[str]:
    """List the different numbers of an answer's prose, as first written.

    Examples
    --------
    >>> numbers("1,000 is 1e3; 12% is not 12.")
    ['1,000', '12%', '12']
    """
    found: dict[str, str] = {}
    for written in _NUMBER.findall(_FORMULA.sub(" ", _prose(answer))):
        found.setdefault(_value(written), written)
    return list(found.values())


def blocks(answer: str) -> list[str]:
    r"""List the fenced code of an answer.

    Examples
    --------
    >>> blocks("so:\n```sql\nselect 1\n```\n")
    ['select 1\n']
    """
    return [match["code"] for match in _FENCE.finditer(answer)]


def _prose(answer: str) -> str:
    """Return an answer without its code, and its lists without the numbers of their items."""
    return _COUNTER.sub(r"\1-", _FENCE.sub("\n\n", answer))


# --- rows

_Cells: TypeAlias = "list[str | None]"


def _aligned(
    answers: Sequence[Sequence[str]], key: Callable[[str], Hashable], *, alike: bool = False
) -> tuple[Row, ...]:
    """Put what is the same into one row, then what is alike; each thing into one row only."""
    rows: list[_Cells] = []
    by_key: dict[Hashable, list[_Cells]] = {}
    likeness = _Likeness() if alike else None
    for place, said in enumerate(answers):
        left = [text for text in said if not _put(by_key.get(key(text), ()), place, text)]
        for text in left:
            row = likeness.find(rows, place, text) if likeness is not None else None
            if row is None:
                row = [None] * len(answers)
                rows.append(row)
            row[place] = text
            by_key.setdefault(key(text), []).append(row)
    return tuple(_row(row, key) for row in rows)


def _put(rows: Iterable[_Cells], place: int, text: str) -> bool:
    """Write `text` into the first row that has nothing in this place yet, if there is one."""
    row = next((row for row in rows if row[place] is None), None)
    if row is not None:
        row[place] = text
    return row is not None


class _Likeness:
    """Finds rows that say the same thing in other words; gives up after so many looks."""

    def __init__(self) -> None:
        self._looks = MOST_LOOKS

    def find(self, rows: Iterable[_Cells], place: int, text: str) -> _Cells | None:
        words, values = _words(text)[:MOST_WORDS], _values(text)
        for row in rows:
            if row[place] is not None:
                continue
            self._looks -= 1
            if self._looks < 0:
                return None
            if _alike(next(filter(None, row)), words, values):
                return row
        return None


def _in_order(answers: Sequence[Sequence[str]]) -> tuple[Row, ...]:
    most = max(map(len, answers), default=0)
    rows = ([said[n] if n < len(said) else None for said in answers] for n in range(most))
    return tuple(_row(row, _lines) for row in rows)


def _row(said: Sequence[str | None], key: Callable[[str], Hashable]) -> Row:
    return Row(tuple(said), len({key(text) for text in said if text is not None}) == 1)


# --- what is the same


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _sentence(text: str) -> Hashable:
    return tuple(_words(text)), tuple(_values(text))


def _alike(said: str, words: list[str], values: list[str]) -> bool:
    if _values(said) != values:
        return False
    matcher = SequenceMatcher(None, _words(said)[:MOST_WORDS], words, autojunk=False)
    return matcher.quick_ratio() >= ALIKE and matcher.ratio() >= ALIKE


def _values(text: str) -> list[str]:
    return sorted(map(_value, _NUMBER.findall(text)))


def _value(written: str) -> str:
    """Return a number without its notation: `1,000`, `1000.0` and `1e3` are one."""
    bare = _GROUPING.sub("", written).replace(_MINUS, "-")
    if len(bare) > _EXACT_DIGITS:
        return written
    return f"{Decimal(bare).normalize():f}" + ("%" if written.endswith("%") else "")


def _lines(code: str | None) -> tuple[str, ...]:
    return tuple(line.rstrip() for line in (code or "").rstrip().splitlines())
