"""Colours as eyes take them: contrast, and how far two are apart."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np

__all__ = ["cielab", "contrast", "in_dark_lab"]


def in_dark_lab(colour: str) -> str:
    """What Lab's dark theme makes of a colour: `figure.bundle` has it a third brighter."""
    parts = np.array(mpl.colors.to_rgb(colour)) * (1 + 32 / 100)
    return mpl.colors.to_hex(parts.clip(0, 1))


def linear(colour: str) -> np.ndarray:
    parts = np.array(mpl.colors.to_rgb(colour))
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def cielab(colour: str, sees: np.ndarray) -> np.ndarray:
    """CIE 1976 L*a*b* under D65."""
    to_xyz = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
              [0.0193339, 0.1191920, 0.9503041]]  # fmt: skip
    xyz = np.array(to_xyz) @ (sees @ linear(colour)).clip(0, 1) / [0.95047, 1, 1.08883]
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(one: str, other: str) -> float:
    """WCAG 2's contrast ratio."""
    luminances = [float(linear(colour) @ [0.2126, 0.7152, 0.0722]) for colour in (one, other)]
    return (max(luminances) + 0.05) / (min(luminances) + 0.05)
