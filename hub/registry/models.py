"""Tables of nodes, keys and peers."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hub.database import Base


class PeerKind(StrEnum):
    """What a peer is to us."""

    HEADQUARTERS = "headquarters"  # Of our own enterprise: we pull from it and push to it.
    SUBSIDIARY = "subsidiary"  # A node of our enterprise that dials us, its headquarters.
    PARTNER = "partner"  # The headquarters of another enterprise.
    SIBLING = "sibling"  # A node of our enterprise, and neither of us is its headquarters.


class PeerState(StrEnum):
    """Where a peering stands (docs/federation.md)."""

    REGISTERED = "registered"  # Keys exchanged; a person must still confirm the fingerprint.
    LIVE = "live"
    SUSPENDED = "suspended"
    FROZEN = "frozen"  # Its key was revoked; it must join again with another.
    CLOSED = "closed"  # For good: another invitation opens another peering.


class Reason(StrEnum):
    """Why readers here don't see what came from another enterprise."""

    LEASE = "lease"  # For too long nobody confirmed that it still may be shown.
    AGREEMENT = "agreement"  # The agreement has ended.
    CLOSED = "closed"  # The peering was closed for good.
    HEADQUARTERS = "headquarters"  # Our headquarters says so, for a reason of its own.


class Node(Base):
    """A node of the federation, as its own headquarters vouches for it."""

    __tablename__ = "node"

    origin: Mapped[str] = mapped_column(String(255), primary_key=True)
    enterprise: Mapped[str] = mapped_column(String(63), index=True)
    name: Mapped[str] = mapped_column(String(200))
    is_headquarters: Mapped[bool]


class NodeKey(Base):
    """A key with which a node signs entries and releases; it counts under its node only."""

    __tablename__ = "node_key"

    origin: Mapped[str] = mapped_column(ForeignKey("node.origin"), primary_key=True)
    kid: Mapped[str] = mapped_column(String(43), primary_key=True)  # RFC 7638 thumbprint.
    jwk: Mapped[dict[str, Any]]  # Public part, Ed25519 (RFC 8037).
    not_before: Mapped[datetime | None]  # It verifies nothing earlier; None for a first key.
    revoked_at: Mapped[datetime | None]  # When we learnt that it was.
    revocation: Mapped[dict[str, Any] | None]  # `cutoff` and `counts` (docs/federation.md, Keys).


class Peer(Base):
    """A node with which we exchange requests."""

    __tablename__ = "peer"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    origin: Mapped[str] = mapped_column(String(255), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    enterprise: Mapped[str] = mapped_column(String(63))
    kind: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(20))
    fingerprint: Mapped[str] = mapped_column(String(43))  # Thumbprint of its signing key.
    token_jwk: Mapped[dict[str, Any]]  # Public ES256 key of its assertions and tokens.
    signing_jwk: Mapped[dict[str, Any]]  # Public Ed25519 key of its entries.
    client_id: Mapped[str | None] = mapped_column(String(64), unique=True)  # Its name at our door.
    our_client_id: Mapped[str | None] = mapped_column(String(64))  # Our name at its door.
    agreement_ends_at: Mapped[datetime | None]  # Partners only, as the two columns below.
    categories: Mapped[list[str]]  # Codes of what we open to it; empty means all.
    shares_public: Mapped[bool]  # Whether it may read our public channel too.
    confirmed_at: Mapped[datetime | None]  # When a person here compared the fingerprint.
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime | None]  # Its last request to us, or answer to one of ours.
    polled_at: Mapped[datetime | None]  # Our last pull that it answered in full.
    hinted_at: Mapped[datetime | None]
    closure: Mapped[dict[str, Any] | None]  # Signed statement of whoever closed the peering.
    failing_since: Mapped[datetime | None]
    failure: Mapped[str | None] = mapped_column(Text)


class Invitation(Base):
    """A code with which one named node may register once."""

    __tablename__ = "invitation"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)  # SHA-256 of the code.
    origin: Mapped[str] = mapped_column(String(255))
    enterprise: Mapped[str] = mapped_column(String(63))
    kind: Mapped[str] = mapped_column(String(20))
    agreement_ends_at: Mapped[datetime | None]
    categories: Mapped[list[str]]
    shares_public: Mapped[bool]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    claimed_by: Mapped[str | None] = mapped_column(String(43))  # Thumbprint of the signing key.
    answer: Mapped[dict[str, Any] | None]  # What the claimant was told, for when it was lost.


class Hiding(Base):
    """A reason for which readers here don't see what came from another enterprise."""

    __tablename__ = "hiding"

    enterprise: Mapped[str] = mapped_column(String(63), primary_key=True)
    reason: Mapped[str] = mapped_column(String(20), primary_key=True)
    since: Mapped[datetime]
    purge_at: Mapped[datetime | None]  # When its texts go from our storage, if they must.
    purged_at: Mapped[datetime | None]


class UsedAssertion(Base):
    """The `jti` of a client assertion; a second use fails on the primary key."""

    __tablename__ = "used_assertion"

    jti: Mapped[str] = mapped_column(String(64), primary_key=True)  # SHA-256 of client and jti.
    expires_at: Mapped[datetime] = mapped_column(index=True)
