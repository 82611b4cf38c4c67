"""The vote on a blind comparison: what may be said, and what was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from multimodel_magic.comparison import Comparison
from multimodel_magic.comparison.values import letter
from multimodel_magic.experiments.votes import Vote

__all__ = ["cast", "head_of", "verdicts"]

_QUESTION = "Which answer is better?"
_WAIT = "You can vote when all have ended: wait for them, or stop them."
_NO_ANSWER = "There is nothing to vote on."
_SIDES = ("left", "right")


def cast(comparison: Comparison, said: Mapping[str, Any]) -> Vote | None:
    """Make a vote of what the page sent; None where that is none."""
    verdict, place = said.get("verdict"), said.get("place")
    if verdict not in ("prefer", "tie", "bad"):
        return None
    if (verdict == "prefer") != (place in comparison.answered):
        return None
    return Vote(
        comparison=comparison.id,
        request_ids=comparison.request_ids,
        contestants=comparison.names,
        verdict=verdict,
        preferred=place if verdict == "prefer" else None,
        blind=comparison.hidden,
        shuffle=comparison.shuffle,
    )


def head_of(comparison: Comparison, votes: Sequence[Vote], *, over: bool) -> dict[str, Any]:
    """Say what the page asks and offers just now."""
    if not comparison.hidden:
        said = verdicts(comparison, votes)
        return {"question": "", "choices": [], "verdicts": list(said)}
    question = _QUESTION if over else _WAIT
    if over and not comparison.answered:
        question = _NO_ANSWER
    return {"question": question, "choices": _choices(comparison, over=over), "verdicts": []}


def _choices(comparison: Comparison, *, over: bool) -> list[dict[str, Any]]:
    several = over and len(comparison.answered) > 1
    return [
        *(
            {
                "label": f"{_place(place, len(comparison))} is better",
                "key": str(place + 1),
                "vote": {"verdict": "prefer", "place": place},
                "open": several and place in comparison.answered,
            }
            for place in range(len(comparison))
        ),
        {"label": "Tie", "key": "T", "vote": {"verdict": "tie"}, "open": several},
        {
            "label": "Both bad" if len(comparison) == len(_SIDES) else "All bad",
            "key": "B",
            "vote": {"verdict": "bad"},
            "open": over and bool(comparison.answered),
        },
        {"label": "Reveal without a vote", "key": "R", "vote": {"verdict": "none"}, "open": over},
    ]


def _place(place: int, count: int) -> str:
    side = f" ({_SIDES[place]})" if count == len(_SIDES) else ""
    return f"{letter(place)}{side}"


def verdicts(comparison: Comparison, votes: Sequence[Vote]) -> tuple[str, ...]:
    """Write every vote in a line; a person's first. Nothing of a hidden comparison."""
    if comparison.hidden:
        return ()
    ordered = sorted(votes, key=lambda vote: vote.judge or "")
    lines = tuple(map(_verdict, ordered))
    return ("Revealed without a vote.",) if comparison.blind and not lines else lines


def _verdict(vote: Vote) -> str:
    who = "You" if vote.judge is None else f"The judge {vote.judge}"
    blind = ", blind" if vote.blind else ""
    if vote.verdict == "tie":
        return f"{who} voted{blind}: a tie"
    if vote.verdict == "bad":
        return f"{who} voted{blind}: none of them is good"
    place = letter(vote.preferred or 0)
    return f"{who} voted{blind}: {place} is better, which is {vote.winner}"
