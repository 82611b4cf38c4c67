"""Which rules can be reached: conditions tried on every kind of request that tells them apart.

Conditions look at a handful of facts, and each only at finitely many kinds of value (a tier, one
side of a bound). So "can it ever match" and "do earlier rules take all of it" are decided by
trying all combinations, exactly, as long as there are few enough.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import get_args

from multimodel_magic.config.conditions import Band, Condition, TaskValue, Tier, UserTier
from multimodel_magic.routing.matching import Facts, Look, Scored, judge

__all__ = ["can_match", "flat", "needed", "taken_by"]

OWN_POINTS = 12
MOST_POINTS = 20_000
"""Combinations that are tried (a microsecond or few each); beyond that, no verdict."""


def can_match(condition: Condition | None, look: Look) -> bool:
    """Whether any request can meet the condition; True where there are too many to try."""
    points = _points([condition], look)
    return points is None or any(judge(condition, point).holds for point in points)


def taken_by(
    condition: Condition | None, earlier: Sequence[Condition | None], look: Look
) -> tuple[int, ...]:
    """Return which of the `earlier` conditions leave nothing for this one; none: it is reached.

    One that does so alone is preferred; else all of them together are tried.
    """
    own = _own_points(condition, look)
    if not all(any(judge(other, point).holds for other in earlier) for point in own):
        return ()  # Most rules end here; to compare all pairs of 500 took more than a minute.
    for n, other in enumerate(earlier):
        if all(judge(other, p).holds for p in own) and _covered(condition, [other], look):
            return (n,)
    left = [n for n, other in enumerate(earlier) if _meet(condition, other, look)]
    if not _covered(condition, [earlier[n] for n in left], look):
        return ()
    for n in tuple(left):
        without = [m for m in left if m != n]
        if _covered(condition, [earlier[m] for m in without], look):
            left = without
    return tuple(left)


def _own_points(condition: Condition | None, look: Look) -> list[Facts]:
    """Return a few requests that the condition lets through: who leaves one takes not all."""
    points = _points([condition], look) or ()
    return list(itertools.islice((p for p in points if judge(condition, p).holds), OWN_POINTS))


def needed(condition: Condition | None, look: Look) -> frozenset[str]:
    """Return the needs of every request that the condition lets through."""
    points = _points([condition], look)
    if condition is None or points is None:
        return frozenset()
    needs = [point.needs for point in points if judge(condition, point).holds]
    return frozenset.intersection(*needs) if needs else frozenset()


def _covered(condition: Condition | None, others: Sequence[Condition | None], look: Look) -> bool:
    if None in others:
        return True
    points = _points([condition, *others], look)
    return points is not None and all(
        any(judge(other, point).holds for other in others)
        for point in points
        if judge(condition, point).holds
    )


def _meet(one: Condition | None, other: Condition | None, look: Look) -> bool:
    points = _points([one, other], look)
    return points is not None and any(
        judge(one, point).holds and judge(other, point).holds for point in points
    )


def flat(condition: Condition | None) -> Iterator[Condition]:
    """Yield a condition and all that stand inside it."""
    if condition is None:
        return
    yield condition
    groups = (condition.any_of, condition.all_of, condition.none_of)
    for inner in itertools.chain.from_iterable(group or () for group in groups):
        yield from flat(inner)


def _points(conditions: Iterable[Condition | None], look: Look) -> Iterator[Facts] | None:
    """Return one request of each kind that the conditions tell apart; None for too many."""
    parts = [part for condition in conditions for part in flat(condition)]
    tasks = _tasks(parts, look)
    tiers = _values(parts, "user_tier", get_args(UserTier))
    values = _values(parts, "task_value", get_args(TaskValue))
    needs, tokens, scores = _need_sets(parts), _tokens(parts), _complexities(parts, look)
    kinds = (len(tasks), len(tiers), len(values), len(needs), len(tokens), len(scores))
    if math.prod(kinds) > MOST_POINTS:
        return None
    known = [_always(scored) for scored in scores]
    return (
        Facts(scored, task, tier, value, some, size, look.families)
        for task, tier, value in itertools.product(tasks, tiers, values)
        for some, size, scored in itertools.product(needs, tokens, known)
    )


def _always(scored: Scored) -> Callable[[], Scored]:
    return lambda: scored


def _tasks(parts: Sequence[Condition], look: Look) -> list[str | None]:
    named = {task for part in parts for task in part.task_type or ()}
    members = {task for name in named for task in look.families.get(name, ())}
    return [None, "any other task", *sorted(named | members)] if named else [None]


def _values(parts: Sequence[Condition], key: str, known: tuple[str, ...]) -> list[str | None]:
    return [None, *known] if any(getattr(part, key) is not None for part in parts) else [None]


def _need_sets(parts: Sequence[Condition]) -> list[frozenset[str]]:
    needs = ("vision", "tools", "json")
    asked = [n for n in needs if any(getattr(p, f"requires_{n}") is not None for p in parts)]
    sizes = range(len(asked) + 1)
    return [frozenset(some) for size in sizes for some in itertools.combinations(asked, size)]


def _tokens(parts: Sequence[Condition]) -> list[int]:
    bounds = _bounds(part.input_tokens for part in parts)
    near = {int(b) + step for b in bounds if math.isfinite(b) for step in (-1, 0, 1)}
    return sorted({0, *(tokens for tokens in near if tokens >= 0)})


def _complexities(parts: Sequence[Condition], look: Look) -> list[Scored]:
    asked = [part.complexity for part in parts if part.complexity is not None]
    if not asked:
        return [Scored("medium", None, "")]
    inside = {b for b in _bounds(asked) if 0 <= b <= 1}
    ends = sorted({0.0, 1.0, *look.cuts, *inside})
    scores = sorted({*ends, *((a + b) / 2 for a, b in itertools.pairwise(ends))})
    return [Scored("medium", None, ""), *(Scored(_tier(s, look), s, "") for s in scores)]


def _tier(score: float, look: Look) -> Tier:
    low, high = look.cuts
    if score < low:
        return "low"
    return "medium" if score < high else "high"


def _bounds(bands: Iterable[Band | None]) -> set[float]:
    return {bound for band in bands if band is not None for bound in band.bounds.values()}
