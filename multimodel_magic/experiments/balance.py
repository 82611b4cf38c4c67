"""Whether units were dealt in the shares that they should have been."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isinf

from multimodel_magic.experiments.intervals import ratio_e_value
from multimodel_magic.experiments.store import Assigned

__all__ = ["ALARM", "SampleRatio", "sample_ratio"]

ALARM = 100.0
"""Evidence at which the sample ratio counts as broken: a false alarm in at most 1 of 100."""


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """Whether the arms got as many units as they should have."""

    counts: Mapping[str, int]
    e_value: float | None
    """Evidence against it; None where it could not be checked."""
    ok: bool
    why: str


def sample_ratio(rows: Iterable[Assigned], arms: Iterable[str]) -> SampleRatio:
    """Check how units were dealt, whatever came of them.

    Parameters
    ----------
    rows
        The requests that took part, oldest first. A unit counts by its first one: a share that
        grows moves units that come back, and only one way, which is no fault of the dealing.
    arms
        The arms there are, the ones that nobody was dealt to included.
    """
    dealt: dict[str, Assigned] = {}
    for row in rows:
        dealt.setdefault(row.unit, row)
    counts = Counter(row.arm for row in dealt.values())
    if not dealt:
        return SampleRatio(counts, None, True, "nobody was dealt to an arm yet")
    designs = _designs(dealt.values(), sorted(arms))
    if designs is None:
        return SampleRatio(counts, None, True, "sample ratio not checked: the shares changed")
    e_value = 1.0
    for shares, dealt_then in designs:
        e_value *= ratio_e_value(dealt_then, shares)
    if e_value >= ALARM:
        shown = "beyond doubt" if isinf(e_value) else f"evidence {e_value:.3g} to 1"
        why = f"sample ratio broken ({shown}): the arms were not dealt as they should be"
        return SampleRatio(counts, e_value, False, f"{why}, so nothing here is decided")
    return SampleRatio(counts, e_value, True, "sample ratio as it should be")


_Design = tuple[dict[str, float], Counter[str]]


def _designs(rows: Iterable[Assigned], arms: Sequence[str]) -> list[_Design] | None:
    """Group units by the shares they were dealt with; None where these cannot be told.

    With two arms the one probability that a unit brings along gives both shares, so shares may
    have changed on the way. With more they must have stayed.
    """
    rows = list(rows)
    if len(arms) == 2:  # noqa: PLR2004
        return _two_arm_designs(rows, arms)
    shares: dict[str, float] = {}
    for row in rows:
        if abs(shares.setdefault(row.arm, row.probability) - row.probability) > 1e-9:  # noqa: PLR2004
            return None
    rest = 1 - sum(shares.values())
    if rest < -1e-6:  # noqa: PLR2004 - rounding
        return None
    # Arms that nobody was dealt to count too: an arm that never answers must not go unseen.
    shares["(nobody)"] = max(rest, 0.0)
    return [(shares, Counter(row.arm for row in rows))]


def _two_arm_designs(rows: Sequence[Assigned], arms: Sequence[str]) -> list[_Design]:
    groups: dict[float, Counter[str]] = defaultdict(Counter)
    for row in rows:
        first = row.probability if row.arm == arms[0] else 1 - row.probability
        groups[round(first, 6)][row.arm] += 1
    return [({arms[0]: share, arms[1]: 1 - share}, counts) for share, counts in groups.items()]
