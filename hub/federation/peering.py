"""The life of a peering: registered, confirmed by a person where needed, live, suspended."""

from typing import Any
from uuid import UUID

from hub import clock
from hub.audit import service as audit
from hub.cases.fields import CATEGORIES
from hub.config import settings
from hub.database import db
from hub.federation import directory, hiding
from hub.federation.agreements import AGREEMENT, Agreement, check_categories
from hub.federation.errors import (
    AgreementError,
    EnterpriseError,
    NotVouchedError,
    OtherFingerprintError,
    OtherKeyError,
    RevokedKeyError,
    UnknownPeerError,
)
from hub.registry import service as registry
from hub.registry import trust
from hub.registry.errors import ClosedError
from hub.registry.models import Peer, PeerKind, PeerState, Reason


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
            categories=[],
            shares_public=True,
            created_at=clock.now(),
        )
        db.session.add(peer)
    if peer.state == PeerState.CLOSED:
        _open_again(peer)
    if (peer.kind, peer.enterprise) != (kind, enterprise):
        raise EnterpriseError
    peer.name, peer.token_jwk = name, token_jwk
    peer.signing_jwk, peer.fingerprint = signing_jwk, signing_jwk["kid"]
    db.session.flush()
    return peer


def check_sibling(origin: str, kid: str) -> None:
    """Let a node of our enterprise pass that its headquarters vouches for, with this key.

    :raises NotVouchedError: for any other.
    :raises RevokedKeyError: when the key was revoked.
    """
    key = trust.find_key(origin, kid)
    if key is None or registry.enterprise_of(origin) != settings().enterprise:
        raise NotVouchedError
    if key.revoked_at:
        raise RevokedKeyError(origin, kid)


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


def _open_again(peer: Peer) -> None:
    """Begin a closed peering anew: both invitations and the comparison are needed once more."""
    peer.state, peer.closure = PeerState.REGISTERED, None
    peer.client_id = peer.our_client_id = peer.confirmed_at = peer.agreement_ends_at = None


def confirm(
    origin: str,
    fingerprint: str,
    agreement: Agreement | None = None,
    *,
    actor_id: UUID | None = None,
) -> Peer:
    """Trust a partner whose fingerprint a person has compared by another road.

    From then on our nodes accept its headquarters as the anchor of its enterprise, and it learns
    our own. The caller owns the transaction.

    :param fingerprint: as read out by the partner; spaces don't count.
    :param agreement: what it may read here; as it was invited if None.
    :raises UnknownPeerError: when no partner has this origin.
    :raises AgreementError: when the agreement would have ended already.
    :raises OtherFingerprintError: when it is another one.
    """
    peer = find(origin)
    if peer.kind != PeerKind.PARTNER:
        raise UnknownPeerError
    given = "".join(fingerprint.split())
    if given != peer.fingerprint:
        raise OtherFingerprintError(grouped(peer.fingerprint), grouped(given))
    peer.confirmed_at = peer.confirmed_at or clock.now()
    if agreement:
        agree(peer, agreement)
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


def agree(peer: Peer, agreement: Agreement) -> None:
    """Set what a partner may read here, from the next request on.

    :raises AgreementError: when the agreement would have ended already.
    """
    ends_at = agreement.ends_at or clock.now() + AGREEMENT
    if ends_at <= clock.now():
        raise AgreementError
    peer.categories = check_categories(agreement.categories, list(CATEGORIES))
    peer.agreement_ends_at, peer.shares_public = ends_at, agreement.shares_public


def settle(peer: Peer) -> None:
    """Make a partner live once each side let the other in and a person here confirmed it."""
    is_complete = bool(peer.confirmed_at and peer.client_id and peer.our_client_id)
    if peer.kind == PeerKind.PARTNER and peer.state == PeerState.REGISTERED and is_complete:
        peer.state = PeerState.LIVE
        hiding.lift(peer.enterprise, Reason.CLOSED)
    db.session.flush()


def suspend(origin: str, *, actor_id: UUID | None = None) -> Peer:
    """Stop all exchange with a peer at once; cursors stay, so that it can go on later.

    :raises ClosedError: when it was closed for good.
    """
    peer = find(origin)
    if peer.state == PeerState.FROZEN:
        return peer  # Else resuming it would undo the revocation of its key.
    if peer.state == PeerState.CLOSED:
        raise ClosedError
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
