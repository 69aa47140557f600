"""Saving a node's database and putting it back, as an administrator does after a disaster."""

import shutil
from collections.abc import Callable

from flask import Flask

from hub.database import db


def save(node: Flask) -> Callable[[], None]:
    """Save the database of a node, which is SQLite's; call what is returned to put it back."""
    home = node.extensions["hub.settings"].home
    _close(node)
    shutil.copy(home / "hub.db", home / "backup.db")

    def put_back() -> None:
        _close(node)
        shutil.copy(home / "backup.db", home / "hub.db")

    return put_back


def _close(node: Flask) -> None:
    """Close all connections: with the last of them the write-ahead log goes."""
    with node.app_context():
        db.session.remove()
        db.engine.dispose()
    assert not (node.extensions["hub.settings"].home / "hub.db-wal").exists()
