"""How a broken law is said: one line, with the name of who broke it."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from types import TracebackType
from typing import Self

__all__ = ["Law", "Only", "name_of", "shown"]

_LONGEST = 120


@dataclass(frozen=True, slots=True)
class Law:
    """Says of one strategy or provider what does not hold."""

    who: str

    def holds(self, truth: object, otherwise: str) -> None:
        """Raise an `AssertionError` of one line where something is not so."""
        if not truth:
            raise AssertionError(" ".join(f"{self.who}: {otherwise}".split()))

    def is_line(self, value: object, what: str) -> None:
        """Expect a text of one line that is not empty."""
        is_line = isinstance(value, str) and value.strip() and len(value.splitlines()) == 1
        self.holds(is_line, f"{what} is {shown(value)}; give a line of text")

    def is_made(self, thing: object) -> None:
        """Expect an object and not the class that makes it."""
        kind = thing.__name__ if isinstance(thing, type) else ""
        self.holds(not kind, f"this is the class; give one that is made of it: {kind}(...)")

    def is_plain(self, value: object, call: str) -> None:
        """Expect the result of a plain function, not something to be awaited."""
        if inspect.iscoroutine(value):
            value.close()  # Nobody will await it, and Python would warn of that.
            self.holds(False, f"{call} is async; make it a plain function")

    def only(self, about: str, *allowed: type[Exception], advice: str) -> Only:
        """Let no other errors than these out of a block; it keeps those, in `.error`."""
        return Only(self, about, allowed, advice)


class Only:
    """A block of a stranger's code: what it may raise is kept, all else breaks the law."""

    def __init__(
        self, law: Law, about: str, allowed: tuple[type[Exception], ...], advice: str
    ) -> None:
        self._law = law
        self._about = about
        self._allowed = allowed
        self._advice = advice
        self.error: Exception | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception) or isinstance(error, AssertionError):
            return False
        what = f"{self._about} raises {type(error).__name__}: {error}"
        self._law.holds(isinstance(error, self._allowed), f"{what}; {self._advice}")
        self.error = error
        return True


def name_of(thing: object, kind: str) -> str:
    """Return what to call a thing in a message, before it is known to have a name."""
    name = getattr(thing, "name", None)
    kind_of = (thing if isinstance(thing, type) else type(thing)).__name__
    return f"{kind} {name if isinstance(name, str) and name else kind_of}"


def shown(value: object) -> str:
    """Return a value for a message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
