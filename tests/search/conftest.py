"""A node with an index, and searching in it; a cluster of OpenSearch, where one is given."""

import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from flask import Flask

from hub.config import of_this_node
from hub.search.engine import Reader, Writer
from hub.search.engines.opensearch.cluster import ClusterIndex
from hub.search.engines.opensearch.connection import Connection
from hub.search.follower import Follower
from tests.skips import ON_CLUSTER


@pytest.fixture
def node(alpha: Flask) -> Iterator[Flask]:
    """Return a node inside of its application context."""
    with alpha.app_context():
        yield alpha
        of_this_node(Follower).close()


@pytest.fixture
def site(alpha: Flask) -> Iterator[Flask]:
    """Return a node to be called from outside."""
    yield alpha
    with alpha.app_context():
        of_this_node(Follower).close()


class OnCluster:
    """OpenSearch as the suite of the promise asks engines: a folder stands for an index."""

    name, version = "opensearch", "1"

    def __init__(self, url: str) -> None:
        self.connection = Connection(url)
        self.made: list[str] = []

    def index(self, path: Path) -> ClusterIndex:
        digest = sha256(str(path).encode()).hexdigest()[:16]
        return ClusterIndex(self.connection, f"promise-{digest}")

    def create(self, path: Path) -> Writer:
        index = self.index(path)
        self.made.append(index.name)
        return index.create()

    def open_writer(self, path: Path) -> Writer:
        return self.index(path).open_writer()

    def open_reader(self, path: Path) -> Reader:
        return self.index(path).open_reader()

    def is_sound(self, path: Path) -> bool:
        return self.index(path).is_sound()


@pytest.fixture(scope="session")
def cluster_url() -> str:
    """Return the addresses of a cluster: `HUB_TEST_OPENSEARCH_URL`."""
    given = os.environ.get("HUB_TEST_OPENSEARCH_URL")
    if not given:
        pytest.skip(f"{ON_CLUSTER}; to start one and run these: make test-opensearch")
    return given


@pytest.fixture
def on_cluster(cluster_url: str) -> Iterator[OnCluster]:
    """Return an engine that keeps its indexes in the cluster until the test ends."""
    engine = OnCluster(cluster_url)
    yield engine
    with engine.connection.asking() as client:
        for name in engine.made:
            client.indices.delete(index=name)
