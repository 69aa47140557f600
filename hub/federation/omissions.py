"""Gaps that last: whoever served what follows is named, and its log is read again."""

from datetime import timedelta

import structlog
from sqlalchemy import ColumnElement, select

from hub import clock
from hub.database import db
from hub.federation.models import Quarantined
from hub.federation.protocol import cursor_name
from hub.journal import log

SHOWN = 100
PATIENCE = timedelta(minutes=1)  # For which an earlier release may be on its way.
GAP, OMITTED = "gap", "omitted"
WITHHELD = "withheld"  # Signed by headquarters, and not served; see `withholding`.

logger = structlog.get_logger()


def by_peer(*, limit: int = SHOWN) -> dict[str, list[str]]:
    """Return whose releases each peer left out: its origin → theirs."""
    statement = (
        select(Quarantined.peer, Quarantined.iss)
        .where(Quarantined.code.in_((OMITTED, WITHHELD)))
        .distinct()
    )
    found: dict[str, list[str]] = {}
    for peer, iss in db.session.execute(statement.order_by(Quarantined.iss).limit(limit)):
        found.setdefault(peer, []).append(iss)
    return found


def are_due() -> bool:
    """Say whether a gap has lasted so long that the peer that left it must be named."""
    statement = select(Quarantined.id).where(
        Quarantined.is_parked,
        Quarantined.code == GAP,
        Quarantined.quarantined_at < clock.now() - PATIENCE,
    )
    return db.session.scalar(statement.limit(1)) is not None


def has_held_back(peer: str, channel: str) -> bool:
    """Say whether something that a peer served of a channel was not taken in."""
    return _exists(
        Quarantined.peer == peer, Quarantined.channel == channel, Quarantined.code != WITHHELD
    )


def judge(row: Quarantined) -> None:
    """Lay a gap that lasts at the door of the peer that served what follows it.

    For the first of an issuer its log is read again: it may have been restored from a backup and
    have given its numbers out anew.
    """
    if row.code != GAP or row.quarantined_at > clock.now() - PATIENCE:
        return
    same = (Quarantined.channel == row.channel, Quarantined.iss == row.iss)
    if _exists(*same, Quarantined.seq < row.seq, Quarantined.code.not_in((GAP, OMITTED, WITHHELD))):
        return  # What stands before did come, and has a row and a reason of its own.
    if not _exists(*same, Quarantined.peer == row.peer, Quarantined.code == OMITTED):
        log.drop_cursor(cursor_name(row.peer, row.channel))
        logger.error("left out", peer=row.peer, iss=row.iss, channel=row.channel, seq=row.seq)
    row.code = OMITTED
    row.reason = f"{row.peer} left out what stands before: {row.reason}"


def _exists(*conditions: ColumnElement[bool]) -> bool:
    return db.session.scalar(select(Quarantined.id).where(*conditions).limit(1)) is not None
