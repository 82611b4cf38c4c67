"""Where a routing configuration is searched; cheap, so that asking for none costs nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from multimodel_magic.errors import ConfigError

__all__ = ["NAMES", "VARIABLE", "find_config"]

NAMES = ("routing_config.yml", "routing_config.yaml")
VARIABLE = "MULTIMODEL_CONFIG"


def find_config(start: Path | None = None) -> Path | None:
    """Find the configuration that applies in a folder.

    Parameters
    ----------
    start
        The notebook's folder; the current one by default.

    Returns
    -------
    Path | None
        What `MULTIMODEL_CONFIG` names, else the first `routing_config.yml` (or `.yaml`) from
        `start` upward, else the one in the user's config folder, else None.

    Raises
    ------
    ConfigError
        If `MULTIMODEL_CONFIG` names a file that is not there.
    """
    if named := os.environ.get(VARIABLE):
        path = Path(named).expanduser()
        if not path.exists():  # a folder is told to be one
            raise ConfigError(f"{named}: no such file; {VARIABLE} names it")
        return path
    return next((path for path in _places(start or Path.cwd()) if path.is_file()), None)


def _places(start: Path) -> Iterator[Path]:
    from platformdirs import user_config_path

    here = start.expanduser().resolve()
    for folder in (here, *here.parents, user_config_path("multimodel_magic")):
        yield from (folder / name for name in NAMES)
