"""Tables as values: the same cells in plain text and in HTML."""

from __future__ import annotations

from multimodel_magic.notebook.table import Table


def test_a_figure_stays_on_one_line_and_a_sentence_may_be_broken() -> None:
    said = "too long for a narrow window, so that it goes on below"
    html = Table("Times", ("model", "p50"), (("m", "1.0 s"), ("n", said)))._repr_html_()
    cells = html.split("</td>")
    assert "white-space:pre;" in next(cell for cell in cells if "1.0 s" in cell)
    assert "white-space:pre-wrap;" in next(cell for cell in cells if said in cell)
