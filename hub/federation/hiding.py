"""What readers here don't see for now of another enterprise, and why.

Each reason stands by itself, in one row; what came from the enterprise shows again when the last
of them is gone. Headquarters knows the reasons and tells its nodes in `dir`.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, or_, select, update

from hub import clock
from hub.cases.models import Document, Feedback, Standing
from hub.cases.service import reading
from hub.config import settings
from hub.database import db, transaction
from hub.federation import directory
from hub.federation.models import Quarantined
from hub.journal import log
from hub.journal.models import DIRECTORY, GROUP, PUBLIC, Entry, partner_channel
from hub.registry import hidden
from hub.registry import service as registry
from hub.registry.addresses import is_slug
from hub.registry.models import Hiding, Node, Peer, PeerKind, PeerState, Reason

LEASE = timedelta(days=7)  # How long what a partner opened is shown after its last word.
PURGE = timedelta(hours=12)  # From closure to the end of its texts; they must be gone in 24.
NOTED = timedelta(minutes=1)  # A successful poll is noted at most this often.
PAGE = 500  # Documents that are looked at again at once.
OPEN, HIDDEN, CLOSED = "open", "hidden", "closed"  # What headquarters says of a partner.


def hide(enterprise: str, reason: Reason, *, purge_at: datetime | None = None) -> None:
    """Show nothing of an enterprise any more, from this transaction on; the caller owns it.

    Nothing is looked at again when the same reason stood already.

    :param purge_at: when its texts go from our storage too.
    """
    _lock(enterprise)
    known = db.session.get(Hiding, (enterprise, reason))
    if known is not None:
        known.purge_at = known.purge_at or purge_at
        return
    db.session.add(
        Hiding(enterprise=enterprise, reason=reason, since=clock.now(), purge_at=purge_at)
    )
    db.session.flush()
    _look_again(enterprise)


def lift(enterprise: str, *reasons: Reason) -> None:
    """Drop these reasons, and show what came from the enterprise if no other is left.

    The caller owns the transaction. Nothing happens when there was none of them.
    """
    statement = select(Hiding.reason).where(
        Hiding.enterprise == enterprise, Hiding.reason.in_(reasons)
    )
    if not db.session.scalars(statement).all():
        return
    _lock(enterprise)
    db.session.execute(
        delete(Hiding).where(Hiding.enterprise == enterprise, Hiding.reason.in_(reasons))
    )
    _look_again(enterprise)


def reasons() -> dict[str, list[str]]:
    """Return why nothing is shown of an enterprise, for each of which that is so."""
    found: dict[str, list[str]] = {}
    rows = db.session.execute(select(Hiding.enterprise, Hiding.reason).order_by(Hiding.since))
    for enterprise, reason in rows:
        found.setdefault(enterprise, []).append(reason)
    return found


def obey(document: dict[str, Any]) -> None:
    """Do as our headquarters says of a partner in `dir`; the caller owns the transaction."""
    enterprise, state = document["fields"].get("enterprise"), document["fields"].get("state")
    if document["type"] != directory.PARTNER or not is_slug(enterprise):
        return
    if enterprise == settings().enterprise:
        return
    if state == OPEN:
        lift(enterprise, Reason.HEADQUARTERS)
    elif state in {HIDDEN, CLOSED}:
        purge_at = clock.now() + PURGE if state == CLOSED else None
        hide(enterprise, Reason.HEADQUARTERS, purge_at=purge_at)


def note_poll(origin: str) -> None:
    """Note that a peer has just answered a pull in full: that renews its leases.

    Opens a transaction of its own, and only when there is something to note.
    """
    db.session.rollback()
    peer = registry.find_peer(origin)
    if peer is None:
        return
    now = clock.now()
    waiting = db.session.scalars(_renewed_by(peer)).all()
    if not waiting and peer.polled_at is not None and now - peer.polled_at < NOTED:
        return
    with transaction():
        db.session.execute(update(Peer).where(Peer.origin == origin).values(polled_at=now))
        for enterprise in sorted(set(waiting)):
            lift(enterprise, Reason.LEASE, Reason.AGREEMENT)


def review() -> None:
    """Hide what has lost its lease or its agreement, and purge what must not be kept.

    A follower's step: opens its own transactions, and may stop at any point.
    """
    rows = db.session.execute(select(Hiding.enterprise, Hiding.reason))
    known = {(row.enterprise, Reason(row.reason)) for row in rows}
    for enterprise, reason in sorted(_due() - known):
        with transaction():
            hide(enterprise, reason)
    statement = select(Hiding.enterprise).where(
        Hiding.purge_at <= clock.now(), Hiding.purged_at.is_(None)
    )
    for enterprise in set(db.session.scalars(statement)):
        with transaction():
            _purge(enterprise)
    db.session.rollback()


def _due() -> set[tuple[str, Reason]]:
    """Return what must be hidden by now for want of a lease or of an agreement."""
    now, due = clock.now(), set()
    for peer in registry.peers():
        if peer.state in {PeerState.REGISTERED, PeerState.CLOSED}:
            continue
        is_stale = now - (peer.polled_at or peer.created_at) > LEASE
        if peer.kind == PeerKind.PARTNER:
            if is_stale:
                due.add((peer.enterprise, Reason.LEASE))
            if peer.agreement_ends_at is not None and peer.agreement_ends_at <= now:
                due.add((peer.enterprise, Reason.AGREEMENT))
        elif peer.kind == PeerKind.HEADQUARTERS and is_stale:
            due |= {(enterprise, Reason.LEASE) for enterprise in hidden.foreign_enterprises()}
    return due


def _renewed_by(peer: Peer) -> Any:
    """Return the query for the enterprises that a poll of this peer may show again."""
    statement = select(Hiding.enterprise).where(Hiding.reason.in_([Reason.LEASE, Reason.AGREEMENT]))
    if peer.kind == PeerKind.PARTNER:
        return statement.where(Hiding.enterprise == peer.enterprise)
    return statement


def _lock(enterprise: str) -> None:
    """Lock whatever the transaction will append to, at once and so in one order."""
    channels = [DIRECTORY, GROUP, PUBLIC, partner_channel(enterprise)]
    log.lock_heads(channels if settings().offers_all else [])


def _look_again(enterprise: str) -> None:
    """Decide anew who sees each document of an enterprise; headquarters tells its nodes."""
    for statement, column in _shown_of(enterprise):
        last: UUID | None = None
        page = statement.order_by(column).limit(PAGE)
        while rows := db.session.execute(page.where(column > last) if last else page).all():
            last = rows[-1].id
            reading.receive(log.look_again([tuple(row)[1:] for row in rows]))
    if settings().is_headquarters:
        directory.say_of_partner(enterprise, _state_of(enterprise))


def _shown_of(enterprise: str) -> list[tuple[Any, Any]]:
    """Return the queries for its documents and for what its nodes said of others', by id."""
    documents = select(
        Document.id,
        Document.origin,
        Document.entry_id,
        Document.rev,
        Document.kind,
        Document.digest,
    ).where(Document.enterprise == enterprise, Document.withdrawn_at.is_(None))
    remarks = (
        select(
            Feedback.id,
            Feedback.origin,
            Feedback.entry_id,
            Entry.rev,
            Feedback.type,
            Feedback.digest,
        )
        .join(Entry, Entry.digest == Feedback.digest)
        .where(Feedback.origin.in_(_nodes_of(enterprise)), Feedback.state == Standing.ACCEPTED)
    )
    return [(documents, Document.id), (remarks, Feedback.id)]


def _nodes_of(enterprise: str) -> Any:
    return select(Node.origin).where(Node.enterprise == enterprise)


def _state_of(enterprise: str) -> str:
    statement = select(Hiding.reason).where(Hiding.enterprise == enterprise)
    reasons = set(db.session.scalars(statement))
    if Reason.CLOSED in reasons:
        return CLOSED
    return HIDDEN if reasons else OPEN


def _purge(enterprise: str) -> None:
    """Drop every text of an enterprise; what it signed about nodes and keys is none."""
    nodes = _nodes_of(enterprise)
    texts = Entry.payload.is_not(None) & Entry.type.not_in(directory.KINDS)
    db.session.execute(
        update(Entry).where(Entry.origin.in_(nodes), texts).values(payload=None),
        execution_options={"synchronize_session": False},
    )
    db.session.execute(delete(Document).where(Document.enterprise == enterprise))
    db.session.execute(
        update(Feedback)
        .where(Feedback.origin.in_(nodes))
        .values(text="", audience=None, state=Standing.ENDED),
        execution_options={"synchronize_session": False},
    )
    db.session.execute(
        delete(Quarantined).where(or_(Quarantined.peer.in_(nodes), Quarantined.iss.in_(nodes)))
    )
    db.session.execute(
        update(Hiding)
        .where(Hiding.enterprise == enterprise, Hiding.purge_at.is_not(None))
        .values(purged_at=clock.now())
    )
