"""Keeps this node in step with its peers: one thread for each, so that none delays another."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import Any

import structlog
from flask import Flask, current_app
from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError

from hub import clock
from hub.database import Commits, db, transaction
from hub.errors import HubError
from hub.federation import (
    checkpoints,
    feedback,
    hiding,
    offering,
    puller,
    pusher,
    reconciling,
    relay,
    retention,
    snapshot,
    withholding,
)
from hub.federation.backoff import SHORTEST, Backoff
from hub.federation.client import PeerClient
from hub.federation.errors import PeerError
from hub.federation.feeds import follower as feeds
from hub.federation.files import following
from hub.federation.harvesting import follower as harvesting
from hub.federation.health import failure_of
from hub.federation.protocol import MAX_WAIT, ChannelCursor
from hub.federation.room import NoRoomError
from hub.journal import log
from hub.journal.models import partner_channel
from hub.registry import service as registry
from hub.registry.models import Peer, PeerKind

POLL = 0.05  # Seconds between two looks at our own heads.
LOOK = 1.0  # Seconds between two looks for new peers; also the pace of unproductive pulls.
REVIEW = 5.0  # Seconds between two looks at leases and agreements.
SWEEP = 10.0  # Seconds between two looks at the snapshots that lie on disk.
TIDYING = 3600.0  # Seconds between two looks at what our logs may forget.
SPARED = 300.0  # Seconds between two pulls from headquarters while a relay serves us.
FULL = 2.0  # Seconds between two looks whether there is room again.

logger = structlog.get_logger()


def run(stop: threading.Event) -> None:
    """Exchange with all peers until told to stop; called in the application's context."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    Follower(app, stop).run()


@dataclass
class Follower:
    """The threads of one process that exchange with peers until `stop` is set."""

    app: Flask
    stop: threading.Event
    _is_back: threading.Event = field(default_factory=threading.Event)
    _threads: dict[str, threading.Thread] = field(default_factory=dict)

    def run(self) -> None:
        """Start a thread for each peer that appears, and again for one that ended."""
        if self.app.extensions["hub.settings"].is_relay:
            with self.app.app_context():
                offering.offer_missing()
        self._start_own()
        while not self.stop.wait(LOOK):
            with self.app.app_context():
                origins, addressees = puller.upstream(), feedback.dialled()
            self._start_own()
            for origin in origins:
                self._start(origin, self._pull, origin)
            for origin in addressees:
                self._start(f"feedback {origin}", self._send_feedback, origin)

    def _start_own(self) -> None:
        is_headquarters = self.app.extensions["hub.settings"].is_headquarters
        for name, work in (
            ("hint", self._hint) if is_headquarters else ("push", self._push),
            ("feeds", self._feed),
            ("keep", self._keep),
            ("review", self._review),
            ("harvest", self._harvest),
            ("files", partial(following.push, self.app, self.stop)),
            ("tidy", partial(following.tidy, self.app, self.stop)),
        ):
            self._start(name, work)

    def _start(self, name: str, work: object, *values: str) -> None:
        thread = self._threads.get(name)
        if thread is None or not thread.is_alive():
            thread = threading.Thread(target=work, args=values, name=name, daemon=True)  # type: ignore[arg-type]
            self._threads[name] = thread
            thread.start()

    def _pull(self, origin: str) -> None:
        """Pull from one peer for as long as it is one."""
        backoff = Backoff()
        while not self.stop.is_set():
            with self.app.app_context():
                if origin not in puller.upstream():
                    return
                started = monotonic()
                count = self._pull_once(origin, backoff)
                is_spared = count is not None and puller.is_spared(origin)
            if is_spared:
                self._rest_while_spared(origin)
            elif count == 0 and monotonic() - started < LOOK:
                self.stop.wait(LOOK)  # The peer could not hold our request.

    def _rest_while_spared(self, origin: str) -> None:
        """Leave headquarters alone for as long as a relay serves us, yet not for ever."""
        end = monotonic() + SPARED
        while monotonic() < end and not self.stop.wait(LOOK):
            with self.app.app_context():
                if not puller.is_spared(origin):
                    return

    def _pull_once(self, origin: str, backoff: Backoff) -> int | None:
        """Pull and return the number of items; pause and return None when that failed."""
        try:
            count = puller.pull(origin, wait=0 if puller.is_spared(origin) else MAX_WAIT)
            withholding.look(origin)
            reconciling.compare_due(origin)
        except NoRoomError as error:
            logger.warning("pull pauses", peer=origin, reason=str(error))
            _note(origin, None)
            self.stop.wait(FULL)
            return None
        except (HubError, SQLAlchemyError) as error:
            db.session.rollback()
            pause = backoff.fail(error)
            _note(origin, error)
            logger.warning("pull failed", peer=origin, reason=str(error), pause=pause)
            self._wait_for_hint(origin, pause)
            return None
        if backoff.failures:
            self._is_back.set()
        backoff.succeed()
        _note(origin, None)
        return count

    def _wait_for_hint(self, origin: str, seconds: float) -> None:
        """Wait, unless the peer says meanwhile that it is back."""
        failed_at, end = clock.now(), monotonic() + seconds
        while monotonic() < end and not self.stop.wait(SHORTEST):
            hinted_at = db.session.scalar(select(Peer.hinted_at).where(Peer.origin == origin))
            db.session.rollback()
            if hinted_at and hinted_at > failed_at:
                return

    def _feed(self) -> None:
        """Keep the feeds in step with the journal."""
        with self._looking() as commits:
            while not self.stop.wait(SHORTEST):
                if commits.may_have_come():
                    with self.app.app_context():
                        while feeds.follow() and not self.stop.is_set():
                            pass

    def _keep(self) -> None:
        """Keep what we offer signed and tidy: no snapshot with a withdrawn text, no log without an
        end.
        """
        tidied_at = monotonic() - TIDYING
        while not self.stop.wait(SWEEP):
            with self.app.app_context():
                try:
                    checkpoints.sign_due()
                    snapshot.sweep()
                    if monotonic() - tidied_at >= TIDYING:
                        retention.compact()
                        tidied_at = monotonic()
                except (SQLAlchemyError, OSError) as error:
                    db.session.rollback()
                    logger.warning("tidying failed", reason=str(error))

    def _harvest(self) -> None:
        """Harvest the sources that are due, one after another."""
        while not self.stop.wait(LOOK):
            with self.app.app_context():
                while harvesting.harvest_due() and not self.stop.is_set():
                    pass

    def _rest(self, seconds: float) -> bool:
        """Wait, unless headquarters was reached again meanwhile; True when all shall stop."""
        end = monotonic() + seconds
        while (left := end - monotonic()) > 0 and not self._is_back.is_set():
            if self.stop.wait(min(left, SHORTEST)):
                return True
        return self.stop.is_set()

    def _hint(self) -> None:
        """Tell partners when there is something for them."""
        hinted: dict[str, ChannelCursor] = {}
        while not self.stop.wait(SHORTEST):
            with self.app.app_context():
                hinted = hint_partners(hinted)

    def _push(self) -> None:
        """Publish to headquarters whatever it lacks."""
        backoff, heads, done, pause = Backoff(), None, 0, 0.0
        with self._looking() as commits:
            while not self._rest(pause):
                pause = POLL
                if self._is_back.is_set():  # Whoever was away may have been restored meanwhile.
                    self._is_back.clear()
                    heads = None
                elif heads is not None and not commits.may_have_come():
                    continue
                with self.app.app_context():
                    position = log.position()
                    if heads is not None and position == done:
                        continue
                    origin = pusher.headquarters()
                    if origin is None:
                        pause = LOOK
                        continue
                    try:
                        if heads is None or pusher.is_behind(heads):
                            heads = pusher.push(origin, heads)
                            backoff.succeed()
                        done = position
                    except (HubError, SQLAlchemyError) as error:
                        heads, pause = None, backoff.fail(error)
                        logger.warning("push failed", peer=origin, reason=str(error), pause=pause)

    @contextmanager
    def _looking(self) -> Iterator[Commits]:
        """Yield what tells a thread that lasts whether to look again."""
        with self.app.app_context(), closing(Commits()) as commits:
            yield commits

    def _send_feedback(self, origin: str) -> None:
        """Send one peer the feedback that waits for it; after a failure leave it alone a while."""
        backoff, pause = Backoff(), 0.0
        while not self.stop.wait(pause):
            with self.app.app_context():
                if origin not in feedback.dialled():
                    return
                try:
                    feedback.send(origin)
                    return
                except (HubError, SQLAlchemyError) as error:
                    db.session.rollback()
                    pause = backoff.fail(error)
                    logger.warning("feedback not sent", peer=origin, reason=str(error))

    def _review(self) -> None:
        """Hide and purge what came from partners, when its time has come."""
        while not self.stop.wait(REVIEW):
            with self.app.app_context():
                try:
                    hiding.review()
                except (HubError, SQLAlchemyError) as error:
                    db.session.rollback()
                    logger.warning("review failed", reason=str(error))


def hint_partners(hinted: dict[str, ChannelCursor]) -> dict[str, ChannelCursor]:
    """Tell each partner whose channel moved; a hint may be lost, so nobody waits for it."""
    partners = {partner_channel(p.enterprise): p for p in registry.live_peers(PeerKind.PARTNER)}
    heads = relay.heads_of(list(partners))
    for channel, head in heads.items():
        if hinted.get(channel) not in {None, head}:
            try:
                body = {"heads": {channel: str(head)}}
                PeerClient.for_peer(partners[channel]).post("/fed/v1/hint", body, timeout=2)
            except PeerError as error:
                logger.info("hint lost", channel=channel, reason=str(error))
    return heads


def _note(origin: str, error: Exception | None) -> None:
    """Keep when a peer was last reached, or since when and why it is not."""
    peer = registry.find_peer(origin)
    if peer is None or (error is None and not peer.failure and not _is_due(peer)):
        return
    with transaction():
        values: dict[str, Any] = {
            "seen_at": clock.now(),
            "failing_since": None,
            "failure": None,
        }
        if error is not None:
            since = peer.failing_since or clock.now()
            values = {"failing_since": since, "failure": failure_of(error)}
        db.session.execute(update(Peer).where(Peer.origin == origin).values(**values))


def _is_due(peer: Peer) -> bool:
    return registry.is_contact_due(peer.seen_at)
