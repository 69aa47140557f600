"""Putting items into quarantine, and how much of one peer's stays there: none fills our disk."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import case, delete, func, select

from hub import clock
from hub.database import db, insert_missing
from hub.federation.models import Quarantined, QuarantineLoss

MOST_ITEMS = 10_000  # Of one peer.
MOST_CHARACTERS = 64 * 1024 * 1024  # Of what one peer sent.
BATCH = 500  # Rows deleted by one statement.
# Characters of an item that are kept: the largest valid one fits, however escaped.
LARGEST_RAW = 1024 * 1024


@dataclass(frozen=True)
class Unwanted:
    """An item that is not taken in, or no longer, as it came, and why."""

    peer: str  # Origin of the node that sent it.
    channel: str
    iss: str
    seq: int
    via: int
    code: str
    reason: str
    release: object
    entry: object
    is_parked: bool = False  # Something is missing that may still arrive.


def put(items: Sequence[Unwanted]) -> None:
    """Keep items, each once, in the caller's transaction. One too large to be kept whole is not
    tried again.
    """
    insert_missing(Quarantined, [_row(item) for item in items])


def _row(item: Unwanted) -> dict[str, Any]:
    raw = json.dumps({"release": item.release, "entry": item.entry})
    return {
        "digest": hashlib.sha256(f"{item.peer} {item.channel} {raw}".encode()).hexdigest(),
        "peer": item.peer,
        "channel": item.channel,
        "iss": item.iss,
        "seq": item.seq,
        "via": item.via,
        "code": item.code,
        "reason": item.reason,
        "raw": raw[:LARGEST_RAW],
        "size": len(raw),
        "is_parked": item.is_parked and len(raw) <= LARGEST_RAW,
        "quarantined_at": clock.now(),
    }


def make_room(peer: str) -> int:
    """Drop what a peer has in quarantine beyond its share; return how many items that were.

    The oldest that only wait for a person go first. Of what waits for a key or an earlier release
    the newest go, if nothing else is left: the oldest would come through first. The caller owns
    the transaction.
    """
    mine = Quarantined.peer == peer
    totals = select(func.count(), func.coalesce(func.sum(Quarantined.size), 0)).where(mine)
    count, size = db.session.execute(totals).one()
    if count <= MOST_ITEMS and size <= MOST_CHARACTERS:
        return 0
    age = case((Quarantined.is_parked, -Quarantined.id), else_=Quarantined.id)
    order = (
        select(Quarantined.id, Quarantined.size).where(mine).order_by(Quarantined.is_parked, age)
    )
    dropped: list[int] = []
    for item_id, length in db.session.execute(order).all():
        if count - len(dropped) <= MOST_ITEMS and size <= MOST_CHARACTERS:
            break
        dropped.append(item_id)
        size -= length
    for start in range(0, len(dropped), BATCH):
        batch = dropped[start : start + BATCH]
        db.session.execute(delete(Quarantined).where(Quarantined.id.in_(batch)))
    _count(peer, len(dropped))
    return len(dropped)


def _count(peer: str, number: int) -> None:
    insert_missing(QuarantineLoss, [{"peer": peer, "items": 0, "last_at": clock.now()}])
    loss = db.session.get_one(QuarantineLoss, peer)
    loss.items += number
    loss.last_at = clock.now()
    db.session.flush()


def losses() -> dict[str, int]:
    """Return how many items of each peer were dropped for lack of room: its origin → the number."""
    rows = db.session.execute(select(QuarantineLoss.peer, QuarantineLoss.items))
    return {peer: items for peer, items in rows}  # noqa: C416
