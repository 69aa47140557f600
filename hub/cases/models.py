"""Tables of cases and pilot lessons: what is being written here, and what may be read."""

from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hub.database import Base
from hub.journal.models import Position

def public_id(origin: str, entry_id: str) -> UUID:
    """Return the id that pages, the API and the index show (docs/federation.md, Identity).

    It depends on the origin, so no node can squat on the id of another's case.
    """
    return uuid5(NAMESPACE_URL, f"{origin}/{entry_id}")


class Document(Base):
    """A published case or lesson as readers of this node see it, ours and others' alike.

    Follows from the live releases in the journal, in the transaction that changes them.
    `audience` alone decides who sees the row: a word of `identity.models`, or None for nobody.
    """

    __tablename__ = "document"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(Position, index=True)  # Of the last release about it.
    origin: Mapped[str] = mapped_column(String(255), index=True)
    entry_id: Mapped[str] = mapped_column(String(36))
    digest: Mapped[str] = mapped_column(String(64))  # Of the entry shown.
    rev: Mapped[int]
    audience: Mapped[str | None] = mapped_column(String(40), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    title: Mapped[str] = mapped_column(String(200))
    summary: Mapped[str] = mapped_column(Text)
    category: Mapped[str] = mapped_column(String(30))
    unit: Mapped[str] = mapped_column(String(200))
    enterprise: Mapped[str] = mapped_column(String(63))
    body: Mapped[str] = mapped_column(Text)  # Markdown, exactly as the author typed it.
    fields: Mapped[dict[str, Any]]
    published_at: Mapped[datetime]
    synced_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]
    former_audience: Mapped[str | None] = mapped_column(String(40))  # Who may see the tombstone.
