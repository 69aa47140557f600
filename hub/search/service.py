"""Finding what one may read.

The index gives ids and scores; the database decides who sees what, twice: by the audiences inside
the query, so that counts and facets cover nothing else, and again for each hit that is shown.
A document that changed after it was indexed is left out until the index has caught up.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Text, bindparam, cast, func, not_, or_, select

from hub.cases.models import Document
from hub.cases.service import readable
from hub.cases.service.offered import offered
from hub.config import of_this_node, settings
from hub.database import connection, db
from hub.identity.models import UNKNOWN, Profile
from hub.registry import names
from hub.search import analysis, fitting, indexing, synonyms
from hub.search.engine import (
    FACETS,
    BrokenIndexError,
    Facets,
    Found,
    Order,
    Query,
    Request,
    SearchDownError,
)
from hub.search.errors import FarPageError, LongPageError, LongQueryError
from hub.search.files.found import found_in_files
from hub.search.fitting import Fit, Wish
from hub.search.parts import parts
from hub.search.queries import LONGEST, Question, understand
from hub.search.reading import OpenIndex
from hub.search.snippets import Marker, Part, is_marked

PER_PAGE = 10
MOST_PER_PAGE = 50
DEEPEST = 10_000  # Hits that can be paged through.
MOST_CHANGED = 1_000  # Documents newer than the index that a query can leave out.
NO_FILTERS: Mapping[str, str] = MappingProxyType({})
Engine = Callable[[Request], Found]
TRIES = 3  # A hit may be withdrawn between index and database; then we ask again without it.


class Gap(StrEnum):
    """Why totals and facets are missing."""

    NONE = ""
    LAGGING = "lagging"  # Too much is newer than the index.
    REBUILDING = "rebuilding"  # There is no index; only titles were compared.
    UNREACHABLE = "unreachable"  # Its server does not answer; only titles were compared.


class Hit(NamedTuple):
    """One document that was found."""

    id: UUID
    origin: str
    kind: str
    category: str
    title: str
    unit: str
    published_at: datetime
    synced_at: datetime
    is_harvested: bool  # Nobody but this node signed it.
    level: str  # Of its unit.
    replicability: str
    adopted: int
    effective: int
    has_kit: bool
    score: float
    snippet: Sequence[Part]
    fit: Fit  # Why it fits the unit of who asks, or not.
    file: str = ""  # What the file is called that the snippet is from, or that was found by it.


@dataclass(frozen=True)
class Results:
    """One page of what was found."""

    hits: Sequence[Hit]
    page: int
    per_page: int
    total: int | None  # None when it can't be said.
    facets: Facets | None
    marker: Marker  # Of what was looked for.
    is_loosened: bool = False  # Nothing says all of it, so any part of it was looked for.
    gap: Gap = Gap.NONE

    @property
    def has_more(self) -> bool:
        """Say whether another page follows."""
        if (self.page + 1) * self.per_page > DEEPEST:
            return False
        if self.total is None:
            return len(self.hits) == self.per_page
        return self.page * self.per_page < self.total


@dataclass(frozen=True)
class Search:
    """What is asked, in bounds."""

    audiences: frozenset[str]
    filters: tuple[tuple[str, str], ...]
    order: Order
    page: int
    per_page: int
    profile: Profile
    wish: Wish
    is_by_node: bool  # The audiences are words of `hub.cases.service.offered`.

    @property
    def offset(self) -> int:
        """Return the number of hits on the pages before."""
        return (self.page - 1) * self.per_page


@dataclass(frozen=True)
class Answer:
    """What index and database agree on."""

    found: Found
    rows: Mapping[UUID, Row[Any]]  # Of the hits that may be shown.
    is_lagging: bool  # Too much is newer than the index to leave it out.


def search(
    text: str,
    *,
    audiences: Collection[str],
    filters: Mapping[str, str] = NO_FILTERS,
    order: Order = Order.RELEVANCE,
    page: int = 1,
    per_page: int = PER_PAGE,
    profile: Profile = UNKNOWN,
    is_fitting: bool = False,
    is_by_node: bool = False,
) -> Results:
    """Find documents that these audiences may read, best first; without words, newest first.

    A run of Chinese is found as it stands, or in other words for the same. Where nothing says all
    that was asked, Latin words are taken for pinyin of titles, units and tags; where that finds
    nothing either, parts count, and the results say so. What is typed is data but for the few
    signs that `parts` knows, and nothing in it is an error but its length.

    :param filters: names of `FACETS` with the value wanted; empty values filter nothing.
    :param profile: of the unit of who asks: what fits it comes first, and each hit says why.
    :param is_fitting: whether only that is wanted. Without a profile it is no filter.
    :param is_by_node: whether another node asks; its audiences are then the words of a peer.
    :raises LongQueryError: for more than 200 characters.
    :raises LongPageError: for more than 50 hits a page, or none.
    :raises FarPageError: beyond the first 10,000 hits.
    """
    if len(text) > LONGEST:
        raise LongQueryError(field="q", limit=LONGEST)
    if not 0 < per_page <= MOST_PER_PAGE:
        raise LongPageError(field="per_page", limit=MOST_PER_PAGE)
    if page < 1 or page * per_page > DEEPEST:
        raise FarPageError(field="page", limit=DEEPEST)
    wanted = tuple((name, _storable(filters[name])) for name in FACETS if filters.get(name))
    wish = fitting.wish(profile, is_filter=is_fitting)
    asked = Search(frozenset(audiences), wanted, order, page, per_page, profile, wish, is_by_node)
    index = of_this_node(OpenIndex)
    try:
        reader = index.newest()
        if reader is not None:
            question = understand(text, synonyms.in_force())
            if text.strip() and not question.says_something:
                return _nothing(asked)
            return _search(partial(index.search, reader), question, asked)
    except BrokenIndexError:
        index.give_up()
    except SearchDownError:
        return _search_titles(text, asked, Gap.UNREACHABLE)
    return _search_titles(text, asked, Gap.REBUILDING)


def _nothing(asked: Search) -> Results:
    return Results((), asked.page, asked.per_page, 0, {name: [] for name in FACETS}, Marker(()))


def _search(engine: Engine, question: Question, asked: Search) -> Results:
    answer = _ask(engine, question.exact, asked)
    if not answer.found.total and question.sounded:
        answer = _ask(engine, question.sounded, asked)
    is_loosened = not answer.found.total and bool(question.loose)
    if is_loosened:
        answer = _ask(engine, question.loose, asked)
    found, rows = answer.found, answer.rows
    marker = Marker(question.loose_marks if is_loosened else question.exact_marks)
    return Results(
        hits=_with_files(
            [_hit(rows[id_], score, marker, asked) for id_, score in found.hits if id_ in rows],
            marker,
            asked.audiences,
        ),
        page=asked.page,
        per_page=asked.per_page,
        total=None if answer.is_lagging else found.total,
        facets=None if answer.is_lagging else found.facets,
        marker=marker,
        is_loosened=is_loosened and found.total > 0,
        gap=Gap.LAGGING if answer.is_lagging else Gap.NONE,
    )


def _ask(engine: Engine, query: Query, asked: Search) -> Answer:
    """Ask the index, then the database; ask again without what the two do not agree on.

    Usually the index is complete and one query to the database says so and brings the rows.
    """
    excluded: frozenset[UUID] = frozenset()
    is_lagging = False
    for _ in range(TRIES):
        request = Request(
            query,
            asked.audiences,
            asked.filters,
            needs=asked.wish.needs,
            likes=asked.wish.likes,
            excluded=excluded,
            limit=asked.per_page,
            offset=asked.offset,
            order=asked.order,
        )
        found = engine(request)
        rows, newest = _rows(found, asked)
        doubtful = {id_ for id_, _ in found.hits} - rows.keys()
        if newest > found.position and not is_lagging:
            changed = _changed_since(found.position)
            is_lagging = len(changed) > MOST_CHANGED
            doubtful |= set() if is_lagging else changed
        if doubtful <= excluded:
            return Answer(found, rows, is_lagging)
        excluded |= doubtful
    return Answer(found, rows, is_lagging=True)  # It changes faster than we ask: claim nothing.


def _rows(found: Found, asked: Search) -> tuple[dict[UUID, Row[Any]], int]:
    """Return what is shown of the hits, and the position of the newest document of all.

    Hits that are not open to these audiences, or no longer as they were indexed, are left out.
    """
    ids = [id_ for id_, _ in found.hits]
    if not ids:
        return {}, connection().scalar(_NEWEST) or 0
    values = {"ids": ids, "audiences": list(asked.audiences), "position": found.position}
    if asked.is_by_node:
        rows = connection().execute(_OFFERED, values | {"ours": settings().enterprise}).all()
    else:
        rows = connection().execute(_HYDRATED, values).all()
    newest = rows[0].newest if rows else connection().scalar(_NEWEST) or 0
    return {row.id: row for row in rows if row.is_open}, newest


def _changed_since(position: int) -> set[UUID]:
    """Return the documents that are newer than the index; beyond a thousand, some of them."""
    newer = select(Document.id).where(Document.position > position).limit(MOST_CHANGED + 1)
    return set(db.session.scalars(newer))


_SHOWN: Any = select(  # In the order of a hit; then where its snippet may come from.
    Document.id,
    Document.origin,
    Document.kind,
    Document.category,
    Document.title,
    Document.unit,
    Document.published_at,
    Document.synced_at,
    Document.is_harvested,
    Document.unit_level,
    Document.replicability,
    Document.adopted,
    Document.effective,
    (func.length(cast(Document.attachments, Text)) > len("[]")).label("has_kit"),
    Document.context,
    Document.summary,
    Document.body,
    cast(Document.fields, Text).label("fields"),  # Parsed only when the snippet is in there.
)
_WIDTH = len(_SHOWN.selected_columns)
_NEWEST = select(func.max(Document.position))


def _hydrated(is_open: ColumnElement[bool]) -> Any:
    """Return the statement for the rows of hits, with whether they may be shown.

    The conditions are computed for the rows found by their keys and not searched by: an index on
    one of them would tempt SQLite to read thousands of rows to keep ten.
    """
    return _SHOWN.add_columns(
        (is_open & (Document.position <= bindparam("position"))).label("is_open"),
        _NEWEST.scalar_subquery().label("newest"),
    ).where(Document.id.in_(bindparam("ids", expanding=True)))


_ASKED: Any = bindparam("audiences", expanding=True)
_HYDRATED = _hydrated(readable(_ASKED))
_OFFERED = _hydrated(offered(_ASKED, bindparam("ours")))


def _hit(row: Row[Any], score: float, marker: Marker, asked: Search) -> Hit:
    *shown, context, summary, body, fields = row[:_WIDTH]
    snippet = marker.cut((summary, body), _more_texts(fields), title=row.title)
    return Hit._make((*shown, score, snippet, fitting.explain(context, asked.profile), ""))


def _with_files(hits: list[Hit], marker: Marker, audiences: Collection[str]) -> list[Hit]:
    """Say of the hits that show no reason whether one of their files is the reason."""
    if not marker:
        return hits
    silent = [
        hit.id
        for hit in hits
        if not is_marked(hit.snippet) and not is_marked(marker.mark(hit.title))
    ]
    said = found_in_files(silent, marker, audiences)
    return [
        hit._replace(file=said[hit.id].name, snippet=said[hit.id].snippet or hit.snippet)
        if hit.id in said
        else hit
        for hit in hits
    ]


def _more_texts(fields: str) -> Iterator[str]:
    """Yield the texts of the fields; parsing them is left until one is asked for."""
    yield from indexing.texts_of(json.loads(fields))


def _search_titles(text: str, asked: Search, gap: Gap) -> Results:
    """Compare titles in the database, for as long as there is no index."""
    found = parts(text)
    wanted = [part.text for part in found if not part.is_excluded and part.text][:8]
    unwanted = [part.text for part in found if part.is_excluded and part.text][:8]
    is_open = (
        offered(asked.audiences, settings().enterprise)
        if asked.is_by_node
        else readable(asked.audiences)
    )
    statement = _SHOWN.where(
        is_open,
        *(_COMPARED[name] == value for name, value in asked.filters if name in _COMPARED),
        *(_stands_in_title(word) for word in wanted),
        *(not_(_stands_in_title(word)) for word in unwanted),
    )
    newest = statement.order_by(Document.published_at.desc(), Document.id)
    rows = db.session.execute(newest.limit(asked.per_page).offset(asked.offset))
    marker = Marker(understand(text).exact_marks)
    hits = [_hit(row, 0.0, marker, asked) for row in rows]
    return Results(hits, asked.page, asked.per_page, None, None, marker, gap=gap)


# The filters that stand for as long as there is no index; the others are put aside.
_COMPARED: dict[str, Any] = {
    "kind": Document.kind,
    "category": Document.category,
    "unit": Document.unit,
    "origin": Document.origin,
    "enterprise": Document.enterprise,
}


def _stands_in_title(word: str) -> ColumnElement[bool]:
    return or_(*(Document.title.contains(form, autoescape=True) for form in _forms(word)))


def _forms(word: str) -> set[str]:
    """Return a word as it was typed, and folded."""
    return {_storable(word), _storable(analysis.fold(word))}


def _storable(text: str) -> str:
    """Return the text without what no database takes: half characters and NUL."""
    return text.encode(errors="ignore").decode().replace("\0", "")


def node_names(results: Results) -> dict[str, str]:
    """Return what people call the nodes that the results come from, by their origins."""
    origins = {hit.origin for hit in results.hits}
    origins |= {value for value, _ in (results.facets or {}).get("origin", [])}
    return names.node_names(origins)
