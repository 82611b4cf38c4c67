"""How names are written in a picture: in fonts that have their signs, and as short as must be."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from multimodel_magic.notebook.columns import head, tail, width

if TYPE_CHECKING:
    from matplotlib.ft2font import FT2Font

__all__ = ["bold", "drawable", "families", "fitted", "short"]

MOST_COLUMNS = 30
"""Of a model's name in a picture; the words have all of it."""
_HEAD = 17

_FALLBACKS = (
    *("Noto Sans CJK SC", "Noto Sans CJK TC", "Noto Sans CJK JP", "Noto Sans CJK KR"),
    *("Noto Sans SC", "Noto Sans TC", "Noto Sans JP", "Noto Sans KR", "Source Han Sans SC"),
    *("PingFang SC", "PingFang HK", "Hiragino Sans GB", "Hiragino Sans", "Heiti SC", "Heiti TC"),
    *("Apple SD Gothic Neo", "Arial Unicode MS", "Microsoft YaHei", "Microsoft JhengHei"),
    *("Yu Gothic", "Meiryo", "MS Gothic", "Malgun Gothic", "SimHei", "WenQuanYi Zen Hei"),
    *("WenQuanYi Micro Hei", "Droid Sans Fallback", "IPAexGothic", "IPAGothic", "NanumGothic"),
    *("Noto Emoji", "Segoe UI Emoji", "Segoe UI Symbol", "Apple Symbols", "Symbola", "Unifont"),
)
"""Fonts for what the user's own lack, the ones that systems come with; of one outline a sign, for
matplotlib draws no coloured pictures."""


_REGULAR = 400


def families() -> list[str]:
    """Return the user's font families, and after them those here that have more signs."""
    import matplotlib as mpl

    return [*mpl.rcParams["font.family"], *_fallbacks()]


def bold() -> dict[str, Any]:
    """Return how bold text is set: in the user's own fonts, for the others may have no bold face.

    matplotlib would say so in the cell.
    """
    return {"fontweight": "bold", "fontfamily": _own()}


def _own() -> list[str]:
    return [name for name in families() if name not in _fallbacks()]


@lru_cache(maxsize=1)
def _fallbacks() -> tuple[str, ...]:
    from matplotlib.font_manager import fontManager, weight_dict

    upright = (font for font in fontManager.ttflist if font.style == "normal")
    here = {f.name for f in upright if weight_dict.get(str(f.weight), f.weight) == _REGULAR}
    return tuple(name for name in _FALLBACKS if name in here)


def drawable(text: str, *, is_bold: bool = False) -> str:
    """Return a text in signs that a font here has: matplotlib warns of every other one.

    A symbol is called by its name, another sign is a box; what only joins or changes others goes.
    """
    if text.isascii() and text.isprintable():
        return text
    fonts = _fonts(tuple(_own() if is_bold else families()))
    return "".join(sign if _has(fonts, sign) else _instead(fonts, sign) for sign in text)


@lru_cache(maxsize=8)
def _fonts(wanted: tuple[str, ...]) -> tuple[FT2Font, ...]:
    from matplotlib import font_manager

    here = {*font_manager.get_font_names(), *font_manager.font_family_aliases}
    found = [font_manager.FontProperties(family=[name]) for name in wanted if name in here]
    paths = [font_manager.findfont(one) for one in found or [font_manager.FontProperties()]]
    return tuple(map(font_manager.get_font, paths))


def _has(fonts: Iterable[FT2Font], sign: str) -> bool:
    return sign.isprintable() and any(font.get_char_index(ord(sign)) for font in fonts)


def _instead(fonts: Iterable[FT2Font], sign: str) -> str:
    kind = unicodedata.category(sign)
    if kind == "So":
        return f":{unicodedata.name(sign, 'symbol').lower()}:"
    if kind[0] in "CM":
        return ""
    return "□" if _has(fonts, "□") else "?"


def short(every: Iterable[str]) -> Mapping[str, str]:
    """Return a name for each model: without its provider, where that is enough."""
    every = list(dict.fromkeys(every))
    bare = [name.partition(":")[2] or name for name in every]
    return {
        name: one if bare.count(one) == 1 else name for name, one in zip(every, bare, strict=True)
    }


def fitted(every: Iterable[str]) -> Mapping[str, str]:
    """Return names that fit into a picture and can be drawn, no two of them alike.

    What is in the middle of a long one is left out.

    Examples
    --------
    >>> list(fitted(["gpt-6", "deepseek/deepseek-r2-distill-llama-90b-instruct"]).values())
    ['gpt-6', 'deepseek/deepseek…90b-instruct']
    """
    every = list(every)
    signs = [drawable(name) for name in every]
    cut = [_cut(name) for name in signs]
    told = [one if cut.count(one) == 1 else name for one, name in zip(cut, signs, strict=True)]
    return {
        name: one if told.count(one) == 1 else f"{one} ({told[: place + 1].count(one)})"
        for place, (name, one) in enumerate(zip(every, told, strict=True))
    }


def _cut(name: str) -> str:
    if width(name) <= MOST_COLUMNS:
        return name
    return f"{head(name, _HEAD)}…{tail(name, MOST_COLUMNS - _HEAD - 1)}"
