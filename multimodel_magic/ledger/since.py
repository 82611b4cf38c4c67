"""Since when a ledger is asked: a moment, or how long ago."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from multimodel_magic.errors import UsageError, must_be

__all__ = ["Since", "ago", "start_of"]

Since: TypeAlias = datetime | timedelta | str
"""A moment, or how long ago: also as `30m`, `12h`, `7d`, `2w`."""

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def ago(text: str) -> timedelta:
    """Read how long ago: `30m`, `12h`, `7d`, `2w`.

    Raises
    ------
    UsageError
        For what is none of them.
    """
    match = re.fullmatch(r"(\d{1,4})([mhdw])", text)
    if match is None:
        raise UsageError(f"{text!r} is no time such as 12h, 7d or 2w")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def start_of(since: Since | None) -> str | None:
    """Return a moment, or that of so long ago, as the column `started_at` holds it."""
    if since is None:
        return None
    since = ago(since) if isinstance(since, str) else since
    must_be("since", since, (datetime, timedelta), "timedelta(days=7) or '7d'")
    moment = datetime.now(UTC) - since if isinstance(since, timedelta) else since
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
