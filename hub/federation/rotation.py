"""Changing a signing key: the old one vouches for the new, and the new one shows that it is held.

Headquarters says from when the new key counts, a day ahead, so that it is known everywhere before
anything is signed with it.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

from hub import clock
from hub.audit import service as audit
from hub.config import settings
from hub.database import transaction
from hub.errors import HubError, InvalidError
from hub.federation import directory, pusher, statements
from hub.federation.client import PeerClient
from hub.federation.errors import (
    ClockError,
    MalformedError,
    ProofError,
    RevokedKeyError,
    UnknownPeerError,
    WaitingKeyError,
)
from hub.journal import keyring, log
from hub.journal.models import DIRECTORY, PUBLIC, partner_channel
from hub.journal.signing import NodeKeys, node_keys
from hub.registry import keys, trust
from hub.registry import service as registry
from hub.registry.models import NodeKey, PeerKind
from hub.registry.service import Caller

PROOF = "jw-key-proof+jws"
NOTICE = timedelta(hours=24)  # Between the announcement of a key and the time from which it counts.


def rotate() -> tuple[str, int]:
    """Make the next signing key of this node, unless one waits; return its `kid` and since when.

    Makes a request, so no transaction may be open. Killed at any line, it goes on
    when called again.

    :raises PeerError: when headquarters does not take the key.
    """
    waiting = keyring.waiting()
    if waiting is not None:
        return waiting
    following = keyring.prepare_next()
    if settings().is_headquarters:
        with transaction():
            since = vouch_for_self(following)
    else:
        since = announce(following)
    keyring.activate(following, since)
    return following.fingerprint, since


def announce(following: NodeKeys) -> int:
    """Tell headquarters the next key of this node; return from when it counts.

    Told again, it gives the same answer. Makes a request, so no transaction may be open.

    :raises UnknownPeerError: when this node has not joined a headquarters.
    :raises PeerError: when headquarters does not answer, or refuses.
    """
    headquarters = pusher.headquarters()
    peer = registry.find_peer(headquarters) if headquarters else None
    if peer is None:
        raise UnknownPeerError
    body = {"jwk": following.signing_jwk, "proof": prove(peer.origin, node_keys(), following)}
    answer = PeerClient.for_peer(peer).post("/fed/v1/keys", body)
    counts_from = answer.get("not_before")
    if answer.get("kid") != following.fingerprint or type(counts_from) is not int:
        raise MalformedError(peer.origin, "no time for the new key")
    return counts_from


def prove(audience: str, current: NodeKeys, following: NodeKeys) -> dict[str, str]:
    """Return the proof by both keys that the one follows the other."""
    claims = {
        "aud": audience,
        "iat": clock.timestamp(),
        "new": following.fingerprint,
        "node": settings().origin,
        "old": current.fingerprint,
    }
    signed = {"old": current, "new": following}
    return {name: statements.compact(key.sign(claims, PROOF)) for name, key in signed.items()}


def admit(caller: Caller, body: dict[str, Any]) -> dict[str, Any]:
    """Vouch for the next key of the node that asks, and say from when it counts.

    The caller owns the transaction.

    :raises MalformedKeyError: when it is no Ed25519 key.
    :raises ProofError, ClockError: when the key in force does not vouch for it, or it did not sign.
    :raises RevokedKeyError, WaitingKeyError: when the node may not change to it now.
    """
    jwk, proof = keys.signing_jwk(body["jwk"]), body["proof"]
    current = trust.current_key(caller.origin)
    if not isinstance(proof, dict):
        raise InvalidError("proof", "not an object")
    if current is None:
        raise ProofError("no key of this node counts")
    _check_proof(caller.origin, proof, current, jwk)
    return {"kid": jwk["kid"], "not_before": vouch(caller.origin, jwk)}


def vouch(origin: str, jwk: dict[str, Any], *, actor_id: UUID | None = None) -> int:
    """Release the next key of a node in `dir` and wherever else the node is known.

    The caller owns the transaction; on headquarters only. A key that was announced before keeps
    its time.

    :return: seconds since 1970 from which it counts.
    :raises RevokedKeyError: for a key that was revoked.
    :raises WaitingKeyError: while another one waits for its time.
    """
    partners = [partner_channel(peer.enterprise) for peer in registry.live_peers(PeerKind.PARTNER)]
    log.lock_heads([DIRECTORY, PUBLIC, *partners])  # Of two that come at once, one is first.
    known = trust.find_key(origin, jwk["kid"])
    if known and known.revoked_at:
        raise RevokedKeyError(origin, known.kid)
    if known:
        return _seconds(known)
    if trust.waiting_keys(origin):
        raise WaitingKeyError(origin)
    counts_from = int((clock.now() + NOTICE).timestamp())
    directory.add_key(origin, jwk, counts_from)
    audit.record("key.announced", actor_id=actor_id, subject=origin, kid=jwk["kid"])
    return counts_from


def vouch_for_self(following: NodeKeys) -> int:
    """Let headquarters' own next key follow: its entry is signed with the one in force.

    The caller owns the transaction.

    :raises NotHeadquartersError: on any other node.
    """
    directory.announce_self()
    return vouch(settings().origin, following.signing_jwk)


def note_refusal(caller: Caller, error: HubError) -> None:
    """Write down that a node, or somebody with its token, came with a key that nothing vouches for.

    The caller owns the transaction, another than the one that was refused.
    """
    audit.record("key.refused", actor_id=None, subject=caller.origin, code=error.code)


def _check_proof(origin: str, proof: dict[str, Any], current: NodeKey, jwk: dict[str, Any]) -> None:
    expected = {"aud": settings().origin, "new": jwk["kid"], "node": origin, "old": current.kid}
    for name, signer in (("old", current.jwk), ("new", jwk)):
        claims = statements.verified(proof.get(name), signer, PROOF)
        iat = claims.pop("iat", None)
        if claims != expected or not isinstance(iat, int):
            raise ProofError("made for something else")
        if abs(iat - clock.timestamp()) > statements.APART:
            raise ClockError


def _seconds(key: NodeKey) -> int:
    return int(key.not_before.timestamp()) if key.not_before else 0
