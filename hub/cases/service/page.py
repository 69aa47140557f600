"""The page of one document, read in a single statement: it is opened more than all else."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import bindparam, select

from hub.cases.models import Document, Rendering
from hub.cases.service.reading import find_document, readable
from hub.database import db
from hub.registry.models import Node

_PAGE = (
    select(Document, Rendering.html, Node.name)
    .outerjoin(Rendering, Rendering.digest == Document.digest)
    .outerjoin(Node, Node.origin == Document.origin)
    .where(Document.id == bindparam("id"))
)


@dataclass(frozen=True)
class Page:
    """A document, the raw HTML of its body once it is made, and the name of its node if known."""

    document: Document
    html: str | None
    node_name: str | None


def find_page(document_id: UUID, audiences: Collection[str]) -> Page:
    """Return a document with what its page needs; refuses like `find_document`."""
    row = db.session.execute(_PAGE, {"id": document_id}).first()
    if row is None or row[0].audience not in audiences:
        return Page(find_document(document_id, audiences), None, None)
    return Page(*row)


def newest(audiences: Collection[str], *, limit: int = 10) -> Sequence[Document]:
    """Return the documents last published among those open to these audiences."""
    statement = select(Document).where(readable(audiences)).order_by(Document.published_at.desc())
    return db.session.scalars(statement.limit(limit)).all()
