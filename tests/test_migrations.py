"""Migrations on both databases: up, down, up, and in step with the models."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy import inspect, text

from hub import create_app, schema
from hub.config import Settings
from hub.database import MIGRATIONS, Base, db
from tests.conftest import Provide


@pytest.fixture
def empty(tmp_path: Path, database_url: Provide) -> Iterator[Flask]:
    """Return a node whose database has no tables yet."""
    home = tmp_path / "empty"
    home.mkdir()
    config = Settings(
        home=home, database_url=database_url("empty", home, None), secret_key="only for tests"
    )
    app = create_app(config)
    with app.app_context():
        Base.metadata.drop_all(db.engine)
        yield app
        db.session.remove()
        db.engine.dispose()


def test_the_migrations_build_what_the_models_describe(empty: Flask) -> None:
    schema.upgrade()

    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_the_migrations_go_up_down_and_up_again(empty: Flask) -> None:
    schema.upgrade()
    schema.downgrade("base")
    with db.engine.connect() as connection:
        assert set(inspect(connection).get_table_names()) == {"alembic_version"}

    schema.upgrade()
    assert schema.present() == schema.newest()


def test_an_upgrade_that_fails_half_way_leaves_nothing_behind(empty: Flask) -> None:
    with db.engine.begin() as connection:  # In the way of one of the tables to come.
        connection.execute(text("CREATE TABLE release (position INTEGER)"))

    with pytest.raises(Exception, match="release"):
        schema.upgrade()

    with db.engine.connect() as connection:
        assert set(inspect(connection).get_table_names()) <= {"release", "alembic_version"}
        connection.execute(text("DROP TABLE release"))
        connection.commit()
    schema.upgrade()
    assert schema.present() == schema.newest()


def test_the_newest_migration_is_the_one_named_in_head() -> None:
    script = ScriptDirectory(str(MIGRATIONS))

    assert script.get_heads() == [schema.newest()]


def test_a_database_without_tables_is_refused_with_the_command_that_helps(empty: Flask) -> None:
    with pytest.raises(schema.OutdatedError, match="hub db upgrade"):
        schema.require_newest()
