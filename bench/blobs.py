"""One large file from node to node: how fast, and in how much memory.

    python -m bench.blobs --mib 1024

A subsidiary publishes it, sends it to headquarters, and another one fetches it, all in one process
and over HTTP without a network, so what is counted is our own work: reading, hashing, writing.
"""

import io
import json
import resource
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import click
import requests
from flask import Flask
from urllib3 import HTTPResponse
from werkzeug.test import EnvironBuilder, run_wsgi_app

from hub import create_app
from hub.cases.service import reading
from hub.config import Settings
from hub.database import Base, db, transaction
from hub.federation import puller, pusher
from hub.federation.client import TRANSPORT
from hub.federation.files import fetching, pushing
from hub.federation.files.granting import Named
from hub.journal import log
from hub.journal.attachments import Attachment
from hub.journal.models import GROUP, EntryFile
from hub.media import service as media
from tests.in_process import NodeAdapter, join

HEADQUARTERS = "https://headquarters.test"
MIB = 1024 * 1024


class Streaming(NodeAdapter):
    """Carries bodies piece by piece, as a socket would."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kw: Any) -> requests.Response:
        """Answer as the node would."""
        if not hasattr(request.body, "read") and "/blobs/" not in str(request.url):
            return super().send(request, *args, **kw)
        url = urlsplit(str(request.url))
        environ = EnvironBuilder(
            path=url.path,
            base_url=f"{url.scheme}://{url.netloc}",
            query_string=url.query,
            method=request.method,
            headers=dict(request.headers),
        ).get_environ()
        environ["wsgi.input"] = request.body or io.BytesIO()
        environ["CONTENT_LENGTH"] = request.headers.get("Content-Length", "0")
        node = self.nodes[f"{url.scheme}://{url.netloc}"]
        chunks, status, headers = run_wsgi_app(node, environ)
        response = requests.Response()
        response.status_code = int(status.split(maxsplit=1)[0])
        response.headers.update(headers.items())
        response.raw = HTTPResponse(
            body=io.BufferedReader(Pieces(chunks)),
            headers=list(headers.items()),
            status=response.status_code,
            preload_content=False,
            request_method=request.method,
        )
        return response


class Pieces(io.RawIOBase):
    """Pieces of a body as one stream."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self.pieces, self.left = iter(pieces), b""

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer from the next piece."""
        self.left = self.left or next(self.pieces, b"")
        length = min(len(buffer), len(self.left))
        buffer[:length], self.left = self.left[:length], self.left[length:]
        return length


def make_node(home: Path, name: str, role: str) -> Flask:
    """Make a node with an empty database."""
    (home / name).mkdir()
    config = Settings(
        home=home / name,
        origin=f"https://{name}.test",
        enterprise="acme",
        role=role,
        secret_key="only to measure",
    )
    app = create_app(config)
    with app.app_context():
        Base.metadata.create_all(db.engine)
    return app


def generated(mib: int) -> Iterator[bytes]:
    """Yield bytes that are different in each file."""
    block = bytes(range(256)) * (MIB // 256)
    for number in range(mib):
        yield number.to_bytes(8, "big") + block[8:]


def move(writer: Flask, reader: Flask, mib: int) -> float:
    """Publish a file, send it up and fetch it; return the seconds that the last two took."""
    digest = sha256()
    for part in generated(mib):
        digest.update(part)
    name = digest.hexdigest()
    file = Attachment(name, mib * MIB, "application/pdf", "large.pdf")
    publication = log.Publication("case", str(uuid4()), 1, "t", "", {}, [GROUP], attachments=[file])
    with writer.app_context():
        media.take(generated(mib), most=file.size, check=lambda received: None)
        with transaction():
            reading.receive(log.publish_all([publication]))
        pusher.push(HEADQUARTERS)
        started = time.monotonic()
        pushing.push(HEADQUARTERS)
    with reader.app_context():
        puller.pull_all()
        entry = db.session.scalars(db.select(EntryFile.digest).filter_by(sha256=name)).one()
        fetching.obtain(Named(name, file.size, entry))
        assert media.held([name]) == {name: file.size}
    return time.monotonic() - started


def peak() -> int:
    """Return the most memory that this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@click.command()
@click.option("--mib", default=1024, show_default=True)
def main(mib: int) -> None:
    """Move one file from node to node, and print what that took."""
    home = Path(tempfile.mkdtemp())
    try:
        roles = {"headquarters": "headquarters", "writer": "subsidiary", "reader": "subsidiary"}
        nodes = tuple(make_node(home, name, role) for name, role in roles.items())
        headquarters, writer, reader = nodes
        for node in (writer, reader):
            join(headquarters, node)
        network = Streaming(nodes)
        for node in nodes:
            node.extensions[TRANSPORT] = network
        move(writer, reader, 1)  # What is loaded at first use counts for nothing.
        before = peak()
        seconds = move(writer, reader, mib)
        growth = (peak() - before) / MIB
        speed = 2 * mib * MIB / seconds / 1e6
        figures = {"mib": mib, "mb_per_second": round(speed), "growth_mib": round(growth, 1)}
        print(json.dumps(figures | {"peak_mib": round(peak() / MIB)}))
    finally:
        shutil.rmtree(home)


if __name__ == "__main__":
    main()
