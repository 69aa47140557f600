"""Searches that somebody keeps under a name, and what is new in them.

They are about a person, so they stay on this node, nobody else sees them, and they end with the
account. What is new is found when the person looks; nothing is sent to anybody.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Row, delete, func, select

from hub import clock
from hub.cases.models import Document
from hub.cases.service import readable
from hub.cases.service.page import ON_CARD
from hub.config import of_this_node
from hub.database import connection, db
from hub.errors import NotFoundError
from hub.identity.models import Person
from hub.search.engine import BrokenIndexError, Found, Order, Request
from hub.search.errors import NothingAskedError, SavedNameError, TooManySavedError
from hub.search.forms import Asked
from hub.search.models import PastSearch, SavedSearch, UnkeptSearches
from hub.search.queries import understand
from hub.search.reading import OpenIndex

PERSONAL = (SavedSearch, PastSearch, UnkeptSearches)  # What goes with the account.
MOST = 20  # Searches of one person.
NAME_LENGTH = 60
WEEK = timedelta(days=7)
NEW = 3  # Documents that are shown of each; one more says that there are more.

_saved = SavedSearch.__table__.c
_OF_ONE: Any = (
    select(_saved.id, _saved.name, _saved.arguments)
    .order_by(_saved.created_at, _saved.id)
    .limit(MOST)
)
_SHOWN = (*(getattr(Document, name) for name in ON_CARD), Document.position)


class News(NamedTuple):
    """What is new in one saved search, newest first."""

    id: UUID
    name: str
    arguments: Mapping[str, Any]  # Of the address that shows all of it.
    documents: Sequence[Row[Any]]
    has_more: bool


def save(person_id: UUID, name: str, asked: Asked) -> SavedSearch:
    """Keep a search.

    :raises SavedNameError: for a name that is empty or too long.
    :raises NothingAskedError: for a search without words or filters.
    :raises TooManySavedError: when this person keeps as many as one may.
    """
    arguments = {key: str(value) for key, value in asked.arguments().items()}
    if not arguments:
        raise NothingAskedError(field="search")
    number = db.session.scalar(
        select(func.count()).select_from(SavedSearch).where(SavedSearch.person_id == person_id)
    )
    if (number or 0) >= MOST:
        raise TooManySavedError(limit=MOST)
    kept = SavedSearch(
        person_id=person_id, name=_name(name), arguments=arguments, created_at=clock.now()
    )
    db.session.add(kept)
    db.session.flush()
    return kept


def saved_by(person_id: UUID) -> Sequence[Row[Any]]:
    """Return the searches that somebody keeps, oldest first."""
    rows: Sequence[Row[Any]] = (
        connection().execute(_OF_ONE.where(_saved.person_id == person_id)).all()
    )
    return rows


def rename(person_id: UUID, saved_id: UUID, name: str) -> None:
    """Give one of one's own searches another name.

    :raises NotFoundError: for what somebody else keeps, as for what nobody does.
    """
    _find(person_id, saved_id).name = _name(name)
    db.session.flush()


def remove(person_id: UUID, saved_id: UUID) -> None:
    """Forget one of one's own searches.

    :raises NotFoundError: for what somebody else keeps, as for what nobody does.
    """
    db.session.delete(_find(person_id, saved_id))
    db.session.flush()


def forget_those_who_left() -> None:
    """Forget in the caller's transaction what people kept whose accounts have ended."""
    left = select(Person.id).where(Person.left_at.is_not(None))
    for table in PERSONAL:
        statement = delete(table).where(table.person_id.in_(left))
        db.session.execute(statement.execution_options(synchronize_session=False))


def somebody_left() -> bool:
    """Say whether there is something to forget."""
    return any(
        db.session.scalar(
            select(table.person_id)
            .join(Person, Person.id == table.person_id)
            .where(Person.left_at.is_not(None))
            .limit(1)
        )
        for table in PERSONAL
    )


def news_of(person_id: UUID, audiences: Collection[str]) -> list[News]:
    """Return what was published in the last week of each search that somebody keeps.

    Costs a query of the index for each, without counting, and one of the database for all.
    """
    kept = [(row, Asked.of(row.arguments)) for row in saved_by(person_id)]
    if not kept:
        return []
    found = _ask([asked for _, asked in kept], audiences)
    rows = _rows(found, audiences, since=clock.now() - WEEK)
    return [_news(row, each, rows) for (row, _), each in zip(kept, found, strict=True)]


def _ask(asked: Sequence[Asked], audiences: Collection[str]) -> Sequence[Found]:
    """Ask the index for the newest hits of each; for none while there is no index."""
    index, nothing = of_this_node(OpenIndex), [Found((), 0, {}, 0)] * len(asked)
    try:
        reader = index.newest()
        if reader is None:
            return nothing
        requests = [_request(each, audiences) for each in asked]
        return [index.search(reader, each) if each else nothing[0] for each in requests]
    except BrokenIndexError:
        index.give_up()
        return nothing


def _request(asked: Asked, audiences: Collection[str]) -> Request | None:
    """Return what the index is asked; None when there is no word in what was typed."""
    question = understand(asked.q)
    if asked.q.strip() and not question.says_something:
        return None
    return Request(
        question.exact,
        frozenset(audiences),
        tuple(asked.filters.items()),
        limit=NEW + 1,
        order=Order.NEWEST,
        is_counted=False,
    )


def _rows(
    found: Sequence[Found], audiences: Collection[str], *, since: datetime
) -> dict[UUID, Row[Any]]:
    """Return those of the hits that may be shown and are new, as they were when indexed."""
    ids = {id_ for each in found for id_, _ in each.hits}
    if not ids:
        return {}
    statement = select(*_SHOWN).where(
        Document.id.in_(ids), readable(audiences), Document.published_at >= since
    )
    found_rows: Any = connection().execute(statement)
    return {row.id: row for row in found_rows}


def _news(row: Row[Any], found: Found, rows: Mapping[UUID, Row[Any]]) -> News:
    new = [
        rows[id_] for id_, _ in found.hits if id_ in rows and rows[id_].position <= found.position
    ]
    return News(row.id, row.name, row.arguments, new[:NEW], has_more=len(new) > NEW)


def _find(person_id: UUID, saved_id: UUID) -> SavedSearch:
    kept = db.session.get(SavedSearch, saved_id)
    if kept is None or kept.person_id != person_id:
        raise NotFoundError
    return kept


def _name(text: str) -> str:
    name = " ".join(text.split())
    if not 0 < len(name) <= NAME_LENGTH or not name.isprintable():
        raise SavedNameError(field="name", limit=NAME_LENGTH)
    return name
