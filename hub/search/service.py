"""Finding what one may read.

The index gives ids and scores; the database decides who sees what, twice: by the audiences inside
the query, so that counts and facets cover nothing else, and again for each hit that is shown.
A document that changed after it was indexed is left out until the index has caught up.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from types import MappingProxyType
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from hub.config import of_this_node
from hub.identity.models import UNKNOWN, Profile
from hub.registry import names
from hub.search import fitting, synonyms
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
from hub.search.fitting import Wish
from hub.search.hits import (
    Asker,
    Hit,
    by_title,
    changed_since,
    hits_of,
    rows_of,
    storable,
)
from hub.search.queries import LONGEST, Question, understand
from hub.search.reading import OpenIndex
from hub.search.snippets import Marker

PER_PAGE = 10
MOST_PER_PAGE = 50
DEEPEST = 10_000  # Hits that can be paged through.
NO_FILTERS: Mapping[str, str] = MappingProxyType({})
Engine = Callable[[Request], Found]
TRIES = 3  # A hit may be withdrawn between index and database; then we ask again without it.


class Gap(StrEnum):
    """Why totals and facets are missing."""

    NONE = ""
    LAGGING = "lagging"  # Too much is newer than the index.
    REBUILDING = "rebuilding"  # There is no index; only titles were compared.
    UNREACHABLE = "unreachable"  # Its server does not answer; only titles were compared.
    ELSEWHERE = "elsewhere"  # What another node counted, it can't say or we may not show.


class Reach(StrEnum):
    """How far was looked, where this node leaves part of its search to another."""

    OWN = ""  # In its own index, and that was all that was asked for.
    ALL = "all"  # The other node answered.
    AWAY = "away"  # It did not, so only in the own index.
    UNABLE = "unable"  # It can't answer this, so only in the own index.


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
    reach: Reach = Reach.OWN
    left_out: int = 0  # Hits of another node that are not here, or not for who asks.
    beside: "Results | None" = None  # What our own index finds beside what another node found.

    @property
    def has_more(self) -> bool:
        """Say whether another page follows."""
        if (self.page + 1) * self.per_page > DEEPEST:
            return False
        if self.total is None:
            return len(self.hits) + self.left_out == self.per_page
        return self.page * self.per_page < self.total


@dataclass(frozen=True)
class Search:
    """What is asked, in bounds.

    :raises LongQueryError: for more than 200 characters.
    :raises LongPageError: for more than 50 hits a page, or none.
    :raises FarPageError: beyond the first 10,000 hits.
    """

    text: str
    asker: Asker
    wish: Wish
    filters: tuple[tuple[str, str], ...]
    order: Order
    page: int
    per_page: int

    def __post_init__(self) -> None:
        if len(self.text) > LONGEST:
            raise LongQueryError(field="q", limit=LONGEST)
        if not 0 < self.per_page <= MOST_PER_PAGE:
            raise LongPageError(field="per_page", limit=MOST_PER_PAGE)
        if self.page < 1 or self.page * self.per_page > DEEPEST:
            raise FarPageError(field="page", limit=DEEPEST)

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


Finder = Callable[[Search], Results]


def find(asked: Search) -> Results:
    """Find what is asked for in our own index, best first; without words, newest first.

    A run of Chinese is found as it stands, or in other words for the same. Where nothing says all
    that was asked, Latin words are taken for pinyin of titles, units and tags; where that finds
    nothing either, parts count, and the results say so. What is typed is data but for the few
    signs that `parts` knows, and nothing in it is an error but its length.
    """
    index = of_this_node(OpenIndex)
    try:
        reader = index.newest()
        if reader is not None:
            question = understand(asked.text, synonyms.in_force())
            if asked.text.strip() and not question.says_something:
                return _nothing(asked)
            return _search(partial(index.search, reader), question, asked)
    except BrokenIndexError:
        index.give_up()
    except SearchDownError:
        return _search_titles(asked, Gap.UNREACHABLE)
    return _search_titles(asked, Gap.REBUILDING)


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
    by: Finder = find,
) -> Results:
    """Find documents that these audiences may read.

    :param filters: names of `FACETS` with the value wanted; empty values filter nothing.
    :param profile: of the unit of who asks: what fits it comes first, and each hit says why.
    :param is_fitting: whether only that is wanted. Without a profile it is no filter.
    :param is_by_node: whether another node asks; its audiences are then the words of a peer.
    :param by: what finds them: our own index, or whatever `asking` can reach.
    :raises HubError: see `Search`.
    """
    asker = Asker(frozenset(audiences), profile, is_by_node)
    wish = fitting.wish(profile, is_filter=is_fitting)
    wanted = tuple((name, storable(filters[name])) for name in FACETS if filters.get(name))
    return by(Search(text, asker, wish, wanted, order, page, per_page))


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
        hits=hits_of(found.hits, rows, marker, asked.asker),
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
            asked.asker.audiences,
            asked.filters,
            needs=asked.wish.needs,
            likes=asked.wish.likes,
            excluded=excluded,
            limit=asked.per_page,
            offset=asked.offset,
            order=asked.order,
        )
        found = engine(request)
        rows, newest = rows_of(found, asked.asker)
        doubtful = {id_ for id_, _ in found.hits} - rows.keys()
        if newest > found.position and not is_lagging:
            changed = changed_since(found.position)
            is_lagging = changed is None
            doubtful |= changed or set()
        if doubtful <= excluded:
            return Answer(found, rows, is_lagging)
        excluded |= doubtful
    return Answer(found, rows, is_lagging=True)  # It changes faster than we ask: claim nothing.


def _search_titles(asked: Search, gap: Gap) -> Results:
    hits, marker = by_title(
        asked.text, asked.asker, asked.filters, limit=asked.per_page, offset=asked.offset
    )
    return Results(hits, asked.page, asked.per_page, None, None, marker, gap=gap)


def node_names(results: Results) -> dict[str, str]:
    """Return what people call the nodes that the results come from, by their origins."""
    beside = results.beside.hits if results.beside else ()
    origins = {hit.origin for hit in (*results.hits, *beside)}
    origins |= {value for value, _ in (results.facets or {}).get("origin", [])}
    return names.node_names(origins)
