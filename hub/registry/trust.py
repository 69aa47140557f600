"""Which key of a node counts, from when on, and for what.

A key counts from its `not_before` by the reader's own clock. A revoked one counts for what
headquarters had taken in before the cutoff, and for nothing that came later.
"""

import re
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from hub import clock
from hub.database import db
from hub.registry import keys
from hub.registry.errors import NotAnchorError
from hub.registry.models import NodeKey

LEEWAY = timedelta(seconds=60)  # By which our clock may be behind.
MOST_KEYS = 32  # Of one node: old ones stay, for what they signed.

_PLACE = re.compile(r"[A-Za-z0-9_-]{1,20}:[0-9]{1,16}\Z")


def find_key(origin: str, kid: str) -> NodeKey | None:
    """Return a key of a node, whether it counts or not; None when it is not known."""
    return db.session.get(NodeKey, (origin, kid))


def keys_of(origin: str) -> Sequence[NodeKey]:
    """Return the keys of a node, the first one first."""
    found = db.session.scalars(select(NodeKey).where(NodeKey.origin == origin)).all()
    return sorted(found, key=lambda key: key.not_before.timestamp() if key.not_before else 0)


def is_early(key: NodeKey, leeway: timedelta = LEEWAY) -> bool:
    """Say whether a key verifies nothing yet."""
    return key.not_before is not None and key.not_before > clock.now() + leeway


def current_key(origin: str) -> NodeKey | None:
    """Return the key that a node signs with now; None when all of them are revoked."""
    due = [key for key in keys_of(origin) if not key.revoked_at and not is_early(key)]
    return due[-1] if due else None


def waiting_keys(origin: str) -> list[NodeKey]:
    """Return the keys whose time has not come."""
    return [k for k in keys_of(origin) if not k.revoked_at and is_early(k, timedelta())]


def with_revoked_keys(origins: Collection[str]) -> set[str]:
    """Return those of these nodes that had a key revoked."""
    statement = select(NodeKey.origin).where(
        NodeKey.origin.in_(list(origins)), NodeKey.revoked_at.is_not(None)
    )
    return set(db.session.scalars(statement))


def put_key(origin: str, jwk: object, not_before: datetime | None = None) -> None:
    """Let a key of a node count; one that is known already stays as it is.

    :raises MalformedKeyError: when it is not a public Ed25519 key.
    :raises NotAnchorError: when the node has too many.
    """
    public = keys.signing_jwk(jwk)
    if find_key(origin, public["kid"]) is not None:
        return
    count = select(func.count()).select_from(NodeKey).where(NodeKey.origin == origin)
    if (db.session.scalar(count) or 0) >= MOST_KEYS:
        raise NotAnchorError
    db.session.add(NodeKey(origin=origin, kid=public["kid"], jwk=public, not_before=not_before))
    db.session.flush()


def revoke(origin: str, kid: str, revocation: dict[str, Any]) -> None:
    """Let a key count no further than its revocation says; the first one stands.

    :raises NotAnchorError: when the node has no such key.
    """
    key = find_key(origin, kid)
    if key is None:
        raise NotAnchorError
    if key.revoked_at is None:
        key.revoked_at, key.revocation = clock.now(), revocation
        db.session.flush()


def are_places(counts: dict[str, Any]) -> bool:
    """Say whether these are places in chains, of each channel: epoch and seq."""
    return all(
        isinstance(row, list) and all(isinstance(text, str) and _PLACE.match(text) for text in row)
        for row in counts.values()
    )
