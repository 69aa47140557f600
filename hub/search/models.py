"""Tables of search: the text of files, words that mean the same, and what people search for."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hub.database import Base


class FileText(Base):
    """What stands in a file that is held here; it goes when the file goes.

    A row without a text says why there is none, so that nothing is tried twice.
    """

    __tablename__ = "file_text"

    sha256: Mapped[str] = mapped_column(
        ForeignKey("stored_file.sha256", ondelete="CASCADE"), primary_key=True
    )
    state: Mapped[str] = mapped_column(String(20))  # See `files.extraction.State`.
    reason: Mapped[str] = mapped_column(String(20))  # See `files.extraction.Reason`.
    text: Mapped[str] = mapped_column(Text)
    read_at: Mapped[datetime]
    # Whether the documents that name it were indexed since.
    is_indexed: Mapped[bool] = mapped_column(default=False, index=True)


class SavedSearch(Base):
    """A search that somebody keeps under a name. It never leaves the node."""

    __tablename__ = "saved_search"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(60))
    arguments: Mapped[dict[str, Any]]  # Of the address of the search page.
    created_at: Mapped[datetime]


class SynonymList(Base):
    """The list of synonyms, once an administrator has edited it."""

    __tablename__ = "synonym_list"

    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    changed_at: Mapped[datetime]


class PastSearch(Base):
    """What somebody searched for lately, for their own suggestions and nobody else."""

    __tablename__ = "past_search"

    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"), primary_key=True)
    text: Mapped[str] = mapped_column(String(200), primary_key=True)
    asked_at: Mapped[datetime]


class UnkeptSearches(Base):
    """Somebody who wants no past searches to be kept."""

    __tablename__ = "unkept_searches"

    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"), primary_key=True)
