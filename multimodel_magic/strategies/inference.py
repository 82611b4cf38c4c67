"""Guessing what kind of task a prompt is, from its words, with a confidence; or saying nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Guess", "infer_task"]

_HEAD, _TAIL = 2_000, 500
"""Characters read: what is asked stands at the beginning or the end, the material between."""

_DOUBT = 1.0
"""Weight of the thought that it is none of these: one weak clue alone gives 0.5."""


@dataclass(frozen=True, slots=True)
class Guess:
    """A task with its confidence in [0, 1] and the words that spoke for it; None is abstention."""

    task: str | None
    confidence: float = 0.0
    saw: tuple[str, ...] = ()


def _clue(weight: float, pattern: str) -> tuple[float, re.Pattern[str]]:
    """Compile alternatives in lower case, on word boundaries; wrapped where a `|` ends a line."""
    flat = re.sub(r"\n\s*", "", pattern)
    return weight, re.compile(rf"(?<!\w)(?:{flat})(?!\w)")


_CODE = """code|function|method|class|script|program|query|regex|unit tests?|tests?|snippet|
    pull request|diff|patch|sql|python|javascript|typescript|rust|java|bash|dockerfile|
    funktion|skript|programm|fonction|programme|función|programa"""
_PROSE = """poem|story|song|lyrics|novel|limerick|haiku|sonnet|tale|essay in verse|
    gedicht|geschichte|poème|histoire|poema|cuento"""
_MAKE = """write|implement|create|build|generate|make|add|complete|schreibe?|écri[ts]|escribe"""
_LOOK = """review|refactor|debug|critique|audit|find (?:the |any )?bugs?|
    what(?:'s| is) wrong"""
_NEAR = r"\b[^.?!\n]{0,40}?\b"

# Weights are judged by hand, not fitted: no labelled prompts of these seven tasks came with the
# project. 2 is a phrase that hardly means anything else, 1 a word that often does.
_CLUES: Mapping[str, tuple[tuple[float, re.Pattern[str]], ...]] = {
    "code_generation": (
        _clue(2, f"(?:{_MAKE}){_NEAR}(?:{_CODE})"),
        _clue(2, r"(?:in|mit|en) (?:python|javascript|typescript|rust|java|sql|bash|go|c\+\+|r)"),
        _clue(1, "implement|refactor|function that|unit tests?|regex"),
    ),
    "code_review": (
        _clue(3, f"(?:{_LOOK}){_NEAR}(?:{_CODE})"),
        _clue(2, "code review|pull request|(?:find|fix|spot) (?:the |any |a )?bugs?|traceback"),
        _clue(1, "review|debug|bugs?|lint"),
    ),
    "summarization": (
        _clue(
            3,
            r"""summari[sz]e|summary|tl;?dr|fasse?\b.{0,80}\bzusammen|zusammenfassung|
            résume[rz]?|résumé de|resumen|resume (?:el|la|los|las|este|esta)|
            in (?:one|two|three|\d+) sentences?""",
        ),
        _clue(1, "key (?:points|takeaways)|shorten|condense|gist"),
    ),
    "translation": (
        _clue(
            3,
            """translat(?:e|es|ing|ion)|übersetz(?:e|en|ung)|
            tradui[st]|traduire|traduce|traducir""",
        ),
        _clue(
            2,
            """how do (?:you|i) say|(?:in)?to (?:english|german|french|spanish|italian|chinese|
            japanese|portuguese)|(?:ins|auf) (?:deutsche?|englische?|französische?|spanische?)""",
        ),
    ),
    "analysis": (
        _clue(
            2,
            """analy[sz](?:e|es|ing)|analysis|evaluate|assess|compare|contrast|
            analysiere|vergleiche?""",
        ),
        _clue(2, "pros and cons|trade-?offs?|root cause|correlat(?:e|ion)|hypothes[ie]s"),
        _clue(
            1,
            """why (?:did|does|is|are|do)|explain|interpret|trends?|regression|prove|derive|
            beweise?|démontre[rz]?""",
        ),
    ),
    "creative_writing": (
        _clue(3, f"(?:{_MAKE}){_NEAR}(?:{_PROSE})"),
        _clue(2, "poem|haiku|limerick|sonnet|short story|fairy tale|once upon a time|gedicht"),
        _clue(1, "creative|imagine|slogan|tagline|characters?|plot|story"),
    ),
    "chat": (
        _clue(
            3,
            r"""\A\W*(?:hi|hello|hey|thanks|thank you|good (?:morning|evening)|how are you|hallo|
            danke|bonjour|merci|hola|gracias)""",
        ),
    ),
}
_FENCE = re.compile(r"^\s*(?:```|>>> |def \w+\(|class \w+[:(]|import \w+|#include)", re.MULTILINE)


def infer_task(prompt: str) -> Guess:
    """Guess which of the seed's seven tasks a prompt is.

    Returns
    -------
    Guess
        `task` is None where no clue was found. The confidence is the winner's share of all
        clues' weights and a doubt of 1; it is a rank, not a calibrated probability.

    Notes
    -----
    Clues are words of English, and some German, French and Spanish, on word boundaries, in the
    first 2,000 and the last 500 characters.

    Examples
    --------
    >>> infer_task("Translate to French: good morning").task
    'translation'
    >>> infer_task("Purple.").task is None
    True
    """
    text = prompt if len(prompt) <= _HEAD + _TAIL else f"{prompt[:_HEAD]}\n{prompt[-_TAIL:]}"
    text = text.lower()
    found = {task: _found(text, clues) for task, clues in _CLUES.items()}
    if found["code_generation"][0] < found["code_review"][0] and _FENCE.search(text):
        found["code_review"][1].append("code")
        found["code_review"] = (found["code_review"][0] + 1, found["code_review"][1])
    best = max(found, key=lambda task: found[task][0])
    weight, words = found[best]
    if not weight:
        return Guess(None)
    total = sum(weight for weight, _ in found.values())
    return Guess(best, weight / (total + _DOUBT), tuple(dict.fromkeys(words)))


def _found(text: str, clues: tuple[tuple[float, re.Pattern[str]], ...]) -> tuple[float, list[str]]:
    hits = [(weight, hit[0]) for weight, clue in clues if (hit := clue.search(text))]
    words = [" ".join(word.split()) for _, word in hits]
    return sum(weight for weight, _ in hits), words
