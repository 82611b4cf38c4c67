"""One pane of a comparison: what a contestant does and says, as far as it may be shown."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from multimodel_magic.comparison.values import letter
from multimodel_magic.notebook import Format
from multimodel_magic.notebook.card import answer_html
from multimodel_magic.notebook.excerpt import Growing
from multimodel_magic.notebook.receipt import failure, model_name, notices, receipt, seconds
from multimodel_magic.notebook.safe_markdown import plain
from multimodel_magic.types import (
    AttemptFailed,
    AttemptStarted,
    Event,
    Finished,
    Notice,
    Response,
    Routed,
    TextDelta,
)

__all__ = ["MARKS", "Pane", "State", "View"]

State: TypeAlias = Literal["waiting", "answering", "answered", "failed", "stopped"]

MARKS: Final[dict[State, str]] = {
    "waiting": "○ waiting",
    "answering": "◐ answering",
    "answered": "✓ answered",
    "failed": "✗ no answer",
    "stopped": "■ stopped",
}
"""Every state as a sign and a word: colour says nothing that these do not."""

_HELD_BACK = "the receipt follows your vote"


@dataclass(frozen=True, slots=True)
class View:
    """What a pane shows just now; every text but `html` is still to be escaped."""

    title: str
    state: State
    status: str
    """What it is doing, or the receipt."""
    html: str
    """The answer so far, as `safe_markdown` wrote it."""
    text: str
    notices: tuple[str, ...]
    running: bool
    elapsed: str = ""
    """How long it has been running; empty where that is over."""
    run: int = 0
    """How often it was begun: tells one answer from the one before it."""


class Pane:
    """Takes in a contestant's events and says what is to be seen.

    Parameters
    ----------
    place
        From 0, left to right.
    name
        The contestant, as the user named it.
    format
        How the answer is shown.
    clock
        Seconds from anywhere, monotonic.
    """

    def __init__(
        self,
        place: int,
        name: str,
        format: Format = "auto",  # noqa: A002 - the option's name
        *,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._letter = letter(place)
        self._whole = f".texts[{place}] of the comparison"
        self._name = name
        self._format: Format = format
        self._clock = clock
        self.response: Response | None = None
        self._html: str | None = None
        self._run = 0
        self._restart()

    def _restart(self) -> None:
        self.state: State = "waiting"
        self._doing, self._failed, self._model = "choosing a model", "", "the model"
        self._said: list[str] = []
        self._broke_off = False
        self._begun_s = self._clock()
        self._void()

    def _void(self) -> None:
        self._growing = Growing(self._format, self._whole)
        self._html = None

    @property
    def running(self) -> bool:
        """Whether it has yet to end."""
        return self.state in ("waiting", "answering")

    def hear(self, event: Event) -> None:
        """Take in one event; the first one of a new request begins the pane anew."""
        match event:
            case Routed(route):
                self.response = None
                self._run += 1
                self._restart()
                self._said += route.notices
            case TextDelta(text):
                self._take(text)
            case AttemptStarted():
                self._begin(event)
            case AttemptFailed(attempt):
                self._failed = self._doing = failure(attempt)
            case Notice(text):
                self._doing = text
            case Finished(response):
                self._finish(response)

    def stopped(self) -> None:
        """Mark it as over where no last event came."""
        if self.running:
            self.state, self._doing = "stopped", "stopped"
            self._html = None

    def _take(self, text: str) -> None:
        if not self._growing:
            self._doing = f"{self._model} answers"
        self.state = "answering"
        self._growing.add(text)
        self._html = None

    def _begin(self, event: AttemptStarted) -> None:
        self._model = model_name(event.provider, event.model)
        if self._growing:
            self._broke_off = True
            self._said.append(f"The answer broke off and begins again with {self._model}.")
        self._void()
        self._doing = " · ".join(part for part in (self._failed, f"asking {self._model}") if part)

    def _finish(self, response: Response) -> None:
        self.response = response
        self._void()
        self._growing.add(response.text)
        if response.succeeded:
            self.state = "answered"
        else:
            stopped = type(response.error).__name__ == "Cancelled"
            self.state = "stopped" if stopped else "failed"

    # --- what is to be seen

    def view(self, *, hidden: bool) -> View:
        """Say what is to be seen; while `hidden`, nothing that tells who it is."""
        return View(
            f"Answer {self._letter}" if hidden else self._name,
            self.state,
            self._hidden_status() if hidden else self._status(),
            self._shown_html(),
            plain(self._growing.text),
            (
                *self._growing.left_out(),
                *(self._hidden_notices() if hidden else self._notices()),
            ),
            self.running,
            seconds(self._clock() - self._begun_s) if self.running else "",
            self._run,
        )

    def _status(self) -> str:
        return self._doing if self.response is None else receipt(self.response)

    def _hidden_status(self) -> str:
        if self.running:
            return "answering" if self._growing else "waiting for the first word"
        return _HELD_BACK

    def _notices(self) -> tuple[str, ...]:
        if self.response is None:
            return tuple(self._said)
        error = self.response.error
        failed = (str(error),) if self.state == "failed" else ()
        return (*failed, *notices(self.response))

    def _hidden_notices(self) -> tuple[str, ...]:
        if self.state == "failed":
            return ("There is no answer here; why is told after the vote.",)
        if self.response is not None and self.response.parsed and self.response.parsed.error:
            return (str(self.response.parsed.error),)
        broke_off = self._broke_off and self.running
        return ("The answer broke off and begins again.",) if broke_off else ()

    def _shown_html(self) -> str:
        if self._html is None:
            self._html = self._made_html()
        return self._html

    def _made_html(self) -> str:
        if self.running:
            return self._growing.html()
        whole = self._growing.text if self.response is None else self.response.text
        return answer_html(whole, self._format)
