"""How much a prompt needs a strong model, read from its surface, with every reason named.

`complexity(prompt)` explains, `score(prompt)` is the same number fast, `seed_complexity(prompt)`
is the baseline of the article. Nothing is sent anywhere and nothing is learnt at run time: the
weights are in `scoring_weights`, made by `tools/fit_complexity.py`, the words in `scoring_words`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from math import exp, log1p
from operator import mul
from typing import NamedTuple
from unicodedata import normalize

from multimodel_magic.scoring_weights import KNOTS, WEIGHTS
from multimodel_magic.scoring_words import HINTS, KNOWN, STEMS, WORDS
from multimodel_magic.wording import number_of

__all__ = [
    "SIGNALS",
    "Complexity",
    "Signal",
    "complexity",
    "score",
    "score_many",
    "seed_complexity",
]

WORD_SIGNALS: tuple[str, ...] = tuple(dict.fromkeys(WORDS.values()))
SHAPE_SIGNALS = ("length", "clauses", "names", "numbers", "formula", "pasted_code", "items", "rare")
TINY_SIGNALS = ("small_sum",)
SIGNALS: tuple[str, ...] = (*WORD_SIGNALS, *SHAPE_SIGNALS, *TINY_SIGNALS)
"""The names of all signals, in the order of the vectors that `read` returns."""

ABSTAINED = 0.5
"""Where nothing can be read the score stands in the middle tier, not in the cheapest."""

# Reading more of a long prompt made the ranking no better on the fitting data and took longer.
_HEAD, _TAIL = 800, 300
_SHORT_WORDS = 10
_GREETING_WORDS = 6
_NOTATION_DISCOUNT = 12.0
_CODE_DISCOUNT = 0.4
_LENGTH_UNIT = 20
# In "Is P = NP?" the formula is all there is; among many words it only says what the field is.
_FORMULA_FADE = 3.0
_USUAL_LETTERS = 5.0
_LONG_WORD = 10
_SUM_CHARACTERS = 40
_DENSE_BYTES = 2.2
"""Bytes of UTF-8 a character above which a text is in a script without spaces."""

_AT = {name: place for place, name in enumerate(SIGNALS)}
_INDEX = {word: _AT[signal] for word, signal in WORDS.items()}
_KEYS = frozenset(_INDEX)
_HINTS = tuple((_AT[signal], *words) for signal, words in HINTS.items())
_SHOW = "Show that"
"""Asks for a proof where a sentence begins so; within one ("studies show that") it tells."""
_SIGNAL_OF = {_SHOW.lower().encode(): "proof", **WORDS} | {
    word: signal for signal, (hints, _) in HINTS.items() for word in hints
}
_GREETING, _LENGTH, _CLAUSES = _AT["greeting"], _AT["length"], _AT["clauses"]
_PROOF = _AT["proof"]
_NAMES, _NUMBERS, _FORMULA = _AT["names"], _AT["numbers"], _AT["formula"]
_CODE, _ITEMS, _RARE, _SUM = _AT["pasted_code"], _AT["items"], _AT["rare"], _AT["small_sum"]
_EXAMPLE = _AT["example"]
_TELLING = (_FORMULA, _CODE, _ITEMS, _SUM, _EXAMPLE)
_MIDDLE = KNOTS[len(KNOTS) // 2]
# What kind of task it is: a second word of the field makes it no harder.
_KINDS = (_AT["maths"], _AT["code"])
_PROSE = tuple(
    _AT[name]
    for name in (
        "length", "clauses", "names", "numbers", "person", "negation", "connective",
        "comparison", "constraint", "steps", "maths",
    )
)  # fmt: skip

_WORD_BYTES = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789_'") | frozenset(range(128, 256))
# One table lowers capitals and turns punctuation into spaces.
_SPACED = bytes(byte if byte in _WORD_BYTES else 32 for byte in bytes(range(256)).lower())
_NOTATION = b"+*/=<>^%|~&\\()[]{}_$`"
_DIGITS = b"0123456789"
_OPERATORS = b"=<>^+\\"
_CODE_BYTES = b"=<>{}_`#"
_CAPITALS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# Counting in what one deletion leaves is a tenth faster on 3 kB than five passes over the text.
_UNMARKED = bytes(set(range(256)) - set(_NOTATION + _DIGITS + _CODE_BYTES + _CAPITALS + b",;"))
# With the blanks and marks of direction that nobody sees: they come along with what is pasted.
_FOREIGN_MARKS = re.compile(
    "[\u00a0\u00a1\u00ab\u00bb\u00bf\u060c\u061b\u061f\u0964\u2000-\u200f\u2013\u2014\u2018\u201a-\u201e\u2026"
    "\u2028-\u202f\u2060\u2066-\u2069\u3000-\u3002\ufeff\uff01\uff08\uff09\uff0c\uff1a\uff1b\uff1f]"
)
# Both begin with one character or class, which lets `re` skip through prose quickly.
_FORMULA_MARK = re.compile(
    r"[=<>^+\u2264\u2265\u2260\\]"
    r"(?:(?<=\\)[a-zA-Z]{2}"
    r"|(?:(?<=\b[a-zA-Z].)|(?<=\b[a-zA-Z] .)|(?<=\b[a-zA-Z]\w.)|(?<=\b[a-zA-Z]\w .))\s?[\w(\\])"
)
_ITEM = re.compile(r"\n[ \t]*(?:[-*\u2022]|\d{1,2}[.)])[ \t]+\S")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_NAME = re.compile(r"(?<=[\w,;)] )[A-Z][\w'-]*")
_SMALL_SUM = re.compile(
    r"\W*(?:(?:what(?:'?s| is)|how much is|compute|calculate)\s+)?"
    r"\d{1,3}(?:\s*[-+*/x\u00d7]\s*\d{1,3}){1,2}\s*=?\W*",
    re.IGNORECASE,
)
_CODE_MARKS = (
    "def ", "):\n", ";\n", "{\n", "import ", "return ", "=> ", "();", "->", "::",
    "self.", ">>>", "for (", " = ", "#include", "SELECT ", "FROM ", "class ", "print(", "<- ",
    "; done", "px;",
)  # fmt: skip
_SURE_MARKS = ("```", "; }", "; do ", "</", "(defun ", "<?php", "#!/")
"""Nothing but code has these: one is enough, of the others it takes two."""
_LOGS = tuple(log1p(count) for count in range(_HEAD + _TAIL))


@dataclass(frozen=True, slots=True)
class Signal:
    """One thing seen in a prompt and what it did to the score."""

    name: str
    value: float
    """What was measured, in the unit of the signal (mostly a logarithm of a count)."""
    weight: float
    """What one unit of it adds to the raw score."""
    contribution: float
    """`weight * value`: what it adds to the raw score, before calibration."""
    words: tuple[str, ...] = ()
    """What fired it: words in lower case, names and figures, or how much of it there is."""


@dataclass(frozen=True, slots=True)
class Complexity:
    """A score and why: `signals` are sorted by the size of their contribution."""

    score: float
    """The share of a broad mixture of prompts that needs a strong model less, in [0, 1]."""
    signals: tuple[Signal, ...]
    abstained: bool = False
    """True where nothing was recognised: the score is then the middle, not a finding."""


class _Reading(NamedTuple):
    """What one pass over a prompt saw."""

    measured: list[float]
    """One value for each of `SIGNALS`."""
    known: bool
    """Whether anything was recognised at all."""
    hits: set[bytes]
    text: str
    """The part that was read word by word."""


def seed_complexity(prompt: str) -> float:
    """Score a prompt exactly as the seed's `_assess_complexity` does: 0, 0.25, 0.5, 0.75 or 1.

    Notes
    -----
    "Multi-Model Strategies for Production AI" (2024-03-18), section 1, to the letter, with its
    faults: *then* is found in "strengthen" and *steps* in "missteps".
    """
    lowered = prompt.lower()
    signals = (
        len(prompt) > 2000,  # noqa: PLR2004 - the seed's number
        any(word in lowered for word in ("analyze", "compare", "evaluate", "synthesize")),
        "```" in prompt or "function" in prompt,
        "then" in lowered or "steps" in lowered,
    )
    return sum(signals) / len(signals)


def score(prompt: str) -> float:
    """Return `complexity(prompt).score` without the explanation, which makes it fast."""
    reading = read(prompt)
    if not reading.known:
        return ABSTAINED
    return calibrated(raw_score(reading.measured))


def score_many(prompts: Sequence[str]) -> list[float]:
    """Score each prompt: the form that `router_bench.py` calls."""
    return [score(prompt) for prompt in prompts]


def complexity(prompt: str) -> Complexity:
    """Estimate how much a prompt needs a strong model, and say why.

    Parameters
    ----------
    prompt
        The user's text. Of a long one the first 800 and the last 300 characters are read
        word by word; the rest counts by its length.

    Returns
    -------
    Complexity
        `score` in [0, 1], calibrated: about 30 % of a broad mixture of prompts score below
        0.3 and 30 % above 0.7. `signals` made it. Where nothing was recognised, `abstained` is
        true and the score is 0.5, the middle tier.

    Notes
    -----
    The cuts 0.3 and 0.7 are those of "Multi-Model Strategies for Production AI" (2024-03-18),
    section 1. How the weights were made, and how little a surface can tell, stands in
    `tools/fit_complexity.py`.

    Examples
    --------
    >>> complexity("thanks!").score < 0.3
    True
    >>> complexity("Prove the Riemann hypothesis").signals[0].words
    ('hypothesis', 'prove', 'riemann')
    """
    reading = read(prompt)
    if not reading.known:
        return Complexity(ABSTAINED, (), abstained=True)
    found = _words_found(reading)
    signals = [
        Signal(name, value, weight, value * weight, found.get(name) or _fired_by(name, prompt))
        for name, value, weight in zip(SIGNALS, reading.measured, _WEIGHTS, strict=True)
        if value
    ]
    signals.sort(key=lambda signal: -abs(signal.contribution))
    return Complexity(calibrated(raw_score(reading.measured)), tuple(signals))


def raw_score(values: Sequence[float]) -> float:
    """Add up the contributions: a number without a unit, to be calibrated."""
    raw: float = sum(map(mul, values, _WEIGHTS))
    return raw


def calibrated(raw: float) -> float:
    """Turn a raw score into the share of the reference mixture that lies below it."""
    place = bisect_right(KNOTS, raw)
    if place == 0:
        return 0.0
    if place == len(KNOTS):
        return 1.0
    below, above = KNOTS[place - 1], KNOTS[place]
    return (place - 1 + (raw - below) / (above - below)) / (len(KNOTS) - 1)


def read(prompt: str) -> _Reading:
    """Measure every signal of a prompt, in one pass of C-level string methods."""
    text = prompt if len(prompt) <= _HEAD + _TAIL else f"{prompt[:_HEAD]} {prompt[-_TAIL:]}"
    if not text.isascii():
        text = normalize("NFC", text)  # macOS writes an accent as a character of its own.
    plain = text.encode() if text.isascii() else _plain_foreign(text)
    tokens = plain.translate(_SPACED).split()
    types = set(tokens)
    hits = types & _KEYS
    counts = [0] * len(SIGNALS)
    for word in hits:
        counts[_INDEX[word]] += 1
    hits |= _hear_hints(types, counts)
    if _SHOW in text or text[: len(_SHOW)].lower() == _SHOW.lower():
        counts[_PROOF] += 1
        hits.add(_SHOW.lower().encode())
    dense = len(plain) > _DENSE_BYTES * len(text)
    if dense:
        _count_stems(text, counts)
    words = len(text) // 2 if dense else len(tokens)
    if counts[_GREETING] and (words > _GREETING_WORDS or sum(counts) > counts[_GREETING]):
        counts[_GREETING] = 0  # "Please prove ..." is no greeting.
    values = [_LOGS[count] for count in counts]
    for place in _KINDS:
        values[place] = float(counts[place] > 0)
    _measure_shape(text, plain, words * (len(prompt) / (len(text) or 1)), values)
    known = any(counts) or not KNOWN.isdisjoint(types)
    if types and not dense:
        letters = len(b"".join(types)) * (len(text) / len(plain))
        # Bounded: an address or a blob of base64 is one long word, not a hard one.
        values[_RARE] = min(max(letters / len(types) - _USUAL_LETTERS, 0.0), _USUAL_LETTERS)
    return _Reading(values, known or _is_shaped(values), hits, text)


def _is_shaped(values: list[float]) -> bool:
    """Say whether a text of which no word is known has a shape that tells something.

    In a language that is not read here a comma or a figure makes no request an easy one.
    """
    return any(values[place] for place in _TELLING) or raw_score(values) >= _MIDDLE


def _hear_hints(types: set[bytes], counts: list[int]) -> set[bytes]:
    """Count the words that are of a field where they stand in company, and return them."""
    heard: set[bytes] = set()
    for place, hints, company in _HINTS:
        found = hints & types
        if len(found) > 1 or (found and not company.isdisjoint(types)):
            counts[place] += 1
            heard |= found
    return heard


def _plain_foreign(text: str) -> bytes:
    """Lower the letters that are not ASCII and take away the punctuation that is not."""
    lowered = text.lower().replace("\u2019", "'")
    return _FOREIGN_MARKS.sub(" ", lowered).encode(errors="replace")


def _measure_shape(text: str, plain: bytes, words: float, values: list[float]) -> None:
    """Measure what is not a word: length, clauses, names, numbers, items, notation, code."""
    if words > _SHORT_WORDS:
        values[_LENGTH] = log1p((words - _SHORT_WORDS) / _LENGTH_UNIT)
    marks = plain.translate(None, _UNMARKED)
    values[_CLAUSES] = log1p(_count(marks, b",;"))
    values[_NUMBERS] = log1p(_count(marks, _DIGITS))
    if " the " in text:  # Only English: German writes every noun with a capital.
        written = marks if text.isascii() else text.encode(errors="replace")
        values[_NAMES] = log1p(max(_count(written, _CAPITALS) - 1, 0))
    if "\n" in text:
        values[_ITEMS] = log1p(len(_ITEM.findall(f"\n{text}")))
    share = _count(marks, _NOTATION) / (len(plain) or 1)
    if share or not text.isascii():
        _measure_notation(text, marks, share, values)
    if len(text) < _SUM_CHARACTERS and _SMALL_SUM.fullmatch(text):
        values[_SUM] = 1.0


def _count(marks: bytes, kind: bytes) -> int:
    """Count the bytes that are of a kind."""
    return len(marks) - len(marks.translate(None, kind))


def _measure_notation(text: str, marks: bytes, share: float, values: list[float]) -> None:
    """Measure formulae and code, and discount the prose signals by their share.

    They are long and full of names and numbers without saying as much as prose does.
    """
    prose = exp(-_NOTATION_DISCOUNT * share)
    if (_count(marks, _OPERATORS) or not text.isascii()) and _FORMULA_MARK.search(text):
        values[_FORMULA] = 1 / (1 + _FORMULA_FADE * values[_LENGTH])
    code = _count_code_marks(text, marks)
    if code > 1:
        values[_CODE] = 1.0
        prose *= _CODE_DISCOUNT
    for place in _PROSE:
        values[place] *= prose
    values[_EXAMPLE] += log1p(text.count(">>>"))


def _count_code_marks(text: str, marks: bytes) -> int:
    """Count the kinds of marks of source code; of what can be nothing else one is enough."""
    # Most prose has brackets but none of these, and twenty searches cost more than all the rest.
    if not _count(marks, _CODE_BYTES) and "):" not in text and "(defun " not in text:
        return 0
    if any(mark in text for mark in _SURE_MARKS):
        return 2
    return sum(mark in text for mark in _CODE_MARKS)


def _count_stems(text: str, counts: list[int]) -> None:
    """Count the words of scripts without spaces, which no split can find."""
    for stem, signal in STEMS.items():
        if stem in text:
            counts[_AT[signal]] += 1


def _words_found(reading: _Reading) -> dict[str, tuple[str, ...]]:
    """Sort the words that were heard by signal, in alphabetical order."""
    found: dict[str, set[str]] = {}
    for word in reading.hits:
        found.setdefault(_SIGNAL_OF[word], set()).add(word.decode())
    if not reading.text.isascii():
        for stem, signal in STEMS.items():
            if stem in reading.text:
                found.setdefault(signal, set()).add(stem)
    return {signal: tuple(sorted(words)) for signal, words in found.items()}


def _fired_by(name: str, prompt: str) -> tuple[str, ...]:
    """Name what fired a signal that is not made of words, or say how much of it there is."""
    said = _SAID.get(name)
    return () if said is None else tuple(islice(said(prompt), _MOST_SAID))


def _amount(prompt: str) -> Iterator[str]:
    words = len(prompt.split())
    dense = len(prompt.encode(errors="replace")) > _DENSE_BYTES * len(prompt)
    yield number_of(len(prompt), "character") if dense else number_of(words, "word")


def _long_words(prompt: str) -> Iterator[str]:
    words = {w for w in prompt.lower().split() if len(w) >= _LONG_WORD and w.isalpha()}
    return iter(sorted(words))


def _formula(prompt: str) -> Iterator[str]:
    if found := _FORMULA_MARK.search(prompt):
        yield prompt[max(found.start() - 3, 0) : found.end()].strip()


_MOST_SAID = 8
_SAID: dict[str, Callable[[str], Iterator[str]]] = {
    "length": _amount,
    "clauses": lambda prompt: iter(
        [f"commas, semicolons: {prompt.count(',') + prompt.count(';')}"]
    ),
    "names": lambda prompt: (name.group() for name in _NAME.finditer(prompt)),
    "numbers": lambda prompt: (number.group() for number in _NUMBER.finditer(prompt)),
    "items": lambda prompt: iter([f"lines of a list: {len(_ITEM.findall(chr(10) + prompt))}"]),
    "pasted_code": lambda prompt: (
        mark.strip() for mark in (*_SURE_MARKS, *_CODE_MARKS) if mark in prompt
    ),
    "formula": _formula,
    "rare": _long_words,
    "small_sum": lambda prompt: iter([prompt.strip()]),
}

_WEIGHTS = tuple(WEIGHTS[name] for name in SIGNALS)
