"""Routing by how hard a prompt looks: the seed's first pattern."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, TypeAlias, overload

from multimodel_magic.errors import UsageError, did_you_mean
from multimodel_magic.types import Reason, Request, Route

if TYPE_CHECKING:
    from multimodel_magic.scoring import Complexity

__all__ = ["ByComplexity", "ComplexityRouter", "Scorer"]

Scorer: TypeAlias = "Callable[[str], Complexity]"
"""Scores a prompt in [0, 1], says which signals made the score, or abstains."""

TIERS = ("simple", "medium", "complex")
CUTS = (0.3, 0.7)
"""The seed's cuts: below the first is simple, from the second on complex."""

ROLES = {"simple": "fast", "medium": "balanced", "complex": "strong"}

WORDS_SHOWN = 8
LETTERS_SHOWN = 40
"""So much of what fired a signal is told."""


@dataclass(frozen=True, slots=True)
class ByComplexity:
    """Easy prompts to the fast model, hard ones to the strong one.

    Parameters
    ----------
    tiers
        Role, alias or model for each of `simple`, `medium` and `complex`. What is not given
        stays with its role.
    cuts
        Where medium and complex begin, on the score in [0, 1].
    classifier
        `default` is `scoring.complexity`; `seed` is the seed's arithmetic to the letter (the
        documented baseline); or a scorer of your own.

    Raises
    ------
    UsageError
        For an unknown tier or classifier, and for cuts out of order.

    Notes
    -----
    A scorer that finds no signal abstains, and the route takes the middle tier: the cheapest
    model is a bet, and there is nothing to bet on.

    Examples
    --------
    >>> ByComplexity(classifier="seed").route(Request("Hello")).models
    ('fast',)
    >>> ByComplexity(classifier="seed").route(Request("Hello")).why
    'complexity 0.00 < 0.30'
    """

    tiers: Mapping[str, str] = field(default_factory=lambda: dict(ROLES))
    cuts: tuple[float, float] = CUTS
    classifier: str | Scorer = "default"
    name: str = "complexity"

    def __post_init__(self) -> None:
        for tier in self.tiers:
            if tier not in TIERS:
                raise UsageError(_unknown("tier", tier, TIERS))
        low, high = self.cuts
        if not (math.isfinite(low) and math.isfinite(high) and low <= high):
            raise UsageError(f"complexity: cuts {low:g} and {high:g} are out of order")
        _scorer(self.classifier)

    def route(self, request: Request) -> Route:
        """Return the model of the prompt's tier, with the signals that made its score."""
        found = _scorer(self.classifier)(request.prompt)
        tier, why = self._tier(found)
        signals = tuple(
            Reason(f"signal: {s.name}", _listed(s.words) or f"{s.value:.3g}", s.contribution)
            for s in found.signals
        )
        reason = Reason(self.name, why, None if found.abstained else found.score)
        return Route((self.tiers.get(tier, ROLES[tier]),), self.name, (*signals, reason))

    def _tier(self, found: Complexity) -> tuple[str, str]:
        low, high = self.cuts
        if found.abstained:
            return "medium", "complexity unclear: no signal, so medium"
        if found.score < low:
            return "simple", f"complexity {_below(found.score, low)}"
        if found.score < high:
            return "medium", f"complexity {_below(found.score, high)}"
        return "complex", f"complexity {found.score:.2f} >= {high:.2f}"


class ComplexityRouter:
    """The seed's router by complexity, in the seed's call shape, and a `Strategy` besides.

    `await router.route("a prompt")` gives a model name; `router.route(Request(...))` gives a
    `Route`, so the router can be handed to a client as its strategy.

    Parameters
    ----------
    models
        What to use for `simple`, `medium` and `complex`; kept in `.models`, yours to change.
        Left out, they are roles (`fast`, `balanced`, `strong`), and for `classifier="seed"`
        the seed's own three models, which the catalogue replaces by today's with a notice.
    classifier
        As in `ByComplexity`. With `seed` this is the seed's class to the letter.

    Examples
    --------
    >>> router = ComplexityRouter(classifier="seed")
    >>> router._assess_complexity("Compare these, then list the steps")
    0.5
    >>> router.models["medium"]
    'claude-3-sonnet'
    """

    SEED_MODELS: ClassVar[Mapping[str, str]] = {
        "simple": "gpt-3.5-turbo",
        "medium": "claude-3-sonnet",
        "complex": "claude-3-opus",
    }

    def __init__(
        self, models: Mapping[str, str] | None = None, *, classifier: str | Scorer = "default"
    ) -> None:
        own = self.SEED_MODELS if classifier == "seed" else ROLES
        self.models: dict[str, str] = {**own, **(models or {})}
        self.complexity_classifier = classifier
        self.name = self.strategy.name

    @property
    def strategy(self) -> ByComplexity:
        """The composable value with this router's models."""
        return ByComplexity(self.models, classifier=self.complexity_classifier)

    @overload
    def route(self, request: Request) -> Route: ...
    @overload
    def route(self, request: str) -> Awaitable[str]: ...
    def route(self, request: Request | str) -> Route | Awaitable[str]:
        """Route a request; of a plain prompt, await the name of its model."""
        if isinstance(request, Request):
            return self.strategy.route(request)
        if not isinstance(request, str):
            raise UsageError(f"complexity: {request!r} is no prompt; give a text, or a Request")
        return self._model_for(request)

    async def _model_for(self, prompt: str) -> str:
        return self.strategy.route(Request(prompt)).models[0]

    def _assess_complexity(self, request: str) -> float:
        return _scorer(self.complexity_classifier)(request).score


def _listed(words: Sequence[str]) -> str:
    """List words for one line: a prompt may hold thousands, or one of a million letters.

    Examples
    --------
    >>> _listed(["prove"] * 10)
    'prove, prove, prove, prove, prove, prove, prove, prove and 2 others'
    """
    shown = [word if len(word) <= LETTERS_SHOWN else f"{word[:LETTERS_SHOWN]}…" for word in words]
    more = len(shown) - WORDS_SHOWN
    return ", ".join(shown[:WORDS_SHOWN]) + (f" and {more} others" if more > 0 else "")


def _below(score: float, cut: float) -> str:
    """Write `score < cut` so that it reads true: 0.299 is not shown as 0.30 < 0.30."""
    digits = next((d for d in (2, 3, 4) if round(score, d) < round(cut, d)), 6)
    return f"{score:.{digits}f} < {cut:.{digits}f}"


def _scorer(classifier: str | Scorer) -> Scorer:
    if callable(classifier):
        return classifier
    if classifier not in _CLASSIFIERS:
        raise UsageError(_unknown("classifier", classifier, _CLASSIFIERS))
    return _CLASSIFIERS[classifier]


def _default(prompt: str) -> Complexity:
    from multimodel_magic import scoring

    return scoring.complexity(prompt)


def _seed(prompt: str) -> Complexity:
    from multimodel_magic import scoring

    return scoring.Complexity(scoring.seed_complexity(prompt), (), abstained=False)


_CLASSIFIERS: Mapping[str, Scorer] = {"default": _default, "seed": _seed}


def _unknown(what: str, word: str, known: Mapping[str, object] | tuple[str, ...]) -> str:
    near = did_you_mean(word, known) or f": known are {', '.join(known)}"
    return f"complexity: unknown {what} {word!r}{near}"
