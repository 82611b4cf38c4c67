"""Where a ledger is kept, and how that may be shown."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from urllib.parse import quote

__all__ = ["anchored", "default_address", "file_of", "read_only_uri", "without_password"]

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


def anchored(address: str) -> str:
    """Return an address that names the same file wherever the process goes (`%cd`)."""
    file = file_of(address)
    if file is None or Path(file).is_absolute():
        return address
    try:
        there = str(Path(file).absolute())
    except OSError:  # the current folder was deleted
        return address
    before, url, rest = address.partition("://")
    return f"{before}:///{rest.removeprefix('/').replace(file, there, 1)}" if url else there


def without_password(address: str) -> str:
    """Show of a URL what holds no secret: no user, no password, no query."""
    scheme, found, rest = address.partition("://")
    if not found or scheme.startswith("sqlite"):
        return address
    where = rest.partition("?")[0]
    return f"{scheme}://{'***@' * ('@' in where)}{where.rpartition('@')[2]}"


def file_of(address: str) -> str | None:
    """Return the SQLite file that an address names; None where it names anything else."""
    if address == ":memory:":
        return None
    scheme, found, rest = address.partition("://")
    if not found:
        return str(Path(address).expanduser())
    name = rest.partition("?")[0].removeprefix("/")
    if scheme.partition("+")[0] != "sqlite" or name.startswith(("file:", ":memory:")):
        return None
    return name or None


def read_only_uri(file: str) -> str:
    """Return by what `sqlite3` opens a file to read it only."""
    uri = f"file:{quote(file)}?mode=ro"
    if not os.access(Path(file).parent, os.W_OK) and not Path(f"{file}-wal").exists():
        uri += "&immutable=1"  # SQLite opens no WAL file where it cannot make its -shm.
    return uri
