"""Closing a peering with a partner for good, and being told that it was closed."""

from typing import Any
from uuid import UUID

from sqlalchemy import delete

from hub import clock
from hub.audit import service as audit
from hub.config import settings
from hub.database import db
from hub.federation import directory, hiding, peering, relay
from hub.federation.errors import MalformedError, UnknownPeerError
from hub.journal import log
from hub.journal.models import DIRECTORY, GROUP, PUBLIC, partner_channel
from hub.journal.signing import node_keys
from hub.journal.verification import verify_signed
from hub.registry.models import Invitation, Peer, PeerKind, PeerState, Reason
from hub.registry.service import Caller

CLOSURE = "jw-closure+jws"


def close(origin: str, *, actor_id: UUID | None = None) -> Peer:
    """End a peering with a partner: nothing passes, and nothing of it is shown any longer.

    Both sides drop each other's texts within 24 hours; opening again takes new invitations. The
    caller owns the transaction. Closing twice changes nothing.

    :raises UnknownPeerError: when no partner has this origin.
    """
    peer = peering.find(origin)
    if peer.kind != PeerKind.PARTNER:
        raise UnknownPeerError
    if peer.state != PeerState.CLOSED:
        _lock(peer)
        peer.closure = node_keys().sign(_statement(peer), CLOSURE).as_wire()
        _end(peer, actor_id)
    return peer


def told_to(caller: Caller) -> dict[str, Any] | None:
    """Return the statement that a partner must be given, or None while its peering stands."""
    if caller.state != PeerState.CLOSED:
        return None
    return db.session.get_one(Peer, caller.id).closure


def receive(origin: str, wire: object) -> None:
    """Close our side too, as a partner's signed statement says. The caller owns the transaction.

    :raises VerificationError, MalformedError: when that is no statement of this partner about us.
    """
    peer = peering.find(origin)
    own = {peer.fingerprint: peer.signing_jwk}
    told = verify_signed(wire, CLOSURE, origin, lambda signer, kid: own.get(kid))
    expected = (1, origin, settings().origin)
    if (told.get("v"), told.get("iss"), told.get("sub")) != expected:
        raise MalformedError(origin, "a closure of something else")
    if peer.kind == PeerKind.PARTNER and peer.state != PeerState.CLOSED:
        _lock(peer)
        peer.closure = dict(wire) if isinstance(wire, dict) else None
        _end(peer, None)


def _lock(peer: Peer) -> None:
    log.lock_heads([DIRECTORY, GROUP, PUBLIC, partner_channel(peer.enterprise)])


def _statement(peer: Peer) -> dict[str, Any]:
    """Say from which item of each log on nothing is open any more."""
    heads = relay.heads_of([partner_channel(peer.enterprise), PUBLIC])
    closed = {name: {"epoch": at.epoch, "from": at.seq + 1} for name, at in heads.items()}
    return {
        "v": 1,
        "iss": settings().origin,
        "sub": peer.origin,
        "iat": clock.timestamp(),
        "channels": closed,
    }


def _end(peer: Peer, actor_id: UUID | None) -> None:
    peer.state = PeerState.CLOSED
    db.session.execute(delete(Invitation).where(Invitation.origin == peer.origin))
    directory.take_back(peer.enterprise)  # This also wakes the partner, if it waits for news.
    hiding.hide(peer.enterprise, Reason.CLOSED, purge_at=clock.now() + hiding.PURGE)
    audit.record("peer.closed", actor_id=actor_id, subject=peer.origin)
    db.session.flush()
