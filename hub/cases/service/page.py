"""Pages of documents, read as plain rows in a single statement: they are opened more than all else.

Through the ORM the same statement takes three times as long.
"""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, bindparam, exists, select

from hub.cases.models import Document, Feedback, Rendering
from hub.cases.service.reading import find_document, readable
from hub.database import connection
from hub.errors import NotFoundError
from hub.registry.models import Node

_document, _rendering, _node = Document.__table__.c, Rendering.__table__.c, Node.__table__.c
_discussed = exists().where(Feedback.__table__.c.document_id == _document.id)
_PAGE: Any = (
    select(
        *_document,
        _rendering.html,
        _node.name.label("node_name"),
        _discussed.label("is_discussed"),
    )
    .outerjoin(_rendering.html.table, _rendering.digest == _document.digest)
    .outerjoin(_node.name.table, _node.origin == _document.origin)
    .where(_document.id == bindparam("id"))
)
ON_CARD = (  # What a list shows of a document.
    "id",
    "kind",
    "title",
    "summary",
    "unit",
    "published_at",
    "is_harvested",
)
_CARD: Any = select(*(_document[name] for name in ON_CARD))


def find_page(document_id: UUID, audiences: Collection[str]) -> Row[Any]:
    """Return a document with `html`, the raw HTML of its body, `node_name`, None if unknown, and
    `is_discussed`, whether anything was ever said of it, by whomever and for whomever.

    Refuses like `find_document`.
    """
    row: Row[Any] | None = connection().execute(_PAGE, {"id": document_id}).first()
    if row is None or row.audience not in audiences:
        find_document(document_id, audiences)
        raise NotFoundError  # It was opened to them only just now.
    return row


def newest(audiences: Collection[str], *, limit: int = 10) -> Sequence[Row[Any]]:
    """Return what a list shows of the documents last published and open to these audiences."""
    statement = _CARD.where(readable(audiences)).order_by(_document.published_at.desc())
    rows: Sequence[Row[Any]] = connection().execute(statement.limit(limit)).all()
    return rows
