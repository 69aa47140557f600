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
from hub.federation.items import IS_ITS_ENTRY, SIGNED, page_of
from hub.federation.protocol import ChannelCursor, Item
from hub.federation.relay import CursorGoneError
from hub.journal import log, outbox, succession
from hub.journal.models import JOURNAL, Chain, Cursor, Entry, LogItem, Release
from hub.registry.service import Caller

REWOUND = "rewound"  # Name under which is kept when that happened last.
SELDOM = timedelta(hours=1)  # A lying reader makes all others read again at most this often.

logger = structlog.get_logger()


class OtherReleaseError(HubError):
    """The caller has one release of its own in a place, and we have another."""

    status = 409
    code = "other_release"
    message = mark("Another release stands in this place here.")


def begin_anew(channel: str, after: ChannelCursor | None, *, seen_by: str) -> bool:
    """Give our logs another epoch, as a reader has seen more of one; say if they got it.

    Readers then begin again and drop what they know. What we ourselves release next begins new
    epochs of our chains, whose numbers they may have seen too; and so do the boxes of feedback.
    The caller owns the transaction.
    """
    heads = log.lock_heads(_logs())
    head = heads.get(channel)
    is_ahead = head and after and after.epoch == head.epoch and after.seq > head.seq
    if not is_ahead or head is None or _was_lately():
        return False
    seen, here = str(after), str(ChannelCursor(head.epoch, head.seq))
    for name in heads.keys() - {JOURNAL}:
        heads[name].epoch = secrets.token_hex(4)
    outbox.rename()
    log.move_cursor(REWOUND, head.epoch)
    for name, chain in log.chains_of(settings().origin, heads.keys()).items():
        succession.begin_after(name, chain.epoch, chain.seq)
    audit.record(
        "log.rewound", actor_id=None, subject=channel, seen_by=seen_by, seen=seen, head=here
    )
    logger.error("logs rewound", channel=channel, seen_by=seen_by, seen=seen, head=here)
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
    return page_of(statement)


def _logs() -> list[str]:
    """Return the channels of which we offer a log."""
    return list(db.session.scalars(select(LogItem.channel).distinct()))


def _was_lately() -> bool:
    last = db.session.get(Cursor, REWOUND, populate_existing=True)
    return last is not None and clock.now() - last.moved_at < SELDOM
