"""As much of an answer as a page takes: the rest is counted, and kept where the answer is kept.

Lab lays out every line of an output: five megabytes were 2.9 to 11 million pixels, and every paint
of an answer that grows sends all of it anew.
"""

from __future__ import annotations

from multimodel_magic.notebook import Format
from multimodel_magic.notebook.safe_markdown import GrowingMarkdown, text_block

__all__ = ["LAYOUT_S", "MOST_CHARS", "MOST_LINES", "Growing", "excerpt", "left_out"]

MOST_CHARS = 200_000
MOST_LINES = 10_000
"""So much of an answer is shown: a hundred pages, and no real answer comes near."""
LAYOUT_S = 0.6e-6
"""How long Lab 4.6 is busy with a character of HTML (measured): the kernel does not see it."""

_MARKDOWN = frozenset({"auto", "markdown"})


def excerpt(text: str) -> str:
    r"""Return the beginning of `text` that a page takes; all of it where that is little enough.

    Examples
    --------
    >>> len(excerpt("x" * 300_000)), excerpt("a\n" * 20_000).count("\n")
    (200000, 9999)
    """
    begin = text[:MOST_CHARS]
    return "\n".join(begin.split("\n", MOST_LINES)[:MOST_LINES])


def left_out(text: str, whole: str) -> tuple[str, ...]:
    """Say in a line what `excerpt` leaves out of a text, and `whole`, where all of it is.

    Examples
    --------
    >>> left_out("x" * 300_000, "r.text")
    ('the first 200,000 of 300,000 characters are shown; all of them: r.text',)
    >>> left_out("x", "r.text")
    ()
    """
    return _told(len(excerpt(text)), len(text), whole)


def _told(shown: int, chars: int, whole: str) -> tuple[str, ...]:
    if shown == chars:
        return ()
    return (f"the first {shown:,} of {chars:,} characters are shown; all of them: {whole}",)


class Growing:
    """An answer that grows, as far as it is shown: what a paint costs does not grow beyond that.

    Parameters
    ----------
    format
        How the answer is shown.
    whole
        Where all of it is.
    """

    def __init__(self, format: Format, whole: str) -> None:  # noqa: A002 - the option's name
        self._is_markdown = format in _MARKDOWN
        self._whole = whole
        self._markdown = GrowingMarkdown()
        self._pieces: list[str] = []
        self._chars = self._shown = self._lines = 0
        self._html: str | None = ""

    def __bool__(self) -> bool:
        return self._chars > 0

    def add(self, text: str) -> None:
        """Take in what has just come."""
        if self._chars == self._shown:
            room = MOST_LINES - self._lines
            begin = "\n".join(text[: MOST_CHARS - self._shown].split("\n", room)[:room])
            self._pieces.append(begin)
            self._shown += len(begin)
            self._lines += begin.count("\n")
            self._html = None
            if self._is_markdown:
                self._markdown.add(begin)
        self._chars += len(text)

    @property
    def text(self) -> str:
        """What has come so far, as far as it is shown."""
        self._pieces = ["".join(self._pieces)]
        return self._pieces[0]

    def html(self) -> str:
        """Render what has come so far, as far as it is shown."""
        if self._html is None:
            self._html = self._markdown.html() if self._is_markdown else text_block(self.text)
        return self._html

    def left_out(self) -> tuple[str, ...]:
        """Say what is not shown, and where it will be."""
        return _told(self._shown, self._chars, self._whole)
