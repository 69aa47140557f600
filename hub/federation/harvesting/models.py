"""Tables of the sources that are harvested, and of what they have shown."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from hub.database import Base

LONGEST_URL = 500
LONGEST_IDENTIFIER = 500


class SourceKind(StrEnum):
    """What a source speaks."""

    OAI = "oai"  # OAI-PMH 2.0 with oai_dc.
    FEED = "feed"  # Atom or RSS.


class SourceState(StrEnum):
    """What an administrator wants of a source."""

    LIVE = "live"
    PAUSED = "paused"
    REMOVED = "removed"  # Kept, so that what people here have removed stays removed.


class Source(Base):
    """A repository or feed of somebody who has no node."""

    __tablename__ = "harvest_source"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    kind: Mapped[str] = mapped_column(String(10))
    url: Mapped[str] = mapped_column(String(LONGEST_URL))
    set_name: Mapped[str] = mapped_column(String(200))  # Of OAI-PMH; empty means all.
    name: Mapped[str] = mapped_column(String(100))  # What people here call it.
    interval: Mapped[int]  # Minutes between two harvests.
    state: Mapped[str] = mapped_column(String(10))
    due_at: Mapped[datetime]
    reached: Mapped[datetime | None]  # All that it had then is here, by the earlier clock.
    is_partial: Mapped[bool]  # The last harvest did not come to its end.
    unreadable: Mapped[int]  # Items of the last harvest that could not be read.
    succeeded_at: Mapped[datetime | None]
    failing_since: Mapped[datetime | None]
    failure: Mapped[str | None] = mapped_column(Text)  # As `health.failure_of` writes it.
    swept_at: Mapped[datetime]  # When all that it has was last compared, or was first asked for.
    created_at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("url", "set_name"),)


class Standing(StrEnum):
    """What became of a harvested item."""

    SHOWN = "shown"
    GONE = "gone"  # No longer at its source, or its source was removed; comes back with it.
    REMOVED = "removed"  # By a person here, for good.


class Harvested(Base):
    """One item of a source, and the entry of ours that it became."""

    __tablename__ = "harvested"

    source_id: Mapped[UUID] = mapped_column(ForeignKey("harvest_source.id"), primary_key=True)
    identifier: Mapped[str] = mapped_column(String(LONGEST_IDENTIFIER), primary_key=True)
    datestamp: Mapped[str] = mapped_column(String(40))  # As the source writes it.
    digest: Mapped[str] = mapped_column(String(64))  # Of what was read.
    document_id: Mapped[UUID] = mapped_column(index=True)
    entry_id: Mapped[str] = mapped_column(String(36))
    rev: Mapped[int]
    state: Mapped[str] = mapped_column(String(10))
    seen_at: Mapped[datetime]
    missing_at: Mapped[datetime | None]  # A sweep did not find it and left that to a person.
