"""Tables of the federation: what was held back and why, and how far others have confirmed."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from hub.database import Base
from hub.journal.models import Position


class Quarantined(Base):
    """An item that was not taken in, with its bytes as they came and the reason.

    A parked one waits for something that is missing (a key, an earlier release) and is tried
    again when that arrives; any other waits for a person.
    """

    __tablename__ = "quarantined"

    id: Mapped[int] = mapped_column(Position, primary_key=True, autoincrement=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)  # Of sender, channel and bytes.
    peer: Mapped[str] = mapped_column(String(255))  # Origin of the node that sent it.
    channel: Mapped[str] = mapped_column(String(80))
    iss: Mapped[str] = mapped_column(String(255))  # As the release claims.
    seq: Mapped[int] = mapped_column(Position)  # As the release claims; 0 when it can't be read.
    via: Mapped[int]
    code: Mapped[str] = mapped_column(String(40))
    reason: Mapped[str] = mapped_column(Text)
    raw: Mapped[str] = mapped_column(Text)
    size: Mapped[int]  # Characters that came; of more than are kept, `raw` has the beginning.
    is_parked: Mapped[bool]
    quarantined_at: Mapped[datetime]

    __table_args__ = (
        Index("ix_quarantined_parked", "is_parked", "channel", "iss", "seq"),
        Index("ix_quarantined_peer", "peer", "is_parked", "size"),
    )

    @property
    def is_whole(self) -> bool:
        """Say whether all of it was kept, so that it can be tried again."""
        return len(self.raw) == self.size


class QuarantineLoss(Base):
    """How much of what one peer sent did not fit into its share of the quarantine."""

    __tablename__ = "quarantine_loss"

    peer: Mapped[str] = mapped_column(String(255), primary_key=True)
    items: Mapped[int] = mapped_column(Position)
    last_at: Mapped[datetime]


class Reading(Base):
    """How far a peer has confirmed the log that we offer of a channel."""

    __tablename__ = "reading"

    peer_id: Mapped[UUID] = mapped_column(
        ForeignKey("peer.id", ondelete="CASCADE"), primary_key=True
    )
    channel: Mapped[str] = mapped_column(String(80), primary_key=True)
    epoch: Mapped[str] = mapped_column(String(20))
    seq: Mapped[int] = mapped_column(Position)
    acknowledged_at: Mapped[datetime]  # When it last moved.


class Receipt(Base):
    """What headquarters last said of who has taken in a release of ours."""

    __tablename__ = "receipt"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)  # Of the release.
    nodes: Mapped[list[Any]]  # As on the wire.
    told_at: Mapped[datetime]  # By the clock of headquarters.


class Frozen(Base):
    """A node that signed two things of which only one can be true; both are kept as evidence.

    Until a person has looked, nothing more of it is taken in or offered on. Whoever keeps two
    logs (code two_logs) is not frozen: no release is in doubt.
    """

    __tablename__ = "frozen"

    id: Mapped[int] = mapped_column(Position, primary_key=True, autoincrement=True)
    origin: Mapped[str] = mapped_column(String(255))
    channel: Mapped[str] = mapped_column(String(80))
    code: Mapped[str] = mapped_column(String(40))  # fork, equivocation or two_logs.
    served_by: Mapped[str] = mapped_column(String(255))  # The node that handed us the second.
    known: Mapped[str] = mapped_column(Text)  # What we had, as JSON of h, p and s.
    other: Mapped[str] = mapped_column(Text)  # What contradicts it, likewise.
    digest: Mapped[str] = mapped_column(String(64))  # Of the other.
    frozen_at: Mapped[datetime]
    resolved_at: Mapped[datetime | None]

    __table_args__ = (UniqueConstraint("origin", "digest"),)


class KeptCheckpoint(Base):
    """What headquarters last signed of its log of a channel, as one peer, or we, handed it on."""

    __tablename__ = "checkpoint"

    peer: Mapped[str] = mapped_column(String(255), primary_key=True)  # Its origin.
    channel: Mapped[str] = mapped_column(String(80), primary_key=True)
    signed: Mapped[str] = mapped_column(Text)  # As JSON of h, p and s.
    signed_at: Mapped[datetime]  # As it says.
    before: Mapped[str | None] = mapped_column(Text)  # The last one, until what it says was sought.


class Listed(Base):
    """An entry that a peer has live, noted while we bootstrap from its snapshot.

    What we have live and it does not is hidden at the end; then these rows go.
    """

    __tablename__ = "listed"

    peer: Mapped[str] = mapped_column(String(255), primary_key=True)  # Its origin.
    channel: Mapped[str] = mapped_column(String(80), primary_key=True)
    iss: Mapped[str] = mapped_column(String(255), primary_key=True)
    entry_id: Mapped[str] = mapped_column(String(36), primary_key=True)
