"""What the tests fetch from a package index, which may be out of reach for a while.

Without an answer the test is skipped: on a developer's machine. In CI a skip is a failure
(tests/conftest.py): there everything is fetched, and an index gets time to come back.
"""

from __future__ import annotations

import functools
import subprocess
import time
from collections.abc import Callable, Sequence

import pytest

__all__ = ["PAUSES_S", "fetch", "until_fetched"]

PAUSES_S = (2.0, 8.0, 30.0)
"""How long to wait after each try that failed; pip, uv and npm try for some seconds themselves."""

TRY_S = 120.0
"""How long one try may take."""


def fetch(what: str, command: Sequence[str], *, pauses_s: Sequence[float] = PAUSES_S) -> None:
    """Run the command that fetches `what`, with patience; skip the test where it is not to be had.

    What could not be had is not asked for again: an offline machine waits once.
    """
    if what not in _troubles:
        _troubles[what] = until_fetched(functools.partial(_run, command), pauses_s=pauses_s)
    if (trouble := _troubles[what]) is not None:
        pytest.skip(f"needs {what} from the package index: {trouble[-300:]}")


def until_fetched(
    attempt: Callable[[], str | None],
    *,
    pauses_s: Sequence[float] = PAUSES_S,
    sleep: Callable[[float], object] = time.sleep,
) -> str | None:
    """Try until it works; return what the last try complained of, or None."""
    for pause_s in pauses_s:
        if attempt() is None:
            return None
        sleep(pause_s)
    return attempt()


_troubles: dict[str, str | None] = {}


def _run(command: Sequence[str]) -> str | None:
    try:
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TRY_S)
    except subprocess.TimeoutExpired as late:
        return str(late)
    return (ran.stderr.strip() or f"exit {ran.returncode}") if ran.returncode else None
