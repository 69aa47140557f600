"""Revoking a node's key at headquarters, and what that does at every node that learns of it."""

import json
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select

from hub.audit import service as audit
from hub.cases.service import reading
from hub.config import settings
from hub.database import db
from hub.federation import directory, shelf
from hub.federation.errors import NotHeadquartersError, UnknownKeyError
from hub.federation.models import Quarantined
from hub.journal import holding, log
from hub.journal.errors import VerificationError
from hub.journal.holding import Held
from hub.journal.models import DIRECTORY, GROUP, LOCAL, PUBLIC, partner_channel
from hub.journal.signing import node_keys
from hub.journal.verification import VerifiedRelease
from hub.registry import service as registry
from hub.registry import trust
from hub.registry.models import Node, NodeKey, PeerKind, PeerState

CODE = "revoked_key"
REASON = "released under a key that was revoked, after the cutoff"


def revoke(
    origin: str, kid: str, *, since: datetime | None = None, actor_id: UUID | None = None
) -> None:
    """Let a key of one of our nodes count no further than what we had taken in by a moment.

    Keys of it that still wait for their time go with it, for it vouched for them. When none is
    left, the peering is frozen until the node joins again with another. Once revoked, a key stays
    as it is. The caller owns the transaction.

    :param since: when the key was lost, by our clock; now if not given.
    :raises NotHeadquartersError: on any other node.
    :raises UnknownKeyError: when no node of ours but ourselves has this key.
    """
    _check(origin, kid)
    partners = [partner_channel(peer.enterprise) for peer in registry.live_peers(PeerKind.PARTNER)]
    log.lock_heads([DIRECTORY, GROUP, PUBLIC, *partners])
    position = log.position() if since is None else holding.position_at(since)
    waiting = [key.kid for key in trust.waiting_keys(origin)]
    for revoked in dict.fromkeys([kid, *waiting]):
        key = trust.find_key(origin, revoked)
        if key and key.revoked_at is None:
            cutoff, counts = holding.cutoff_at(position, origin)
            directory.revoke_key(origin, revoked, cutoff, counts)
            apply(origin, revoked)
            audit.record("key.revoked", actor_id=actor_id, subject=origin, kid=revoked)
    peer = registry.find_peer(origin)
    if peer and trust.current_key(origin) is None:
        peer.state = PeerState.FROZEN
        db.session.flush()


def apply(origin: str, kid: str) -> None:
    """Hold back what counts no longer, here, in the transaction that learns of a revocation.

    A node does not doubt what it wrote itself: it signs that again.
    """
    if origin == settings().origin:
        sign_again()
        return
    key = trust.find_key(origin, kid)
    for held in holding.hold(origin, kid, _counts(key)):
        shelf.put([_unwanted(one) for one in held])
        reading.receive([one.change for one in held])


def sign_again() -> None:
    """Sign under the key in force what we released under one that was revoked, if there is any."""
    own = trust.keys_of(settings().origin)
    current = next((key for key in own if key.kid == node_keys().fingerprint), None)
    if current is None or current.revoked_at:
        return  # Once we have joined with another key.
    for key in own:
        if key.revoked_at:
            holding.sign_again(key.kid, _counts(key))


def check_counts(key: NodeKey | None, release: VerifiedRelease) -> None:
    """Refuse a release under a revoked key that headquarters had not taken in by the cutoff.

    :raises VerificationError: with the code `revoked_key`.
    """
    if key is None or key.revoked_at is None:
        return
    statement = release.statement
    last = holding.places(_counts(key).get(statement["ch"], []))
    if statement["ch"] != LOCAL and statement["seq"] > last.get(statement["epoch"], 0):
        raise VerificationError(CODE, REASON)


def forget_held(channel: str, releases: Sequence[VerifiedRelease]) -> None:
    """Drop from quarantine what has come again under another key, and nothing else."""
    issuers = {release.statement["iss"] for release in releases}
    for iss in trust.with_revoked_keys(issuers) if issuers else ():
        _forget_held(iss, channel, [r for r in releases if r.statement["iss"] == iss])


def _forget_held(iss: str, channel: str, releases: Sequence[VerifiedRelease]) -> None:
    texts = {release.statement["seq"]: release.signed.payload for release in releases}
    rows = db.session.execute(
        select(Quarantined.id, Quarantined.seq, Quarantined.raw).where(
            Quarantined.code == CODE,
            Quarantined.iss == iss,
            Quarantined.channel == channel,
            Quarantined.seq.in_(list(texts)),
        )
    )
    same = [row.id for row in rows if json.loads(row.raw)["release"]["p"] == texts[row.seq]]
    db.session.execute(delete(Quarantined).where(Quarantined.id.in_(same)))


def _check(origin: str, kid: str) -> None:
    if not settings().is_headquarters:
        raise NotHeadquartersError
    node = db.session.get(Node, origin)
    if node is None or node.is_headquarters or node.enterprise != settings().enterprise:
        raise UnknownKeyError
    if trust.find_key(origin, kid) is None:
        raise UnknownKeyError


def _counts(key: NodeKey | None) -> holding.Counts:
    counts: holding.Counts = (key.revocation or {}).get("counts", {}) if key else {}
    return counts


def _unwanted(held: Held) -> shelf.Unwanted:
    """Return a release that was taken out of sight, whose bytes are kept as evidence."""
    return shelf.Unwanted(
        peer=held.iss,
        channel=held.change.channel,
        iss=held.iss,
        seq=held.seq,
        via=0,
        code=CODE,
        reason=REASON,
        release=held.release.as_wire(),
        entry=held.entry.as_wire() if held.entry else None,
    )
