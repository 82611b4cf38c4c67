r"""The line by which a terminal says what is waited for: one line, written over, gone at the end.

A terminal takes no text back, so that an answer is shown there once, when it is whole. Until then
nothing would be seen. The line goes to standard error, and only where that is a terminal: what is
captured, redirected or run by a program holds none of it.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from typing import TextIO

from multimodel_magic.notebook import hosting
from multimodel_magic.notebook.columns import head, width
from multimodel_magic.notebook.safe_markdown import plain

__all__ = ["StatusLine", "fitted", "status_line"]

FIRST_S = 0.4
"""What is over by then is not worth a flicker."""
AGAIN_S = 0.2
"""Between two writings: a person reads seconds, and a slow line (ssh) has other things to carry."""

_CLEAR = "\r\x1b[K"


class StatusLine:
    r"""One line of a terminal that is written over.

    Parameters
    ----------
    out
        The terminal.
    columns
        Says how wide it is.
    clock
        Monotonic seconds.

    Examples
    --------
    >>> import io
    >>> now, out = [0.0], io.StringIO()
    >>> line = StatusLine(out, lambda: 12, lambda: now[0])
    >>> line.show("asking m · 0.1 s")
    >>> now[0] = 1.0
    >>> line.show("asking m · 1.0 s")
    >>> line.clear()
    >>> out.getvalue()
    '\r\x1b[Kasking m ·\u2026\r\x1b[K'
    """

    def __init__(
        self,
        out: TextIO,
        columns: Callable[[], int] = lambda: shutil.get_terminal_size().columns,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._out = out
        self._columns = columns
        self._clock = clock
        self._next_s = clock() + FIRST_S
        self._is_shown = False

    def show(self, text: str) -> None:
        """Write `text` over what stands there, if it is time."""
        now_s = self._clock()
        if now_s >= self._next_s:
            self._next_s = now_s + AGAIN_S
            # The last column stays free: a terminal that wraps there could not take it back.
            self._write(_CLEAR + fitted(text, self._columns() - 1))
            self._is_shown = True

    def clear(self) -> None:
        """Leave the line as it was found."""
        if self._is_shown:
            self._is_shown = False
            self._write(_CLEAR)

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


def status_line(environ: Mapping[str, str] = os.environ) -> StatusLine | None:
    """Return the line of the terminal that this IPython runs in; None where there is none."""
    wanted = environ.get(hosting.NO_STREAM, "0") in ("", "0") and environ.get("TERM") != "dumb"
    if not wanted or hosting.host() != "terminal" or not sys.stderr.isatty():
        return None
    return StatusLine(sys.stderr) if _can_write("·…", sys.stderr) else None


def _can_write(text: str, out: TextIO) -> bool:
    try:
        text.encode(out.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def fitted(text: str, columns: int) -> str:
    """Return `text` in one line of so many columns at most, without what a terminal would obey.

    Examples
    --------
    >>> fitted("asking 模型", 11), fitted("asking 模型", 10)
    ('asking 模型', 'asking 模\u2026')
    """
    line = " ".join(plain(text).split())
    return line if width(line) <= columns else head(line, columns - 1) + "…"
