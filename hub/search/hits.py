"""The documents that were found, as the database shows them to who asks."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Text, bindparam, cast, func, not_, or_, select

from hub.cases.models import Document
from hub.cases.service import readable
from hub.cases.service.offered import offered
from hub.config import settings
from hub.database import connection, db
from hub.identity.models import Profile
from hub.search import analysis, fitting, indexing
from hub.search.engine import Found
from hub.search.files.found import found_in_files
from hub.search.fitting import Fit
from hub.search.parts import parts
from hub.search.queries import understand
from hub.search.snippets import Marker, Part, is_marked

MOST_CHANGED = 1_000  # Documents newer than the index that a query can leave out.


@dataclass(frozen=True)
class Asker:
    """Who asks, as far as it decides what they are shown."""

    audiences: frozenset[str]
    profile: Profile  # Of their unit.
    is_by_node: bool = False  # The audiences are words of `hub.cases.service.offered`.


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


def rows_of(found: Found, asker: Asker) -> tuple[dict[UUID, Row[Any]], int]:
    """Return what is shown of the hits, and the position of the newest document of all.

    Hits that are not open to these audiences, or no longer as they were indexed, are left out.
    """
    ids = [id_ for id_, _ in found.hits]
    if not ids:
        return {}, connection().scalar(_NEWEST) or 0
    values = {"ids": ids, "audiences": list(asker.audiences), "position": found.position}
    if asker.is_by_node:
        rows = connection().execute(_OFFERED, values | {"ours": settings().enterprise}).all()
    else:
        rows = connection().execute(_HYDRATED, values).all()
    newest = rows[0].newest if rows else connection().scalar(_NEWEST) or 0
    return {row.id: row for row in rows if row.is_open}, newest


def changed_since(position: int) -> set[UUID] | None:
    """Return the documents that are newer than the index; None when they are too many."""
    newer = select(Document.id).where(Document.position > position).limit(MOST_CHANGED + 1)
    found = set(db.session.scalars(newer))
    return found if len(found) <= MOST_CHANGED else None


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


def hit_of(row: Row[Any], score: float, marker: Marker, asker: Asker) -> Hit:
    *shown, context, summary, body, fields = row[:_WIDTH]
    snippet = marker.cut((summary, body), _more_texts(fields), title=row.title)
    return Hit._make((*shown, score, snippet, fitting.explain(context, asker.profile), ""))


def hits_of(
    found: Iterable[tuple[UUID, float]],
    rows: Mapping[UUID, Row[Any]],
    marker: Marker,
    asker: Asker,
) -> list[Hit]:
    """Return the hits that have a row of `rows_of`, in their order."""
    hits = [hit_of(rows[id_], score, marker, asker) for id_, score in found if id_ in rows]
    return with_files(hits, marker, asker)


def with_files(hits: list[Hit], marker: Marker, asker: Asker) -> list[Hit]:
    """Say of the hits that show no reason whether one of their files is the reason."""
    if not marker:
        return hits
    silent = [
        hit.id
        for hit in hits
        if not is_marked(hit.snippet) and not is_marked(marker.mark(hit.title))
    ]
    said = found_in_files(silent, marker, asker.audiences)
    return [
        hit._replace(file=said[hit.id].name, snippet=said[hit.id].snippet or hit.snippet)
        if hit.id in said
        else hit
        for hit in hits
    ]


def _more_texts(fields: str) -> Iterator[str]:
    """Yield the texts of the fields; parsing them is left until one is asked for."""
    yield from indexing.texts_of(json.loads(fields))


def by_title(
    text: str, asker: Asker, filters: Iterable[tuple[str, str]], *, limit: int, offset: int
) -> tuple[list[Hit], Marker]:
    """Compare titles in the database, for as long as there is no index; newest first."""
    found = parts(text)
    wanted = [part.text for part in found if not part.is_excluded and part.text][:8]
    unwanted = [part.text for part in found if part.is_excluded and part.text][:8]
    statement = _SHOWN.where(
        _is_open(asker),
        *(_COMPARED[name] == value for name, value in filters if name in _COMPARED),
        *(_stands_in_title(word) for word in wanted),
        *(not_(_stands_in_title(word)) for word in unwanted),
    )
    newest = statement.order_by(Document.published_at.desc(), Document.id)
    rows = db.session.execute(newest.limit(limit).offset(offset))
    marker = Marker(understand(text).exact_marks)
    return [hit_of(row, 0.0, marker, asker) for row in rows], marker


def _is_open(asker: Asker) -> ColumnElement[bool]:
    if asker.is_by_node:
        return offered(asker.audiences, settings().enterprise)
    return readable(asker.audiences)


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
    return {storable(word), storable(analysis.fold(word))}


def storable(text: str) -> str:
    """Return the text without what no database takes: half characters and NUL."""
    return text.encode(errors="ignore").decode().replace("\0", "")
