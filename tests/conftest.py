"""Fixtures: whole nodes of a federation, each an application of its own."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import create_engine, text

from hub import create_app
from hub.config import Settings
from hub.database import Base, db

MakeNode = Callable[..., Flask]


@pytest.fixture()
def database_url() -> Iterator[Callable[[str], str]]:
    """Return the URL of an empty database for a name: SQLite, or PostgreSQL when it is given.

    `HUB_TEST_POSTGRESQL` is the URL of a server on which databases may be made and dropped.
    """
    server = os.environ.get("HUB_TEST_POSTGRESQL")
    made: list[str] = []

    def make(name: str) -> str:
        if not server:
            return ""
        database = f"jingwei_{name}_{uuid4().hex[:8]}"
        _execute(server, f'CREATE DATABASE "{database}"')
        made.append(database)
        return f"{server}/{database}"

    yield make
    for database in made:
        _execute(server or "", f'DROP DATABASE "{database}" WITH (FORCE)')


def _execute(server: str, statement: str) -> None:
    url = server.replace("postgresql://", "postgresql+psycopg://", 1) + "/postgres"
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


@pytest.fixture()
def make_node(tmp_path: Path, database_url: Callable[[str], str]) -> Iterator[MakeNode]:
    """Return a function that makes a node with an empty database."""
    nodes: list[Flask] = []

    def make(name: str, *, enterprise: str = "acme", role: str = "subsidiary") -> Flask:
        home = tmp_path / name
        home.mkdir()
        config = Settings(
            home=home,
            origin=f"https://{name}.test",
            name=name.title(),
            enterprise=enterprise,
            role=role,
            database_url=database_url(name),
            secret_key="only for tests",
            locale="en",
            time_zone="UTC",
        )
        app = create_app(config)
        app.testing = True
        with app.app_context():
            Base.metadata.create_all(db.engine)
        nodes.append(app)
        return app

    yield make
    for app in nodes:
        with app.app_context():
            db.session.remove()
            db.engine.dispose()


@pytest.fixture()
def headquarters(make_node: MakeNode) -> Flask:
    """Return the headquarters of the enterprise acme."""
    return make_node("headquarters", role="headquarters")


@pytest.fixture()
def alpha(make_node: MakeNode) -> Flask:
    """Return a subsidiary of acme."""
    return make_node("alpha")


@pytest.fixture()
def beta(make_node: MakeNode) -> Flask:
    """Return another subsidiary of acme."""
    return make_node("beta")


@pytest.fixture()
def partner(make_node: MakeNode) -> Flask:
    """Return the headquarters of another enterprise, globex."""
    return make_node("partner", enterprise="globex", role="headquarters")
