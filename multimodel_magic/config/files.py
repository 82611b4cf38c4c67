"""From a file to a configuration: reading it, naming its state by a hash."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from pydantic import ValidationError

from multimodel_magic.config import document
from multimodel_magic.config.document import MOST_BYTES, Problem, Source
from multimodel_magic.config.faults import across, as_error, located, problems_of, secrets_in
from multimodel_magic.config.schema import RoutingConfig
from multimodel_magic.config.search import NAMES
from multimodel_magic.errors import ConfigError

__all__ = ["config_hash", "load_config", "parse_config", "shown"]


def load_config(path: str | Path) -> RoutingConfig:
    """Read a configuration file, wholly or not at all.

    Raises
    ------
    ConfigError
        With file, line, path and what is wrong, in one line: of the first fault, and how many
        more there are.
    """
    path = Path(path).expanduser()
    return parse_config(_bytes(path), name=shown(path))


def shown(path: Path) -> str:
    """Write a path as a person would type it."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except (ValueError, OSError):  # elsewhere, or the current folder is gone
        return str(path)


def _bytes(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise ConfigError(f"{path}: is a folder, not a configuration file")
        with path.open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"{path}: cannot be read ({reason})") from error


def parse_config(text: str | bytes, *, name: str = NAMES[0]) -> RoutingConfig:
    """Read a configuration from YAML text.

    Parameters
    ----------
    text
        The YAML; bytes are taken as UTF-8.
    name
        What errors call the file.

    Raises
    ------
    ConfigError
        As `load_config`.

    Examples
    --------
    >>> parse_config("routing: {default_model: fast}").routing.default_model
    'fast'
    >>> parse_config("routing: {rules: [{condition: {task_typ: code}, model: fast}]}")
    Traceback (most recent call last):
    multimodel_magic.errors.ConfigError: routing_config.yml:1: \
routing.rules.0.condition.task_typ: unknown key; did you mean 'task_type'?
    """
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    value, lines, problems = document.read(data)
    source = Source(name, lines)
    if not problems and not isinstance(value, dict):
        problems = (Problem((), "must be a mapping: 'routing:' and what belongs to it", 1),)
    problems = problems or tuple(secrets_in(value))
    if problems:
        raise as_error(problems, source)
    try:
        config = RoutingConfig.model_validate(value)
    except ValidationError as error:
        raise as_error(problems_of(error, source), source) from None
    if problems := tuple(across(config)):
        raise as_error(located(problems, source), source)
    return config.read_from(source)


def config_hash(config: RoutingConfig) -> str:
    """Name what a configuration says by 16 hexadecimal digits; comments and layout aside.

    The order of experiments counts (the first takes the requests), that of our own keys does
    not, and a later version's new keys change nothing while they are not used.
    """
    value = config.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    canonical = json.dumps(value, ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]
