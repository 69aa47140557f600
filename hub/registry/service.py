"""Who belongs to the federation, whose keys count, and who may call us.

A key counts only when the headquarters of its node's enterprise says so. Our own headquarters
is pinned when we join; it names the headquarters of partners, and each of those names the nodes
of its own enterprise and no others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select

from hub import clock
from hub.config import settings
from hub.database import db
from hub.errors import HubError
from hub.registry import dpop, keys, tokens, trust
from hub.registry.addresses import is_origin, is_slug
from hub.registry.errors import (
    AgreementEndedError,
    ClosedError,
    FrozenError,
    NotAnchorError,
    ProofOfPossessionError,
    ScopeError,
    SuspendedError,
    TokenError,
    UnconfirmedError,
    UnknownPeerError,
)
from hub.registry.models import Node, Peer, PeerKind, PeerState

CONTACT = timedelta(seconds=10)  # A peer's last contact is noted at most this often.
LATEST = 253402300800  # Seconds since 1970 at which the year 10000 begins.

_SHUT: dict[PeerState, type[HubError]] = {
    PeerState.SUSPENDED: SuspendedError,
    PeerState.FROZEN: FrozenError,
    PeerState.CLOSED: ClosedError,
}


@dataclass(frozen=True)
class Caller:
    """The peer that a request comes from, as the database knows it at this moment."""

    id: UUID
    origin: str
    client_id: str
    kind: PeerKind
    enterprise: str
    state: PeerState
    agreement_ends_at: datetime | None
    categories: tuple[str, ...]  # What we open to a partner; empty means all.
    shares_public: bool
    seen_at: datetime | None


def authenticate_peer(
    request: dpop.Request, scope: str, *, even_closed: bool = False
) -> tuple[Caller, dpop.Proof | None]:
    """Return the peer that a token was issued to, if it may do this now, and its proof.

    The token proves who asks and for what; membership is read from the database at each request,
    so whoever is suspended is out at once and not when the token expires. A proof holds for this
    request; that it is not used twice, `dpop.claim` sees to. A partner never goes without one.

    :param even_closed: let it in to be told that the peering was closed.
    :raises TokenError: for a missing, foreign, expired or malformed token.
    :raises ProofOfPossessionError: when the sender must hold a key, and does not prove it.
    :raises ScopeError: when the token does not carry the scope.
    :raises UnknownPeerError: when its client is no peer of ours.
    :raises HubError: when the peering is not live; see `check_live`.
    """
    scheme, _, text = (request.authorization or "").partition(" ")
    claims = _claims_of(text)
    proof = _proof_of(request, scheme.lower(), text, claims.get("cnf"))
    peer = db.session.scalar(select(Peer).where(Peer.client_id == claims["client_id"]))
    if peer is None:
        raise UnknownPeerError
    if peer.kind == PeerKind.PARTNER and proof is None:
        raise ProofOfPossessionError("missing")
    if scope not in str(claims.get("scope", "")).split():
        raise ScopeError
    check_live(peer, even_closed=even_closed)
    return caller_of(peer), proof


def renew(caller: Caller) -> Caller:
    """Return a caller as it stands now, when its request was held for a while.

    :raises HubError: when it may no longer come in, not even to be told that it was closed.
    """
    peer = db.session.get(Peer, caller.id, populate_existing=True)
    if peer is None:
        raise UnknownPeerError
    check_live(peer, even_closed=True)
    return caller_of(peer)


def caller_of(peer: Peer) -> Caller:
    """Return what routes may know of a peer that calls."""
    return Caller(
        id=peer.id,
        origin=peer.origin,
        client_id=peer.client_id or "",
        kind=PeerKind(peer.kind),
        enterprise=peer.enterprise,
        state=PeerState(peer.state),
        agreement_ends_at=peer.agreement_ends_at,
        categories=tuple(peer.categories),
        shares_public=peer.shares_public,
        seen_at=peer.seen_at,
    )


def _proof_of(request: dpop.Request, scheme: str, text: str, bound: Any) -> dpop.Proof | None:
    """Return the proof that a bound token needs; None for a token that whoever bears it may use."""
    if bound is None and scheme == "bearer":
        return None
    if not isinstance(bound, dict) or scheme != dpop.SCHEME:
        raise TokenError  # A bound token never passes for a bearer's, nor the other way round.
    proof = dpop.verify(request, access_token=text)
    if proof.thumbprint != bound.get("jkt"):
        raise ProofOfPossessionError("made with another key than the token's")
    return proof


def _claims_of(text: str) -> dict[str, Any]:
    own = keys.own_token_jwk()
    try:
        token = tokens.verify(
            text, typ={tokens.ACCESS_TOKEN}, jwk=lambda claims: own, algorithm=keys.TOKEN
        )
    except tokens.MalformedTokenError as error:
        raise TokenError from error
    claims, origin, now = token.claims, settings().origin, clock.timestamp()
    if claims.get("iss") != origin or claims.get("aud") != origin:
        raise TokenError
    if not isinstance(claims.get("exp"), int) or claims["exp"] <= now:
        raise TokenError
    if not isinstance(claims.get("client_id"), str):
        raise TokenError
    return claims


def check_live(peer: Peer, *, even_closed: bool = False) -> None:
    """Let a peering pass that stands as it should.

    :raises HubError: saying in which other state it is, or that its agreement has ended.
    """
    if peer.state == PeerState.CLOSED and even_closed:
        return
    if peer.state != PeerState.LIVE:
        raise _SHUT.get(PeerState(peer.state), UnconfirmedError)
    if peer.agreement_ends_at is not None and peer.agreement_ends_at <= clock.now():
        raise AgreementEndedError


def is_contact_due(seen_at: datetime | None) -> bool:
    """Say whether a peer's contact should be noted again."""
    return seen_at is None or clock.now() - seen_at >= CONTACT


def peers() -> Sequence[Peer]:
    """Return all peers: headquarters first, then by name."""
    order = [PeerKind.HEADQUARTERS, PeerKind.SIBLING, PeerKind.PARTNER, PeerKind.SUBSIDIARY]
    found = db.session.scalars(select(Peer)).all()
    return sorted(found, key=lambda peer: (order.index(PeerKind(peer.kind)), peer.name))


def live_peers(*kinds: PeerKind) -> Sequence[Peer]:
    """Return the peers of these kinds with which requests are exchanged now."""
    alive = (Peer.agreement_ends_at.is_(None)) | (Peer.agreement_ends_at > clock.now())
    statement = select(Peer).where(Peer.kind.in_(kinds), Peer.state == PeerState.LIVE, alive)
    return db.session.scalars(statement.order_by(Peer.origin)).all()


def find_peer(origin: str) -> Peer | None:
    """Return the peer at an origin, or None."""
    return db.session.scalar(select(Peer).where(Peer.origin == origin))


def key_of(origin: str, kid: str) -> dict[str, Any] | None:
    """Return the public key under which a node signs with this `kid`; None when none counts yet."""
    found = trust.find_key(origin, kid)
    return found.jwk if found and not trust.is_early(found) else None


def enterprise_of(origin: str) -> str | None:
    """Return the enterprise that a node belongs to, or None if we don't know the node."""
    node = db.session.get(Node, origin)
    return node.enterprise if node else None


def anchors() -> dict[str, str]:
    """Return the headquarters of each enterprise that we know: enterprise → origin."""
    rows = db.session.execute(
        select(Node.enterprise, Node.origin).where(Node.is_headquarters).order_by(Node.origin)
    )
    return {row.enterprise: row.origin for row in rows}


def pin(origin: str, *, name: str, enterprise: str, is_headquarters: bool, jwk: object) -> None:
    """Trust a node and its key on the word of the person who joined or confirmed it.

    The caller owns the transaction. Only ourselves and trust anchors come in this way.
    """
    _put_node(origin, name=name, enterprise=enterprise, is_headquarters=is_headquarters)
    trust.put_key(origin, jwk)


def learn(payload: dict[str, Any], *, signer_origin: str) -> None:
    """Take in what a verified `node`, `key` or `key_revoked` entry says, if its signer may say it.

    Entries of other types are left alone. The caller owns the transaction.

    :param payload: the entry, verified under a key of `signer_origin`.
    :raises NotAnchorError: when the signer does not vouch for that node.
    :raises MalformedKeyError: when the key is not a public Ed25519 key.
    """
    fields = payload.get("fields")
    if payload.get("type") not in {"node", "key", "key_revoked"}:
        return
    if not isinstance(fields, dict) or not is_origin(fields.get("node")):
        raise NotAnchorError
    if payload["type"] == "node":
        _learn_node(fields, signer_origin)
    elif payload["type"] == "key_revoked":
        _learn_revocation(fields, signer_origin)
    else:
        _learn_key(fields, signer_origin)


def _learn_node(fields: dict[str, Any], signer: str) -> None:
    origin, enterprise = fields["node"], fields.get("enterprise")
    name, is_headquarters = fields.get("name"), fields.get("headquarters") is True
    if not is_slug(enterprise) or not isinstance(name, str) or len(name) > 200:
        raise NotAnchorError
    if not _vouches(signer, enterprise, origin if is_headquarters else None):
        raise NotAnchorError
    if enterprise_of(origin) not in {None, enterprise}:
        raise NotAnchorError
    _put_node(origin, name=name, enterprise=enterprise, is_headquarters=is_headquarters)


def _learn_key(fields: dict[str, Any], signer: str) -> None:
    node = db.session.get(Node, fields["node"])
    if node is None:
        raise NotAnchorError
    if not _vouches(signer, node.enterprise, node.origin if node.is_headquarters else None):
        raise NotAnchorError
    since = fields.get("not_before")
    if since is not None and (type(since) is not int or not 0 <= since < LATEST):
        raise NotAnchorError
    not_before = None if since is None else datetime.fromtimestamp(since, UTC)
    trust.put_key(node.origin, fields.get("jwk"), not_before)


def _learn_revocation(fields: dict[str, Any], signer: str) -> None:
    """Take in that a key was revoked; only a node's own headquarters says so, and not of itself."""
    node = db.session.get(Node, fields["node"])
    if node is None or node.is_headquarters or signer != anchors().get(node.enterprise):
        raise NotAnchorError
    kid, counts = fields.get("kid"), fields.get("counts")
    if not isinstance(kid, str) or not isinstance(counts, dict) or not trust.are_places(counts):
        raise NotAnchorError
    cutoff = fields.get("cutoff")
    trust.revoke(node.origin, kid, {"cutoff": cutoff, "counts": counts})


def _vouches(signer: str, enterprise: str, headquarters: str | None) -> bool:
    """Say whether a signer may speak for a node of an enterprise.

    :param headquarters: the node's origin when it is to be its enterprise's headquarters.
    """
    known = anchors()
    own = known.get(settings().enterprise)
    anchor = known.get(enterprise)
    if signer == anchor:
        return headquarters in {None, anchor}  # There is one headquarters, and it is known.
    # Our own headquarters names those of our partners, each once.
    return signer == own and headquarters is not None and anchor in {None, headquarters}


def _put_node(origin: str, *, name: str, enterprise: str, is_headquarters: bool) -> None:
    node = db.session.get(Node, origin)
    if node is None:
        node = Node(origin=origin, enterprise=enterprise, is_headquarters=is_headquarters)
        db.session.add(node)
    node.name = name
    db.session.flush()
