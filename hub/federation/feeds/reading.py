"""Reading the records of the feeds. What is not open to everybody comes without a word of text."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, and_, func, select

from hub.cases.models import Document, Rendering
from hub.cases.service import readable
from hub.database import connection
from hub.federation.feeds.models import PublicRecord
from hub.identity.models import EVERYBODY
from hub.registry.models import Node

_record, _document = PublicRecord.__table__.c, Document.__table__.c
_TEXT = ("title", "summary", "unit", "body", "fields", "published_at", "enterprise", "origin")


@dataclass(frozen=True)
class Window:
    """Which records are asked for: a set, and a stretch of places."""

    after: int = 0
    upto: int | None = None  # None means to the end.
    kind: str | None = None
    category: str | None = None


def read(window: Window, *, limit: int, newest_first: bool = False) -> Sequence[Row[Any]]:
    """Return records in the order of their last change, each with its text while it is open.

    :param limit: most records to return.
    """
    order = _record.place.desc() if newest_first else _record.place
    statement = _within(_records(), window).order_by(order).limit(limit)
    return connection().execute(statement).all()


def find(record_id: UUID) -> Row[Any] | None:
    """Return one record with its text while it is open; None if it was never in the feeds."""
    return connection().execute(_records().where(_record.id == record_id)).first()


def last_place(*, before: datetime | None = None, upto: datetime | None = None) -> int:
    """Return the last place that was stamped before, or up to, a moment; 0 when there is none."""
    stamp = _record.stamped_at
    bound = stamp < before if before is not None else stamp <= upto
    statement = select(_record.place).where(bound).order_by(stamp.desc(), _record.place.desc())
    return connection().scalar(statement.limit(1)) or 0


def last_unstamped(received_upto: datetime) -> int:
    """Return the last place that has no datestamp yet and came in up to a moment, or 0."""
    statement = select(func.max(_record.place)).where(
        _record.stamped_at.is_(None), _record.received_at <= received_upto
    )
    return connection().scalar(statement) or 0


def head() -> int:
    """Return the last place, or 0."""
    return connection().scalar(select(func.max(_record.place))) or 0


def earliest() -> datetime | None:
    """Return a moment that no datestamp precedes; None while there are no records."""
    statement = select(func.coalesce(_record.stamped_at, _record.received_at))
    found: datetime | None = connection().scalar(statement.order_by(_record.place).limit(1))
    return found


def _records() -> Select[Any]:
    is_open = and_(_document.id == _record.id, readable({EVERYBODY}))
    rendering, node = Rendering.__table__.c, Node.__table__.c
    return (
        select(
            *_record,
            _document.id.is_not(None).label("is_open"),
            *(_document[name] for name in _TEXT),
            rendering.html,
            node.name.label("node_name"),
        )
        .select_from(PublicRecord.__table__)
        .outerjoin(Document.__table__, is_open)
        .outerjoin(Rendering.__table__, rendering.digest == _document.digest)
        .outerjoin(Node.__table__, node.origin == _document.origin)
    )


def _within(statement: Select[Any], window: Window) -> Select[Any]:
    statement = statement.where(_record.place > window.after)
    if window.upto is not None:
        statement = statement.where(_record.place <= window.upto)
    if window.kind is not None:
        statement = statement.where(_record.kind == window.kind)
    if window.category is not None:
        statement = statement.where(_record.category == window.category)
    return statement
