"""docs/charts.png: the charts that tutorial 08 is kept with, as light and as dark Lab has them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import nbformat
from PIL import Image

from multimodel_magic.notebook.charts import ALL_KINDS

ROOT = Path(__file__).resolve().parents[1]


def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "charts_picture", ROOT / "tools" / "charts_picture.py"
    )
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def test_the_picture_of_the_docs_holds_every_chart_of_the_tutorial_as_it_is_kept() -> None:
    charts_picture = tool()
    notebook = nbformat.read(charts_picture.TUTORIAL, as_version=4)
    pictures = charts_picture.charts(notebook)
    assert {*pictures} == {*ALL_KINDS, "replay"}
    with Image.open(charts_picture.PICTURE) as kept:
        assert kept.size == charts_picture.composed(pictures).size
        assert kept.info["Source"].split() == [
            charts_picture.TUTORIAL.name,
            notebook.metadata["multimodel_magic"]["outputs_of"],
        ]


def test_a_chart_stands_on_white_in_light_and_a_third_brighter_on_black_in_dark() -> None:
    charts_picture = tool()
    ink = Image.new("RGBA", charts_picture.TILE, "#767676")
    nothing = Image.new("RGBA", charts_picture.TILE, (0, 0, 0, 0))
    made = charts_picture.composed({"ink": ink, "nothing": nothing})
    wide, at = charts_picture.TILE[0], (5, 5)
    other = 2 * wide + charts_picture.GAP
    assert [made.getpixel((x + at[0], at[1])) for x in (0, wide, other, other + wide)] == [
        (118, 118, 118),
        (155, 155, 155),
        (255, 255, 255),
        (0, 0, 0),
    ]
