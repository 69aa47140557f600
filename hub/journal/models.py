"""Tables of the journal: entries, releases, and what follows from them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, Integer, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from hub.database import Base

LOCAL = "local"
GROUP = "group"
PUBLIC = "public"
DIRECTORY = "dir"
PARTNER = "partner:"

PUT = "put"
RETRACT = "retract"

JOURNAL = "journal"  # Name of the head that counts local positions.

_STANDING: dict[str, Any] = {
    "sqlite_where": text("is_held = 0"),
    "postgresql_where": text("NOT is_held"),
}
Position = BigInteger().with_variant(Integer, "sqlite")


def partner_channel(enterprise: str) -> str:
    """Return the channel that carries what was opened to one enterprise."""
    return PARTNER + enterprise


class Entry(Base):
    """Content, signed by its origin; its text goes when nobody may read it any more."""

    __tablename__ = "entry"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)  # SHA-256 of payload.
    origin: Mapped[str] = mapped_column(String(255))
    entry_id: Mapped[str] = mapped_column(String(36))
    rev: Mapped[int]
    type: Mapped[str] = mapped_column(String(40), index=True)
    header: Mapped[str] = mapped_column(Text)
    payload: Mapped[str | None] = mapped_column(Text)  # None once the text was dropped.
    signature: Mapped[str] = mapped_column(String(100))
    parent_origin: Mapped[str | None] = mapped_column(String(255))  # Of what a child speaks of.
    parent_id: Mapped[str | None] = mapped_column(String(36))

    __table_args__ = (
        # The id first: what is asked of a page of releases is asked by their ids alone.
        Index("ix_entry_id_origin", "entry_id", "origin"),
        Index("ix_entry_parent", "parent_origin", "parent_id"),
    )


class EntryFile(Base):
    """A file that an entry names; it counts while the entry is live."""

    __tablename__ = "entry_file"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)  # Of the entry.
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True, index=True)
    size: Mapped[int] = mapped_column(BigInteger)


class Release(Base):
    """A statement, signed by its issuer, that an entry joins or leaves an audience."""

    __tablename__ = "release"

    position: Mapped[int] = mapped_column(Position, primary_key=True)  # Dense, of this node.
    digest: Mapped[str] = mapped_column(String(64))
    iss: Mapped[str] = mapped_column(String(255))
    epoch: Mapped[str] = mapped_column(String(20))
    channel: Mapped[str] = mapped_column(String(80))
    seq: Mapped[int] = mapped_column(Position)  # Dense, of the issuer in this channel.
    op: Mapped[str] = mapped_column(String(10))
    origin: Mapped[str] = mapped_column(String(255))
    entry_id: Mapped[str] = mapped_column(String(36))
    rev: Mapped[int]
    entry_digest: Mapped[str] = mapped_column(String(64))
    header: Mapped[str] = mapped_column(Text)
    payload: Mapped[str] = mapped_column(Text)
    signature: Mapped[str] = mapped_column(String(100))
    received_at: Mapped[datetime]
    is_held: Mapped[bool] = mapped_column(default=False)  # Under a revoked key: nothing follows.

    __table_args__ = (
        # What is held makes room for the same release, or the true one, under another key.
        Index("uq_release_digest", "digest", unique=True, **_STANDING),
        Index("uq_release_place", "iss", "channel", "epoch", "seq", unique=True, **_STANDING),
        Index("ix_release_entry", "origin", "entry_id"),
    )


class Chain(Base):
    """The last release that we have of one issuer in one channel."""

    __tablename__ = "chain"

    iss: Mapped[str] = mapped_column(String(255), primary_key=True)
    channel: Mapped[str] = mapped_column(String(80), primary_key=True)
    epoch: Mapped[str] = mapped_column(String(20))
    seq: Mapped[int] = mapped_column(Position)
    digest: Mapped[str] = mapped_column(String(64))


class Head(Base):
    """The last number given out in one log; its row is the lock that makes appending serial."""

    __tablename__ = "head"

    name: Mapped[str] = mapped_column(String(90), primary_key=True)  # JOURNAL or a channel.
    epoch: Mapped[str] = mapped_column(String(20))
    seq: Mapped[int] = mapped_column(Position)
    # A log is served from here on; whoever has not come this far begins with the snapshot.
    floor: Mapped[int] = mapped_column(Position, default=0, server_default="0")


class Recovery(Base):
    """A channel of which headquarters has more of our own chain than we: we were restored.

    While it waits, nothing is released there, so that no number is given out twice. What can't
    be fetched back is given up: then our next release there begins a new epoch after this place.
    """

    __tablename__ = "recovery"

    channel: Mapped[str] = mapped_column(String(80), primary_key=True)
    epoch: Mapped[str] = mapped_column(String(20))  # Of our chain, as headquarters has it.
    seq: Mapped[int] = mapped_column(Position)
    digest: Mapped[str | None] = mapped_column(String(64))  # Of that release, where it was said.
    is_waiting: Mapped[bool]
    noted_at: Mapped[datetime]


class LogItem(Base):
    """Item `seq` of what this node offers to the readers of a channel."""

    __tablename__ = "log_item"

    channel: Mapped[str] = mapped_column(String(80), primary_key=True)
    seq: Mapped[int] = mapped_column(Position, primary_key=True)
    position: Mapped[int] = mapped_column(Position, index=True)  # Of the release.
    via: Mapped[int]  # Nodes that it came through, at most 4.


class Live(Base):
    """What one issuer last said of one entry in one channel."""

    __tablename__ = "live"

    iss: Mapped[str] = mapped_column(String(255), primary_key=True)
    channel: Mapped[str] = mapped_column(String(80), primary_key=True)
    origin: Mapped[str] = mapped_column(String(255), primary_key=True)
    entry_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    op: Mapped[str] = mapped_column(String(10))
    seq: Mapped[int] = mapped_column(Position)
    rev: Mapped[int]
    entry_digest: Mapped[str] = mapped_column(String(64), index=True)

    __table_args__ = (Index("ix_live_id_origin", "entry_id", "origin"),)


class Outgoing(Base):
    """An entry on its way to its parent's origin, until the next node there has it."""

    __tablename__ = "outgoing"

    addressee: Mapped[str] = mapped_column(String(255), primary_key=True)  # Origin of that node.
    number: Mapped[int] = mapped_column(Position, primary_key=True)  # Dense for each addressee.
    digest: Mapped[str] = mapped_column(String(64))
    header: Mapped[str] = mapped_column(Text)
    payload: Mapped[str] = mapped_column(Text)
    signature: Mapped[str] = mapped_column(String(100))
    queued_at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("addressee", "digest"),)


class Cursor(Base):
    """The last place that one follower has handled."""

    __tablename__ = "cursor"

    name: Mapped[str] = mapped_column(String(400), primary_key=True)
    value: Mapped[str] = mapped_column(String(60))
    moved_at: Mapped[datetime]


@dataclass(frozen=True)
class Change:
    """One release that the journal has taken in."""

    position: int
    origin: str
    entry_id: str
    channel: str
    op: str
    iat: int  # Seconds since 1970, as the issuer says.
    received_at: datetime
