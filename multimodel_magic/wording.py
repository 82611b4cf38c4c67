"""How a number of things is written."""

from __future__ import annotations

__all__ = ["number_of"]


def number_of(n: int, one: str, many: str = "") -> str:
    """Write how many there are of something.

    Parameters
    ----------
    n
        How many.
    one
        What one of them is called.
    many
        What several are called; by default with an `s` at the end.

    Examples
    --------
    >>> number_of(1, "attempt"), number_of(1200, "attempt"), number_of(0, "reply", "replies")
    ('1 attempt', '1,200 attempts', '0 replies')
    """
    return f"{n:,} {one if n == 1 else many or f'{one}s'}"
