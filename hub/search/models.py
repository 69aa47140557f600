"""Tables of search: words that mean the same, and what people searched for."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hub.database import Base


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
