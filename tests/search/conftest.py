"""A node with an index, and searching in it."""

from collections.abc import Iterator

import pytest
from flask import Flask

from hub.config import of_this_node
from hub.search.follower import Follower


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
