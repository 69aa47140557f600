"""How much of what one peer sent is kept in quarantine, so that no peer fills our disk."""

from sqlalchemy import case, delete, func, select

from hub import clock
from hub.database import db, insert_missing
from hub.federation.models import Quarantined, QuarantineLoss

MOST_ITEMS = 10_000  # Of one peer.
MOST_CHARACTERS = 64 * 1024 * 1024  # Of what one peer sent.
BATCH = 500  # Rows deleted by one statement.


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
