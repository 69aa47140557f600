"""A chain of ours that is behind what headquarters has of it, and how it goes on.

Only a node that was restored from a backup finds itself so (docs/federation.md, Restored from a
backup).
"""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import delete, select

from hub import clock
from hub.database import db, upsert
from hub.journal.errors import RecoveringError
from hub.journal.models import Recovery


def wait_for(channel: str, epoch: str, seq: int, digest: str | None) -> None:
    """Release nothing in a channel until our chain there reaches this place.

    The caller owns the transaction and holds the lock of the channel's head.
    """
    row = {
        "channel": channel,
        "epoch": epoch,
        "seq": seq,
        "digest": digest,
        "is_waiting": True,
        "noted_at": clock.now(),
    }
    upsert(Recovery, [row], keys=("channel",))


def waiting() -> Sequence[Recovery]:
    """Return the channels in which nothing is released for now."""
    statement = select(Recovery).where(Recovery.is_waiting).order_by(Recovery.channel)
    return db.session.scalars(statement.execution_options(populate_existing=True)).all()


def settle(channel: str) -> None:
    """Go on where our chain stands."""
    db.session.execute(delete(Recovery).where(Recovery.channel == channel))


def give_up(channel: str) -> None:
    """Go on in a new epoch that names the old one: what is missing does not come back."""
    row = db.session.get_one(Recovery, channel, populate_existing=True)
    row.is_waiting = False
    db.session.flush()


def begin_after(channel: str, epoch: str, seq: int) -> None:
    """Let our next release in a channel begin a new epoch of our chain, after this place.

    The caller owns the transaction and holds the lock of the channel's head.
    """
    wait_for(channel, epoch, seq, None)
    give_up(channel)


def take_over(channels: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return the place that a new epoch follows, for each channel in which one begins now.

    Called under the locks of these channels, by what appends to them.

    :raises RecoveringError: while one of them waits.
    """
    statement = select(Recovery).where(Recovery.channel.in_(channels))
    rows = db.session.scalars(statement.execution_options(populate_existing=True)).all()
    if any(row.is_waiting for row in rows):
        raise RecoveringError
    for row in rows:
        settle(row.channel)
    return {row.channel: {"epoch": row.epoch, "seq": row.seq} for row in rows}
