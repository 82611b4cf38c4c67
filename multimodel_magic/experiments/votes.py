"""Which of several answers to one prompt was preferred: by a person, or by a judge model."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, Protocol

from multimodel_magic.errors import UsageError, did_you_mean
from multimodel_magic.ledger import VoteRow
from multimodel_magic.types import Response, new_ulid

__all__ = ["EVERYBODY", "WORDS", "Compared", "Vote", "row_of", "vote_in", "vote_on", "votes_in"]

WORDS = ("left", "right", "tie", "bad")
"""What can be said of a comparison; else a place from 1, or a name."""

EVERYBODY = "all"
"""In place of a judge: people and judge models together."""

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
    verdict: Literal["prefer", "tie", "bad"]
    """One preferred, all equally good, or none of them any good."""
    preferred: int | None = None
    """The place shown, from 0; None where none was preferred."""
    blind: bool = False
    """Whether the names were hidden until the vote."""
    shuffle: tuple[int, ...] = ()
    """For each place shown, which of those asked for it was, from 0; empty: shown as asked."""
    judge: str | None = None
    """`provider:model` that judged; None: a person did."""
    why: str | None = None
    """What the judge said of it."""
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

    @property
    def dealt(self) -> bool:
        """Whether chance put the answers in their places."""
        return self.blind or bool(self.shuffle)


class Compared(Protocol):
    """What of a comparison a vote needs; in the order shown, left to right."""

    @property
    def id(self) -> str: ...  # noqa: D102 - names that speak
    @property
    def prompt(self) -> str: ...  # noqa: D102
    @property
    def names(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def labels(self) -> tuple[str, ...]:
        """What the places are called: the names, or letters while they are hidden."""
        ...

    @property
    def request_ids(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def responses(self) -> tuple[Response | None, ...]: ...  # noqa: D102
    @property
    def hidden(self) -> bool:
        """Whether it is not yet to be said who stands where."""
        ...

    @property
    def shuffle(self) -> tuple[int, ...]: ...  # noqa: D102


def vote_on(comparison: Compared, choice: str | int) -> Vote:
    """Make a person's vote on a comparison.

    Parameters
    ----------
    comparison
        What is judged.
    choice
        `left`, `right`, `tie`, `bad` (none is any good), a place from 1 or by its letter, or what
        a place is called.

    Raises
    ------
    UsageError
        For another word, and where the one preferred gave no answer.
    """
    place = _place(comparison, choice)
    if place is not None:
        response = comparison.responses[place]
        if response is None or not response.succeeded:
            raise UsageError(f"{comparison.labels[place]} gave no answer: prefer another, or `bad`")
    word = str(choice).casefold()
    return Vote(
        comparison=comparison.id,
        request_ids=comparison.request_ids,
        contestants=comparison.names,
        verdict="prefer" if place is not None else "tie" if word == "tie" else "bad",
        preferred=place,
        blind=comparison.hidden,  # a mind changed after the names were shown is not blind
        shuffle=comparison.shuffle,
    )


def _place(comparison: Compared, choice: str | int) -> int | None:
    """Return the place that a choice prefers, from 0; None for `tie` and `bad`."""
    labels = comparison.labels
    if choice in labels:
        return labels.index(str(choice))
    word = str(choice).strip().casefold()
    if word in ("tie", "bad"):
        return None
    named = {chr(ord("a") + place): place for place in range(len(labels))}
    named |= {"left": 0, "right": len(labels) - 1}
    named |= {label.casefold(): place for place, label in enumerate(labels)}
    named |= {str(place + 1): place for place in range(len(labels))}
    if word not in named:
        near = did_you_mean(word, [*WORDS, *labels], most=1)
        known = f"{', '.join(WORDS)}, 1 to {len(labels)} or {', '.join(labels)}"
        raise UsageError(f"vote {choice!r}{near or f': say {known}'}")
    return named[word]


# --- in the ledger


def row_of(vote: Vote, session: str | None = None) -> VoteRow:
    """Return the ledger's row of a vote."""
    return VoteRow(
        vote.vote_id,
        vote.comparison,
        session,
        vote.judge,
        json.dumps(vote.request_ids),
        json.dumps(vote.contestants, ensure_ascii=False),
        vote.verdict,
        vote.preferred,
        vote.blind,
        json.dumps(vote.shuffle) if vote.shuffle else None,
        vote.why,
        vote.at.astimezone(UTC).isoformat(timespec="microseconds"),
    )


def vote_in(row: VoteRow) -> Vote:
    """Return the vote of a row.

    Raises
    ------
    UsageError
        For a row that contradicts itself: files can be edited.
    """
    try:
        return Vote(
            comparison=row.comparison,
            request_ids=tuple(json.loads(row.request_ids)),
            contestants=tuple(map(str, json.loads(row.contestants))),
            verdict=row.verdict,  # type: ignore[arg-type]  # checked there
            preferred=row.preferred,
            blind=bool(row.blind),
            shuffle=tuple(json.loads(row.shuffle)) if row.shuffle else (),
            judge=row.judge,
            why=row.why,
            vote_id=row.vote_id,
            at=datetime.fromisoformat(row.recorded_at),
        )
    except (ValueError, TypeError) as error:
        raise UsageError(f"vote {row.vote_id}: it cannot be read ({error})") from error


def votes_in(rows: Iterable[VoteRow]) -> tuple[tuple[Vote, ...], int]:
    """Return the votes of rows, and how many rows could not be read."""
    votes, broken = [], 0
    for row in rows:
        try:
            votes.append(vote_in(row))
        except UsageError:
            broken += 1
    return tuple(votes), broken
