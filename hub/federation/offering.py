"""Becoming a relay: what was taken in before goes into the logs that we offer."""

import json
from collections.abc import Sequence

from sqlalchemy import exists, select

from hub.config import settings
from hub.database import db, transaction
from hub.federation.protocol import MAX_ITEMS
from hub.journal import log
from hub.journal.models import DIRECTORY, GROUP, PUBLIC, LogItem, Release, partner_channel


def offer_missing() -> int:
    """Offer all that this node has and its logs lack; return how much that was.

    The logs begin anew then, so that readers take what is live from a snapshot: what is added
    stands behind what it came before. Nothing is lacking once this node relays what it takes in.
    """
    channels = [DIRECTORY, GROUP, PUBLIC, partner_channel(settings().enterprise)]
    return sum(_offer(channel) for channel in channels)


def _offer(channel: str) -> int:
    count = after = 0
    while True:
        with transaction():
            head = log.lock_heads([channel])[channel]
            rows = _missing(channel, after)
            places = [p for p, payload in rows if channel in json.loads(payload)["relay"]]
            items = [
                {"channel": channel, "seq": head.seq + number, "position": position, "via": 1}
                for number, position in enumerate(places, 1)
            ]
            if items:
                db.session.execute(db.insert(LogItem), items)
            head.seq += len(items)
            count += len(items)
            if count and len(rows) < MAX_ITEMS:
                log.begin_log(head)
        if len(rows) < MAX_ITEMS:
            return count
        after = rows[-1][0]


def _missing(channel: str, after: int) -> Sequence[tuple[int, str]]:
    """Return positions and payloads of releases that follow a position and are not offered."""
    is_offered = exists().where(LogItem.channel == channel, LogItem.position == Release.position)
    statement = (
        select(Release.position, Release.payload)
        .where(Release.channel == channel, Release.position > after, ~Release.is_held, ~is_offered)
        .order_by(Release.position)
        .limit(MAX_ITEMS)
    )
    return [(position, payload) for position, payload in db.session.execute(statement)]
