"""How a chart gets into a notebook: a picture that has words, and stands on Lab's own ground."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from html import escape
from io import BytesIO

from matplotlib.figure import Figure

__all__ = ["SIZE_IN", "HouseFigure", "arrange", "bundle", "png"]

SIZE_IN = (8.0, 4.2)
_DPI = 144
_GROUND = "background-color:#fff;background:var(--jp-ui-inverse-font-color0,#fff);border-radius:4px"
"""White in light Lab, black in dark, white elsewhere: what `paint.INK` is readable on.

A notebook that is not trusted keeps the first alone: Lab then drops what names a variable."""
_GLOW = "filter:brightness(calc(1 + var(--jp-shadow-base-lightness,0) / 100))"
"""That variable is 0 in light Lab and 32 in dark, where colours and ink become a third brighter."""


class HouseFigure(Figure):
    """A figure of pyplot's that a notebook shows with the words of its chart, and once."""

    def _ipython_display_(self) -> None:
        from IPython.display import display

        said = " ".join(str(ax.get_label()) for ax in self.axes)
        display(bundle(png(self), said), raw=True)  # type: ignore[no-untyped-call]  # IPython's


def arrange(figure: Figure) -> None:
    """Have nothing in the picture touch another thing, or its edge."""
    figure.set_layout_engine("constrained", w_pad=0.1, h_pad=0.08)


def png(figure: Figure, about: Mapping[str, str] | None = None) -> bytes:
    """Return the picture; `about` goes into the file as its metadata."""
    file = BytesIO()
    figure.savefig(file, format="png", dpi=_DPI, transparent=True, metadata=dict(about or {}))
    return file.getvalue()


def bundle(picture: bytes, said: str) -> dict[str, str]:
    """Return a picture as an output of a cell, its words first."""
    data = b64encode(picture).decode()
    html = (
        f'<img alt="{escape(said)}" style="max-width:100%;{_GROUND};{_GLOW}" '
        f'width="{SIZE_IN[0] * 96:.0f}" src="data:image/png;base64,{data}">'
    )
    return {"text/plain": said, "text/html": html}
