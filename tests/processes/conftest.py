"""One federation of real nodes for all tests of this folder: each leaves it whole."""

from collections.abc import Iterator

import pytest

from tests.live import LiveNode, federation


@pytest.fixture(scope="package")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, LiveNode]]:
    """Return the four nodes of the demo on free ports, joined and without content."""
    with federation(tmp_path_factory.mktemp("federation")) as live:
        yield live
