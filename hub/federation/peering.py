"""The life of a peering: registered, confirmed by a person where needed, live, suspended."""

from typing import Any
from uuid import UUID

from hub import clock
from hub.audit import service as audit
from hub.config import settings
from hub.database import db
from hub.federation import directory
from hub.federation.errors import (
    EnterpriseError,
    OtherFingerprintError,
    OtherKeyError,
    RevokedKeyError,
    UnknownPeerError,
)
from hub.registry import service as registry
from hub.registry import trust
from hub.registry.models import Peer, PeerKind, PeerState


def find(origin: str) -> Peer:
    """Return the peer at an origin.

    :raises UnknownPeerError: when there is none.
    """
    peer = registry.find_peer(origin)
    if peer is None:
        raise UnknownPeerError
    return peer


def find_or_add(
    origin: str,
    *,
    name: str,
    enterprise: str,
    kind: PeerKind,
    signing_jwk: dict[str, Any],
    token_jwk: dict[str, Any],
) -> Peer:
    """Return the peer at an origin, added if it is new; what it proved of itself is kept.

    :raises OtherKeyError: when it is known with another signing key. Only a person may decide
        what that means; by revoking the known one, headquarters' administrator does.
    :raises RevokedKeyError: when it comes with a key that was revoked.
    :raises EnterpriseError: when it is known as something else, or its enterprise already has
        another headquarters.
    """
    anchor = registry.anchors().get(enterprise, origin)
    if kind == PeerKind.PARTNER and anchor != origin:
        raise EnterpriseError
    _check_key(origin, signing_jwk["kid"])
    peer = registry.find_peer(origin)
    if peer is None:
        peer = Peer(
            origin=origin,
            enterprise=enterprise,
            kind=kind,
            state=PeerState.REGISTERED,
            fingerprint=signing_jwk["kid"],
            signing_jwk=signing_jwk,
            created_at=clock.now(),
        )
        db.session.add(peer)
    if (peer.kind, peer.enterprise) != (kind, enterprise):
        raise EnterpriseError
    peer.name, peer.token_jwk = name, token_jwk
    peer.signing_jwk, peer.fingerprint = signing_jwk, signing_jwk["kid"]
    db.session.flush()
    return peer


def _check_key(origin: str, kid: str) -> None:
    """Let a peer come with the key that we know, with one that followed it, or, when all of its
    keys were revoked, with another.
    """
    peer, known = registry.find_peer(origin), trust.keys_of(origin)
    named = next((key for key in known if key.kid == kid), None)
    if named and named.revoked_at:
        raise RevokedKeyError(origin, kid)
    is_replaced = bool(known) and all(key.revoked_at for key in known)
    if peer and kid != peer.fingerprint and named is None and not is_replaced:
        raise OtherKeyError(origin)


def confirm(origin: str, fingerprint: str, *, actor_id: UUID | None = None) -> Peer:
    """Trust a partner whose fingerprint a person has compared by another road.

    From then on our nodes accept its headquarters as the anchor of its enterprise, and it learns
    our own. The caller owns the transaction.

    :param fingerprint: as read out by the partner; spaces don't count.
    :raises UnknownPeerError: when no partner has this origin.
    :raises OtherFingerprintError: when it is another one.
    """
    peer = find(origin)
    if peer.kind != PeerKind.PARTNER:
        raise UnknownPeerError
    given = "".join(fingerprint.split())
    if given != peer.fingerprint:
        raise OtherFingerprintError(grouped(peer.fingerprint), grouped(given))
    peer.confirmed_at = peer.confirmed_at or clock.now()
    settle(peer)
    directory.announce(
        origin,
        name=peer.name,
        enterprise=peer.enterprise,
        is_headquarters=True,
        jwk=peer.signing_jwk,
    )
    directory.introduce(settings().origin, peer.enterprise)
    audit.record("peer.confirmed", actor_id=actor_id, subject=origin, fingerprint=given)
    return peer


def settle(peer: Peer) -> None:
    """Make a partner live once each side let the other in and a person here confirmed it."""
    is_complete = bool(peer.confirmed_at and peer.client_id and peer.our_client_id)
    if peer.kind == PeerKind.PARTNER and peer.state == PeerState.REGISTERED and is_complete:
        peer.state = PeerState.LIVE
    db.session.flush()


def suspend(origin: str, *, actor_id: UUID | None = None) -> Peer:
    """Stop all exchange with a peer at once; cursors stay, so that it can go on later."""
    peer = find(origin)
    if peer.state == PeerState.FROZEN:
        return peer  # Else resuming it would undo the revocation of its key.
    audit.record("peer.suspended", actor_id=actor_id, subject=origin)
    peer.state = PeerState.SUSPENDED
    db.session.flush()
    return peer


def resume(origin: str, *, actor_id: UUID | None = None) -> Peer:
    """Go on with a suspended peer where it was stopped."""
    peer = find(origin)
    if peer.state != PeerState.SUSPENDED:
        return peer
    audit.record("peer.resumed", actor_id=actor_id, subject=origin)
    peer.state = PeerState.REGISTERED if peer.kind == PeerKind.PARTNER else PeerState.LIVE
    settle(peer)
    return peer


def grouped(fingerprint: str) -> str:
    """Return a fingerprint in groups of four, for comparing by eye or over the telephone."""
    return " ".join(fingerprint[start : start + 4] for start in range(0, len(fingerprint), 4))
