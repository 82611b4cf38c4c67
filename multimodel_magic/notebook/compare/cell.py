"""`%%llm --compare A,B[,C] [--blind]`: a cell that several contestants answer."""

from __future__ import annotations

import asyncio
from typing import Any

from multimodel_magic import bridge
from multimodel_magic.comparison import Comparison, Comparisons, line_up
from multimodel_magic.comparison.ask import INTERRUPTED
from multimodel_magic.errors import Cancelled, MultimodelError, UsageError
from multimodel_magic.notebook import hosting
from multimodel_magic.notebook.compare import gallery, picture, table, twin
from multimodel_magic.notebook.compare.board import Board
from multimodel_magic.notebook.options import Options
from multimodel_magic.notebook.plan import planned
from multimodel_magic.notebook.table import Table
from multimodel_magic.notebook.worth import format_of
from multimodel_magic.session import Session
from multimodel_magic.types import Request

__all__ = ["again", "attended", "compare", "compare_async", "dry_run", "show"]

_NO_ANSWER = "no contestant answered; each says why in its pane (--soft goes on)"
_ALL_STOPPED = "every contestant was stopped; what came is in llm.last_comparison"


def compare(
    session: Session, options: Options, request: Request, *, nested: bool = False
) -> Comparison:
    """Answer a cell with several contestants, blocking.

    Parameters
    ----------
    session
        Asks, and remembers.
    options
        The line's.
    request
        What all are asked.
    nested
        Ask on the caller's own loop, which must allow nesting.

    Raises
    ------
    UsageError
        For contestants that are none.
    Cancelled
        Where it was interrupted; what came is shown and remembered.
    MultimodelError
        Where no contestant answered and the line does not say `--soft`.
    """
    board = _opened(session, options, request, blocking=True)
    stopped = False
    try:
        (bridge.run_here if nested else bridge.run)(board.run())
    except (KeyboardInterrupt, asyncio.CancelledError):
        stopped = True
    return _closed(board, options, stopped=stopped)


async def compare_async(
    session: Session, options: Options, request: Request, *, here: bool = False
) -> Comparison:
    """As `compare`, awaited: clicks are handled meanwhile. `here` asks on the caller's loop."""
    board = _opened(session, options, request, blocking=False)
    stopped = False
    try:
        await (board.run() if here else bridge.arun(board.run()))
    except (KeyboardInterrupt, asyncio.CancelledError):
        stopped = True
    return _closed(board, options, stopped=stopped)


def _opened(session: Session, options: Options, request: Request, *, blocking: bool) -> Board:
    lineup = line_up(session.client, request, options.compare, blind=options.blind)
    board = Board(
        session,
        lineup,
        format=format_of(options),
        stream=bool(options.stream),
        live=attended(),
        quiet=bool(options.quiet),
        blocking=blocking,
    )
    gallery.hang(session, board)
    board.open()
    return board


def _closed(board: Board, options: Options, *, stopped: bool) -> Comparison:
    board.settle()
    comparison = board.comparison
    errors = [response.error if response else None for response in comparison.responses]
    if stopped or all(isinstance(error, Cancelled) for error in errors):
        raise Cancelled(INTERRUPTED if stopped else _ALL_STOPPED)
    if not comparison.answered and not options.soft:
        raise MultimodelError(_NO_ANSWER)
    return comparison


def attended() -> bool:
    """Whether somebody sits at the page: who runs a notebook unattended allows no input."""
    shell = hosting.current_shell()
    parent: dict[str, Any] = getattr(shell, "get_parent", dict)() or {}
    return bool(parent.get("content", {}).get("allow_stdin", False))


async def dry_run(session: Session, options: Options, request: Request) -> Table:
    """Say whom every contestant would ask and about what it would cost; asks no model."""
    lineup = line_up(session.client, request, options.compare)
    plans = [await planned(session.client, one) for one in lineup.requests]
    rows = tuple(
        (name, *plan.candidates.rows[0], plan.route.why)
        for name, plan in zip(lineup.names, plans, strict=True)
    )
    columns = ("contestant", *plans[0].candidates.columns, "why")
    return Table("Would compare", columns, rows, "nobody was asked")


def again(session: Session) -> None:
    """Display the last comparison again, with where its answers agree and differ laid open.

    Raises
    ------
    UsageError
        Where nothing was compared yet.
    """
    last = session.last_comparison
    if last is None:
        raise UsageError("nothing was compared yet: %%llm --compare A,B does, or llm.compare(...)")
    show(last, session, opened=True)


def show(compared: Comparison | Comparisons, session: Session, *, opened: bool = False) -> None:
    """Display a comparison, or a table of them, as it stands by now; without buttons."""
    if isinstance(compared, Comparisons):
        newest = Comparisons(tuple(session.comparison(one.id) or one for one in compared))
        _publish({"text/plain": table.text(newest), "text/html": table.html(newest)}, {})
        return
    now = session.comparison(compared.id) or compared
    votes = gallery.votes_on(now.id)
    shown = picture.still(now, votes, opened=opened)
    _publish(
        {"text/plain": twin.text(shown), "text/html": twin.html(shown)}, picture.facts(now, votes)
    )


def _publish(bundle: dict[str, str], metadata: dict[str, Any]) -> None:
    from IPython.display import publish_display_data

    publish_display_data(bundle, metadata)  # type: ignore[no-untyped-call]  # IPython's
