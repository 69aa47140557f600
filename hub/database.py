"""The database session, and the one way to write to it.

SQLite runs in WAL mode and PostgreSQL at READ COMMITTED; the same code serves both.
"""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from flask import Flask, g
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    JSON,
    Connection,
    DateTime,
    Dialect,
    Engine,
    Executable,
    MetaData,
    TypeDecorator,
    Uuid,
    event,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, ORMExecuteState, Session, registry

from hub.config import Settings


class UTCDateTime(TypeDecorator[datetime]):
    """A time with its zone, kept as UTC: SQLite forgets zones, so they are put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """The parent of every table."""

    registry = registry(
        metadata=MetaData(
            naming_convention={
                "ix": "ix_%(column_0_label)s",
                "uq": "uq_%(table_name)s_%(column_0_name)s",
                "ck": "ck_%(table_name)s_%(constraint_name)s",
                "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
                "pk": "pk_%(table_name)s",
            }
        ),
        type_annotation_map={
            datetime: UTCDateTime,
            uuid.UUID: Uuid,
            dict[str, Any]: JSON().with_variant(JSONB(), "postgresql"),
            list[Any]: JSON().with_variant(JSONB(), "postgresql"),
            list[str]: JSON().with_variant(JSONB(), "postgresql"),
        },
    )


PATIENCE = 30  # Seconds that a writer waits for another on SQLite.
BRIEFLY = 200  # Milliseconds that a note waits for another writer.
MAPPED = 256 * 1024 * 1024  # Bytes of a SQLite file that are read in place.
OUTSIDE = "changed outside of a transaction"

db = SQLAlchemy(model_class=Base)
MIGRATIONS = Path(__file__).parent.parent / "migrations"


def init_app(app: Flask, config: Settings) -> None:
    """Connect the application to its database."""
    app.config["SQLALCHEMY_DATABASE_URI"] = config.database
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(config.database)
    db.init_app(app)
    with app.app_context():
        if db.engine.dialect.name == "sqlite":
            _prepare_sqlite(db.engine)

    @app.teardown_appcontext
    def close(error: BaseException | None) -> None:
        if connection := g.pop("connection", None):
            connection.close()


def engine_options(url: str) -> dict[str, Any]:
    """Return what SQLAlchemy needs to know about each kind of database."""
    pool = {"pool_size": 20, "max_overflow": 20, "pool_use_lifo": True}
    if url.startswith("sqlite"):
        return pool | {"connect_args": {"timeout": PATIENCE, "isolation_level": None}}
    return pool | {"isolation_level": "AUTOCOMMIT"}


def for_writing() -> dict[str, Any]:
    """Return the execution options of a connection that writes.

    Reads run without a transaction, each statement by itself, which spares two round trips a
    request; what writes says so and has one.
    """
    if db.engine.dialect.name == "sqlite":
        return {"writes": True}
    return {"writes": True, "isolation_level": "READ COMMITTED"}


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def connect(connection: Any, record: Any) -> None:
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",  # A commit that was answered must survive a loss of power.
            "foreign_keys = ON",
            "secure_delete = ON",  # A withdrawn text leaves no trace in free pages.
            "cache_size = -4000",
            f"mmap_size = {MAPPED}",  # Connections share these pages, and none copies them.
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        # A read that is upgraded to a write fails at once with "locked"; so say it beforehand.
        if connection.get_execution_options().get("writes", False):
            connection.exec_driver_sql("BEGIN IMMEDIATE")


def connection() -> Connection:
    """Return the connection for plain statements: the transaction's, or else one for reading.

    It goes past the ORM, whose session takes as long to begin and end as two short queries.
    """
    if db.session.registry.has() and db.session.info.get("writes"):
        return db.session.connection()
    if "connection" not in g:
        g.connection = db.engine.connect()
    found: Connection = g.connection
    return found


def give_back() -> None:
    """Give back the connections for reading, before another one is taken: none waits for two."""
    if connection := g.pop("connection", None):
        connection.close()
    if not db.session.info.get("writes"):
        db.session.rollback()


class Commits:
    """Says for next to nothing whether others may have committed since it was last asked.

    SQLite counts their commits for each connection (PRAGMA data_version), in some microseconds
    where a query takes a hundred times as long. PostgreSQL does not, so there it is always yes.
    Belongs to one thread; to be closed.
    """

    def __init__(self) -> None:
        is_counted = db.engine.dialect.name == "sqlite"
        self._connection = db.engine.raw_connection() if is_counted else None
        self._seen: int | None = None

    def may_have_come(self) -> bool:
        """Say whether to look again at what is of interest; yes the first time."""
        if self._connection is None:
            return True
        cursor = self._connection.cursor()
        before, (self._seen,) = self._seen, cursor.execute("PRAGMA data_version").fetchone()
        cursor.close()
        return before != self._seen

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            self._connection.close()


def clear_log() -> None:
    """Empty SQLite's write-ahead log, if nobody is busy.

    It holds pages as they were until it is written over: a withdrawn text too.
    """
    if db.engine.dialect.name != "sqlite":
        return
    with db.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 0")  # Nobody shall wait for this.
        try:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {1000 * PATIENCE}")


def note(statement: Executable) -> None:
    """Write one statement by itself, beside what the request reads, without waiting for others.

    For what is worth keeping and comes again by itself when it was not kept.

    :raises OperationalError: when another writer was in the way; nothing was kept.
    """
    give_back()
    with db.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            usual = connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {BRIEFLY}")
            try:
                connection.execute(statement)
                connection.commit()
            finally:
                connection.exec_driver_sql(f"PRAGMA busy_timeout = {usual}")
        else:
            connection = connection.execution_options(**for_writing())
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {BRIEFLY}")
            connection.execute(statement)
            connection.commit()


def insert_into(table: type[Base]) -> Any:
    """Return the INSERT of this database; both kinds know ON CONFLICT, each by its own class."""
    return _insert(table.__table__, db.engine.dialect.name)


def insert_missing(table: type[Base], rows: Sequence[dict[str, Any]]) -> None:
    """Insert the rows whose keys are not there yet."""
    if rows:
        db.session.execute(insert_into(table).on_conflict_do_nothing(), rows)


def upsert(
    table: type[Base],
    rows: Sequence[dict[str, Any]],
    *,
    keys: Sequence[str],
    changing: Sequence[str] = (),
) -> None:
    """Insert rows; where the keys are there already, change these columns (all, if not said)."""
    if rows:
        names = changing or [name for name in rows[0] if name not in keys]
        dialect = db.engine.dialect.name
        db.session.execute(_upsert(table.__table__, dialect, tuple(keys), tuple(names)), rows)


@cache
def _upsert(table: Any, dialect: str, keys: tuple[str, ...], names: tuple[str, ...]) -> Any:
    """Return a statement that is worth keeping: making it costs more than running it."""
    statement = _insert(table, dialect)
    columns = {name: statement.excluded[name] for name in names}
    return statement.on_conflict_do_update(index_elements=list(keys), set_=columns)


def _insert(table: Any, dialect: str) -> Any:
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


@contextmanager
def transaction() -> Iterator[None]:
    """Write to the database: all that happens inside is kept, or none of it.

    Ends any read transaction first, so whatever decides must be read inside. Only the edge
    (views, commands, followers) opens one, never a service, and never one in another.

    :raises RuntimeError: when changes were made outside of a transaction.
    """
    session = db.session
    if session.info.get("writes"):
        raise RuntimeError("a transaction in another")
    if session.new or session.dirty or session.deleted:
        session.rollback()
        raise RuntimeError(OUTSIDE)
    session.rollback()
    session.connection(execution_options=for_writing())
    session.info["writes"] = True
    try:
        yield
        session.commit()
    except BaseException:
        session.rollback()
        raise
    finally:
        session.info["writes"] = False


@event.listens_for(db.session, "before_flush")
def _refuse_flush(session: Session, context: Any, instances: Any) -> None:
    if not session.info.get("writes"):
        raise RuntimeError(OUTSIDE)


@event.listens_for(db.session, "do_orm_execute")
def _refuse_execute(state: ORMExecuteState) -> None:
    changes = state.is_insert or state.is_update or state.is_delete
    if changes and not state.session.info.get("writes"):
        raise RuntimeError(OUTSIDE)
