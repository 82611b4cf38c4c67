"""What a request is doing, for how long, and how long that may take: the line of a growing card.

Nothing is silent for more than a second: whatever is waited for stands here, and counts.
"""

from __future__ import annotations

from collections.abc import Callable

from multimodel_magic.notebook.receipt import SEPARATOR, failure, model_name, seconds
from multimodel_magic.types import AttemptFailed, AttemptStarted, Event, Notice, TextDelta

__all__ = ["Activity"]

SOON_S = 1.0
"""What began within the first second has taken as long as the whole, as far as anybody cares."""


class Activity:
    """The line, event by event.

    Parameters
    ----------
    clock
        Monotonic seconds.

    Examples
    --------
    >>> now = [0.0]
    >>> activity = Activity(lambda: now[0])
    >>> activity.take(Notice("a:m: RateLimited; asking it in 4.0 s", 4.0))
    >>> now[0] = 1.5
    >>> activity.line()
    'a:m: RateLimited; asking it in 4.0 s · 2.5 s to go · 1.5 s'
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._begun_s = self._since_s = clock()
        self._doing, self._before = "choosing a model", ""
        self._until_s: float | None = None
        self._model = "the model"
        self._is_answering = False

    @property
    def model(self) -> str:
        """Who was asked last."""
        return self._model

    def take(self, event: Event) -> None:
        """Take in one event."""
        match event:
            case AttemptStarted(provider, model):
                self._model, self._is_answering = model_name(provider, model), False
                asking = f"asking {self._model}"
                self._do(SEPARATOR.join(filter(None, [self._before, asking])))
            case TextDelta() if not self._is_answering:
                self._is_answering = True
                self._do(f"{self._model} answers")
            case AttemptFailed(attempt):
                self._before = failure(attempt)
                self._do(self._before)
            case Notice(text, wait_s):
                # What is over at once (a model passed over) is said until somebody answers.
                self._before = text if wait_s is None and not self._is_answering else self._before
                self._do(text, wait_s)

    def stop(self, why: str) -> None:
        """Say that nothing more will come."""
        self._do(why)

    def line(self) -> str:
        """Say what is done, how long it may take still, for how long, and how long the whole."""
        now_s = self._clock()
        whole_s, this_s = now_s - self._begun_s, now_s - self._since_s
        parts = [self._doing]
        if self._until_s is not None and self._until_s > now_s:
            parts.append(f"{seconds(self._until_s - now_s)} to go")
        elif this_s >= SOON_S and whole_s - this_s >= SOON_S:
            return SEPARATOR.join([*parts, seconds(this_s), f"{seconds(whole_s)} in all"])
        return SEPARATOR.join([*parts, seconds(whole_s)])

    def _do(self, what: str, wait_s: float | None = None) -> None:
        self._doing, self._since_s = what, self._clock()
        self._until_s = None if wait_s is None else self._since_s + wait_s
