"""The table of what is, or once was, in the feeds."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.database import Base
from hub.journal.models import Position


class PublicRecord(Base):
    """A case that is or was open to everybody, at the place of its last change in `public`.

    Says nothing of what happened to it in other channels, and stays when it is withdrawn. Whether
    it is open now, and its text, is the document's to say.
    """

    __tablename__ = "public_record"

    id: Mapped[UUID] = mapped_column(primary_key=True)  # Of the document.
    # In the order of the journal, but counting public changes only: a position of the journal would
    # tell strangers how much happens in all other channels.
    place: Mapped[int] = mapped_column(Position, unique=True)
    received_at: Mapped[datetime]  # When the release came in here, in whole seconds.
    stamped_at: Mapped[datetime | None]  # The datestamp; None until its commit is certainly past.
    kind: Mapped[str] = mapped_column(String(20))
    category: Mapped[str] = mapped_column(String(30))  # As last seen in public.

    __table_args__ = (
        Index("ix_public_record_stamped", "stamped_at", "place"),
        Index("ix_public_record_kind", "kind", "place"),
        Index("ix_public_record_category", "category", "place"),
    )
