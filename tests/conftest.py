"""Fixtures: whole nodes of a federation, each an application of its own."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import create_engine, text

from hub import create_app
from hub.config import Settings
from hub.database import Base, db
from tests.servers import postgresql_programs, postgresql_server

MakeNode = Callable[..., Flask]
Provide = Callable[[str, Path], str]  # Name and home of a node: URL of its database.

pytest_plugins = ["tests.skips"]

# Whose tests run on both databases: what they promise rests on locks and SQL.
ON_BOTH = (
    "audit/",
    "identity/test_service",
    "journal/",
    "cases/test_feedback",
    "cases/test_service",
    "cases/test_receiving",
    "federation/test_documents",
    "federation/test_exchange",
    "federation/test_feeds.py",
    "federation/test_feedback",
    "federation/test_joining",
    "federation/test_oai",
    "federation/test_keys",
    "federation/test_oauth",
    "federation/test_receipts",
    "federation/test_urls",
    "search/test_follower",
    "test_migrations",
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests named in ON_BOTH once on SQLite and once on PostgreSQL."""
    path = metafunc.definition.path.relative_to(Path(__file__).parent).as_posix()
    if "backend" in metafunc.fixturenames and path.startswith(ON_BOTH):
        postgresql = pytest.param("postgresql", marks=pytest.mark.postgresql)
        metafunc.parametrize("backend", ["sqlite", postgresql], indirect=True)


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> str:
    """Return the kind of database that this test runs on."""
    return getattr(request, "param", "sqlite")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Return the URL of a PostgreSQL server: `HUB_TEST_POSTGRESQL`, or one started here."""
    given = os.environ.get("HUB_TEST_POSTGRESQL")
    programs = postgresql_programs()
    if given:
        yield given
    elif programs:
        with postgresql_server(programs) as url:
            yield url
    else:
        pytest.skip("PostgreSQL is not installed; to run these: apt-get install postgresql")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a SQLite database with all tables and no rows, to be copied."""
    home = tmp_path_factory.mktemp("template")
    _create_tables(Settings(home=home, secret_key="only for tests"))
    return home / "hub.db"


@pytest.fixture(scope="session")
def postgresql_template(postgresql: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the name of a PostgreSQL database with all tables and no rows, to be copied."""
    name = f"jingwei_template_{uuid4().hex[:8]}"
    home = tmp_path_factory.mktemp("template")
    _execute(postgresql, f'CREATE DATABASE "{name}"')
    _create_tables(
        Settings(home=home, database_url=f"{postgresql}/{name}", secret_key="only for tests")
    )
    yield name
    _execute(postgresql, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def database_url(backend: str, request: pytest.FixtureRequest) -> Iterator[Provide]:
    """Return a function that makes a database for a node, with all tables and no rows."""
    if backend == "sqlite":
        yield _copy_sqlite(request.getfixturevalue("sqlite_template"))
        return
    server: str = request.getfixturevalue("postgresql")
    template: str = request.getfixturevalue("postgresql_template")
    made: list[str] = []

    def provide(name: str, home: Path) -> str:
        database = f"jingwei_{name}_{uuid4().hex[:8]}"
        _execute(server, f'CREATE DATABASE "{database}" TEMPLATE "{template}"')
        made.append(database)
        return f"{server}/{database}"

    yield provide
    for database in made:
        _execute(server, f'DROP DATABASE "{database}" WITH (FORCE)')


def _copy_sqlite(template: Path) -> Provide:
    def provide(name: str, home: Path) -> str:
        shutil.copy(template, home / "hub.db")
        return ""  # The default: hub.db in the home folder.

    return provide


def _create_tables(config: Settings) -> None:
    app = create_app(config)
    with app.app_context():
        Base.metadata.create_all(db.engine)
        db.engine.dispose()


def _execute(server: str, statement: str) -> None:
    url = server.replace("postgresql://", "postgresql+psycopg://", 1) + "/postgres"
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


@pytest.fixture
def make_node(tmp_path: Path, database_url: Provide) -> Iterator[MakeNode]:
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
            database_url=database_url(name, home),
            secret_key="only for tests",
            locale="en",
            time_zone="UTC",
        )
        app = create_app(config)
        app.testing = True
        nodes.append(app)
        return app

    yield make
    for app in nodes:
        with app.app_context():
            db.session.remove()
            db.engine.dispose()


@pytest.fixture
def headquarters(make_node: MakeNode) -> Flask:
    """Return the headquarters of the enterprise acme."""
    return make_node("headquarters", role="headquarters")


@pytest.fixture
def alpha(make_node: MakeNode) -> Flask:
    """Return a subsidiary of acme."""
    return make_node("alpha")


@pytest.fixture
def beta(make_node: MakeNode) -> Flask:
    """Return another subsidiary of acme."""
    return make_node("beta")


@pytest.fixture
def partner(make_node: MakeNode) -> Flask:
    """Return the headquarters of another enterprise, globex."""
    return make_node("partner", enterprise="globex", role="headquarters")
