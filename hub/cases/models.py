"""Tables of cases and pilot lessons: what is being written here, and what may be read."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text
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
    # Without an index: it would tempt SQLite to read all of an audience to find a few by their id.
    audience: Mapped[str | None] = mapped_column(String(40))
    kind: Mapped[str] = mapped_column(String(20))
    title: Mapped[str] = mapped_column(String(200))
    summary: Mapped[str] = mapped_column(Text)
    category: Mapped[str] = mapped_column(String(30))
    unit: Mapped[str] = mapped_column(String(200))
    enterprise: Mapped[str] = mapped_column(String(63))
    body: Mapped[str] = mapped_column(Text)  # Markdown, exactly as the author typed it.
    fields: Mapped[dict[str, Any]]
    published_at: Mapped[datetime] = mapped_column(index=True)
    synced_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]
    former_audience: Mapped[str | None] = mapped_column(String(40))  # Who may see the tombstone.
    is_harvested: Mapped[bool] = mapped_column(default=False)  # Unsigned; see `cases.harvested`.
    # As the entry names them; what is held of them here, `media` knows.
    attachments: Mapped[list[Any]] = mapped_column(default=list)
    # Of the unit that it comes from: its level, and the names of all above it, highest first.
    unit_level: Mapped[str] = mapped_column(String(30), default="")
    unit_path: Mapped[list[Any]] = mapped_column(default=list)
    context: Mapped[dict[str, Any]] = mapped_column(default=dict)  # See `service.adoptions`.
    # Units elsewhere that took it over, and for how many of them it worked, as far as every reader
    # of the document may know; and what follows from that (`scales.Replicability`).
    adopted: Mapped[int] = mapped_column(default=0)
    effective: Mapped[int] = mapped_column(default=0)
    replicability: Mapped[str] = mapped_column(String(2), default="")


class Kind(StrEnum):
    """What a document is."""

    CASE = "case"  # Practice that worked.
    PILOT_LESSON = "pilot_lesson"  # What a trial showed, failures included.


class Visibility(StrEnum):
    """Who may read a case once it is published, narrowest first."""

    UNIT = "unit"
    NODE = "node"
    GROUP = "group"
    PARTNERS = "partners"
    PUBLIC = "public"


class State(StrEnum):
    """Where a case stands on its path, in the order of the path."""

    DRAFT = "draft"
    SECRECY_REVIEW = "secrecy_review"
    UNIT_REVIEW = "unit_review"
    APPROVED = "approved"
    SIGNED = "signed"
    PUBLISHED = "published"
    WIDEN_REVIEW = "widen_review"  # Published as before while a wider audience is considered.
    WITHDRAWN = "withdrawn"


class Case(Base):
    """A case or pilot lesson that is written on this node, with what is decided about it.

    Its text stands in its revisions. Rows are ours only; what readers see is a `Document`.
    """

    __tablename__ = "case"

    id: Mapped[UUID] = mapped_column(primary_key=True)  # Its public id: see `public_id`.
    entry_id: Mapped[str] = mapped_column(String(36), unique=True)
    kind: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(20), index=True)  # Of the newest revision.
    rev: Mapped[int]  # Number of the newest revision.
    published_rev: Mapped[int | None]  # Number of the revision that readers see.
    version: Mapped[int]  # Grows with each change, so that nobody decides on what they never saw.
    author_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"), index=True)
    unit_id: Mapped[UUID] = mapped_column(ForeignKey("organisation.id"), index=True)
    visibility: Mapped[str] = mapped_column(String(20))  # In force, or intended until published.
    partners: Mapped[list[str]]  # Enterprises, when visibility is partners.
    wider: Mapped[str | None] = mapped_column(String(20))  # Asked for, in widen review.
    wider_partners: Mapped[list[str]]
    wider_cleared_by: Mapped[UUID | None] = mapped_column(ForeignKey("person.id"))
    is_long_form: Mapped[bool]  # Imported: title, body, unit and category are enough.
    source_digest: Mapped[str | None] = mapped_column(String(64), unique=True)  # Of the import.
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]
    withdrawal_reason: Mapped[str | None] = mapped_column(Text)

    @property
    def is_out(self) -> bool:
        """Say whether readers see a revision of it now."""
        return self.published_rev is not None and self.state != State.WITHDRAWN


class Revision(Base):
    """One version of the text of a case; signature freezes it for good."""

    __tablename__ = "revision"

    case_id: Mapped[UUID] = mapped_column(ForeignKey("case.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    body: Mapped[str] = mapped_column(Text)  # Markdown, as the author typed it.
    fields: Mapped[dict[str, Any]]  # All else, as `fields` lists it.
    html: Mapped[str | None] = mapped_column(Text)  # Rendering of the body, once it is made.
    note: Mapped[str] = mapped_column(Text)  # What the last reviewer told the author.
    refused_digest: Mapped[str | None] = mapped_column(String(64))  # Of a text refused for good.
    digest: Mapped[str | None] = mapped_column(String(64))  # Of the text as signed.
    submitted_at: Mapped[datetime | None]
    escalated_at: Mapped[datetime | None]
    cleared_by: Mapped[UUID | None] = mapped_column(ForeignKey("person.id"))
    cleared_at: Mapped[datetime | None]
    approved_by: Mapped[UUID | None] = mapped_column(ForeignKey("person.id"))
    approved_at: Mapped[datetime | None]
    signed_by: Mapped[UUID | None] = mapped_column(ForeignKey("person.id"))
    signed_at: Mapped[datetime | None]
    published_by: Mapped[UUID | None] = mapped_column(ForeignKey("person.id"))
    published_at: Mapped[datetime | None]


class CaseFile(Base):
    """A file attached to a revision; like its text it is frozen by the signature."""

    __tablename__ = "case_file"

    case_id: Mapped[UUID] = mapped_column(ForeignKey("case.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)  # Of the revision.
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True, index=True)
    size: Mapped[int] = mapped_column(BigInteger)
    type: Mapped[str] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(String(200))


class ImportedDocument(Base):
    """What was found in the document that a draft was made of, until its case is published."""

    __tablename__ = "imported_document"

    case_id: Mapped[UUID] = mapped_column(ForeignKey("case.id"), primary_key=True)
    sections: Mapped[list[Any]]  # Of each: heading, paragraphs, rows, and the field it went to.
    warnings: Mapped[list[Any]]  # Of each: code, place, text.


class Remark(StrEnum):
    """What somebody may say of a published document; the journal's words for it."""

    QUESTION = "question"
    ANSWER = "answer"
    COMMENT = "comment"
    ADOPTION = "adoption"


class Standing(StrEnum):
    """Where a piece of feedback stands, as far as this node knows."""

    TO_CLEAR = "to_clear"  # Ours: its unit's secrecy reviewer has not looked at it yet.
    SENT = "sent"  # Ours: on its way, or not yet decided upon at the document's origin.
    REFUSED = "refused"  # Ours: a node on the way refused it for good.
    RECEIVED = "received"  # About a document of ours: waits for the decision of its unit.
    DECLINED = "declined"
    ACCEPTED = "accepted"  # Released: readers see it beside its document.
    ENDED = "ended"  # Was released and is no longer.


class Feedback(Base):
    """A question, an answer or the like about a document; it names a unit and a post, no person.

    `audience` alone decides who sees the row beside its document; None but once it is released.
    """

    __tablename__ = "feedback"

    id: Mapped[UUID] = mapped_column(primary_key=True)  # Its public id: see `public_id`.
    origin: Mapped[str] = mapped_column(String(255))
    entry_id: Mapped[str] = mapped_column(String(36))
    digest: Mapped[str] = mapped_column(String(64), index=True)  # Of the entry.
    type: Mapped[str] = mapped_column(String(20))
    document_id: Mapped[UUID] = mapped_column(index=True)  # What it is about, here or not.
    question_id: Mapped[UUID | None] = mapped_column(index=True)  # What an answer answers.
    text: Mapped[str] = mapped_column(Text)  # Plain; empty once it ended.
    unit: Mapped[str] = mapped_column(String(200))
    post: Mapped[str] = mapped_column(String(30))
    state: Mapped[str] = mapped_column(String(20))
    audience: Mapped[str | None] = mapped_column(String(40))
    unit_id: Mapped[UUID | None]  # The unit here that said it; None when it came from elsewhere.
    # Who said it, if it was here: nobody clears their own. It never leaves the node.
    person_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id"))
    channels: Mapped[list[str]]  # Where its document was when it came in: it goes no further.
    reason: Mapped[str] = mapped_column(Text)  # Why it was declined or refused.
    said_at: Mapped[datetime]
    written: Mapped[str] = mapped_column(String(30), default="")  # When, as its author's node says.
    # Of an adoption: what came of it, whether the secretary of the unit says so, and its profile.
    outcome: Mapped[str] = mapped_column(String(20), default="")
    is_confirmed: Mapped[bool] = mapped_column(default=False)
    level: Mapped[str] = mapped_column(String(30), default="")
    size: Mapped[str] = mapped_column(String(20), default="")
    layout: Mapped[str] = mapped_column(String(20), default="")
    sector: Mapped[str] = mapped_column(String(20), default="")

    __table_args__ = (Index("ix_feedback_state", "state", "document_id"),)


class Rendering(Base):
    """The raw HTML of a document's body, made once for each entry; shown through `markup.safe`."""

    __tablename__ = "rendering"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)  # Of the entry.
    html: Mapped[str] = mapped_column(Text)
