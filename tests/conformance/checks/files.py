"""Files: granted by a release, taken in by hash."""

import hashlib
from typing import Any
from uuid import uuid4

import requests

from tests.conformance import wire
from tests.conformance.peer import Peer
from tests.conformance.suite import World, check


def _named(world: World, content: bytes) -> tuple[str, str]:
    """Publish an entry that names a file; return the hash and the digest of the release."""
    name = hashlib.sha256(content).hexdigest()
    file = {"sha256": name, "size": len(content), "type": "text/plain", "name": "附件.txt"}
    document = wire.entry(world.writer.origin, "附件", attachments=[file])
    item = world.writer.publish("group", document)
    return name, wire.digest(item["release"])


def _ask(peer: Peer, name: str, via: str, **more: Any) -> requests.Response:
    return peer.call("GET", f"/fed/v1/blobs/{name}", params={"via": via}, **more)


def _send(peer: Peer, name: str, via: str, content: bytes) -> int:
    sent = peer.call("PUT", f"/fed/v1/blobs/{name}", params={"via": via}, data=content)
    return sent.status_code


def _fetch(peer: Peer, name: str, via: str, **more: Any) -> requests.Response:
    """Return a file, from where it is kept if the node under test says so."""
    answer = _ask(peer, name, via, **more)
    if answer.status_code != 302:
        return answer
    return requests.get(answer.headers["Location"], timeout=40, **more)


@check("a file that was sent up is handed to whoever reads the release, in parts too")
def carries_files(world: World) -> None:
    content = f"附件 {uuid4()}".encode()
    name, via = _named(world, content)
    for _ in range(2):
        assert _send(world.writer, name, via, content) == 204
    answer = _fetch(world.reader, name, via)
    assert (answer.status_code, answer.content) == (200, content)
    part = _fetch(world.reader, name, via, headers={"Range": "bytes=0-5"})
    assert (part.status_code, part.content) == (206, content[:6])


@check("neither other bytes nor another node's are taken in")
def refuses_other_bytes(world: World) -> None:
    content = f"附件 {uuid4()}".encode()
    name, via = _named(world, content)
    assert _send(world.writer, name, via, content[:-1] + b"!") == 400
    assert _send(world.writer, name, via, content + b"!") == 400
    assert _send(world.reader, name, via, content) == 404
    assert _ask(world.reader, name, via).status_code >= 400


@check("a hash without a release that names it opens nothing, whether the file is there or not")
def grants_by_release(world: World) -> None:
    content = f"附件 {uuid4()}".encode()
    name, via = _named(world, content)
    assert _send(world.writer, name, via, content) == 204
    other = _named(world, b"another")[1]
    answers = [_ask(world.reader, *asked) for asked in ((name, other), ("0" * 64, via))]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].content == answers[1].content
