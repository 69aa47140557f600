"""Keeping the logs that we offer short: what was superseded long ago leaves them.

A log stays dense for what it serves. Whoever has not come as far as its floor begins with the
snapshot; what is live before the floor stays in place for the snapshot and for comparisons.
"""

from datetime import timedelta

from sqlalchemy import and_, delete, exists, select

from hub import clock
from hub.config import settings
from hub.database import db, transaction
from hub.journal import log
from hub.journal.models import Head, LogItem, Release
from hub.journal.repair import is_its_release

BATCH = 1000  # Items removed in one transaction.


def compact() -> int:
    """Remove from each log what was superseded and is older than `HUB_LOG_DAYS`.

    Killed at any line, the next call goes on.

    :return: how many items were removed.
    """
    channels = db.session.scalars(select(LogItem.channel).distinct()).all()
    return sum(_compact(channel) for channel in channels)


def _compact(channel: str) -> int:
    count = 0
    while True:
        with transaction():
            head = log.lock_heads([channel])[channel]
            gone = _superseded(head)
            if gone:
                head.floor = max(head.floor, gone[-1])
                db.session.execute(
                    delete(LogItem).where(LogItem.channel == channel, LogItem.seq.in_(gone))
                )
        count += len(gone)
        if len(gone) < BATCH:
            return count


def _superseded(head: Head) -> list[int]:
    """Return the oldest items that nobody needs any more.

    The last that an issuer said of an entry stays, so the last that it said at all does, and the
    first release of a new incarnation of its log: snapshots carry both.
    """
    is_last_word = exists().where(is_its_release())
    is_beginning = and_(Release.seq == 1, Release.payload.contains('"after":'))
    statement = (
        select(LogItem.seq)
        .join(Release, Release.position == LogItem.position)
        .where(
            LogItem.channel == head.name,
            Release.received_at < clock.now() - timedelta(days=settings().log_days),
            ~is_last_word,
            ~is_beginning,
        )
        .order_by(LogItem.seq)
        .limit(BATCH)
    )
    return list(db.session.scalars(statement))
