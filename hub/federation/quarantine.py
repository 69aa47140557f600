"""What arrived and was not taken in, for the person who must know."""

from collections.abc import Sequence

from sqlalchemy import func, select

from hub.database import db
from hub.federation.models import Quarantined

SHOWN = 100


def count_by_peer() -> dict[str, int]:
    """Return how many items of each peer are held back: its origin → the number."""
    statement = select(Quarantined.peer, func.count()).group_by(Quarantined.peer)
    return {peer: count for peer, count in db.session.execute(statement)}  # noqa: C416


def newest(*, limit: int = SHOWN) -> Sequence[Quarantined]:
    """Return what was held back last."""
    statement = select(Quarantined).order_by(Quarantined.id.desc()).limit(limit)
    return db.session.scalars(statement).all()
