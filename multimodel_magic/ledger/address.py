"""Where a ledger is kept, and how that may be shown."""

from __future__ import annotations

import logging
import os

__all__ = ["default_address", "without_password"]

_log = logging.getLogger("multimodel_magic.ledger")


def default_address() -> str:
    """Return the environment's choice, else a file in the user's data folder, else memory."""
    address = os.environ.get("MULTIMODEL_LEDGER")
    if address:
        return address
    from platformdirs import user_data_path

    try:
        return str(user_data_path("multimodel_magic", appauthor=False) / "ledger.db")
    except (RuntimeError, OSError, KeyError) as error:  # a user without a home directory
        _log.warning("no place for a ledger (%s): it is kept in memory", error)
        return ":memory:"


def without_password(address: str) -> str:
    """Show of a URL what holds no secret: no user, no password, no query."""
    scheme, found, rest = address.partition("://")
    if not found or scheme.startswith("sqlite"):
        return address
    where = rest.partition("?")[0]
    return f"{scheme}://{'***@' * ('@' in where)}{where.rpartition('@')[2]}"
