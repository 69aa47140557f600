"""How far each reader has confirmed the logs that this node offers, and what follows from it.

A reader takes in a page and its cursor in one transaction, so whoever asks for what follows n
keeps everything up to n for good.
"""

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import and_, or_, select
from sqlalchemy.exc import OperationalError

from hub import clock, database
from hub.config import settings
from hub.database import db
from hub.errors import NotFoundError
from hub.federation import relay
from hub.federation.models import Reading
from hub.federation.protocol import MAX_NODES, ChannelCursor, Standing, parse_cursor
from hub.federation.standing import Lag
from hub.journal.granting import granted_channels
from hub.journal.models import PARTNER, Head, LogItem, Release
from hub.registry import service as registry
from hub.registry.models import Peer, PeerKind, PeerState

READERS = (PeerKind.SUBSIDIARY, PeerKind.SIBLING, PeerKind.PARTNER)  # Who reads what we offer.

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")

log = structlog.get_logger()


def note(caller: registry.Caller, seen: Mapping[str, str]) -> None:
    """Keep what a reader has confirmed, where that is more than before.

    A cursor of another log, beyond the head, or of a channel that is closed to the reader does
    not count. When another writer is in the way nothing is kept: a reader must not wait for that,
    and says the same again with its next request.

    :param seen: channel → cursor, as the reader sent them.
    """
    cursors = {
        name: cursor
        for name in granted_channels(caller)
        if (cursor := parse_cursor(seen.get(name, "")))
    }
    moved = _moved(caller.id, cursors) if cursors else []
    if not moved:
        return
    try:
        database.note(_further(moved))
    except OperationalError as error:
        log.info("confirmation not noted", peer=caller.origin, reason=str(error.orig))


def _moved(peer_id: UUID, cursors: Mapping[str, ChannelCursor]) -> list[dict[str, Any]]:
    """Return a row for each cursor that is of our log and further than what we know."""
    statement = (
        select(Head.name, Head.epoch, Head.seq, Reading.epoch, Reading.seq)
        .outerjoin(Reading, and_(Reading.channel == Head.name, Reading.peer_id == peer_id))
        .where(Head.name.in_(cursors))
    )
    rows = []
    for name, epoch, head, known_epoch, known in db.session.execute(statement):
        cursor = cursors[name]
        first = known + 1 if known_epoch == epoch else 0
        if cursor.epoch == epoch and first <= cursor.seq <= head:
            place = {"channel": name, "epoch": epoch, "seq": cursor.seq}
            rows.append({"peer_id": peer_id, "acknowledged_at": clock.now()} | place)
    return rows


def _further(rows: list[dict[str, Any]]) -> Any:
    """Return the statement that moves readings, and none of them backwards."""
    statement = database.insert_into(Reading).values(rows)
    new = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=["peer_id", "channel"],
        set_={name: new[name] for name in ("epoch", "seq", "acknowledged_at")},
        where=or_(Reading.epoch != new.epoch, Reading.seq < new.seq),
    )


def release_of(issuer: str, digest: str) -> Release:
    """Return a release for the node that issued it.

    :raises NotFoundError: for anybody else's and for an unknown one alike.
    """
    statement = select(Release).where(
        Release.digest == digest, Release.iss == issuer, ~Release.is_held
    )
    found = db.session.scalar(statement) if _DIGEST.match(digest) else None
    if found is None:
        raise NotFoundError
    return found


def standings_of(release: Release) -> list[Standing]:
    """Return who has taken in a release, of all for whom it was meant but its issuer.

    These are the nodes that may read its channel now and those that have read it before: they may
    hold it still. Of a partner, its headquarters answers for its nodes.
    """
    place, head = _place_of(release), relay.heads_of([release.channel]).get(release.channel)
    standings = []
    own = settings()
    if release.iss != own.origin and not release.channel.startswith(PARTNER):
        standings.append(Standing(own.origin, own.name, True, place, clock.now()))
    for peer, reading in _audience(release):
        is_ours = reading and head and reading.epoch == head.epoch
        position = reading.seq if reading and is_ours else None
        is_done = place is not None and position is not None and position >= place
        standings.append(Standing(peer.origin, peer.name, is_done, position, peer.seen_at))
    return standings


def _place_of(release: Release) -> int | None:
    """Return at which place of the log that we offer a release stands."""
    statement = select(LogItem.seq).where(
        LogItem.position == release.position, LogItem.channel == release.channel
    )
    return db.session.scalar(statement)


def _audience(release: Release) -> list[tuple[Peer, Reading | None]]:
    reads = and_(Reading.peer_id == Peer.id, Reading.channel == release.channel)
    statement = (
        select(Peer, Reading)
        .outerjoin(Reading, reads)
        .where(Peer.kind.in_(READERS), Peer.origin != release.iss)
        .order_by(Peer.origin)
        .limit(MAX_NODES)
    )
    return [
        (peer, reading)
        for peer, reading in db.session.execute(statement)
        if reading is not None or _may_read(peer, release.channel)
    ]


def _may_read(peer: Peer, channel: str) -> bool:
    is_let_in = peer.state != PeerState.REGISTERED
    return is_let_in and channel in granted_channels(registry.caller_of(peer))


def lags() -> dict[UUID, Lag]:
    """Return how far each node that reads from us is behind: items, seconds since it confirmed."""
    heads = {head.name: head for head in db.session.scalars(select(Head))}
    readings = {(row.peer_id, row.channel): row for row in db.session.scalars(select(Reading))}
    found = {}
    for peer in registry.peers():
        if peer.kind in READERS and peer.state != PeerState.REGISTERED:
            channels = granted_channels(registry.caller_of(peer))
            behind = [
                _behind(peer, heads[name], readings.get((peer.id, name)))
                for name in channels
                if name in heads
            ]
            found[peer.id] = Lag(
                sum(lag.items for lag in behind), max((lag.seconds for lag in behind), default=0)
            )
    return found


def _behind(peer: Peer, head: Head, reading: Reading | None) -> Lag:
    confirmed = reading.seq if reading and reading.epoch == head.epoch else 0
    if confirmed >= head.seq:
        return Lag(0, 0)
    since = reading.acknowledged_at if reading else peer.created_at
    return Lag(head.seq - confirmed, int((clock.now() - since).total_seconds()))
