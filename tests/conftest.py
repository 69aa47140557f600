"""Fixtures: whole nodes of a federation, each an application of its own."""

import gc
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from argon2 import PasswordHasher
from flask import Flask
from jinja2 import FileSystemBytecodeCache
from sqlalchemy import Engine, create_engine, text
from werkzeug.routing import Rule

from hub import create_app
from hub.config import Settings
from hub.database import Base, db
from hub.identity.service import passwords
from tests.servers import memory, postgresql_programs, postgresql_server

MakeNode = Callable[..., Flask]
# Name and home of a node, and the scene that it comes from: URL of its database.
Provide = Callable[[str, Path, "Saved | None"], str]
Stage = Callable[..., list[Flask]]

NODES: dict[str, dict[str, str]] = {
    "headquarters": {"role": "headquarters"},
    "alpha": {},
    "beta": {},
    "gamma": {},
    "partner": {"enterprise": "globex", "role": "headquarters"},
}


@dataclass(frozen=True)
class Saved:
    """A node as a scene left it: a copy of its home, and of its database if that is elsewhere."""

    home: Path
    database: str


pytest_plugins = ["tests.skips"]

LONGEST = ("processes", "conformance", "browser")

# Whose tests run on both databases: what they promise rests on locks and SQL.
ON_BOTH = (
    "audit/",
    "identity/test_service",
    "journal/",
    "cases/test_adoptions",
    "cases/test_feedback",
    "cases/test_service",
    "cases/test_receiving",
    "federation/test_adoptions",
    "federation/test_documents",
    "federation/test_exchange",
    "federation/test_feeds.py",
    "federation/test_feedback",
    "federation/test_joining",
    "federation/test_keys",
    "federation/test_oauth.py::test_of_fifty_at_once_exactly_one_passes",
    "federation/test_receipts",
    "federation/test_digest",
    "federation/test_freezing",
    "federation/test_snapshot",
    "search/files/test_follower",
    "search/test_asking.py::test_a_hit_that",
    "search/test_asking.py::test_a_member",
    "search/test_asking.py::test_what_opens",
    "search/test_delegated.py::test_each_peer",
    "search/test_delegated.py::test_the_agreement",
    "search/test_delegated.py::test_without_an_index",
    "search/test_follower",
    "search/test_saved",
    "search/test_suggestions",
    "search/test_synonyms",
    "test_migrations",
)


def pytest_configure() -> None:
    """Let what tests write stay in memory: nodes wait for the disk at each commit."""
    if folder := memory():
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(folder))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests named in ON_BOTH once on SQLite and once on PostgreSQL.

    One rule tried with many values is tried on SQLite: what differs is Python's to judge.
    """
    has_values = metafunc.definition.get_closest_marker("parametrize") is not None
    path = metafunc.definition.path.relative_to(Path(__file__).parent).as_posix()
    test = f"{path}::{metafunc.definition.name}"
    if has_values or not test.startswith(ON_BOTH):
        return
    if "backend" in metafunc.fixturenames:
        postgresql = pytest.param("postgresql", marks=pytest.mark.postgresql)
        metafunc.parametrize("backend", ["sqlite", postgresql], indirect=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no process is left alone with it at the end."""
    here = Path(__file__).parent
    items.sort(key=lambda item: item.path.relative_to(here).parts[0] not in LONGEST)


def _compile_rules_once() -> None:
    """Compile each URL rule once: tests make thousands of applications with the same rules."""
    compile_builder = Rule._compile_builder
    kept: dict[tuple[object, ...], Callable[..., tuple[str, str]]] = {}

    def compiled(rule: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        key = (append_unknown, tuple(rule._trace), repr(rule.defaults))
        if key not in kept:
            kept[key] = compile_builder(rule, append_unknown)
        return kept[key]

    Rule._compile_builder = compiled  # type: ignore[method-assign]


_compile_rules_once()
# As fast as argon2 can be, while passwords of the product are slow on purpose.
passwords._HASHER = PasswordHasher(time_cost=1, memory_cost=16, parallelism=1)
gc.set_threshold(50_000)  # Applications are full of cycles; looking for them takes a tenth.


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


@pytest.fixture(scope="session")
def copy_on_postgresql(postgresql: str) -> Iterator[Callable[[str], str]]:
    """Return a function that keeps a copy of a database until the tests end; returns its name."""
    made: list[str] = []

    def copy(name: str) -> str:
        _execute(postgresql, f'CREATE DATABASE "{name}_scene" TEMPLATE "{name}"')
        made.append(f"{name}_scene")
        return made[-1]

    yield copy
    for name in made:
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

    def provide(name: str, home: Path, saved: Saved | None) -> str:
        database, source = f"jingwei_{name}_{uuid4().hex[:8]}", saved.database if saved else ""
        _execute(server, f'CREATE DATABASE "{database}" TEMPLATE "{source or template}"')
        made.append(database)
        return f"{server}/{database}"

    yield provide
    for database in made:
        _execute(server, f'DROP DATABASE "{database}" WITH (FORCE)')


def _copy_sqlite(template: Path) -> Provide:
    def provide(name: str, home: Path, saved: Saved | None) -> str:
        if saved is None:
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


@pytest.fixture(scope="session")
def share_compiled(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Flask], None]:
    """Return a function that lets a node use the statements and templates that others compiled.

    SQL is compiled for each engine, templates for each application, and each node of each test
    has its own.
    """
    first: dict[str, Engine] = {}
    templates = FileSystemBytecodeCache(str(tmp_path_factory.mktemp("templates")))

    def share(app: Flask) -> None:
        app.jinja_env.bytecode_cache = templates
        with app.app_context():
            engine = db.engine
        known = first.setdefault(engine.dialect.name, engine)
        engine.dialect = engine.pool._dialect = known.dialect
        engine._compiled_cache = known._compiled_cache

    return share


@pytest.fixture
def make_node(
    tmp_path: Path, database_url: Provide, share_compiled: Callable[[Flask], None]
) -> Iterator[MakeNode]:
    """Return a function that makes a node with an empty database."""
    nodes: list[Flask] = []

    def make(
        name: str,
        *,
        enterprise: str = "acme",
        role: str = "subsidiary",
        saved: Saved | None = None,
    ) -> Flask:
        home = tmp_path / name
        if saved:
            shutil.copytree(saved.home, home)
        else:
            home.mkdir()
        config = Settings(
            home=home,
            origin=f"https://{name}.test",
            name=name.title(),
            enterprise=enterprise,
            role=role,
            database_url=database_url(name, home, saved),
            secret_key="only for tests",
            locale="en",
            time_zone="UTC",
        )
        app = create_app(config)
        app.testing = True
        share_compiled(app)
        nodes.append(app)
        return app

    yield make
    for app in nodes:
        with app.app_context():
            db.session.remove()
            db.engine.dispose()


@pytest.fixture(scope="session")
def scenes() -> dict[tuple[str, str, tuple[str, ...]], list[Saved]]:
    """Return what was staged so far: kind of database, scene and names → its nodes."""
    return {}


@pytest.fixture
def stage(
    make_node: MakeNode,
    backend: str,
    scenes: dict[tuple[str, str, tuple[str, ...]], list[Saved]],
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Stage:
    """Return a function that makes nodes and lets them act, the second time from a copy.

    Joining costs more than most of what tests look at afterwards.
    """

    def make(scene: str, names: Sequence[str], act: Callable[..., None]) -> list[Flask]:
        saved = scenes.get((backend, scene, tuple(names)))
        if saved:
            pairs = zip(names, saved, strict=True)
            return [make_node(name, saved=each, **NODES[name]) for name, each in pairs]
        nodes = [make_node(name, **NODES[name]) for name in names]
        act(*nodes)
        copy = request.getfixturevalue("copy_on_postgresql") if backend == "postgresql" else None
        place = tmp_path_factory.mktemp(scene)
        scenes[backend, scene, tuple(names)] = [_save(node, place, copy) for node in nodes]
        return nodes

    return make


def _save(node: Flask, place: Path, copy: Callable[[str], str] | None) -> Saved:
    config: Settings = node.extensions["hub.settings"]
    with node.app_context():
        db.session.remove()
        db.engine.dispose()
    home = place / config.home.name
    shutil.copytree(config.home, home)
    return Saved(home, copy(config.database_url.rpartition("/")[2]) if copy else "")


@pytest.fixture
def headquarters(make_node: MakeNode) -> Flask:
    """Return the headquarters of the enterprise acme."""
    return make_node("headquarters", **NODES["headquarters"])


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
    return make_node("partner", **NODES["partner"])
