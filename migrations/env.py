"""Runs migrations on the database of the current application, all of them or none."""

from typing import Any, Literal

from alembic import context
from sqlalchemy import Connection

from hub.database import Base, UTCDateTime, db, for_writing


def render_item(kind: str, item: Any, autogen: Any) -> str | Literal[False]:
    """Write our own types in SQLAlchemy's words: a migration must outlive the code of its day."""
    return "sa.DateTime(timezone=True)" if isinstance(item, UTCDateTime) else False


def migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,  # SQLite alters a table by building it anew.
        render_item=render_item,
        transactional_ddl=True,  # True on both databases, since we begin by hand on SQLite.
    )
    with context.begin_transaction():
        context.run_migrations()


def run() -> None:
    with db.engine.connect().execution_options(**for_writing()) as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        if is_sqlite:  # Else dropping the old copy of a table empties those that point to it.
            connection.connection.execute("PRAGMA foreign_keys = OFF")
        migrate(connection)
        if is_sqlite:
            connection.connection.execute("PRAGMA foreign_keys = ON")


run()
