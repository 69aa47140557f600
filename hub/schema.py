"""The tables that this version needs, and the ones that the database has."""

import importlib
from types import ModuleType
from typing import Any

from sqlalchemy import inspect, text

from hub.database import MIGRATIONS, db
from hub.errors import HubError, mark


class OutdatedError(HubError):
    """The database was made by another version."""

    status = 503
    code = "database_outdated"
    message = mark("The database does not fit this version. Run: hub db upgrade")


def upgrade() -> None:
    """Bring the database to the newest migration; either all of it happens or nothing."""
    _alembic("command").upgrade(_config(), "head")


def downgrade(revision: str) -> None:
    """Take the database back to an older migration; `base` empties it."""
    _alembic("command").downgrade(_config(), revision)


def _config() -> Any:
    config = _alembic("config").Config(MIGRATIONS / "alembic.ini")
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


def _alembic(name: str) -> ModuleType:
    """Import late what only an upgrade needs: it takes 10 MB, and a node serves without it."""
    return importlib.import_module(f"alembic.{name}")


def newest() -> str:
    """Return the name of the newest migration."""
    return (MIGRATIONS / ".head").read_text().strip()


def present() -> str | None:
    """Return the name of the migration that the database is at, None before the first."""
    with db.engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def require_newest() -> None:
    """Make sure that this version can work with the database.

    :raises OutdatedError: when it is at another migration.
    """
    if present() != newest():
        raise OutdatedError
