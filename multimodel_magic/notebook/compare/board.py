"""The board: a race, its panes, and the two outputs that show them (the live one and its twin)."""

from __future__ import annotations

import asyncio
import contextvars
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from enum import Enum, auto
from typing import Any, Final, TypeAlias

from multimodel_magic import bridge
from multimodel_magic.comparison import Comparison, Lineup, Race
from multimodel_magic.experiments.votes import Vote
from multimodel_magic.notebook import Format
from multimodel_magic.notebook.compare import live as views
from multimodel_magic.notebook.compare import picture, twin
from multimodel_magic.notebook.compare.pane import Pane, View
from multimodel_magic.notebook.compare.voting import cast, head_of
from multimodel_magic.notebook.excerpt import LAYOUT_S
from multimodel_magic.notebook.terminal import status_line
from multimodel_magic.notebook.widgets.stage import VIEW, Place
from multimodel_magic.session import Session
from multimodel_magic.types import Event, Finished, Routed

__all__ = ["Board", "Mark"]

PAINT_S: Final = 0.1
"""Seconds between two paints at least."""
TWIN_S: Final = 2.0
"""The same for the twin while a live view stands above it."""
PAINTING_SHARE: Final = 0.1
"""A paint, here and in the page, takes this share of the time at most, however long it grows."""
TICK_S: Final = 0.5

_INSTEAD: Final = {
    "text/plain": "(the live panes were here; what they showed stands below)",
    "text/html": "<!-- The live panes were here; what they showed stands below. -->",
}
_BLOCKING: Final = (
    "This cell blocks its kernel: a button that does not answer will when the cell ends. "
    "Interrupting the kernel stops all panes at once."
)


class Mark(Enum):
    """What happens to a board besides events and votes."""

    TICK = auto()
    OVER = auto()
    """The cell ends: who has not ended by now was stopped."""
    REVEALED = auto()
    RETIRE = auto()


Change: TypeAlias = tuple[int, Event] | Vote | Mark
Payload: TypeAlias = dict[str, Any]


class Board:
    """Shows a race from its first event to its vote.

    Everything that is to be seen changes in one thread, the painter's, whoever brought it about:
    the race's loop, a click (which a kernel may handle in any thread), or a vote from code.

    Parameters
    ----------
    session
        Asks, and keeps comparisons and votes.
    lineup
        Whom, and what.
    format
        How answers are shown.
    stream
        Whether growing answers can be shown; else one output at the end.
    live
        Whether somebody is there to click.
    quiet
        Show nothing at all.
    blocking
        Whether the cell blocks its kernel.
    """

    def __init__(
        self,
        session: Session,
        lineup: Lineup,
        *,
        format: Format = "auto",  # noqa: A002 - the option's name
        stream: bool = True,
        live: bool = True,
        quiet: bool = False,
        blocking: bool = False,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._session = session
        self._blocking = blocking
        self._quiet = quiet
        self._clock = clock
        self.race = Race(session.client, lineup, self.hear)
        self._first = self.race.comparison
        names = enumerate(lineup.names)
        self._panes = [Pane(place, name, format, clock=clock) for place, name in names]
        self._votes: dict[str | None, Vote] = {}
        self._stream = stream and not quiet
        self._line = None if self._stream or quiet else status_line()
        self._wants_live = live and self._stream and views.installed()
        self._live: views.Live | None = None
        self._slot: Place | None = None
        self._twin: Place | None = None
        self._dirty = set(range(len(self._panes)))
        self._payloads: dict[int, Payload] = {}
        self._in_cell = True
        self._broken = False
        self._next_s = self._next_twin_s = 0.0
        self._agreement: picture.Agreement = picture.Agreement()

    @property
    def id(self) -> str:
        """The comparison's id."""
        return self._first.id

    @property
    def comparison(self) -> Comparison:
        """The comparison as it stands."""
        return self._session.comparison(self.id) or self._first

    @property
    def votes(self) -> tuple[Vote, ...]:
        """What was said of it."""
        return tuple(self._votes.values())

    # --- the cell

    def open(self) -> None:
        """Show what is to grow, in the running cell."""
        self._session.keep(self._first)
        if not self._stream:
            return
        if self._wants_live:
            self._live = views.live(self._fresh(), self._head(), self.clicked)
            self._slot = Place(self._view_of(self._live.model_id))
            self._slot.show()
        self._twin = Place(self._twin_bundle())
        self._twin.show()

    async def run(self) -> None:
        """Race; cancelling it stops all."""
        ticking = asyncio.create_task(self._tick())
        try:
            await self.race.run()
        finally:
            ticking.cancel()
            self._session.keep(self.race.comparison)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self.put(Mark.TICK)

    def settle(self) -> None:
        """Have everything shown that has happened: the cell is about to end."""
        self.put(Mark.OVER)
        self.shown()
        if self._twin is None and not self._quiet:
            self._twin = Place({})
            self._twin.fill(self._twin_bundle(), self._facts())
            self._twin.show()

    def shown(self) -> None:
        """Wait until everything that has happened is shown; not to be called by the painter."""
        _PAINTER.flush()

    # --- what happens, in any thread

    def hear(self, place: int, event: Event) -> None:
        """Take in one event of the race."""
        if isinstance(event, Finished | Routed):
            self._session.keep(self.race.comparison)
        self.put((place, event))

    def put(self, change: Change) -> None:
        """Have the painter take something in, on behalf of the cell or click that did it."""
        _PAINTER.put((self, change, contextvars.copy_context()))

    def clicked(self, said: Mapping[str, Any]) -> None:
        """Do what a person asked for on the page."""
        match said:
            case {"do": "stop", "place": int(place)} if 0 <= place < len(self._panes):
                self.race.stop(place)
            case {"do": "retry", "place": int(place)} if 0 <= place < len(self._panes):
                self.race.retry(place)
            case {"do": "vote"}:
                self._cast(said)

    def _cast(self, said: Mapping[str, Any]) -> None:
        comparison = self.comparison
        if said.get("verdict") == "none":
            self._session.keep(comparison.reveal())
            self.put(Mark.REVEALED)
        elif comparison.finished and (vote := cast(comparison, said)) is not None:
            self._session.vote(vote)  # which tells all boards

    # --- in the painter's thread

    def take(self, changes: Iterable[Change]) -> None:
        """Take in what has happened, and paint if it is time."""
        at_once = False
        for change in changes:
            at_once |= self._take(change)
        if at_once or self._clock() >= self._next_s:
            self._paint(at_once=at_once)
        elif self._dirty and not self._broken:
            self.put(Mark.TICK)  # comes back after the painter's linger

    def _take(self, change: Change) -> bool:
        """Take in one change, and say whether it must be seen at once."""
        match change:
            case (int(place), event):
                self._panes[place].hear(event)
                self._dirty.add(place)
                return isinstance(event, Finished)
            case Vote():
                self._votes[change.judge] = change
            case Mark.OVER:
                self._in_cell = False
                self._clear_line()
                for pane in self._panes:
                    pane.stopped()
            case Mark.RETIRE:
                self._retire()
                return False
            case Mark.TICK:
                running = enumerate(self._panes)
                self._dirty |= {place for place, pane in running if pane.running}
                return False
        self._dirty.update(range(len(self._panes)))
        return True

    def _paint(self, *, at_once: bool) -> None:
        begun_s = self._clock()
        if self._line is not None:
            self._line.show(" | ".join(map(_in_short, self._views())))
        fresh = self._fresh()
        if self._live is not None:
            head = self._head()
            with self._live.hold_sync():  # one message, of what has changed
                for place, payload in fresh.items():
                    setattr(self._live, f"pane{place}", payload)
                self._live.head = head
        sent = sum(len(payload["html"]) for payload in fresh.values()) * (self._live is not None)
        if self._twin is not None and (at_once or begun_s >= self._next_twin_s):
            bundle = self._twin_bundle()
            self._twin.fill(bundle, self._facts())
            sent += len(bundle["text/html"])
            self._next_twin_s = begun_s + (TWIN_S if self._live is not None else PAINT_S)
        took_s = self._clock() - begun_s + sent * LAYOUT_S
        self._next_s = begun_s + max(PAINT_S * 0.9, took_s / PAINTING_SHARE)

    def _clear_line(self) -> None:
        if self._line is not None:
            self._line.clear()
            self._line = None

    def _retire(self) -> None:
        if self._live is not None and self._slot is not None:
            self._slot.fill(dict(_INSTEAD))
            self._live.layout.close()  # a model of its own, which nobody else closes
            self._live.close()
            self._live = None
            self._wants_live = False
            if self._twin is not None:  # its style is not needed now, and a page pays for each
                self._twin.fill(self._twin_bundle(), self._facts())

    def broke(self, error: Exception) -> None:
        """Say once that it cannot be shown: a display must not fail paid calls."""
        if not self._broken:
            self._broken = True
            warnings.warn(f"the comparison could not be displayed: {error!r}", stacklevel=2)

    # --- what is to be seen

    def _view_of(self, model_id: str) -> dict[str, Any]:
        view = {"version_major": 2, "version_minor": 0, "model_id": model_id}
        return {**_INSTEAD, VIEW: view}

    def _views(self) -> tuple[View, ...]:
        comparison = self.comparison
        return tuple(pane.view(hidden=comparison.hidden) for pane in self._panes)

    def _fresh(self) -> dict[int, Payload]:
        """Return the payloads of the panes that have changed since."""
        comparison, chosen = self.comparison, self._chosen()
        dirty, self._dirty = self._dirty, set()
        made = {
            place: picture.payload(
                self._panes[place].view(hidden=comparison.hidden),
                title=picture.title(comparison, place),
                chosen=place == chosen,
            )
            for place in sorted(dirty)
        }
        fresh = {place: new for place, new in made.items() if new != self._payloads.get(place)}
        self._payloads |= fresh
        return fresh

    def _chosen(self) -> int | None:
        human = self._votes.get(None)
        return None if human is None else human.preferred

    def _head(self) -> Payload:
        note = _BLOCKING if self._blocking and self._in_cell else ""
        comparison = self.comparison
        agreement = self._agreement.of(comparison, over=self._over())
        return {
            "note": note,
            "vote": head_of(comparison, self.votes, over=self._over()),
            "agreement": agreement.html,
        }

    def _over(self) -> bool:
        return not any(pane.running for pane in self._panes)

    def _twin_bundle(self) -> dict[str, Any]:
        comparison = self.comparison
        shown = picture.picture(
            comparison,
            self._views(),
            self.votes,
            self._agreement.of(comparison, over=self._over()),
            beside_widget=self._wants_live,
        )
        return {"text/plain": twin.text(shown), "text/html": twin.html(shown)}

    def _facts(self) -> dict[str, Any]:
        return picture.facts(self.comparison, self.votes)


def _in_short(view: View) -> str:
    """Say what a pane is doing and for how long, or that it is done."""
    doing = view.status if view.running else view.state
    return " · ".join(filter(None, (view.title, doing, view.elapsed)))


_Put: TypeAlias = tuple[Board, Change, contextvars.Context]


def _work(batch: list[_Put]) -> None:
    of_board: dict[Board, list[_Put]] = {}
    for put in batch:
        of_board.setdefault(put[0], []).append(put)
    for board, puts in of_board.items():
        try:
            # Who runs a notebook takes an update only from the cell that is running.
            puts[-1][2].run(board.take, [change for _, change, _ in puts])
        except Exception as error:  # noqa: BLE001 - a display must not fail paid calls
            board.broke(error)


_PAINTER: bridge.Worker[_Put] = bridge.Worker(
    _work, name="multimodel-magic-painter", linger_s=PAINT_S
)
