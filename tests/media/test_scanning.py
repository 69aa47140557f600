"""With a scanner no file is kept that it did not look through."""

import io
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from hub.audit.models import AuditEntry
from hub.database import db, transaction
from hub.identity import service as identity
from hub.identity.models import Role
from hub.media import scanning, stores
from hub.media import service as media
from hub.media.errors import ScannerError
from hub.media.models import StoredFile
from tests.factories import make_case, make_person, make_token, root_organisation
from tests.pages import bearer
from tests.ports import free_port

CLEAN, EICAR = b"%PDF-1.7\nclean" * 50_000, b"%PDF-1.7\nEICAR"
Answer = Callable[[bytes], bytes | None]


def judge(content: bytes) -> bytes:
    return b"stream: Eicar-Signature FOUND\0" if b"EICAR" in content else b"stream: OK\0"


@dataclass
class Daemon:
    """Speaks as clamd(8) does, on one connection after another."""

    listener: socket.socket
    answer: Answer = judge
    seen: list[bytes] = field(default_factory=list)

    def serve(self) -> None:
        while True:
            try:
                wire, _ = self.listener.accept()
            except OSError:
                return
            with wire, wire.makefile("rb") as source:
                self.seen.append(self._read(source))
                if answer := self.answer(self.seen[-1]):
                    wire.sendall(answer)

    def _read(self, source: Any) -> bytes:
        assert source.read(10) == b"zINSTREAM\0"
        content = b""
        while length := struct.unpack(">I", source.read(4))[0]:
            content += source.read(length)
        return content


@contextmanager
def listening(listener: socket.socket) -> Iterator[Daemon]:
    daemon = Daemon(listener)
    thread = threading.Thread(target=daemon.serve)
    thread.start()
    yield daemon
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


@pytest.fixture
def daemon(alpha: Flask) -> Iterator[Daemon]:
    """Return the scanner of alpha."""
    with listening(socket.create_server(("127.0.0.1", 0))) as made:
        use(alpha, "{}:{}".format(*made.listener.getsockname()))
        yield made


def use(node: Flask, address: str) -> None:
    config = node.extensions["hub.settings"]
    node.extensions["hub.settings"] = replace(config, clamav=address)


def take(node: Flask, content: bytes) -> None:
    with node.app_context():
        media.take([content], most=len(content), check=lambda received: None)


def kept(node: Flask) -> int:
    """Return how many files there are, checked to be as many as rows."""
    with node.app_context():
        there = len(list(stores.store().names()))
        assert len(db.session.scalars(select(StoredFile)).all()) == there
        assert list((node.extensions["hub.settings"].home / "incoming").glob("*")) == []
        return there


def test_the_scanner_is_given_the_whole_file_and_what_is_clean_is_kept(alpha, daemon):
    take(alpha, CLEAN)
    assert daemon.seen == [CLEAN]
    assert kept(alpha) == 1


def test_a_scanner_may_listen_at_a_path(alpha: Flask, tmp_path: Path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "clamd.ctl"))
    listener.listen()
    use(alpha, f"unix:{tmp_path / 'clamd.ctl'}")
    with listening(listener) as daemon:
        take(alpha, CLEAN)
        assert daemon.seen == [CLEAN]


def test_who_attaches_an_infected_file_is_told_so_and_it_stands_in_the_audit_trail(alpha, daemon):
    client, address, token = case_of(alpha)
    answer = client.post(address, headers=token, **form(EICAR))
    assert (answer.status_code, answer.json["code"]) == (422, "infected")
    assert "Eicar-Signature" in answer.json["detail"]
    assert kept(alpha) == 0
    with alpha.app_context():
        written = select(AuditEntry).order_by(AuditEntry.seq.desc()).limit(1)
        entry = db.session.scalars(written).one()
        assert (entry.action, entry.detail) == (
            "case.infected_file",
            {"found": "Eicar-Signature"},
        )
    assert client.post(address, headers=token, **form(CLEAN)).status_code == 201


@pytest.mark.parametrize(
    "answer",
    [
        lambda content: None,
        lambda content: b"INSTREAM size limit exceeded. ERROR\0",
        lambda content: b"stream: O",
        lambda content: b"stream: OK" + b"!" * 10_000,
        lambda content: b"\xff\xfe\0",
    ],
    ids=["silence", "too large", "cut", "babble", "noise"],
)
def test_what_the_scanner_does_not_judge_is_not_kept(alpha, daemon, answer: Answer):
    daemon.answer = answer
    with pytest.raises(ScannerError):
        take(alpha, CLEAN)
    assert kept(alpha) == 0
    daemon.answer = judge
    take(alpha, CLEAN)


def test_a_scanner_that_hangs_is_not_waited_for_without_end(alpha, daemon, monkeypatch):
    monkeypatch.setattr(scanning, "JUDGE", 0.2)
    over = threading.Event()
    daemon.answer = lambda content: b"" if over.wait(30) else None
    try:
        with pytest.raises(ScannerError):
            take(alpha, CLEAN)
    finally:
        over.set()


@pytest.mark.parametrize("address", ["127.0.0.1:{}", "unix:/nowhere/clamd.ctl", "nonsense"])
def test_while_there_is_no_scanner_attaching_waits_and_pages_do_not(alpha, address: str):
    client, files, token = case_of(alpha)
    use(alpha, address.format(free_port()))
    refused = client.post(files, headers=token, **form(CLEAN))
    assert (refused.status_code, refused.json["code"]) == (503, "scanner")
    assert refused.headers["Retry-After"] == "60"
    assert kept(alpha) == 0
    assert client.get(files, headers=token).json == []


def case_of(node: Flask) -> Any:
    """Return a client, the address of the files of a draft, and the header of its author."""
    with node.app_context(), transaction():
        person = make_person("author", Role.AUTHOR, organisation=root_organisation())
        case = make_case(author=identity.actor_of(person.id))
        token = bearer(make_token(person))
        return node.test_client(), f"/api/v1/cases/{case.id}/files", token


def form(content: bytes) -> dict[str, Any]:
    """Return a form with a file; the test client's own leaves a temporary file open."""
    boundary, body = encode_multipart({"file": FileStorage(io.BytesIO(content), "方案.pdf")})
    return {"data": body, "content_type": f"multipart/form-data; boundary={boundary}"}
