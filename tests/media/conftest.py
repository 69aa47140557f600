"""Stores of both kinds: a folder, and a bucket on a server that speaks S3."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from flask import Flask

from hub.config import Settings
from hub.media import stores


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """Return the address of a server that speaks S3."""
    from moto.server import ThreadedMotoServer  # Takes a second, which not all wait for.

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def in_bucket(alpha: Flask, s3: str) -> Settings:
    """Let alpha keep its files in a bucket of their own; returns its settings."""
    config = replace(
        alpha.extensions["hub.settings"],
        s3_bucket=f"files-{uuid4().hex}",
        s3_endpoint=s3,
        s3_region="us-east-1",
        s3_access_key="key",
        s3_secret_key="secret",
    )
    alpha.extensions["hub.settings"] = config
    stores.s3_client(config).create_bucket(Bucket=config.s3_bucket)
    return config


@pytest.fixture(params=["folder", "bucket"])
def home(request: pytest.FixtureRequest, alpha: Flask) -> Iterator[Path]:
    """Return the home of alpha, in its context; its files are in a folder, then in a bucket."""
    if request.param == "bucket":
        request.getfixturevalue("in_bucket")
    with alpha.app_context():
        yield alpha.extensions["hub.settings"].home


def files(home: Path) -> list[str]:
    """Return every file of the node that holds bytes, wherever it lies."""
    arriving = [path.name for path in home.glob("incoming/*") if path.stat().st_size]
    return sorted([*stores.store().names(), *arriving])
