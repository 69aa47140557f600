"""Asking the node that we read from to search for our readers."""

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic
from typing import Any

import structlog
from flask import Flask, current_app
from sqlalchemy.exc import SQLAlchemyError

from hub.config import Settings, of_this_node, settings
from hub.database import db
from hub.errors import HubError
from hub.federation import puller
from hub.federation.backoff import Backoff
from hub.federation.client import PeerClient
from hub.federation.errors import RefusedError
from hub.registry import service as registry
from hub.registry.models import Peer, PeerKind

PATH = "/fed/v1/search"
PATIENCE = 2.0  # Seconds that a reader waits, whatever happens on the way.
AT_ONCE = 8  # Questions of one process that are under way.
OUR_FAULT = (400, 413)  # The question was not taken; the next one may be.

logger = structlog.get_logger()


@dataclass
class _Line:
    """The line of one process to the node that it asks, silent for a while after a failure."""

    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(AT_ONCE))
    lock: Lock = field(default_factory=Lock)
    backoff: Backoff = field(default_factory=Backoff)
    silent_until: float = 0.0  # On the monotonic clock.

    def is_silent(self) -> bool:
        return monotonic() < self.silent_until

    def succeed(self) -> None:
        with self.lock:
            self.backoff.succeed()

    def fail(self, error: Exception) -> None:
        with self.lock:  # Of many who fail together only the first counts.
            if not self.is_silent():
                self.silent_until = monotonic() + self.backoff.fail(error)


def _line(config: Settings) -> _Line:
    return _Line()


def ask(question: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what the node that we read from answers; None when it can't be asked just now.

    Takes two seconds at most. After a failure nobody asks for a while, nor as long as pulling from
    it fails.
    """
    line, peer = of_this_node(_line), _whom()
    if peer is None or line.is_silent():
        return None
    client = PeerClient.for_peer(peer)
    db.session.rollback()  # No transaction is held while the peer works.
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    # In a thread, since looking up a name, or waiting for a token, takes what time it likes.
    answer = line.pool.submit(_post, app, client, question)
    try:
        found = answer.result(PATIENCE)
    except (HubError, SQLAlchemyError, TimeoutError) as error:
        _give_up(line, answer, error)
        logger.info("search not answered", peer=client.origin, reason=str(error) or "too slow")
        return None
    line.succeed()
    return found


def _whom() -> Peer | None:
    """Return our relay, else headquarters: whichever we read from and can reach."""
    found = {
        peer.origin: peer
        for peer in registry.live_peers(PeerKind.HEADQUARTERS, PeerKind.SIBLING)
        if puller.is_upstream(peer) and peer.failing_since is None
    }
    headquarters = (peer for peer in found.values() if peer.kind == PeerKind.HEADQUARTERS)
    return found.get(settings().relay) or next(headquarters, None)


def _post(app: Flask, client: PeerClient, question: Mapping[str, Any]) -> dict[str, Any]:
    with app.app_context():
        return client.post(PATH, question, timeout=PATIENCE)


def _give_up(line: _Line, answer: Future[dict[str, Any]], error: Exception) -> None:
    answer.cancel()  # If it has not begun.
    if not isinstance(error, RefusedError) or error.answered not in OUR_FAULT:
        line.fail(error)
