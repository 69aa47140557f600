"""Tables of files: which are held here, and which could not be had."""

from datetime import datetime

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.database import Base


class StoredFile(Base):
    """A file that is held here, whole and checked; no row is without its bytes."""

    __tablename__ = "stored_file"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    stored_at: Mapped[datetime]


class MissingFile(Base):
    """A file that was to be had from another node and was not, since when and why."""

    __tablename__ = "missing_file"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    code: Mapped[str] = mapped_column(String(60))  # Of the error.
    tried_at: Mapped[datetime]
