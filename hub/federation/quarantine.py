"""What arrived and was not taken in: shown to the person who must know, and tried again."""

import json
from collections.abc import Sequence

from sqlalchemy import delete, func, select

from hub.database import db
from hub.federation.models import Quarantined
from hub.federation.protocol import Item
from hub.federation.receiving import PARKED, Intake, sender_of
from hub.registry import service as registry

SHOWN = 100
MOST_RETRIED = 500  # Parked items that are tried again at once.


def count_by_peer() -> dict[str, int]:
    """Return how many items of each peer are held back: its origin → the number."""
    statement = select(Quarantined.peer, func.count()).group_by(Quarantined.peer)
    return {peer: count for peer, count in db.session.execute(statement)}  # noqa: C416


def newest(*, limit: int = SHOWN) -> Sequence[Quarantined]:
    """Return what was held back last."""
    statement = select(Quarantined).order_by(Quarantined.id.desc()).limit(limit)
    return db.session.scalars(statement).all()


def retry_parked() -> int:
    """Try again what waited for a key or for an earlier release; return how many came through.

    Called in a transaction of its own after anything was taken in.
    """
    rows = db.session.scalars(
        select(Quarantined)
        .where(Quarantined.is_parked)
        .order_by(Quarantined.channel, Quarantined.iss, Quarantined.seq)
        .limit(MOST_RETRIED)
    ).all()
    count = 0
    for row in rows:
        peer = registry.find_peer(row.peer)
        if peer is None:
            continue
        raw = json.loads(row.raw)
        item = Item(0, raw["release"], raw["entry"], row.via)
        outcome = Intake(sender_of(peer), row.channel).take([item])[0]
        if outcome.code is None:
            db.session.execute(delete(Quarantined).where(Quarantined.id == row.id))
            count += 1
        elif outcome.code not in PARKED:
            row.is_parked, row.code, row.reason = False, outcome.code, outcome.reason
    return count
