"""docs/charts.png, made from what tutorial 08 shows: every chart as light and as dark Lab has it.

python tools/run_notebooks.py notebooks/08_numbers.ipynb && python tools/charts_picture.py

The tutorial asks scripted models, so that anybody can run it; its charts are of those very calls.
"""

from __future__ import annotations

import re
import sys
from base64 import b64decode
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import nbformat
from PIL import Image, ImageEnhance
from PIL.PngImagePlugin import PngInfo

ROOT = Path(__file__).resolve().parent.parent
TUTORIAL = ROOT / "notebooks" / "08_numbers.ipynb"
PICTURE = ROOT / "docs" / "charts.png"

COLUMNS = 2
TILE = (564, 296)
"""Pixels of one chart in one theme."""
GAP = 6
_COLOURS = 192
"""Of the picture, which is twice as small for it."""
_BETWEEN = "#888888"
_GLOW = 1.32
"""What Lab's dark theme makes of a chart's colours; see `notebook.charts.figure`."""
_CHART = re.compile(r"%llm (?:plot (\w+)|(replay) cost)$")
_DATA = re.compile(r'src="data:image/png;base64,([^"]+)"')


def charts(notebook: Any) -> Mapping[str, Image.Image]:  # noqa: ANN401 - nbformat has no types
    """Return the pictures that a notebook's charts have in its outputs, by kind, in order."""
    cells = ((_CHART.match(cell.source), cell) for cell in notebook.cells)
    kinds = {said[1] or said[2]: cell for said, cell in cells if said is not None}
    return {kind: _picture(cell) for kind, cell in kinds.items()}


def _picture(cell: Any) -> Image.Image:  # noqa: ANN401 - as above
    pages = (output.get("data", {}).get("text/html", "") for output in cell.outputs)
    found = _DATA.search("".join(pages))
    if found is None:
        raise SystemExit(f"{cell.source!r} shows no chart: run tools/run_notebooks.py first")
    return Image.open(BytesIO(b64decode(found[1]))).convert("RGBA")


def composed(pictures: Mapping[str, Image.Image]) -> Image.Image:
    """Set the charts side by side, down the columns, each in light and in dark."""
    rows = -(-len(pictures) // COLUMNS)
    wide, high = 2 * TILE[0] + GAP, TILE[1] + GAP
    made = Image.new("RGB", (COLUMNS * wide - GAP, rows * high - GAP), _BETWEEN)
    for place, picture in enumerate(pictures.values()):
        column, row = divmod(place, rows)
        for side, tile in enumerate(_in_both_themes(picture)):
            made.paste(tile, (column * wide + side * TILE[0], row * high))
    return made


def _in_both_themes(picture: Image.Image) -> tuple[Image.Image, Image.Image]:
    """Return a chart on Lab's two grounds: white, and black where all is a third brighter."""
    small = picture.resize(TILE, Image.Resampling.LANCZOS)
    light, dark = (Image.new("RGBA", TILE, ground) for ground in ("white", "black"))
    light.alpha_composite(small)
    dark.alpha_composite(small)
    return light.convert("RGB"), ImageEnhance.Brightness(dark.convert("RGB")).enhance(_GLOW)


def main() -> int:
    """Write the picture, with the fingerprint of the tutorial that it is of."""
    notebook = nbformat.read(TUTORIAL, as_version=4)
    about = PngInfo()
    about.add_text(
        "Source", f"{TUTORIAL.name} {notebook.metadata['multimodel_magic']['outputs_of']}"
    )
    made = composed(charts(notebook)).quantize(_COLOURS)
    made.save(PICTURE, optimize=True, pnginfo=about)
    print(f"{PICTURE.name}: {PICTURE.stat().st_size // 1024} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
