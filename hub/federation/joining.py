"""Joining a federation: one pasted code, one request.

The code names the headquarters, its key and a secret. The node that received it shows its own keys
with the proof that it holds them, and pins the key that the code names: the person who pasted the
code is the one who vouches for it.
"""

import json
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from joserfc.util import urlsafe_b64decode, urlsafe_b64encode

from hub import clock
from hub.audit import service as audit
from hub.cases.fields import CATEGORIES
from hub.config import settings
from hub.database import db
from hub.errors import InvalidError
from hub.federation import peering, revocation, statements
from hub.federation.agreements import AGREEMENT, EVERYTHING, Agreement, check_categories
from hub.federation.client import PeerClient
from hub.federation.errors import (
    AgreementError,
    AlreadyJoinedError,
    EnterpriseError,
    ForbiddenAddressError,
    MalformedCodeError,
    MalformedError,
    NotHeadquartersError,
    OtherFingerprintError,
)
from hub.journal.signing import NodeKeys, node_keys
from hub.registry import service as registry
from hub.registry.addresses import is_origin, is_slug
from hub.registry.models import Invitation, Peer, PeerKind, PeerState

LIFE = timedelta(hours=24)  # Of an invitation.
PREFIX = "jw1."

_CODE = re.compile(r"jw1\.[A-Za-z0-9_-]{60,600}")


@dataclass(frozen=True)
class Offer:
    """What a code says, and what the node at its address says of itself."""

    code: str
    origin: str
    fingerprint: str  # Of the key that will be pinned.
    name: str
    enterprise: str
    kind: PeerKind  # What it would be to us.
    clock_ahead: float | None  # Seconds that its clock is ahead of ours.


@dataclass(frozen=True)
class Admission:
    """That a headquarters let us in: verified, and not yet kept."""

    origin: str
    client_id: str
    name: str
    enterprise: str
    kind: PeerKind
    signing_jwk: dict[str, Any]
    token_jwk: dict[str, Any]
    former_jwks: list[dict[str, Any]]  # With which it signed before.


def invite(
    origin: str,
    enterprise: str,
    kind: PeerKind,
    agreement: Agreement = EVERYTHING,
    *,
    actor_id: UUID | None = None,
) -> str:
    """Return a code with which exactly this node may register once, within 24 hours.

    It is shown once: only its digest is kept. The caller owns the transaction.

    :param agreement: with a partner; ignored for anybody else.
    :raises NotHeadquartersError, ForbiddenAddressError, EnterpriseError, AgreementError: when there
        is nothing of the kind to invite to.
    """
    now, is_partner = clock.now(), kind == PeerKind.PARTNER
    ends_at = (agreement.ends_at or now + AGREEMENT) if is_partner else None
    _check_invitation(origin, enterprise, kind, ends_at)
    categories = check_categories(agreement.categories if is_partner else (), list(CATEGORIES))
    code = _encode(settings().origin, node_keys().fingerprint, secrets.token_bytes(16))
    audit.record(
        "peer.invited", actor_id=actor_id, subject=origin, enterprise=enterprise, kind=kind
    )
    db.session.add(
        Invitation(
            digest=statements.code_digest(code),
            origin=origin,
            enterprise=enterprise,
            kind=kind,
            agreement_ends_at=ends_at,
            categories=categories,
            shares_public=agreement.shares_public,
            created_at=now,
            expires_at=now + LIFE,
        )
    )
    db.session.flush()
    return code


def _check_invitation(
    origin: str, enterprise: str, kind: PeerKind, ends_at: datetime | None
) -> None:
    config = settings()
    if not is_origin(origin) or origin == config.origin:
        raise ForbiddenAddressError(origin)
    if not is_slug(enterprise):
        raise InvalidError("enterprise", "a-z 0-9 -")
    if enterprise == config.enterprise:
        expected = PeerKind.SUBSIDIARY if config.is_headquarters else PeerKind.SIBLING
    elif config.is_headquarters:
        expected = PeerKind.PARTNER
    else:
        raise NotHeadquartersError
    if kind != expected:
        raise EnterpriseError
    if ends_at is not None and ends_at <= clock.now():
        raise AgreementError


def look(code: str) -> Offer:
    """Return who invites us, as seen at its address; nothing is sent and nothing is kept.

    :raises MalformedCodeError: when that is no invitation.
    :raises OtherFingerprintError: when another node answers at the address.
    :raises PeerError: when none does.
    """
    address, fingerprint = _decode(code.strip())
    client = PeerClient(address)
    told = client.ask("GET", "/.well-known/jingwei")
    name, enterprise = told.get("name"), told.get("enterprise")
    if told.get("node") != address or not isinstance(name, str) or not is_slug(enterprise):
        raise MalformedError(address, "another node's description")
    shown = statements.read_jwks(told.get("jwks"))[0]["kid"]
    if shown != fingerprint:
        raise OtherFingerprintError(fingerprint, shown)
    kind = _kind_of(enterprise, is_headquarters=told.get("headquarters") == address)
    return Offer(
        code.strip(), address, fingerprint, name[:200], enterprise, kind, client.clock_ahead
    )


def register(code: str, signing: NodeKeys | None = None) -> Admission:
    """Register at the node that a code names, and return what it answered, verified.

    The same code may be used again by the same node: a lost answer is given again. Makes a request,
    so no transaction may be open; `keep` the result in one.

    :param signing: the key to come with, when the one in force was revoked.
    :raises MalformedCodeError: when that is no invitation.
    :raises RefusedError: when the node does not let us in; its `refusal` says why.
    """
    code = code.strip()
    address, fingerprint = _decode(code)
    config = settings()
    body = {
        "client_name": config.name,
        "grant_types": ["client_credentials"],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": statements.own_jwks(signing),
        "node": config.origin,
        "enterprise": config.enterprise,
        "proof": statements.prove(code, address, signing),
    }
    headers = {"Authorization": f"Bearer {code}"}
    answer = PeerClient(address).ask("POST", "/oauth/register", json=body, headers=headers)
    return _verify(answer, address, fingerprint, statements.own_jwks(signing))


def _verify(
    answer: dict[str, Any], address: str, fingerprint: str, ours: dict[str, Any]
) -> Admission:
    about, jwks = statements.read_own_statement(
        answer.get("anchor"), issuer=address, fingerprint=fingerprint
    )
    signing, token = statements.read_jwks(jwks)
    us, our_jwks = statements.read_statement(
        answer.get("statement"), issuer=address, subject=settings().origin, jwk=signing
    )
    client_id = answer.get("client_id")
    if statements.read_jwks(our_jwks) != statements.read_jwks(ours):
        raise MalformedError(address, "a statement about other keys than ours")
    if us["enterprise"] != settings().enterprise:
        raise MalformedError(address, "a statement that mistakes who is who")
    if not isinstance(client_id, str) or not 0 < len(client_id) <= 64:
        raise MalformedError(address, "no client id")
    is_headquarters = about.get("role") == "headquarters"
    kind = _kind_of(about["enterprise"], is_headquarters=is_headquarters)
    if kind == PeerKind.SIBLING:
        peering.check_sibling(address, signing["kid"])
    former = statements.read_former(about)
    name, enterprise = about["name"], about["enterprise"]
    return Admission(address, client_id, name, enterprise, kind, signing, token, former)


def keep(admission: Admission, *, actor_id: UUID | None = None) -> Peer:
    """Remember who let us in; a subsidiary trusts its headquarters from now on.

    The caller owns the transaction. A partner still waits until a person confirms its fingerprint.

    :raises AlreadyJoinedError: when this node already has another headquarters.
    :raises OtherKeyError: when that node is known here with another key.
    """
    if admission.kind == PeerKind.HEADQUARTERS:
        _check_single_headquarters(admission.origin)
    peer = peering.find_or_add(
        admission.origin,
        name=admission.name,
        enterprise=admission.enterprise,
        kind=admission.kind,
        signing_jwk=admission.signing_jwk,
        token_jwk=admission.token_jwk,
    )
    peer.our_client_id, peer.seen_at = admission.client_id, clock.now()
    audit.record(
        "peer.joined", actor_id=actor_id, subject=peer.origin, fingerprint=peer.fingerprint
    )
    if admission.kind == PeerKind.HEADQUARTERS:
        _pin(admission)
        revocation.sign_again()
    if admission.kind != PeerKind.PARTNER and peer.state == PeerState.REGISTERED:
        peer.state = PeerState.LIVE
    peering.settle(peer)
    return peer


def _check_single_headquarters(origin: str) -> None:
    for peer in registry.peers():
        if peer.kind == PeerKind.HEADQUARTERS and peer.origin != origin:
            raise AlreadyJoinedError(peer.origin)


def _pin(admission: Admission) -> None:
    """Trust the anchor and know ourselves; `dir` tells us of all others."""
    config = settings()
    for jwk in (admission.signing_jwk, *admission.former_jwks):
        registry.pin(
            admission.origin,
            name=admission.name,
            enterprise=admission.enterprise,
            is_headquarters=True,
            jwk=jwk,
        )
    registry.pin(
        config.origin,
        name=config.name,
        enterprise=config.enterprise,
        is_headquarters=False,
        jwk=node_keys().signing_jwk,
    )


def _kind_of(enterprise: str, *, is_headquarters: bool) -> PeerKind:
    """Say what a node of an enterprise is to us.

    :raises EnterpriseError: when it can't be anything: two headquarters of one enterprise, or a
        subsidiary that would go past its own headquarters.
    """
    config = settings()
    if enterprise == config.enterprise and not config.is_headquarters:
        return PeerKind.HEADQUARTERS if is_headquarters else PeerKind.SIBLING
    if enterprise != config.enterprise and config.is_headquarters and is_headquarters:
        return PeerKind.PARTNER
    raise EnterpriseError


def _encode(address: str, fingerprint: str, secret: bytes) -> str:
    content = {"a": address, "f": fingerprint, "c": urlsafe_b64encode(secret).decode()}
    return PREFIX + urlsafe_b64encode(json.dumps(content, separators=(",", ":")).encode()).decode()


def _decode(code: str) -> tuple[str, str]:
    """Return the address and the fingerprint in a code."""
    if not _CODE.fullmatch(code):
        raise MalformedCodeError
    try:
        content = json.loads(urlsafe_b64decode(code.removeprefix(PREFIX).encode()))
    except ValueError as error:
        raise MalformedCodeError from error
    if not isinstance(content, dict) or content.keys() != {"a", "f", "c"}:
        raise MalformedCodeError
    address, fingerprint = content["a"], content["f"]
    if not is_origin(address) or not isinstance(fingerprint, str) or len(fingerprint) != 43:
        raise MalformedCodeError
    return address, fingerprint
