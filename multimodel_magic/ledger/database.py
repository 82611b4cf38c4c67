"""The tables, and the one connection through which one thread writes and reads them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from operator import itemgetter
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, Any, TypeVar

from multimodel_magic.ledger.address import file_of, read_only_uri
from multimodel_magic.ledger.faults import faults, row_faults
from multimodel_magic.ledger.keeper import Keeper
from multimodel_magic.ledger.migrations import MIGRATIONS, VERSION, Step
from multimodel_magic.ledger.mirror import BUSY_S, Mirror
from multimodel_magic.ledger.rows import (
    AttemptRow,
    KeptRow,
    OutcomeRow,
    Recorded,
    RequestRow,
    Row,
    VoteRow,
    kinds,
)

if TYPE_CHECKING:
    from sqlalchemy import URL, Column, ColumnElement, Connection, Engine, MetaData, Table

__all__ = ["BUSY_S", "VERSION", "Database", "Tables", "columns", "tables", "upgrade"]

T = TypeVar("T")

_LOCK = int.from_bytes(b"mmledger") >> 1
"""The number by which those who make or upgrade the tables know each other."""

_NAME_LENGTH = 255
_MOMENT_LENGTH = 32


@dataclass(frozen=True, slots=True)
class Tables:
    """The ledger's schema in SQLAlchemy's words."""

    metadata: MetaData
    request: Table
    attempt: Table
    outcome: Table
    vote: Table
    meta: Table

    def of(self, row: type[Row]) -> Table:
        """Return the table that holds such rows."""
        return self.request if row is RequestRow else self.attempt


@cache
def tables() -> Tables:
    """Describe the tables; imports SQLAlchemy."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    request = sa.Table("request", metadata, *_columns(RequestRow, key="request_id"))
    attempt = sa.Table("attempt", metadata, *_columns(AttemptRow))
    sa.Index("request_started_at", request.c.started_at)
    sa.Index("request_session", request.c.session)
    sa.Index("request_arm", request.c.arm)
    # Not unique: a row more is better than a row lost.
    sa.Index("attempt_request_id", attempt.c.request_id)
    outcome = sa.Table("outcome", metadata, *_columns(OutcomeRow, key="request_id"))
    vote = sa.Table("vote", metadata, *_columns(VoteRow, key="vote_id"))
    sa.Index("vote_comparison", vote.c.comparison)
    meta = sa.Table(
        "meta",
        metadata,
        sa.Column("name", sa.String(_NAME_LENGTH), primary_key=True),
        sa.Column("value", sa.Text),
    )
    return Tables(metadata, request, attempt, outcome, vote, meta)


def columns(connection: Connection, row: type[Row]) -> list[ColumnElement[Any]]:
    """Return what to select for such rows: null where an older file, only read, has no column."""
    import sqlalchemy as sa

    table = tables().of(row)
    held: set[str] = connection.info.get(table.name, set())
    if not held:
        held = {column["name"] for column in sa.inspect(connection).get_columns(table.name)}
        connection.info[table.name] = held
    return [c if c.name in held else sa.null().label(c.name) for c in table.columns]


def _columns(row: type[KeptRow], key: str | None = None) -> Iterator[Column[Any]]:
    import sqlalchemy as sa

    # Lengths where there is an index: MySQL has none over unbounded text.
    indexed = {"request_id": _NAME_LENGTH, "session": _NAME_LENGTH, "started_at": _MOMENT_LENGTH}
    indexed |= {"vote_id": _NAME_LENGTH, "comparison": _NAME_LENGTH, "recorded_at": _MOMENT_LENGTH}
    plain = {str: sa.Text, int: sa.BigInteger, float: sa.Double, bool: sa.Boolean}
    for name, kind in kinds(row).items():
        column_type = sa.String(indexed[name]) if name in indexed else plain[kind]()
        yield sa.Column(name, column_type, primary_key=name == key)


class Database:
    """One ledger's tables, for the use of one thread.

    Parameters
    ----------
    address
        An SQLAlchemy URL, a path, or `:memory:`.
    read_only
        Never write, not even the tables.
    """

    def __init__(self, address: str, *, read_only: bool = False) -> None:
        self._address = address
        self._read_only = read_only
        self._engine: Engine | None = None
        self._connection: Connection | None = None
        self._file: str | None = None
        self._in_memory = False
        self._since_mirrored: int | None = None
        file = file_of(address)
        self.use_mirror(None if file is None else Mirror(file, read_only=read_only))
        self._inserts: dict[tuple[str, ...], str] = {}

    def write(
        self, batch: Sequence[Recorded], *, first: Callable[[Connection], None] | None = None
    ) -> list[Recorded]:
        """Write a batch in one transaction; return the rows that no database would take.

        `first` is done in the same transaction, before.
        """
        connection = self._open()

        def job() -> None:
            if first is not None:
                first(connection)
            self._insert(connection, batch)

        try:
            self._transact(connection, job)
        except row_faults():
            return [row for row in batch if not self._write_alone(connection, row)]
        self._keep_mirror(len(batch))
        return []

    def use_mirror(self, mirror: Mirror | None) -> None:
        """Take `mirror` for the copy in columns; only beside an SQLite file is there one."""
        self.mirror = mirror
        self.keeper = None if mirror is None else Keeper(mirror.of_another_thread())

    def _keep_mirror(self, rows: int) -> None:
        if self.mirror is None or self.keeper is None:
            return
        # The first time in any case: who wrote before may have written few.
        since = self.mirror.behind if self._since_mirrored is None else self._since_mirrored
        self._since_mirrored = since + rows
        if self._since_mirrored > self.mirror.behind:
            self._since_mirrored = 0
            self.keeper.look()

    def change(self, job: Callable[[Connection], object]) -> None:
        """Let `job` write through the connection, in one transaction."""
        connection = self._open()
        self._transact(connection, lambda: job(connection))

    def read(self, job: Callable[[Connection], T]) -> T:
        """Return what `job` finds through the connection."""
        connection = self._open()
        try:
            return job(connection)
        finally:
            connection.rollback()

    def close(self, *, for_good: bool = False) -> None:
        """Give the connection back; the next use opens a new one.

        `for_good` ends what goes on beside, too.
        """
        if for_good and self.keeper is not None:
            self.keeper.stop()
        engine, self._engine = self._engine, None
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        if engine is not None:
            engine.dispose()

    def drop(self) -> None:
        """Close after a fault; what is in memory only is not given up."""
        if not self._in_memory:
            with suppress(*faults()):
                self.close()

    # --- writing

    def _transact(self, connection: Connection, job: Callable[[], object]) -> None:
        try:
            if connection.dialect.name == "sqlite":
                # Not deferred: a read that then writes loses to any other writer at once,
                # without waiting (measured: 78 % of rows lost with 4 writers).
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            job()
            connection.commit()
        finally:
            if connection.in_transaction():
                connection.rollback()

    def _insert(self, connection: Connection, batch: Sequence[Recorded]) -> None:
        requests = [row.request for row in batch]
        attempts = [attempt for row in batch for attempt in row.attempts]
        if connection.dialect.name == "sqlite":
            self._insert_said(connection, tables().request, requests)
            self._insert_said(connection, tables().attempt, attempts)
            return
        connection.execute(tables().request.insert(), [row._asdict() for row in requests])
        if attempts:
            connection.execute(tables().attempt.insert(), [row._asdict() for row in attempts])

    def _insert_said(
        self, connection: Connection, table: Table, rows: Sequence[RequestRow | AttemptRow]
    ) -> None:
        """Insert into SQLite the columns that any of the rows has something in.

        The rows are what sqlite3 takes: SQLAlchemy's own way to it costs 30 us a row. For each
        None, though, sqlite3 looks for an adapter: half of the time that a request's row takes.
        """
        if not rows:
            return
        said = [n for n, values in enumerate(zip(*rows, strict=True)) if _is_said(values)]
        names = tuple(rows[0]._fields[n] for n in said)
        key = table.name, *names
        if key not in self._inserts:
            compiled = table.insert().compile(dialect=connection.dialect, column_keys=names)
            self._inserts[key] = str(compiled)
        connection.exec_driver_sql(self._inserts[key], list(map(itemgetter(*said), rows)))

    def _write_alone(self, connection: Connection, row: Recorded) -> bool:
        try:
            self._transact(connection, lambda: self._insert_new(connection, row))
        except row_faults():
            return False
        return True

    def _insert_new(self, connection: Connection, row: Recorded) -> None:
        tame = Recorded(_tame(row.request), tuple(map(_tame, row.attempts)))
        request_id = _free_id(connection, tame.request)
        if request_id is not None:
            attempts = tuple(a._replace(request_id=request_id) for a in tame.attempts)
            request = tame.request._replace(request_id=request_id)
            self._insert(connection, [Recorded(request, attempts)])

    # --- opening

    def _open(self) -> Connection:
        if self._connection is not None and not self._is_gone():
            return self._connection
        self.close()
        url = _url(self._address, read_only=self._read_only)
        self._engine = _engine(url)
        self._in_memory = _is_in_memory(url)
        with ExitStack() as unless_ready:
            connection = self._engine.connect()
            unless_ready.callback(connection.close)
            if not self._read_only:
                self._prepare(connection)
            unless_ready.pop_all()
        self._file = _file(url)
        self._connection = connection
        return connection

    def _is_gone(self) -> bool:
        # SQLite goes on writing to a file that was deleted. Not Path.exists: once a batch.
        return self._file is not None and not os.path.exists(self._file)  # noqa: PTH110

    def _prepare(self, connection: Connection) -> None:
        found = _version(connection)
        connection.rollback()
        if found != VERSION:
            self._transact(connection, lambda: upgrade(connection))


def upgrade(
    connection: Connection, migrations: Mapping[int, tuple[Step, ...]] = MIGRATIONS
) -> None:
    """Bring the tables to `VERSION` in the transaction under way, or make them.

    Raises
    ------
    RuntimeError
        Where a newer version of this package wrote the ledger.
    """
    t = tables()
    if connection.dialect.name == "postgresql":
        # Until the transaction's end. Two that make the tables at once fail there otherwise.
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
    if connection.dialect.name in ("mysql", "mariadb"):
        # It has no index over unbounded text, only over its beginning. Said here, for to say it
        # imports MySQL's dialect (0.1 s).
        for index in t.request.indexes:
            index.dialect_kwargs["mysql_length"] = {"arm": _NAME_LENGTH}
    found = _version(connection)  # Again: another process may have been quicker.
    if found is None:
        t.metadata.create_all(connection)
        connection.execute(t.meta.insert(), {"name": "schema_version", "value": str(VERSION)})
        return
    if found > VERSION:
        raise RuntimeError(
            f"it was written by a newer multimodel_magic (schema {found}, this one knows {VERSION})"
            "; pip install -U multimodel_magic"
        )
    for version in range(found, VERSION):
        for step in migrations[version]:
            if isinstance(step, str):
                connection.exec_driver_sql(step)
            else:
                step(connection)
    for index in (index for table in t.metadata.tables.values() for index in table.indexes):
        index.create(connection, checkfirst=True)
    at_version = t.meta.c.name == "schema_version"
    connection.execute(t.meta.update().where(at_version).values(value=str(VERSION)))


def _version(connection: Connection) -> int | None:
    import sqlalchemy as sa

    meta = tables().meta
    if not sa.inspect(connection).has_table(meta.name):
        return None
    value = connection.scalar(sa.select(meta.c.value).where(meta.c.name == "schema_version"))
    return None if value is None else int(value)


def _url(address: str, *, read_only: bool) -> URL:
    import sqlalchemy as sa

    if address == ":memory:":
        return sa.make_url("sqlite://")
    url = (
        sa.make_url(address)
        if "://" in address
        else sa.URL.create("sqlite", database=str(Path(address).expanduser()))
    )
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    file = _file(url)
    if file is None or not read_only:
        return url
    name, _, query = read_only_uri(file).partition("?")
    said = dict(one.split("=") for one in query.split("&"))
    return url.set(database=name, query={**said, "uri": "true"})


def _file(url: URL) -> str | None:
    if url.get_backend_name() != "sqlite" or _is_in_memory(url):
        return None
    name = str(url.database)
    return None if name.startswith("file:") else name


def _busy_s(url: URL) -> float:
    return float(str(url.query.get("timeout", BUSY_S)))


def _is_in_memory(url: URL) -> bool:
    return url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:")


def _engine(url: URL) -> Engine:
    import sqlalchemy as sa

    # hide_parameters: an error's text must not hold a prompt.
    if url.drivername == "postgresql+psycopg" and find_spec("psycopg") is None:
        raise ImportError("PostgreSQL needs psycopg: pip install 'multimodel_magic[postgres]'")
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(url, hide_parameters=True, pool_pre_ping=True)
    file = _file(url)
    if file is not None:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(
        url,
        connect_args={"timeout": _busy_s(url), "check_same_thread": False},
        poolclass=sa.StaticPool if _is_in_memory(url) else sa.NullPool,
        hide_parameters=True,
    )
    sa.event.listen(engine, "connect", _tune)
    return engine


def _tune(connection: Any, _record: object) -> None:  # noqa: ANN401 - any driver's
    connection.isolation_level = None  # We say BEGIN ourselves.
    connection.execute("PRAGMA synchronous=NORMAL")
    if connection.execute("PRAGMA journal_mode").fetchone()[0] == "delete":
        _use_wal(connection)


def _use_wal(connection: Any) -> None:  # noqa: ANN401
    import sqlite3

    # The change to WAL does not wait for other connections as everything else does.
    for pause_s in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            sleep(pause_s)
        else:
            return


def _is_said(values: tuple[object, ...]) -> bool:
    return values.count(None) < len(values)


def _free_id(connection: Connection, row: RequestRow) -> str | None:
    """Return under which id the row can be kept; None where it already is."""
    import sqlalchemy as sa

    t = tables()
    request_id, count = row.request_id, 1
    while True:
        at = t.request.c.request_id == request_id
        held = connection.execute(sa.select(t.request.c.started_at, t.request.c.status).where(at))
        found = held.first()
        if found is None:
            return request_id
        if found.status == "unfinished":
            connection.execute(t.request.delete().where(at))
            connection.execute(t.attempt.delete().where(t.attempt.c.request_id == request_id))
            return request_id
        if found.started_at == row.started_at:
            return None
        count += 1
        request_id = f"{row.request_id}#{count}"


R = TypeVar("R", RequestRow, AttemptRow)


def _tame(row: R) -> R:
    """Make every value of a row one that any database takes."""
    values = {
        name: _as_kind(value, kind)
        for (name, kind), value in zip(kinds(type(row)).items(), row, strict=True)
    }
    return type(row)(**values)


def _as_kind(value: Any, kind: type) -> Any:  # noqa: ANN401
    if value is None:
        return None
    if kind is str:
        # Half a surrogate pair is no UTF-8; PostgreSQL takes no NUL.
        return str(value).encode("utf-8", "replace").decode().replace("\x00", "\ufffd")
    made = kind(value)
    return made if kind is not int or abs(made) < 1 << 63 else None
