"""`%llm config`: show, check and use a routing configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from multimodel_magic import bridge, routing
from multimodel_magic.config import RoutingConfig, find_config, load_config
from multimodel_magic.errors import ConfigError, UsageError
from multimodel_magic.notebook.table import Report, Table
from multimodel_magic.session import Session

if TYPE_CHECKING:
    from multimodel_magic.notebook.widgets.config_editor import ConfigEditor

__all__ = ["checked", "configuration"]

NONE = "none"


def configuration(session: Session, arguments: str) -> Report | ConfigEditor:
    """Do what `%llm config ARGUMENTS` asks: `show`, `check [FILE]`, `use FILE|none`, `edit [FILE]`.

    Raises
    ------
    ConfigError
        Where the file is broken: file, line, path and the nearest key, in one line.
    UsageError
        Where there is no file to look at.
    """
    word, _, rest = arguments.partition(" ")
    path = _unquoted(rest.strip())
    if word == "use":
        session.use(None if path == NONE else path)
        return _shown(session)
    if word == "check":
        return _checked(session, path)
    if word == "edit":
        from multimodel_magic.notebook.widgets.config_editor import config_widget

        return config_widget(session, path or None)
    return _shown(session)


def _unquoted(path: str) -> str:
    """Take off the quotes that a path with a space needs elsewhere."""
    is_quoted = len(path) > 1 and path[0] == path[-1] and path[0] in "'\""
    return path[1:-1] if is_quoted else path


def _shown(session: Session) -> Report:
    if session.config is None:
        text = (
            "no configuration: every request goes to the role 'balanced' unless it says otherwise"
        )
        return Report((Table("Configuration", (), ((text,),), "%llm config use FILE takes one"),))
    text = session.config.to_yaml().rstrip()
    return Report((Table(str(session.config_path), (), ((text,),)), _here(session, session.config)))


def _checked(session: Session, path: str) -> Report:
    found = path or session.config_path or find_config()
    if not found:
        raise UsageError("there is no routing_config.yml here: %llm config check FILE")
    try:
        config = load_config(found)
    except ConfigError as error:
        if len(error.faults) > 1:  # the error's line holds the first; all are mended in one go
            _show_faults(str(found), error)
        raise
    return Report((_here(session, config),))


def _show_faults(path: str, error: ConfigError) -> None:
    from IPython.display import display

    table = Table(f"{Path(path).name}: not valid", ("line", "where", "what"), error.faults)
    display(Report((table,)))  # type: ignore[no-untyped-call]  # IPython's


def _here(session: Session, config: RoutingConfig) -> Table:
    """Say what is doubtful, roles that lead to nobody who can be asked here included."""
    return checked(session, config, bridge.run(session.client.survey(routing.servers_of(config))))


def checked(
    session: Session, config: RoutingConfig, unusable: Mapping[str, str] | None = None
) -> Table:
    """Say what is doubtful in a valid configuration; `unusable` is who cannot be asked here.

    Raises
    ------
    ConfigError
        Where `%llm config use` would refuse it.
    """
    catalogue = session.client.catalogue.with_unusable(unusable or {})
    routing.build_strategy(config, catalogue)
    findings = routing.lint(config, catalogue)
    rows = tuple((str(one.line or ""), one.path, one.what) for one in findings)
    if not rows:
        return Table("Checked", (), ((f"{config.source.name}: fine",),), "no doubts")
    return Table(f"{config.source.name}: valid, with doubts", ("line", "where", "what"), rows)
