"""Where widgets stand: controls with a static twin, and places that can be filled again."""

from __future__ import annotations

import asyncio
import time
import warnings
from collections.abc import Callable
from html import escape
from typing import Any, Generic, TypeAlias, TypeVar

from multimodel_magic import bridge
from multimodel_magic.notebook import hosting
from multimodel_magic.notebook.safe_markdown import IGNORED_BY_MATHJAX, plain
from multimodel_magic.types import new_ulid

__all__ = ["NOTHING", "Bundle", "Latest", "Paced", "Place", "has_front_end", "show_controls"]

Bundle: TypeAlias = dict[str, Any]
"""An output by MIME type; `text/plain` always."""
Widget: TypeAlias = Any
"""An ipywidgets widget, which mypy sees as untyped."""

T = TypeVar("T")

VIEW = "application/vnd.jupyter.widget-view+json"
_TWIN = "font-size:.85em;color:var(--jp-ui-font-color2,inherit)"
# Lab marks the output of a widget that it does not find so, and no living one.
_LOST = ".jp-OutputArea-output.jupyter-widgets"
NOTHING: Bundle = {"text/plain": "", "text/html": ""}
"""What a place holds that holds nothing."""
QUIET_S = 0.01
"""How long nothing newer may come before a change is taken up: a key repeats every 30 ms."""
MOST_S = 0.2
"""A change is taken up after so long at the latest, however fast others follow."""


def has_front_end() -> bool:
    """Whether there is a page on which something can be clicked."""
    return hosting.host() == "kernel"


def show_controls(widget: Widget, twin: str) -> Place:
    """Display a widget; where it cannot live (reopened, exported), `twin` stands in its place.

    Lab takes the twin by itself in a notebook that is not trusted. In a trusted one it says
    "Error displaying widget: model not found" instead, and a second output turns that into the
    twin: it is nothing but a style, which Lab strips where it is not needed.

    Returns
    -------
    Place
        Of the widget: to be emptied when it is closed, else Lab waits for it when reopened.
    """
    view = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    html = f'<div class="{IGNORED_BY_MATHJAX}" style="{_TWIN}">{escape(plain(twin))}</div>'
    place = Place({"text/plain": plain(twin), "text/html": html, VIEW: view})
    place.show()
    _publish({"text/plain": "", "text/html": _guard(twin)}, {}, new_ulid(), False)
    return place


def _guard(twin: str) -> str:
    name = f"multimodel-guard-{new_ulid()}"
    child = f".jp-OutputArea-child:has(.{name})"
    return (
        f'<span class="{name}"></span><style>.{name}::after{{content:{_css(twin)};{_TWIN}}}'
        f"{child}{{display:none}}.jp-OutputArea:has(.{name}) {_LOST}{{display:none}}"
        f".jp-OutputArea:has({_LOST}) {child}{{display:flex}}</style>"
    )


def _css(text: str) -> str:
    r"""Write a text as a string of CSS, in which nothing but letters and digits stays itself.

    Examples
    --------
    >>> _css('a"</style>')
    '"a\\22 \\3c \\2f style\\3e "'
    """
    escaped = (c if c.isascii() and c.isalnum() else f"\\{ord(c):x} " for c in plain(text))
    return f'"{"".join(escaped)}"'


class Place:
    """A place among a cell's outputs: shown once, filled again from any thread at any time.

    It is a card's publisher too: `LiveCard(publisher=place)` streams into it.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self._metadata: dict[str, Any] = {}
        self._id = new_ulid()
        self._shown = False

    def show(self) -> None:
        """Display it in the running cell; a second time it stands in both places."""
        self._shown = True
        _publish(self.bundle, self._metadata, self._id, False)

    def fill(self, bundle: Bundle, metadata: dict[str, Any] | None = None) -> None:
        """Put `bundle` there, if it is another one than what is there."""
        if bundle == self.bundle:
            return
        self.bundle, self._metadata = bundle, metadata or {}
        if self._shown:
            _publish(self.bundle, self._metadata, self._id, True)

    def __call__(self, bundle: Bundle, metadata: dict[str, Any], *, update: bool) -> None:
        """Fill it; there is nothing to display anew."""
        del update
        self.fill(bundle, metadata)


def _publish(
    bundle: dict[str, Any],
    metadata: dict[str, Any],
    display_id: str,
    update: bool,  # noqa: FBT001
) -> None:
    from IPython.display import publish_display_data

    transient = {"display_id": display_id}
    publish_display_data(bundle, metadata, transient=transient, update=update)  # type: ignore[no-untyped-call]  # IPython's


class Paced:
    """Does a work at most every so often, and once more after the last call; never by itself.

    Parameters
    ----------
    work
        What to do, in the thread of the call or in the background loop's.
    every_s
        Seconds between two runs, at least.
    clock
        Seconds from anywhere, monotonic.
    """

    def __init__(
        self,
        work: Callable[[], None],
        every_s: float = 0.5,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._work = work
        self._every_s = every_s
        self._clock = clock
        self._next_s = clock()
        self._waits = False

    def call(self) -> None:
        """Do it now if it is time, else as soon as it is: no timer runs while nobody calls."""
        if self._waits:
            return
        left_s = self._next_s - self._clock()
        if left_s <= 0:
            self._run()
            return
        self._waits = True
        loop = bridge.loop()
        loop.call_soon_threadsafe(loop.call_later, left_s, self._run)

    def _run(self) -> None:
        self._waits, self._next_s = False, self._clock() + self._every_s
        try:
            self._work()
        except Exception as error:  # noqa: BLE001 - what is shown must not fail what is asked
            warnings.warn(f"the widget could not be painted: {error!r}", stacklevel=1)


class Latest(Generic[T]):
    """Hands on the newest value only: what was put before it and not yet taken up is dropped.

    Comm messages queue up in the kernel while something runs. Taking one in costs microseconds
    here; the work is done once, when the queue is empty.

    Parameters
    ----------
    work
        Takes the newest value. What it raises is warned of: a click must not end a kernel's loop.
    clock
        Seconds from anywhere, monotonic.
    """

    def __init__(
        self, work: Callable[[T], None], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._work = work
        self._clock = clock
        self._number = self._done = 0
        self._since_s = 0.0
        self._value: T | None = None

    def put(self, value: T) -> None:
        """Take in a value; returns at once where there is a loop to come back to."""
        if self._number == self._done:
            self._since_s = self._clock()
        self._value = value
        self._number += 1
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._take(self._number)
        else:
            loop.call_later(QUIET_S, self._take, self._number)

    def _take(self, number: int) -> None:
        stale = number != self._number and self._clock() - self._since_s < MOST_S
        if stale or self._done == self._number:
            return
        self._done = self._number
        try:
            self._work(self._value)  # type: ignore[arg-type]  # put() has set it
        except Exception as error:  # noqa: BLE001 - nobody would hear of it in a loop
            warnings.warn(f"the widget could not follow: {error!r}", stacklevel=1)
