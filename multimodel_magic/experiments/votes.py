"""Which of several answers to one prompt was preferred: by a person, or by a judge model."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, TypeAlias

from multimodel_magic.errors import UsageError
from multimodel_magic.types import new_ulid

__all__ = ["Verdict", "Vote"]

Verdict: TypeAlias = Literal["prefer", "tie", "bad"]
"""One preferred, all equally good, or none of them any good."""

_VERDICTS = ("prefer", "tie", "bad")


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """What one person, or one judge model, said of one comparison.

    Everything stands in the order in which it was shown, left to right.

    Raises
    ------
    UsageError
        Where the parts contradict each other.
    """

    comparison: str
    """The comparison's id."""
    request_ids: tuple[str, ...]
    contestants: tuple[str, ...]
    """The names as the user named them: models, roles or strategies."""
    verdict: Verdict
    preferred: int | None = None
    """The place shown, from 0; None where none was preferred."""
    blind: bool = False
    """Whether the names were hidden until the vote."""
    shuffle: tuple[int, ...] = ()
    """For each place shown, which of those asked for it was, from 0; empty: shown as asked."""
    judge: str | None = None
    """`provider:model` that judged; None: a person did."""
    vote_id: str = field(default_factory=new_ulid)
    at: datetime = field(default_factory=_now)
    """UTC."""

    def __post_init__(self) -> None:
        """Refuse what contradicts itself."""
        shown = len(self.contestants)
        if shown < 2 or len(self.request_ids) != shown:  # noqa: PLR2004 - one is no comparison
            raise UsageError(
                f"vote on {self.comparison}: {shown} contestants and {len(self.request_ids)} "
                "request ids; give two or more, and one id each"
            )
        if self.verdict not in _VERDICTS:
            raise UsageError(f"vote: {self.verdict!r} is none of {', '.join(_VERDICTS)}")
        if (self.preferred is not None) != (self.verdict == "prefer"):
            raise UsageError("vote: 'prefer' needs the place preferred; no other verdict has one")
        if self.preferred is not None and not 0 <= self.preferred < shown:
            raise UsageError(f"vote: place {self.preferred} of {shown}; they count from 0")
        if self.shuffle and sorted(self.shuffle) != list(range(shown)):
            raise UsageError(f"vote: shuffle {self.shuffle} is no order of {shown} places")
        if self.at.tzinfo is None:
            raise UsageError("vote: give the moment with its time zone")

    @property
    def winner(self) -> str | None:
        """The name of the one preferred; None where there is none."""
        return None if self.preferred is None else self.contestants[self.preferred]

    def says_the_same_as(self, other: Vote) -> bool:
        """Whether both say the same of the same answers, whatever the order they were shown in."""
        return self._said == other._said

    @property
    def _said(self) -> tuple[str, str | None, str, str | None]:
        place = self.preferred
        return (
            self.comparison,
            self.judge,
            self.verdict,
            None if place is None else self.request_ids[place],
        )
