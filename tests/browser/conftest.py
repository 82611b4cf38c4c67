"""Fixtures for tests in a real JupyterLab."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .lab import CHROMIUM, Lab


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One JupyterLab a module: starting it takes seconds."""
    if not CHROMIUM:
        pytest.skip("needs Chromium: apt-get install chromium")
    with Lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab
