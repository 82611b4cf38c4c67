"""Where keys and addresses come from, and how a key is held so that nothing shows it."""

from __future__ import annotations

import functools
import logging
import os
import time
from hashlib import sha256

__all__ = ["Secret", "setting"]

_log = logging.getLogger(__name__)

DOTENV_FRESH_S = 2.0
"""How long a `.env` that was read counts as fresh: routing asks for keys at every request."""


class Secret:
    """A key that no `repr`, `str`, format or pickle shows.

    A pickled secret arrives empty: another process is to find the key in its own environment.

    Parameters
    ----------
    value
        The key itself; white space around it is dropped, as pasted keys often end in a newline.

    Examples
    --------
    >>> f"{Secret('sk-canary')!r} {Secret('sk-canary')}"
    '<key> <key>'
    >>> bool(Secret(""))
    False
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value.strip()

    def __repr__(self) -> str:
        return "<key>" if self._value else "<no key>"

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other.reveal() == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> tuple[type[Secret], tuple[str]]:
        return Secret, ("",)

    def reveal(self) -> str:
        """Return the key itself, for the SDK and for nobody else."""
        return self._value

    def is_sendable(self) -> bool:
        """Whether it can stand in a header: an SDK's error about one that cannot quotes it."""
        return self._value.isascii() and self._value.isprintable()

    def mark(self) -> str:
        """Return 8 hex digits that tell this key from another and show neither; none of no key."""
        return sha256(self._value.encode()).hexdigest()[:8] if self._value else ""


def setting(name: str) -> str | None:
    """Look a setting up in the environment, else in the nearest `.env` upward from here.

    The `.env` is only read, never exported into the process's environment.
    """
    return os.environ.get(name) or _dotenv(_here(), int(time.monotonic() / DOTENV_FRESH_S)).get(
        name
    )


def _here() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - a cache key, asked for at every request
    except FileNotFoundError:  # the folder was deleted under a running kernel
        return ""


@functools.lru_cache(maxsize=1)
def _dotenv(folder: str, _when: int) -> dict[str, str]:
    if not folder:
        return {}
    path = ".env"
    try:
        from dotenv import dotenv_values, find_dotenv

        path = find_dotenv(usecwd=True)
        # A key may hold a dollar sign: nothing is interpolated. Windows writes byte order marks.
        found = dotenv_values(path, interpolate=False, encoding="utf-8-sig") if path else {}
    except (ImportError, OSError, ValueError) as error:
        _warn(path, _why(error))
        return {}
    return {name: value for name, value in found.items() if value}


def _why(error: Exception) -> str:
    if isinstance(error, ImportError):
        return "python-dotenv cannot be imported; try: pip install python-dotenv"
    if isinstance(error, UnicodeError):  # its own words quote the file
        return "it is not UTF-8"
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__


@functools.cache
def _warn(path: str, why: str) -> None:
    """Warn once a file and reason: keys are looked up at every request."""
    _log.warning("no settings are read from %s: %s", path, why)
