"""Fixtures for tests in a real JupyterLab."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .lab import CHROMIUM, Lab, LabServer


@pytest.fixture(scope="session")
def lab_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    """One JupyterLab for all tests: starting it takes seconds."""
    if not CHROMIUM:
        pytest.skip("needs Chromium: apt-get install chromium")
    with LabServer(tmp_path_factory.mktemp("lab")) as server:
        yield server


@pytest.fixture(scope="module")
def lab(lab_server: LabServer) -> Iterator[Lab]:
    """One browser a module; not longer, because async tests of other modules need its thread."""
    with Lab(lab_server) as lab:
        yield lab
