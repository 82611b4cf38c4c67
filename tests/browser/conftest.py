"""Fixtures for tests in a real JupyterLab."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeAlias

import pytest

from .lab import CHROMIUM, Lab, LabServer, Notebook, Notebook7Server

Seat: TypeAlias = Callable[[Sequence[str]], Notebook]
"""Opens a notebook in one of the front ends, on one of the kernels."""


@pytest.fixture(scope="session")
def lab_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    """One JupyterLab for all tests: starting it takes seconds."""
    if not CHROMIUM:
        pytest.skip("needs Chromium: apt-get install chromium")
    with LabServer(tmp_path_factory.mktemp("lab")) as server:
        yield server


@pytest.fixture(scope="session")
def notebook7_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook7Server]:
    """One Jupyter Notebook 7 for all tests."""
    with Notebook7Server(tmp_path_factory.mktemp("notebook7")) as server:
        yield server


@pytest.fixture(scope="module")
def lab(lab_server: LabServer) -> Iterator[Lab]:
    """One browser a module; not longer, because async tests of other modules need its thread."""
    with Lab(lab_server) as lab:
        yield lab


@pytest.fixture(params=[("Lab", "7.4"), ("Lab", "7.2"), ("Notebook 7", "7.4")], ids=" ".join)
def seat(request: pytest.FixtureRequest, lab: Lab) -> Seat:
    """Each front end and ipykernel that people sit at."""
    page, series = request.param
    name = "notebook7_server" if page == "Notebook 7" else "lab_server"
    server: LabServer = request.getfixturevalue(name)
    return partial(lab.open, kernel=server.offer(series), server=server)
