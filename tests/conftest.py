"""Fixtures: whole nodes of a federation, each an application of its own."""

import gc
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from argon2 import PasswordHasher
from flask import Flask
from jinja2 import FileSystemBytecodeCache
from sqlalchemy import Engine
from werkzeug.routing import Rule
from xdist.scheduler import LoadScopeScheduling

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

# Whose tests all run on both databases: what they promise rests on locks and SQL. Of the others
# those marked `on_both` do, which are chosen so that each statement of the product is sent to both.
ON_BOTH = (
    "audit/",
    "identity/test_service",
    "journal/",
    "cases/test_service",
    "federation/test_documents",
    "federation/test_oauth.py::test_of_fifty_at_once_exactly_one_passes",
    "search/files/test_follower",
    "search/test_delegated.py::test_each_peer",
    "search/test_delegated.py::test_the_agreement",
    "search/test_delegated.py::test_without_an_index",
    "search/test_follower",
    "test_migrations",
)


def pytest_configure() -> None:
    """Let what tests write stay in memory: nodes wait for the disk at each commit."""
    if folder := memory():
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(folder))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests that are marked or named in ON_BOTH on SQLite and on PostgreSQL.

    One rule tried with many values is tried on SQLite: what differs is Python's to judge.
    """
    has_values = metafunc.definition.get_closest_marker("parametrize") is not None
    if has_values or "backend" not in metafunc.fixturenames:
        return
    path = metafunc.definition.path.relative_to(Path(__file__).parent).as_posix()
    is_marked = metafunc.definition.get_closest_marker("on_both") is not None
    if is_marked or f"{path}::{metafunc.definition.name}".startswith(ON_BOTH):
        postgresql = pytest.param("postgresql", marks=pytest.mark.postgresql)
        metafunc.parametrize("backend", ["sqlite", postgresql], indirect=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no process is left alone with it at the end."""
    here = Path(__file__).parent
    items.sort(key=lambda item: item.path.relative_to(here).parts[0] not in LONGEST)


class ByFolder(LoadScopeScheduling):
    """Gives all tests that share a federation of processes to one worker, others by their files."""

    def _split_scope(self, nodeid: str) -> str:
        folder = nodeid.split("/")[1]
        return folder if folder in LONGEST else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling:
    """Return what divides the tests among workers."""
    return ByFolder(config, log)


def pytest_collection_finish() -> None:
    """Look for cycles only in what tests make: all that was imported stays."""
    gc.collect()
    gc.freeze()


def _compile_rules_once() -> None:
    """Compile each URL rule once: tests make thousands of applications with the same rules."""
    compile_rule = Rule.compile
    kept: dict[tuple[object, ...], Rule] = {}

    def compile_once(rule: Rule) -> None:
        key = (rule.rule, repr(rule.defaults), rule.subdomain, rule.host, rule.merge_slashes)
        first = kept.setdefault(key, rule)
        if first is rule:
            compile_rule(rule)
            return
        for name in ("_parts", "_trace", "_converters", "arguments"):
            setattr(rule, name, getattr(first, name))
        for name in ("_build", "_build_unknown"):
            setattr(rule, name, getattr(first, name).__func__.__get__(rule))

    Rule.compile = compile_once  # type: ignore[method-assign]


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


@dataclass(frozen=True)
class Databases:
    """Makes and drops databases on a PostgreSQL server, over one connection."""

    server: str
    connection: psycopg.Connection[tuple[object, ...]]

    def make(self, name: str, source: str = "template1") -> str:
        """Make a database as a copy of another; returns its URL."""
        # Whole files cost half of what pages do through the log, the default since version 15.
        how = "STRATEGY file_copy" if self.connection.info.server_version >= 150_000 else ""
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{source}" {how}')
        return f"{self.server}/{name}"

    def drop(self, name: str) -> None:
        """Drop a database, whoever is connected to it."""
        self._execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _execute(self, statement: str) -> None:
        self.connection.execute(statement.encode())


@pytest.fixture(scope="session")
def databases(postgresql: str) -> Iterator[Databases]:
    """Return what makes databases on the server."""
    with psycopg.connect(f"{postgresql}/postgres", autocommit=True) as connection:
        yield Databases(postgresql, connection)


@pytest.fixture(scope="session")
def postgresql_template(
    databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Return the name of a PostgreSQL database with all tables and no rows, to be copied."""
    name = f"jingwei_template_{uuid4().hex[:8]}"
    url, home = databases.make(name), tmp_path_factory.mktemp("template")
    _create_tables(Settings(home=home, database_url=url, secret_key="only for tests"))
    yield name
    databases.drop(name)


@pytest.fixture(scope="session")
def copy_on_postgresql(databases: Databases) -> Iterator[Callable[[str], str]]:
    """Return a function that keeps a copy of a database until the tests end; returns its name."""
    made: list[str] = []

    def copy(name: str) -> str:
        databases.make(f"{name}_scene", name)
        made.append(f"{name}_scene")
        return made[-1]

    yield copy
    for name in made:
        databases.drop(name)


@pytest.fixture
def database_url(backend: str, request: pytest.FixtureRequest) -> Iterator[Provide]:
    """Return a function that makes a database for a node, with all tables and no rows."""
    if backend == "sqlite":
        yield _copy_sqlite(request.getfixturevalue("sqlite_template"))
        return
    template: str = request.getfixturevalue("postgresql_template")
    databases: Databases = request.getfixturevalue("databases")
    made: list[str] = []

    def provide(name: str, home: Path, saved: Saved | None) -> str:
        made.append(f"jingwei_{name}_{uuid4().hex[:8]}")
        return databases.make(made[-1], saved.database if saved else template)

    yield provide
    for database in made:
        databases.drop(database)


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
    with _nodes(tmp_path, database_url, share_compiled) as make:
        yield make


@pytest.fixture(scope="module")
def make_lasting_node(
    tmp_path_factory: pytest.TempPathFactory,
    sqlite_template: Path,
    share_compiled: Callable[[Flask], None],
) -> Iterator[MakeNode]:
    """Return the same for nodes that the tests of a module only look at."""
    place = tmp_path_factory.mktemp("lasting")
    with _nodes(place, _copy_sqlite(sqlite_template), share_compiled) as make:
        yield make


@contextmanager
def _nodes(place: Path, provide: Provide, share: Callable[[Flask], None]) -> Iterator[MakeNode]:
    nodes: list[Flask] = []

    def make(
        name: str,
        *,
        enterprise: str = "acme",
        role: str = "subsidiary",
        saved: Saved | None = None,
    ) -> Flask:
        home = place / name
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
            database_url=provide(name, home, saved),
            secret_key="only for tests",
            locale="en",
            time_zone="UTC",
        )
        app = create_app(config)
        app.testing = True
        share(app)
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
        scenes[backend, scene, tuple(names)] = [save(node, place, copy) for node in nodes]
        return nodes

    return make


def save(node: Flask, place: Path, copy: Callable[[str], str] | None = None) -> Saved:
    """Copy a node as it is now; on PostgreSQL, `copy` does so for its database."""
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
