"""The boards of this kernel: the latest are live, all remembered ones hear of votes."""

from __future__ import annotations

from collections import OrderedDict
from itertools import islice

from multimodel_magic.comparison.comparing import KEPT
from multimodel_magic.experiments.votes import Vote
from multimodel_magic.notebook.compare.board import Board, Mark
from multimodel_magic.session import Session

__all__ = ["LIVE", "hang", "votes_on"]

LIVE = 8
"""So many comparisons keep their live view; an older one's twin stays, and so does its result."""

_BOARDS: OrderedDict[str, Board] = OrderedDict()


def hang(session: Session, board: Board) -> None:
    """Remember a board; the oldest live one goes, and its twin stays."""
    _BOARDS[board.id] = board
    while len(_BOARDS) > KEPT:
        _BOARDS.popitem(last=False)
    for old in islice(reversed(_BOARDS.values()), LIVE, LIVE + 1):
        old.put(Mark.RETIRE)
    if _tell not in session.vote_watchers:
        session.vote_watchers.append(_tell)


def votes_on(comparison: str) -> tuple[Vote, ...]:
    """Return the votes that a remembered board has heard of."""
    board = _BOARDS.get(comparison)
    return board.votes if board is not None else ()


def _tell(vote: Vote) -> None:
    if (board := _BOARDS.get(vote.comparison)) is not None:
        board.put(vote)
        board.shown()  # within the cell that votes: who runs a notebook reads no further
