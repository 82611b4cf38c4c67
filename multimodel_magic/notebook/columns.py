"""How wide text is: in columns of a face whose letters are all as wide, as terminals count them."""

from __future__ import annotations

import unicodedata

__all__ = ["head", "tail", "width"]


def width(text: str) -> int:
    """Return how many columns a line takes: a Chinese character two, an accent none.

    Examples
    --------
    >>> width("asking 模型")
    11
    """
    return len(text) if text.isascii() else sum(map(_width, text))


def head(text: str, columns: int) -> str:
    """Return as much of the beginning as fits into so many columns.

    Examples
    --------
    >>> head("模型 gpt", 5), head("模型 gpt", 3)
    ('模型 ', '模')
    """
    for end, sign in enumerate(text):
        columns -= _width(sign)
        if columns < 0:
            return text[:end]
    return text


def tail(text: str, columns: int) -> str:
    """Return as much of the end as fits into so many columns."""
    for n, sign in enumerate(reversed(text)):
        columns -= _width(sign)
        if columns < 0:
            return text[len(text) - n :]
    return text


def _width(sign: str) -> int:
    if unicodedata.combining(sign) or unicodedata.category(sign) in ("Cf", "Me", "Mn"):
        return 0
    return 2 if unicodedata.east_asian_width(sign) in "WF" else 1
