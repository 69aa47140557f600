"""Sending headquarters the files of what we published: no port of ours is open to fetch them.

A cursor over the journal says how far that is, so nothing is lost by whoever is killed. What
headquarters has already it is not sent again.
"""

from collections.abc import Sequence
from typing import Any

import structlog
from sqlalchemy import Row

from hub.config import settings
from hub.database import db, transaction
from hub.federation.client import PeerClient
from hub.federation.errors import PeerError, RefusedError
from hub.federation.files import transfer
from hub.federation.files.errors import UnavailableError
from hub.federation.files.granting import live_files
from hub.journal import log
from hub.journal.models import LOCAL, EntryFile, Release
from hub.media import service as media
from hub.media.stores import store
from hub.registry import service as registry

CURSOR = "files"
BATCH = 100  # Files that one push looks at; more than one entry may name.

# Not now: the release is still on its way there, or we are told to wait.
TEMPORARY = frozenset({401, 403, 404, 408, 429})

logger = structlog.get_logger()


def push(headquarters: str) -> None:
    """Send headquarters the files that it lacks of what we published and is still live.

    A release that headquarters does not have yet holds back no other; the cursor waits for it.
    Opens its own transactions.

    :raises PeerError: when headquarters does not answer, or could not take some of them yet.
    """
    peer = registry.find_peer(headquarters)
    after, end = int(log.read_cursor(CURSOR) or 0), log.position()
    if peer is None or after >= end:
        return
    waiting, client = _waiting(after), PeerClient.for_peer(peer)
    db.session.rollback()
    done = waiting[-1].position - 1 if len(waiting) == BATCH else end
    failure: PeerError | None = None
    for row in waiting:
        try:
            _send(client, row)
        except PeerError as error:
            if failure is None:
                failure, done = error, min(done, row.position - 1)
            if not (isinstance(error, RefusedError) and error.answered == 404):
                break
    if done > after:
        with transaction():
            log.move_cursor(CURSOR, done)
    if failure:
        raise failure


def _waiting(after: int) -> Sequence[Row[Any]]:
    statement = live_files(Release.position, Release.digest, EntryFile.sha256, EntryFile.size)
    return db.session.execute(
        statement.where(
            Release.position > after,
            Release.iss == settings().origin,
            Release.channel != LOCAL,
        )
        .order_by(Release.position, EntryFile.sha256)
        .limit(BATCH)
    ).all()


def _send(client: PeerClient, row: Row[Any]) -> None:
    is_held = media.held([row.sha256])
    db.session.rollback()  # No transaction is held while headquarters works.
    if not is_held or _has(client, row):
        return
    try:
        with store().open(row.sha256) as file:
            transfer.upload(client, row.sha256, row.digest, file, row.size)
    except RefusedError as error:
        if error.answered in TEMPORARY or error.answered >= 500:
            raise
        # Sent again it would be refused again: people see at the readers that it is missing.
        logger.warning("file refused", peer=client.origin, file=row.sha256, code=error.refusal)


def _has(client: PeerClient, row: Row[Any]) -> bool:
    """Say whether headquarters holds a file.

    :raises RefusedError: also when it does not have the release yet: no bytes are sent in vain.
    """
    try:
        return transfer.is_there(client, row.sha256, row.digest)
    except RefusedError as error:
        if error.answered != UnavailableError.status:
            raise
        return False
