"""After a backup was restored, seen from the node that serves: ours, or one that publishes to us.

A log that was restored would give out numbers a second time, and a reader whose cursor is beyond
its head would miss what they now stand for. So the log gets another name first.
"""

import secrets
from datetime import timedelta

import structlog
from sqlalchemy import select

from hub import clock
from hub.audit import service as audit
from hub.config import settings
from hub.database import db
from hub.errors import HubError, mark
from hub.federation.protocol import ChannelCursor, Item
from hub.federation.relay import IS_ITS_ENTRY, SIGNED, CursorGoneError, items_of
from hub.journal import log, outbox, succession
from hub.journal.models import Chain, Cursor, Entry, Release
from hub.registry.service import Caller

SELDOM = timedelta(hours=1)  # A lying reader makes all others read again at most this often.

logger = structlog.get_logger()


class OtherReleaseError(HubError):
    """The caller has one release of its own in a place, and we have another."""

    status = 409
    code = "other_release"
    message = mark("Another release stands in this place here.")


def begin_anew(channel: str, after: ChannelCursor | None, *, seen_by: str) -> bool:
    """Give the log of a channel another epoch, as a reader has seen more of it; say if it did.

    Readers then begin again and drop what they know. What we ourselves release there next begins
    a new epoch of our chain, whose numbers they may have seen too. The caller owns the
    transaction.
    """
    head = log.lock_heads([channel])[channel]
    if after is None or after.epoch != head.epoch or after.seq <= head.seq or _was_lately(channel):
        return False
    old, head.epoch = head.epoch, secrets.token_hex(4)
    log.move_cursor(_name(channel), head.epoch)
    outbox.rename()
    for chain in log.chains_of(settings().origin, [channel]).values():
        succession.begin_after(channel, chain.epoch, chain.seq)
    audit.record(
        "log.rewound",
        actor_id=None,
        subject=channel,
        seen_by=seen_by,
        seen=str(after),
        head=f"{old}:{head.seq}",
        epoch=head.epoch,
    )
    logger.error("log rewound", channel=channel, seen_by=seen_by, seen=str(after), head=head.seq)
    return True


def own_heads(peer: Caller) -> dict[str, dict[str, str]]:
    """Return the last release that we have of a node in each channel: its place, its digest."""
    rows = db.session.scalars(select(Chain).where(Chain.iss == peer.origin)).all()
    return {
        "heads": {row.channel: str(ChannelCursor(row.epoch, row.seq)) for row in rows},
        "digests": {row.channel: row.digest for row in rows},
    }


def own_items(
    peer: Caller, channel: str, after: ChannelCursor | None, digest: str | None, limit: int
) -> list[Item]:
    """Return what a node published in a channel after one of its releases, in order.

    :param digest: of that release as the node has it.
    :raises CursorGoneError: when we don't have that release.
    :raises OtherReleaseError: when we have another one in its place.
    """
    own = (Release.iss == peer.origin, Release.channel == channel, ~Release.is_held)
    start = 0
    if after:
        place = db.session.execute(
            select(Release.position, Release.digest).where(
                *own, Release.epoch == after.epoch, Release.seq == after.seq
            )
        ).one_or_none()
        if place is None:
            raise CursorGoneError
        if digest not in {None, place.digest}:
            raise OtherReleaseError
        start = place.position
    statement = (
        select(Release.seq, db.literal(0), *SIGNED)
        .outerjoin(Entry, IS_ITS_ENTRY)
        .where(*own, Release.position > start)
        .order_by(Release.position)
        .limit(limit)
    )
    return items_of(statement)


def _was_lately(channel: str) -> bool:
    last = db.session.get(Cursor, _name(channel), populate_existing=True)
    return last is not None and clock.now() - last.moved_at < SELDOM


def _name(channel: str) -> str:
    return f"rewound {channel}"
