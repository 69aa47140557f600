"""The items of the log that this node offers of a channel, byte for byte as they were signed."""

from typing import Any

from sqlalchemy import Row, Select, and_, exists, select

from hub.database import db
from hub.federation.protocol import MAX_PAGE, Item
from hub.journal.models import PUT, Entry, Live, LogItem, Release

SIGNED = (
    Release.op,
    Release.header,
    Release.payload,
    Release.signature,
    Entry.header,
    Entry.payload,
    Entry.signature,
)
IS_ITS_ENTRY = and_(Entry.digest == Release.entry_digest, Entry.origin == Release.origin)


def read_items(channel: str, after: int, limit: int) -> list[Item]:
    """Return the items that follow a place, as many as a page may hold."""
    statement = signed_items(channel).where(LogItem.seq > after)
    return page_of(statement.order_by(LogItem.seq).limit(limit))


def page_of(statement: Select[*tuple[Any, ...]]) -> list[Item]:
    """Return the items of a query for seq, via and SIGNED, as many as a page may hold."""
    items: list[Item] = []
    size = 0
    for row in db.session.execute(statement):
        item = as_item(row)
        size += 2 * len(row[4]) + 2 * len(row[7] if item.entry else "")
        if items and size > MAX_PAGE:
            break
        items.append(item)
    return items


def signed_items(channel: str) -> Select[*tuple[Any, ...]]:
    """Return the query for the items of a log, as `as_item` reads them.

    A text is with them while it is live in this channel: another one may keep it longer.
    """
    stands = exists().where(
        Live.origin == Release.origin,
        Live.entry_id == Release.entry_id,
        Live.iss == Release.iss,
        Live.channel == channel,
        Live.entry_digest == Release.entry_digest,
        Live.op == PUT,
    )
    statement: Select[*tuple[Any, ...]] = (
        select(LogItem.seq, LogItem.via, *SIGNED)
        .join(Release, Release.position == LogItem.position)
        .outerjoin(Entry, and_(IS_ITS_ENTRY, stands.correlate(Release)))
        .where(LogItem.channel == channel)
    )
    return statement


def as_item(row: Row[*tuple[Any, ...]]) -> Item:
    """Return what travels, byte for byte as it was signed."""
    seq, via, op, *parts = tuple(row)
    release = dict(zip("hps", parts[:3], strict=True))
    entry = dict(zip("hps", parts[3:], strict=True)) if op == PUT and parts[4] else None
    return Item(seq, release, entry, via)
