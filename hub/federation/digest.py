"""What is live in a channel, in a form that two nodes can compare: 256 hashes, then lists.

Neither side counts what the reader itself issued, nor what the peer may not hand over; so equal
sets give equal hashes (docs/federation.md, Comparing).
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from hub.cases.models import Document, public_id
from hub.cases.service.reading import KINDS
from hub.config import settings
from hub.database import db
from hub.errors import HubError, mark
from hub.federation import agreements, relay
from hub.federation.buckets import LiveEntry, hashes
from hub.federation.protocol import ChannelCursor
from hub.journal.models import PUT, Entry, Live, LogItem, Release
from hub.journal.repair import is_its_release
from hub.registry.models import Node, Peer, PeerKind
from hub.registry.service import Caller

BATCH = 1000  # Rows read at once.


class MovingError(HubError):
    """The log moved while it was looked at."""

    status = 409
    code = "log_moves"
    message = mark("The channel moves just now. Compare again later.")


def compared(peer: Caller, channel: str, bucket: int | None) -> dict[str, Any]:
    """Return the hashes of what a peer may hold of a channel by way of us, or the list of one.

    :raises ClosedChannelError: when the channel is not open to the peer.
    :raises MovingError: when the log moved meanwhile.
    """
    relay.check_open(peer, channel)
    before = relay.heads_of([channel]).get(channel, ChannelCursor("new", 0))
    found: dict[str, Any] = {"ch": channel, "epoch": before.epoch, "as_of": before.seq}
    if bucket is None:
        found["buckets"] = hashes(_offered(peer, channel))
    else:
        listed = [e.as_wire() for e in _offered(peer, channel) if e.bucket == bucket]
        found |= {"bucket": bucket, "entries": listed}
    if relay.heads_of([channel]).get(channel, before) != before:
        raise MovingError
    return found


def held(peer: Peer, channel: str) -> Iterator[LiveEntry]:
    """Yield what we hold of a channel by way of a peer.

    What lost its release, its text or the document that readers see comes without a digest: it is
    like nothing that the peer has, and a comparison mends it.
    """
    issuers = select(Live.iss).where(Live.channel == channel, by_way_of(peer)).distinct()
    for iss in sorted(db.session.scalars(issuers)):
        yield from _held_of(iss, channel)


def _held_of(iss: str, channel: str) -> Iterator[LiveEntry]:
    text = and_(Entry.digest == Live.entry_digest, Entry.payload.is_not(None))
    statement = (
        _live(channel, Live.iss == iss)
        .join(Release, is_its_release(), isouter=True)
        .join(Entry, text, isouter=True)
        .add_columns(Release.position, Entry.type)
    )
    rows = _rows(statement, Live.origin, Live.entry_id)
    while page := list(islice(rows, BATCH)):
        ids = {public_id(row.origin, row.entry_id) for row in page if row.type in KINDS}
        seen = select(Document.id).where(Document.id.in_(ids), Document.audience.is_not(None))
        missing = ids - set(db.session.scalars(seen))
        for row in page:
            is_lost = row.position is None or row.type is None
            entry = _entry_of(row)
            if is_lost or (row.type in KINDS and public_id(row.origin, row.entry_id) in missing):
                entry = replace(entry, digest="")
            yield entry


def by_way_of(peer: Peer) -> ColumnElement[bool]:
    """Return the condition under which live state came, or would come, from a peer."""
    if peer.kind == PeerKind.PARTNER:
        return Live.iss.in_(select(Node.origin).where(Node.enterprise == peer.enterprise))
    return Live.iss != settings().origin


def _offered(peer: Caller, channel: str) -> Iterator[LiveEntry]:
    is_offered = and_(LogItem.position == Release.position, LogItem.channel == channel)
    text = and_(Entry.digest == Live.entry_digest, Entry.payload.is_not(None))
    statement = (
        _live(channel, _wanted_by(peer))
        .join(Release, is_its_release())
        .join(Entry, text)
        .join(LogItem, is_offered)
    )
    agreed = agreements.categories_of(channel)
    if agreed:
        statement = statement.add_columns(Entry.payload)
    for row in _rows(statement, LogItem.seq):
        if not agreed or agreements.covers_text(agreed, channel, row.payload):
            yield _entry_of(row, place=row[-1])


def _wanted_by(peer: Caller) -> ColumnElement[bool]:
    """Return the condition under which a peer would take something from us."""
    if peer.kind == PeerKind.PARTNER:
        own = select(Node.origin).where(Node.enterprise == settings().enterprise)
        return Live.iss.in_(own) | (Live.iss == settings().origin)
    return Live.iss != peer.origin


def _live(channel: str, whose: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    columns = (Live.iss, Live.origin, Live.entry_id, Live.rev, Live.seq, Live.entry_digest)
    statement: Select[*tuple[Any, ...]] = select(*columns).where(
        Live.channel == channel, Live.op == PUT, whose
    )
    return statement


def _rows(
    statement: Select[*tuple[Any, ...]], *key: InstrumentedAttribute[Any]
) -> Iterator[Row[*tuple[Any, ...]]]:
    """Yield rows, read in batches by a key that an index has, which the columns end with."""
    statement = statement.add_columns(*key).order_by(*key).limit(BATCH)
    page = statement
    while rows := db.session.execute(page).all():
        yield from rows
        page = statement.where(tuple_(*key) > tuple_(*rows[-1][-len(key) :]))


def _entry_of(row: Row[*tuple[Any, ...]], place: int = 0) -> LiveEntry:
    return LiveEntry(row.iss, row.origin, row.entry_id, row.rev, row.seq, row.entry_digest, place)
