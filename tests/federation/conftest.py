"""Nodes that know each other, copied from where they did so first."""

import pytest
from flask import Flask

from tests.conftest import Stage
from tests.federation.contradictions import Group
from tests.in_process import connect, join


@pytest.fixture
def hub_and_spoke(stage: Stage) -> tuple[Flask, Flask]:
    """Return a headquarters and its one subsidiary."""
    headquarters, alpha = stage("two", ("headquarters", "alpha"), join)
    connect(headquarters, alpha)
    return headquarters, alpha


@pytest.fixture
def group(stage: Stage) -> Group:
    """Return a headquarters and two subsidiaries that have exchanged once."""
    nodes = stage("three", ("headquarters", "alpha", "beta"), _meet)
    connect(*nodes)
    return Group(*nodes)


def _meet(headquarters: Flask, alpha: Flask, beta: Flask) -> None:
    join(headquarters, alpha)
    join(headquarters, beta)
    connect(headquarters, alpha, beta)
    Group(headquarters, alpha, beta).sync()
