"""Fetching a file when somebody first reads it: once at a time, checked, or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import BoundedSemaphore

import structlog

from hub import clock
from hub.config import Settings, of_this_node, settings
from hub.database import db, transaction
from hub.errors import HubError
from hub.federation.client import PeerClient
from hub.federation.errors import PeerError
from hub.federation.files.errors import UnavailableError
from hub.federation.files.granting import Named, live_files
from hub.federation.files.transfer import download
from hub.journal.models import LOCAL, EntryFile, Release
from hub.media import service as media
from hub.media.errors import (
    BusyError,
    EmptyFileError,
    FileTooLargeError,
    InfectedError,
    OtherHashError,
    OtherSizeError,
)
from hub.registry import service as registry
from hub.registry.models import Peer, PeerKind

AGAIN = timedelta(seconds=30)  # After a failure nobody is asked for that long.

# What the other side is to blame for; else it is for us to mend.
FAULTS = (
    PeerError,
    OtherHashError,
    OtherSizeError,
    FileTooLargeError,
    EmptyFileError,
    InfectedError,
)

logger = structlog.get_logger()


def obtain(named: Named) -> None:
    """Make sure that a file is held here, fetching it if it is not; opens its own transactions.

    :raises UnavailableError: when it can't be had now; that is noted, and shown with the case.
    :raises BusyError: when it is being fetched already, or too many others are.
    :raises FullError: when there is no room for it.
    """
    if media.held([named.sha256]):
        return
    failed = media.missing([named.sha256]).get(named.sha256)
    if failed and clock.now() - failed.tried_at < AGAIN:
        raise UnavailableError
    source = _source_of(named)
    if source is None:
        raise UnavailableError  # Ours, or not here yet: nobody is to be asked.
    client, via = source
    db.session.rollback()  # No transaction is held while the peer sends.
    with _alone(named.sha256):
        if not media.held([named.sha256]):
            db.session.rollback()
            _fetch(named, client, via)


def _fetch(named: Named, client: PeerClient, via: str) -> None:
    try:
        parts = download(client, named.sha256, via, size=named.size)
        media.take(parts, most=named.size, check=named.check)
    except FAULTS as error:
        logger.warning("file not fetched", peer=client.origin, file=named.sha256, code=error.code)
        _note(named.sha256, error)
        raise UnavailableError from error


def _note(sha256: str, error: HubError) -> None:
    with transaction():
        media.note_missing(sha256, error.code)


def _source_of(named: Named) -> tuple[PeerClient, str] | None:
    """Return whom to ask for a file, and the release by which we may have it."""
    statement = live_files(Release.iss, Release.digest).where(
        EntryFile.digest == named.entry_digest,
        EntryFile.sha256 == named.sha256,
        Release.channel != LOCAL,
        Release.iss != settings().origin,
    )
    for iss, via in db.session.execute(statement.order_by(Release.position.desc())):
        peer = _upstream(iss)
        if peer is not None:
            return PeerClient.for_peer(peer), via
    return None


def _upstream(iss: str) -> Peer | None:
    """Return the peer that serves us what a node releases; None for nodes that publish to us."""
    own = registry.live_peers(PeerKind.HEADQUARTERS)
    if own:
        return own[0]
    enterprise = registry.enterprise_of(iss)
    partners = registry.live_peers(PeerKind.PARTNER)
    return next((peer for peer in partners if peer.enterprise == enterprise), None)


@contextmanager
def _alone(sha256: str) -> Iterator[None]:
    """Fetch a file in one place at a time, and a few files only in each process.

    So a peer that sends slowly takes a part of the threads that serve readers, never all.
    """
    places = of_this_node(_places)
    if not places.acquire(blocking=False):
        raise BusyError
    try:
        with media.only_one(sha256) as is_alone:
            if not is_alone:
                raise BusyError
            yield
    finally:
        places.release()


def _places(config: Settings) -> BoundedSemaphore:
    return BoundedSemaphore(max(1, config.threads // 4))
