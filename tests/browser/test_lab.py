from __future__ import annotations

import pytest

from .lab import Lab

pytestmark = pytest.mark.browser


def test_the_lab_sees_output_dialogs_and_requests_that_stray(lab: Lab) -> None:
    hostile = "<img src=http://canary.invalid/a.png onerror=alert(1)> seen"
    show = f"from IPython.display import Markdown; Markdown({hostile!r})"
    notebook = lab.open(["print('hi')", show])
    notebook.run_all()
    notebook.settle()
    assert notebook.output(0).inner_text().strip() == "hi"
    assert notebook.strays == ["http://canary.invalid/a.png"]
    assert notebook.dialogs == ["1"]
    notebook.close()
