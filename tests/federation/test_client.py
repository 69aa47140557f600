"""Requests to peers: what is never asked, and what is never believed."""

import gzip
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import pytest
import zstandard
from flask import Flask

from hub.config import Settings
from hub.federation.client import PeerClient
from hub.federation.errors import (
    ForbiddenAddressError,
    MalformedError,
    PeerError,
    RefusedError,
    UnreachableError,
)
from hub.federation.transport import is_allowed
from tests.ports import free_port

MIB = 1024 * 1024


@contextmanager
def answering(*pieces: bytes, hold: float = 0) -> Iterator[str]:
    """Serve one connection after another on this machine: read a request, send these bytes."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)

        def serve() -> None:
            while not stop.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                with connection:
                    connection.recv(65536)
                    try:
                        for piece in pieces:
                            connection.sendall(piece)
                            if stop.wait(hold):
                                return
                    except OSError:
                        continue

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            stop.set()
            thread.join()


def head(status: str = "200 OK", kind: str = "application/json", more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{more}Connection: close\r\n\r\n".encode()


@pytest.fixture
def local(tmp_path: Any, make_node: Any) -> Flask:
    """Return a node that may speak to this machine."""
    app: Flask = make_node("local")
    config: Settings = app.extensions["hub.settings"]
    app.extensions["hub.settings"] = Settings(
        home=config.home, origin=config.origin, allow_loopback=True
    )
    return app


def ask(app: Flask, origin: str, **more: Any) -> dict[str, Any]:
    with app.app_context():
        return PeerClient(origin).ask("GET", "/x", **more)


def test_an_answer_is_read_in_each_encoding(local):
    body = b'{"a": "' + b"x" * 5000 + b'"}'
    for name, packed in (
        ("identity", body),
        ("gzip", gzip.compress(body)),
        ("zstd", zstandard.compress(body)),
    ):
        with answering(head(more=f"Content-Encoding: {name}\r\n") + packed) as origin:
            assert ask(local, origin) == {"a": "x" * 5000}


def test_bombs_and_endless_answers_are_cut(local):
    zeros = b"0" * (64 * MIB)
    for pieces in (
        (head(more="Content-Encoding: gzip\r\n") + gzip.compress(zeros),),
        (head(more="Content-Encoding: zstd\r\n") + zstandard.compress(zeros),),
        (head(more="Content-Encoding: gzip\r\n") + b"no gzip",),
        (head(more="Content-Encoding: br\r\n") + b"{}",),
        (head(), *(b"x" * MIB for _ in range(20))),
    ):
        with answering(*pieces) as origin, pytest.raises(MalformedError):
            ask(local, origin)


def test_a_peer_that_drips_is_cut_off_in_time(local):
    drip = [b"x"] * 100
    for pieces in ((head(), *drip), (b"HTTP/1.1 200 OK\r\n", *drip)):
        started = monotonic()
        with answering(*pieces, hold=0.1) as origin, pytest.raises(UnreachableError):
            ask(local, origin, timeout=0.5)
        assert monotonic() - started < 3


def test_a_redirect_is_not_followed(local):
    with answering(b'{"secret": 1}') as canary:
        more = f"Location: {canary}/\r\n"
        with answering(head("302 Found", more=more)) as origin, pytest.raises(MalformedError):
            ask(local, origin)


def test_what_is_not_an_object_of_json_is_refused(local):
    for answer in (
        head(kind="text/html") + b"<html>",
        head(kind="text/html") + b'{"a": 1}',
        head() + b"[1]",
        head() + b"{",
        head() + b"[" * 100_000,
        b"garbage\r\n\r\n",
    ):
        with answering(answer) as origin, pytest.raises(PeerError):
            ask(local, origin)


def test_a_refusal_keeps_its_code_and_when_to_come_back(local):
    problem = b'{"code": "too_many", "detail": "slow down"}'
    for answer, code, after in (
        (head("429 Too Many", "application/problem+json", "Retry-After: 7\r\n"), "too_many", 7),
        (head("503 Gone fishing", "text/html"), "http_503", None),
    ):
        with answering(answer + problem) as origin, pytest.raises(RefusedError) as refusal:
            ask(local, origin)
        assert (refusal.value.refusal, refusal.value.retry_after) == (code, after)


def test_nobody_at_home_is_unreachable(local):
    with pytest.raises(UnreachableError):
        ask(local, f"http://127.0.0.1:{free_port()}")


def test_this_machine_is_no_peer_unless_allowed(local, alpha):
    with answering(head() + b"{}") as origin:
        assert ask(local, origin) == {}
        with alpha.app_context(), pytest.raises(ForbiddenAddressError):
            PeerClient(origin)
        with pytest.raises(UnreachableError):
            ask(alpha, origin.replace("http://127.0.0.1", "https://localhost"))


def test_addresses_that_no_peer_has():
    for address in ("169.254.169.254", "fe80::1%eth0", "224.0.0.1", "0.0.0.0", "::", "240.0.0.1"):
        assert not is_allowed(address, loopback=True)
    for address in ("127.0.0.1", "::1", "::ffff:127.0.0.1", "127.9.9.9"):
        assert not is_allowed(address, loopback=False)
        assert is_allowed(address, loopback=True)
    for address in ("10.1.2.3", "192.168.1.1", "fd00::1", "8.8.8.8"):
        assert is_allowed(address, loopback=False)


def test_no_cookie_of_a_peer_is_kept(local):
    with answering(head(more="Set-Cookie: a=b\r\n") + b"{}") as origin, local.app_context():
        client = PeerClient(origin)
        client.ask("GET", "/x")
        assert not client.session.cookies


def test_the_difference_of_clocks_is_measured(local):
    more = "Date: Fri, 01 Jan 2100 00:00:00 GMT\r\n"
    with answering(head(more=more) + b"{}") as origin, local.app_context():
        client = PeerClient(origin)
        client.ask("GET", "/x")
        assert client.clock_ahead is not None
        assert client.clock_ahead > 3600
