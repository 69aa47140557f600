"""Saving a node's database and putting it back, as an administrator does after a disaster."""

import shutil
from collections.abc import Callable

from flask import Flask

from hub.database import Base, clear_log, db, for_writing


def save(node: Flask) -> Callable[[], None]:
    """Save the database of a node; call what is returned to put it back."""
    with node.app_context():
        is_file = db.engine.dialect.name == "sqlite"
    return _save_file(node) if is_file else _save_rows(node)


def _save_file(node: Flask) -> Callable[[], None]:
    home = node.extensions["hub.settings"].home
    with node.app_context():
        db.session.remove()
        assert clear_log()
        db.engine.dispose()
    shutil.copy(home / "hub.db", home / "backup.db")

    def put_back() -> None:
        with node.app_context():
            db.session.remove()
            db.engine.dispose()
        for name in ("hub.db-wal", "hub.db-shm"):
            (home / name).unlink(missing_ok=True)
        shutil.copy(home / "backup.db", home / "hub.db")

    return put_back


def _save_rows(node: Flask) -> Callable[[], None]:
    tables = Base.metadata.sorted_tables
    with node.app_context(), db.engine.connect() as connection:
        saved = {t: list(map(dict, connection.execute(t.select()).mappings())) for t in tables}

    def put_back() -> None:
        with node.app_context():
            db.session.remove()
            with db.engine.connect().execution_options(**for_writing()) as connection:
                for table in reversed(tables):
                    connection.execute(table.delete())
                for table in tables:
                    if saved[table]:
                        connection.execute(table.insert(), saved[table])
                connection.commit()

    return put_back
