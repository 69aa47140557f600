"""The index in whoosh: pure Python, for processors that tantivy is not built for."""

import json
import os
import threading
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from importlib.metadata import version
from math import log
from pathlib import Path
from typing import Any
from uuid import UUID

from whoosh import fields, index, query, scoring, sorting
from whoosh.analysis import RegexTokenizer, SpaceSeparatedTokenizer

from hub.search.engine import (
    FACETS,
    FIELDS,
    MOST_VALUES,
    SUITING,
    BrokenIndexError,
    Facets,
    Found,
    Indexed,
    Order,
    Request,
    Way,
)

MEGABYTES = 64  # That the writer fills before it writes.
SINGLE = tuple(name for name in FACETS if name != "place")  # A document has one value of each.
PLACE = "position"  # Id of the one document that says how far the index is; it has no audience.
SUMS = "sums.json"  # Checksums of all other files: whoosh makes none, and syncs nothing to disk.


@contextmanager
def _guarded() -> Iterator[None]:
    """Call whatever whoosh says of bad files by one name.

    It has no errors of its own for them: anything from zlib.error to a bare Exception was seen.
    """
    try:
        yield
    except BrokenIndexError:
        raise
    except Exception as error:
        raise BrokenIndexError from error


def _schema() -> Any:
    return fields.Schema(
        id=fields.ID(stored=True, unique=True),
        **{
            name: fields.TEXT(analyzer=SpaceSeparatedTokenizer(), phrase=name != "characters")
            for name in FIELDS
        },
        **{name: fields.ID(sortable=True) for name in SINGLE},
        audience=fields.KEYWORD(analyzer=RegexTokenizer(r"[^\n]+")),
        place=fields.KEYWORD(analyzer=RegexTokenizer(r"[^\n]+")),
        suits=fields.KEYWORD,
        published_at=fields.NUMERIC(int, bits=64, sortable=True),
        rank=fields.NUMERIC(int, bits=64, sortable=True),
        position=fields.STORED,
    )


def _open(path: Path) -> Any:
    with _guarded():
        return index.open_dir(str(path))


def _position(searcher: Any) -> int:
    place = searcher.document(id=PLACE)
    if place is None:
        raise BrokenIndexError
    return int(place["position"])


class _Weighting(scoring.BM25F):  # type: ignore[misc]  # whoosh has no types.
    """BM25 exactly as tantivy computes it, so that both put hits in the same order."""

    def __init__(self) -> None:
        super().__init__(B=0.75, K1=1.2)

    def idf(self, searcher: Any, fieldname: str, text: bytes) -> float:
        holding = searcher.get_parent().doc_frequency(fieldname, text)
        count = searcher.get_parent().doc_count_all()
        return log(1 + (count - holding + 0.5) / (holding + 0.5))


class WhooshWriter:
    """Changes an index."""

    def __init__(self, path: Path, opened: Any, position: int | None = None) -> None:
        self._path = path
        self._index = opened
        self._sums: dict[str, int] = {}
        with _guarded():
            if position is None:
                with opened.searcher() as searcher:
                    position = _position(searcher)
            self._writer = opened.writer(limitmb=MEGABYTES)
        self.position = position

    def add(self, documents: Iterable[Indexed]) -> None:
        for document in documents:
            self._writer.add_document(
                id=str(document.id),
                audience="\n".join([document.audience, *document.offers]),
                place="\n".join(document.places),
                suits=" ".join(document.suits),
                published_at=document.published_at,
                rank=document.rank,
                **document.tokens,
                **document.values,
            )

    def delete(self, ids: Iterable[UUID]) -> None:
        for document_id in ids:
            self._writer.delete_by_term("id", str(document_id))

    def commit(self, position: int) -> None:
        with _guarded():
            self._writer.update_document(id=PLACE, position=position)
            self._writer.commit()
            self._sum()
            self._writer = self._index.writer(limitmb=MEGABYTES)
        self.position = position

    def close(self) -> None:
        with suppress(BrokenIndexError), _guarded():  # Where its folder is gone, so is all this.
            self._writer.cancel()
            self._index.close()

    def _sum(self) -> None:
        """Write the checksums of all files; those known stay as they are, as the files do."""
        names = sorted(path.name for path in self._path.iterdir() if _is_content(path))
        self._sums = {name: self._sums.get(name) or _crc(self._path / name) for name in names}
        draft = self._path / f".{SUMS}"
        draft.write_text(json.dumps(self._sums))
        draft.replace(self._path / SUMS)


def _is_content(path: Path) -> bool:
    return path.suffix in {".seg", ".toc"}


def _crc(path: Path) -> int:
    return zlib.crc32(path.read_bytes())


class WhooshReader:
    """Searches an index; one thread at a time, since whoosh's readers keep their place in files."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._index = _open(path)
        self._stamp = self._look()
        with _guarded():
            self._searcher = self._index.searcher(weighting=_Weighting())
            self.position = _position(self._searcher)

    @property
    def count(self) -> int:
        return int(self._searcher.doc_count()) - 1  # Without the one that tells the position.

    def refresh(self) -> None:
        stamp = self._look()
        if stamp == self._stamp:
            return
        with self._lock, _guarded():
            self._searcher = self._searcher.refresh()
            self.position = _position(self._searcher)
            self._stamp = stamp

    def search(self, request: Request) -> Found:
        with self._lock, _guarded():
            return self._search(request)

    def close(self) -> None:
        with self._lock:
            self._searcher.close()
            self._index.close()

    def _look(self) -> int:
        try:
            return os.stat(self._path).st_mtime_ns
        except OSError as error:
            raise BrokenIndexError from error

    def _search(self, request: Request) -> Found:
        order: dict[str, Any] = {}
        if not request.is_scored:
            order = {"sortedby": _ORDERS[request.order], "reverse": True}
        found = self._searcher.search(
            _asked(request),
            limit=max(request.offset + request.limit, 1),
            filter=_shown(request),
            mask=_hidden(request),
            groupedby=_grouping() if request.is_counted else None,
            **order,
        )
        names = FACETS if request.is_counted else ()
        facets: Facets = {name: _values(found.groups(name)) for name in names}
        total = sum(count for _, count in facets.get("kind", ()))
        last = min(request.offset + request.limit, found.scored_length())
        hits = [
            (UUID(found[n]["id"]), float(found.score(n)) if request.is_scored else 0.0)
            for n in range(request.offset, last)
        ]
        shown = {name: values[:MOST_VALUES] for name, values in facets.items()}
        return Found(hits, total, shown, self.position)


_ORDERS = {
    Order.RELEVANCE: "published_at",  # Where nothing was asked, the newest come first.
    Order.NEWEST: "published_at",
    Order.CONFIRMED: "rank",
}


def _grouping() -> Any:
    groups = sorting.Facets()
    for name in FACETS:
        overlaps = name not in SINGLE
        facet = sorting.FieldFacet(name, allow_overlap=overlaps, maptype=sorting.Count)
        groups.add_facet(name, facet)
    return groups


def _values(counts: dict[str, int]) -> list[tuple[str, int]]:
    # Under None are those without a value.
    found = [(value, count) for value, count in counts.items() if value is not None]
    return sorted(found, key=lambda pair: (-pair[1], pair[0]))


def _shown(request: Request) -> Any:
    """Return the filter: what decides and does not score."""
    parts = [_one_of("audience", request.audiences)]
    parts += [query.Term(name, value) for name, value in request.filters]
    parts += [_one_of("suits", needed) for needed in request.needs]
    return query.And(parts)


def _hidden(request: Request) -> Any:
    """Return what may not be found; None when that is nothing.

    whoosh's AndNot lets the first hit through when what is excluded begins with an earlier one.
    """
    parts = [query.Term("id", str(one)) for one in request.excluded]
    parts += [_way(way) for way in request.query.none_of]
    return query.Or(parts) if parts else None


def _one_of(field: str, values: Iterable[str]) -> Any:
    return query.Or([query.Term(field, value) for value in sorted(values)])


def _asked(request: Request) -> Any:
    """Return what scores."""
    asked = request.query
    must = [_any(ways) for ways in asked.all_of]
    if asked.any_of:
        must.append(_any(asked.any_of))
    also = [_way(way) for way in asked.better]
    if request.is_scored:
        liked = (query.Term("suits", one) for one in request.likes)
        also += [query.ConstantScoreQuery(one, SUITING) for one in liked]
    found = query.And(must) if must else query.Every()
    if also:
        found = query.AndMaybe(found, query.Or(also))
    return found


def _any(ways: Sequence[Way]) -> Any:
    return _way(ways[0]) if len(ways) == 1 else query.Or([_way(way) for way in ways])


def _way(way: Way) -> Any:
    if len(way.tokens) == 1:
        return query.Term(way.field, way.tokens[0], boost=way.weight)
    return query.Phrase(way.field, list(way.tokens), boost=way.weight)


class WhooshEngine:
    """Pure Python: runs wherever Python does, and is enough for some thousand documents."""

    name = "whoosh"

    @cached_property
    def version(self) -> str:
        return version("whoosh")

    def create(self, path: Path) -> WhooshWriter:
        writer = WhooshWriter(path, index.create_in(str(path), _schema()), 0)
        writer.commit(0)
        return writer

    def open_writer(self, path: Path) -> WhooshWriter:
        return WhooshWriter(path, _open(path))

    def open_reader(self, path: Path) -> WhooshReader:
        return WhooshReader(path)

    def is_sound(self, path: Path) -> bool:
        try:
            sums = json.loads((path / SUMS).read_text())
            return all(_crc(path / name) == crc for name, crc in sums.items()) and any(
                name.endswith(".toc") for name in sums
            )
        except (OSError, ValueError, AttributeError):
            return False


engine = WhooshEngine()
