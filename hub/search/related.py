"""More like this: what derives from a document or it from them, and what says much the same.

Lineage stands in the fields of the later document, as the id of the earlier one; the index finds
it there like any word. Likeness is a search for the words that tell most about the document. Both
are one query, and the database decides what of it the reader sees.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Row, Select, select

from hub.cases.models import Document
from hub.cases.service import find_document, readable
from hub.cases.service.page import ON_CARD
from hub.config import of_this_node
from hub.database import db
from hub.search import analysis, indexing
from hub.search.engine import BrokenIndexError, Found, Query, Request, Way
from hub.search.reading import OpenIndex

MOST = 5
LOOKED_AT = 20  # Hits, since the database may take some away.
TITLE_WORDS = 24  # Tokens of title and tags.
TEXT_WORDS = 12  # Tokens of the rest: those that are said most often.
OFTEN = 3  # Times that a token must be said there.
TITLE_WEIGHT = 2.0  # Its author chose these words to tell it from others.
LINEAGE_WEIGHT = 100.0  # Comes before all that is merely alike.
LEAST = 0.3  # Of the score of what is most alike: below, one common word is all that is shared.
REFERENCES = ("parent_case", "linked_case")


class Why(StrEnum):
    """How a document is related to another one."""

    EARLIER = "earlier"  # The other derives from it, or reports on it.
    LATER = "later"  # It derives from the other, or reports on it.
    ALIKE = "alike"


_ORDER = {why: place for place, why in enumerate(Why)}


class Related(NamedTuple):
    """A related document, as a list shows it."""

    id: UUID
    kind: str
    title: str
    summary: str
    unit: str
    published_at: Any
    is_harvested: bool
    why: Why


_SHOWN = tuple(getattr(Document, name) for name in ON_CARD)


def related(document_id: UUID, audiences: Collection[str]) -> list[Related]:
    """Return at most five documents that these audiences may read, lineage first.

    :raises NotFoundError, WithdrawnError: as for the page of the document.
    """
    document = find_document(document_id, audiences)
    found = _ask(document, audiences)
    earlier = [UUID(value) for value in _references(document.fields)]
    scores = dict(found.hits)
    ids = list(dict.fromkeys([*earlier, *scores]))
    rows = _rows(ids, audiences, found.position if scores else None)
    known = [_related(rows[id_], document_id, earlier) for id_ in ids if id_ in rows]
    likest = max((scores[each.id] for each in known if each.why == Why.ALIKE), default=0.0)
    told = [e for e in known if e.why != Why.ALIKE or scores[e.id] >= LEAST * likest]
    return sorted(told, key=lambda each: _ORDER[each.why])[:MOST]


def _ask(document: Document, audiences: Collection[str]) -> Found:
    """Ask the index; it remembers the answer until it changes. Without one nothing is found."""
    index = of_this_node(OpenIndex)
    request = Request(
        Query(any_of=tuple(_ways(document))),
        frozenset(audiences),
        excluded=frozenset({document.id}),
        limit=LOOKED_AT,
        is_counted=False,
    )
    try:
        reader = index.newest()
        if reader is not None:
            return index.search(reader, request)
    except BrokenIndexError:
        index.give_up()
    return Found((), 0, {}, 0)


def _ways(document: Document) -> Iterator[Way]:
    """Yield the ways to say what is like a document: its id, and its most telling tokens.

    The engine weighs each by how rare it is, so a common word among them does little.
    """
    yield Way("text", tuple(analysis.words(str(document.id))), LINEAGE_WEIGHT)
    tags = document.fields.get("tags", ())
    title = _tokens([document.title, *indexing.texts_of(tags)])
    first = [token for token, _ in title.most_common(TITLE_WORDS)]
    texts = _tokens([document.summary, document.body, *indexing.texts_of(document.fields)])
    often = [t for t, count in texts.most_common(TEXT_WORDS + len(first)) if count >= OFTEN]
    for token in first:
        yield Way("text", (token,), TITLE_WEIGHT)
    for token in [token for token in often if token not in title][:TEXT_WORDS]:
        yield Way("text", (token,))


def _tokens(texts: Sequence[str]) -> Counter[str]:
    """Count the tokens that tell something; a single character does not."""
    tokens = analysis.tokens("\n".join(texts)).text.split()
    return Counter(token for token in tokens if len(token) > 1)


def _references(fields: Any) -> Iterator[str]:
    """Yield the ids that a document names as what it comes from."""
    for name in REFERENCES:
        value = fields.get(name)
        try:
            yield str(UUID(value))
        except (ValueError, TypeError, AttributeError):
            continue  # Another node may have signed anything.


def _rows(
    ids: Collection[UUID], audiences: Collection[str], position: int | None
) -> dict[UUID, Row[Any]]:
    """Return those that these audiences may read and that are as they were indexed."""
    if not ids:
        return {}
    shown: Select[Any] = select(*_SHOWN, Document.fields)
    statement = shown.where(Document.id.in_(ids), readable(audiences))
    if position is not None:
        statement = statement.where(Document.position <= position)
    return {row.id: row for row in db.session.execute(statement)}


def _related(row: Row[Any], document_id: UUID, earlier: Collection[UUID]) -> Related:
    return Related._make((*row[: len(_SHOWN)], _why(row, document_id, earlier)))


def _why(row: Row[Any], document_id: UUID, earlier: Collection[UUID]) -> Why:
    if row.id in earlier:
        return Why.EARLIER
    return Why.LATER if str(document_id) in _references(row.fields) else Why.ALIKE
