"""How headquarters lets a node in (RFC 7591, with an invitation as initial access token)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import select

from hub import clock
from hub.audit import service as audit
from hub.config import settings
from hub.database import db
from hub.errors import InvalidError
from hub.federation import directory, peering, statements
from hub.federation.errors import (
    ExpiredInvitationError,
    InvitationError,
    OtherNodeError,
    UsedInvitationError,
)
from hub.registry.models import Invitation, Peer, PeerKind, PeerState


@dataclass(frozen=True)
class Applicant:
    """What a node says of itself when it registers."""

    origin: str
    enterprise: str
    name: str
    signing_jwk: dict[str, Any]
    token_jwk: dict[str, Any]

    @classmethod
    def read(cls, body: dict[str, Any]) -> "Applicant":
        """Return the applicant of a request; members that we don't know are ignored (RFC 7591).

        :raises InvalidError: for what is missing or not supported.
        """
        for name in ("node", "enterprise", "client_name"):
            value = body.get(name)
            if not isinstance(value, str) or not 0 < len(value) <= 200 or not value.isprintable():
                raise InvalidError(name, "missing or malformed")
        if body.get("token_endpoint_auth_method", "private_key_jwt") != "private_key_jwt":
            raise InvalidError("token_endpoint_auth_method", "private_key_jwt")
        if body.get("grant_types", ["client_credentials"]) != ["client_credentials"]:
            raise InvalidError("grant_types", "client_credentials")
        signing, token = statements.read_jwks(body.get("jwks"))
        return cls(body["node"], body["enterprise"], body["client_name"], signing, token)


def is_known(code: str) -> bool:
    """Say whether there is such an invitation; asked before anything is locked for it."""
    digest = statements.code_digest(code)
    return db.session.get(Invitation, digest) is not None


def register(code: str, body: dict[str, Any]) -> dict[str, Any]:
    """Let in the node that an invitation names, and return what it is told.

    The same code with the same key gets the same answer, so a lost answer burns nothing. The caller
    owns the transaction.

    :raises InvitationError: when the code is unknown, over, used, or another node's.
    :raises ProofError: when the node does not hold both keys that it shows.
    """
    invitation = _find(code)
    applicant = Applicant.read(body)
    if (applicant.origin, applicant.enterprise) != (invitation.origin, invitation.enterprise):
        raise OtherNodeError(invitation.origin, applicant.origin)
    statements.check_proof(
        body.get("proof"), code, applicant.origin, applicant.signing_jwk, applicant.token_jwk
    )
    if invitation.answer is not None:
        if invitation.claimed_by != applicant.signing_jwk["kid"]:
            raise UsedInvitationError
        return invitation.answer
    peer = _admit(invitation, applicant)
    invitation.claimed_by = peer.fingerprint
    invitation.answer = _answer(peer)
    db.session.flush()
    return invitation.answer


def _find(code: str) -> Invitation:
    """Return an invitation, locked: of two that come at once, the second sees the first's claim."""
    statement = select(Invitation).where(Invitation.digest == statements.code_digest(code))
    invitation = db.session.scalar(
        statement.with_for_update().execution_options(populate_existing=True)
    )
    if invitation is None:
        raise InvitationError
    if invitation.expires_at <= clock.now():
        raise ExpiredInvitationError
    return invitation


def _is_newer(confirmed_at: datetime | None, invitation: Invitation) -> bool:
    return confirmed_at is not None and confirmed_at > invitation.created_at


def _admit(invitation: Invitation, applicant: Applicant) -> Peer:
    kind = PeerKind(invitation.kind)
    if kind == PeerKind.SIBLING:
        peering.check_sibling(applicant.origin, applicant.signing_jwk["kid"])
    peer = peering.find_or_add(
        applicant.origin,
        name=applicant.name,
        enterprise=applicant.enterprise,
        kind=kind,
        signing_jwk=applicant.signing_jwk,
        token_jwk=applicant.token_jwk,
    )
    peer.client_id = peer.client_id or str(uuid4())
    peer.seen_at = clock.now()
    # Whoever confirmed it after the invitation was made may have agreed on something else since.
    if not peer.agreement_ends_at or not _is_newer(peer.confirmed_at, invitation):
        peer.agreement_ends_at = invitation.agreement_ends_at
        peer.categories, peer.shares_public = invitation.categories, invitation.shares_public
    is_ours = kind in {PeerKind.SUBSIDIARY, PeerKind.SIBLING}
    if is_ours and peer.state in {PeerState.REGISTERED, PeerState.FROZEN}:
        peer.state = PeerState.LIVE
    if kind == PeerKind.SUBSIDIARY:
        directory.announce(
            peer.origin,
            name=peer.name,
            enterprise=peer.enterprise,
            is_headquarters=False,
            jwk=peer.signing_jwk,
        )
    peering.settle(peer)
    audit.record(
        "peer.registered", actor_id=None, subject=peer.origin, fingerprint=peer.fingerprint
    )
    return peer


def _answer(peer: Peer) -> dict[str, Any]:
    config = settings()
    anchor = statements.state(
        config.origin,
        name=config.name,
        enterprise=config.enterprise,
        role="headquarters" if config.is_headquarters else "subsidiary",
        jwks=statements.own_jwks(),
        former=statements.former_jwks(),
    )
    role = "headquarters" if peer.kind == PeerKind.PARTNER else "subsidiary"
    jwks = {"keys": [peer.signing_jwk, peer.token_jwk]}
    return {
        "client_id": peer.client_id,
        "client_id_issued_at": clock.timestamp(),
        "client_name": peer.name,
        "grant_types": ["client_credentials"],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": jwks,
        "anchor": anchor,
        "statement": statements.state(
            peer.origin, name=peer.name, enterprise=peer.enterprise, role=role, jwks=jwks
        ),
    }
