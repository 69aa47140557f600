"""What arrived and was not taken in: shown to the person who must know, and tried again."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Integer, cast, delete, func, select
from sqlalchemy.orm import defer

from hub.audit import service as audit
from hub.database import db
from hub.errors import HubError, NotFoundError, mark
from hub.federation import freezing, omissions, relay, shelf
from hub.federation.models import Quarantined
from hub.federation.protocol import Item
from hub.federation.receiving import PARKED, Intake, Outcome
from hub.federation.sender import Sender, sender_of
from hub.journal.models import PUT, Entry, Release
from hub.registry import service as registry
from hub.registry.models import Peer, PeerKind, PeerState

SHOWN = 100
MOST_RETRIED = 500  # Parked items that are tried again at once.
NO_TEXT = ("text_missing", "its release was taken in, its text was not the one that was signed")


class CutError(HubError):
    """An item that was larger than what is kept of one."""

    status = 409
    code = "cut"
    message = mark("Only its beginning was kept, so it can't be tried again.")


@dataclass(frozen=True)
class Held:
    """What of one peer is held back."""

    items: int = 0
    parked: int = 0  # Of these, those that wait for what may still arrive.
    dropped: int = 0  # No longer here: there were more than are kept of one peer.


def held_by_peer() -> dict[str, Held]:
    """Return what of each peer is held back: its origin → the numbers."""
    parked = func.sum(cast(Quarantined.is_parked, Integer))
    counts = select(Quarantined.peer, func.count(), parked).group_by(Quarantined.peer)
    lost = shelf.losses()
    found = {peer: Held(dropped=number) for peer, number in lost.items()}
    for peer, items, waiting in db.session.execute(counts):
        found[peer] = Held(items, waiting, lost.get(peer, 0))
    return found


def newest(*, limit: int = SHOWN) -> Sequence[Quarantined]:
    """Return what was held back last, without the bytes."""
    statement = select(Quarantined).options(defer(Quarantined.raw))
    return db.session.scalars(statement.order_by(Quarantined.id.desc()).limit(limit)).all()


def find(item_id: int) -> Quarantined:
    """Return an item that is held back.

    :raises NotFoundError: when it is not, or no longer.
    """
    row = db.session.get(Quarantined, item_id)
    if row is None:
        raise NotFoundError
    return row


def discard(item_id: int, reason: str, *, actor_id: UUID | None = None) -> None:
    """Forget an item for good; who decided and why stays in the audit trail.

    :raises NotFoundError: when it is not held back, or no longer.
    """
    row = find(item_id)
    audit.record(
        "quarantined.discarded",
        actor_id=actor_id,
        subject=row.digest,
        peer=row.peer,
        channel=row.channel,
        code=row.code,
        reason=reason,
    )
    db.session.delete(row)
    db.session.flush()


def retry(item_id: int, *, actor_id: UUID | None = None) -> Outcome:
    """Try one item again now, as if its peer had just sent it; `code` None says that it came in.

    The caller owns the transaction.

    :raises NotFoundError: when it is not held back, or no longer.
    :raises CutError: when only its beginning was kept.
    :raises SuspendedError, UnconfirmedError, AgreementEndedError: when its peer is not live.
    :raises ClosedChannelError: when its peer may no longer publish into its channel.
    """
    row = find(item_id)
    peer = registry.find_peer(row.peer)
    if peer is None:
        raise NotFoundError
    if not row.is_whole:
        raise CutError
    registry.check_live(peer)
    if peer.kind == PeerKind.SUBSIDIARY:
        relay.open_ingest(registry.caller_of(peer), row.channel)
    digest = row.digest
    outcome = _try(row, peer)
    audit.record("quarantined.retried", actor_id=actor_id, subject=digest, code=outcome.code)
    return outcome


def has_early() -> bool:
    """Say whether something waits for nothing but the time from which its key counts."""
    early = select(Quarantined.id).where(Quarantined.is_parked, Quarantined.code == "early_key")
    return db.session.scalar(early.limit(1)) is not None


def retry_parked() -> int:
    """Try again what waited for a key or for an earlier release; return how many came through.

    What waits for a frozen node is left alone. Called in a transaction of its own after anything
    was taken in, and once a gap has lasted.
    """
    rows = db.session.scalars(
        select(Quarantined)
        .where(Quarantined.is_parked, Quarantined.iss.not_in(freezing.frozen()))
        .order_by(Quarantined.channel, Quarantined.iss, Quarantined.seq)
        .limit(MOST_RETRIED)
    ).all()
    count = 0
    for row in rows:
        peer = registry.find_peer(row.peer)
        if peer is not None and peer.state == PeerState.LIVE:
            count += _try(row, peer).code is None
    return count


def _try(row: Quarantined, peer: Peer) -> Outcome:
    """Hand an item to the ordinary intake, and keep or drop its row by what became of it."""
    if row.code == omissions.WITHHELD:  # Evidence, and nothing that could be taken in.
        return Outcome(row.digest, row.code, row.reason)
    raw = json.loads(row.raw)
    item = Item(0, raw["release"], raw["entry"], row.via)
    outcome = Intake(_sender_of(peer), row.channel).take([item])[0]
    if outcome.code is None and not _lacks_text(outcome.digest):
        db.session.execute(delete(Quarantined).where(Quarantined.id == row.id))
        return outcome
    if outcome.code is None:
        code, reason = NO_TEXT if row.is_parked else (row.code, row.reason)
        outcome = Outcome(outcome.digest, code, reason)
    row.is_parked = outcome.code in PARKED and row.is_parked
    row.code, row.reason = str(outcome.code), outcome.reason
    omissions.judge(row)
    db.session.flush()
    return outcome


def _sender_of(peer: Peer) -> Sender:
    """Return who sent it: a node of our own enterprise publishes, all others serve a log."""
    sender = sender_of(peer)
    is_ingest = sender.kind == PeerKind.SUBSIDIARY
    return Sender(sender.origin, sender.kind, sender.enterprise, is_ingest)


def _lacks_text(digest: str) -> bool:
    """Say whether a release was taken in whose entry never came in a good state."""
    statement = (
        select(Release.position)
        .outerjoin(Entry, Entry.digest == Release.entry_digest)
        .where(Release.digest == digest, Release.op == PUT, Entry.digest.is_(None))
    )
    return db.session.scalar(statement) is not None
