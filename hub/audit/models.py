"""Tables of the audit trail."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.database import Base

Number = BigInteger().with_variant(Integer, "sqlite")


class AuditEntry(Base):
    """One decision: who took it, about what. Its digest covers the digest before it."""

    __tablename__ = "audit"

    seq: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=False)  # From 1.
    at: Mapped[datetime]
    actor_id: Mapped[UUID | None] = mapped_column(index=True)  # None: the node or its command line.
    action: Mapped[str] = mapped_column(String(60))
    subject: Mapped[str] = mapped_column(String(400), index=True)
    detail: Mapped[dict[str, Any]]
    prev: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64))


class AuditHead(Base):
    """The end of the chain; locking its row makes recording serial."""

    __tablename__ = "audit_head"

    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    seq: Mapped[int] = mapped_column(Number)
    digest: Mapped[str] = mapped_column(String(64))
