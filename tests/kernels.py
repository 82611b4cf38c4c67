"""The ipykernels that the notebook's tests run on: the one installed here and others beside it.

Another series is installed once, without its dependencies, into a folder under `.cache`; a kernel
that has this folder first on its path runs that series with everything else as it is here.
"""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
import tempfile
from pathlib import Path

from tests.index import fetch

__all__ = ["SERIES", "environment_of"]

SERIES = ("7.2", "7.4")
CACHE = Path(__file__).resolve().parents[1] / ".cache"


def environment_of(series: str) -> dict[str, str]:
    """Return the variables by which a kernel runs this series of ipykernel."""
    if importlib.metadata.version("ipykernel").startswith(f"{series}."):
        return {}
    folders = [str(_installed(series)), os.environ.get("PYTHONPATH", "")]
    return {"PYTHONPATH": os.pathsep.join(filter(None, folders))}


def _installed(series: str) -> Path:
    folder = CACHE / f"ipykernel-{series}"
    if not folder.exists():
        CACHE.mkdir(exist_ok=True)
        # Renamed when whole: an interrupted download leaves no half of a kernel.
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            _install(f"ipykernel=={series}.*", Path(scratch) / "whole")
            (Path(scratch) / "whole").rename(folder)
    return folder


def _install(what: str, folder: Path) -> None:
    # An environment that uv has made holds no pip.
    pip = ["uv", "pip"] if shutil.which("uv") else [sys.executable, "-m", "pip"]
    for_whom = ["--python", sys.executable] if shutil.which("uv") else []
    options = ["--quiet", "--no-deps", *for_whom, "--target", str(folder)]
    fetch(what, [*pip, "install", *options, what])
