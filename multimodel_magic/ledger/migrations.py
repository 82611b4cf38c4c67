"""How a ledger of an earlier version becomes one of this version, step by step, without loss."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["MIGRATIONS", "VERSION", "Step"]

VERSION = 3
"""The schema that this package writes; it stands in the table `meta` of every ledger."""

Step: TypeAlias = "str | Callable[[Connection], None]"
"""An SQL statement that any database takes, or what is done through the connection."""

_AT_ONCE = 5_000
"""Rows that are read and written in one go."""

_OUTCOME = """
CREATE TABLE outcome (
    request_id VARCHAR(255) NOT NULL PRIMARY KEY,
    outcome TEXT,
    recorded_at VARCHAR(32)
)
"""

_VOTE = """
CREATE TABLE vote (
    vote_id VARCHAR(255) NOT NULL PRIMARY KEY,
    comparison VARCHAR(255),
    session VARCHAR(255),
    judge TEXT,
    request_ids TEXT,
    contestants TEXT,
    verdict TEXT,
    preferred BIGINT,
    blind BOOLEAN,
    shuffle TEXT,
    why TEXT,
    recorded_at VARCHAR(32)
)
"""


def _config_from_labels(connection: Connection) -> None:
    """Give the configuration's hash, which was a label until version 2, its own column."""
    import sqlalchemy as sa

    # Not tables(): that is the last version, which may know more columns than this step makes.
    names = ("request_id", "labels", "config")
    request = sa.table("request", *(sa.column(name, sa.Text) for name in names))
    last = ""
    while True:
        chosen = sa.select(request.c.request_id, request.c.labels)
        chosen = chosen.where(request.c.request_id > last, request.c.labels.contains('"config"'))
        found = connection.execute(chosen.order_by(request.c.request_id).limit(_AT_ONCE)).all()
        if not found:
            return
        last = found[-1].request_id
        for request_id, labels in found:
            config, rest = _without_config(labels)
            if config is not None:
                this = request.update().where(request.c.request_id == request_id)
                connection.execute(this.values(config=config, labels=rest))


def _without_config(labels: str) -> tuple[str | None, str | None]:
    said = json.loads(labels)
    config = said.pop("config", None) if isinstance(said, dict) else None
    if not isinstance(config, str):
        return None, labels  # the words stand in a label of the user's own
    return config, json.dumps(said, ensure_ascii=False, separators=(",", ":")) if said else None


MIGRATIONS: Mapping[int, tuple[Step, ...]] = {
    1: (_OUTCOME,),
    2: (_VOTE, "ALTER TABLE request ADD COLUMN config TEXT", _config_from_labels),
}
"""By version, what makes the next version of it.

Not written as `tables()` has it: that is the last version, and the next step would come twice.
Indexes need no step: those that are missing are made at the end."""
