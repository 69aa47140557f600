"""The index in tantivy, the default."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import UUID

import tantivy
from tantivy import Occur

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
    Query,
    Request,
    Way,
)
from hub.search.engines import soundness

MEMORY = 32_000_000  # Bytes that the writer fills before it writes a segment.
# The same while an index is built: fewer segments are merged, and those that stay are searched,
# since facets are counted in each, in less time.
MEMORY_OF_BUILDING = 64_000_000
PLACE = "position"  # Id of the one document that says how far the index is; it has no audience.
# Values counted for each segment before they are merged. With few, rare values are miscounted
# (7 of 40 queries at the default); all of them cost .01 ms at 100 units.
COUNTED = 65_000
FAILURES = (ValueError, OSError, RuntimeError)  # What tantivy raises for bad files.


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", stored=True, tokenizer_name="raw", index_option="basic")
    for name in FIELDS:
        option = "freq" if name == "characters" else "position"
        builder.add_text_field(name, tokenizer_name="whitespace", index_option=option)
    for name in (*FACETS, "audience"):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic", fast=True)
    builder.add_text_field("suits", tokenizer_name="raw", index_option="basic")
    builder.add_integer_field("published_at", fast=True)
    builder.add_integer_field("rank", fast=True)
    builder.add_integer_field("position", stored=True)
    return builder.build()


@contextmanager
def _guarded() -> Iterator[None]:
    """Call whatever tantivy says of bad files by one name."""
    try:
        yield
    except FAILURES as error:
        raise BrokenIndexError from error
    except BaseException as error:
        # A panic of Rust is no Exception, and its class can't be imported.
        if type(error).__name__ == "PanicException":
            raise BrokenIndexError from error
        raise


def _open(path: Path) -> tantivy.Index:
    with _guarded():
        return _with_tokenizer(tantivy.Index.open(str(path)))


def _with_tokenizer(index: tantivy.Index) -> tantivy.Index:
    words = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()
    index.register_tokenizer("whitespace", words)
    return index


def _position(searcher: tantivy.Searcher, schema: tantivy.Schema) -> int:
    """Return the position that was committed with what the searcher sees."""
    place = tantivy.Query.term_query(schema, "id", PLACE, "basic")
    found = searcher.search(place, 1, count=False).hits
    if not found:
        raise BrokenIndexError
    return int(searcher.doc(found[0][1]).get_first("position") or 0)


class TantivyWriter:
    """Changes an index; kept open, since opening costs more than committing."""

    def __init__(
        self, index: tantivy.Index, position: int | None = None, memory: int = MEMORY
    ) -> None:
        self._schema = index.schema
        with _guarded():
            self._writer = index.writer(memory, 1)
            if position is None:
                index.reload()
                position = _position(index.searcher(), self._schema)
        self.position = position

    def add(self, documents: Iterable[Indexed]) -> None:
        for document in documents:
            fields: dict[str, Any] = {**document.tokens, **document.values}
            fields["id"] = str(document.id)
            fields["audience"] = [document.audience, *document.offers]
            fields["place"], fields["suits"] = list(document.places), list(document.suits)
            fields["published_at"], fields["rank"] = document.published_at, document.rank
            # With the schema: without it, a whole number becomes a field of another type, and
            # the writer dies of it later.
            with _guarded():
                self._writer.add_document(tantivy.Document.from_dict(fields, self._schema))

    def delete(self, ids: Iterable[UUID]) -> None:
        for document_id in ids:
            self._writer.delete_documents_by_term("id", str(document_id))

    def commit(self, position: int) -> None:
        self._writer.delete_documents_by_term("id", PLACE)
        place = {"id": PLACE, "position": position}
        with _guarded():
            self._writer.add_document(tantivy.Document.from_dict(place, self._schema))
            self._writer.commit()
        self.position = position

    def close(self) -> None:
        with suppress(BrokenIndexError), _guarded():  # Where its folder is gone, so is all this.
            self._writer.rollback()
            self._writer.wait_merging_threads()


@dataclass(frozen=True)
class _View:
    """One commit of the index, as a reader sees it."""

    searcher: tantivy.Searcher
    position: int
    stamp: tuple[int, int]


class TantivyReader:
    """Searches an index."""

    def __init__(self, path: Path) -> None:
        self._meta = path / "meta.json"
        self._index = _open(path)
        self._schema = self._index.schema
        self._view = self._look()

    @property
    def position(self) -> int:
        return self._view.position

    @property
    def count(self) -> int:
        return self._view.searcher.num_docs - 1  # Without the one that tells the position.

    def refresh(self) -> None:
        if self._stamp() != self._view.stamp:
            self._view = self._look()

    def search(self, request: Request) -> Found:
        view = self._view  # Another thread may look again meanwhile.
        searcher = view.searcher
        query = _Questions(self._schema).query(request)
        order = None if request.is_scored else _ORDERS[request.order]
        with _guarded():
            counted = searcher.aggregate(query, _COUNTING) if request.is_counted else {}
            found = searcher.search(
                query,
                max(request.limit, 1),
                count=False,
                order_by_field=order,
                offset=request.offset,
            )
            hits = [
                (UUID(searcher.doc(place).get_first("id")), 0.0 if order else float(score))
                for score, place in found.hits[: request.limit]
            ]
        facets: Facets = {name: _values(found["buckets"]) for name, found in counted.items()}
        # Every document has one kind, so these add up to all of them.
        total = sum(count for _, count in facets.get("kind", ()))
        return Found(hits, total, facets, view.position)

    def close(self) -> None:
        """Nothing to do: the files are let go of with the object."""

    def _stamp(self) -> tuple[int, int]:
        try:
            found = os.stat(self._meta)
        except OSError as error:
            raise BrokenIndexError from error
        return found.st_mtime_ns, found.st_ino

    def _look(self) -> _View:
        stamp = self._stamp()  # First: a commit in between is then looked at once more.
        with _guarded():
            self._index.reload()
            searcher = self._index.searcher()
            return _View(searcher, _position(searcher, self._schema), stamp)


_ORDERS = {
    Order.RELEVANCE: "published_at",  # Where nothing was asked, the newest come first.
    Order.NEWEST: "published_at",
    Order.CONFIRMED: "rank",
}
_COUNTING = {
    name: {"terms": {"field": name, "size": MOST_VALUES, "segment_size": COUNTED}}
    for name in FACETS
}


def _values(buckets: list[dict[str, Any]]) -> list[tuple[str, int]]:
    found = [(str(bucket["key"]), int(bucket["doc_count"])) for bucket in buckets]
    return sorted(found, key=lambda pair: (-pair[1], pair[0]))


class _Questions:
    """Builds tantivy's queries."""

    def __init__(self, schema: tantivy.Schema) -> None:
        self.schema = schema

    def query(self, request: Request) -> tantivy.Query:
        """Return the whole query: what scores, and around it what only decides."""
        parts = self._scored(request.query)
        parts.append((Occur.Must, self._one_of("audience", request.audiences)))
        parts += [(Occur.Must, self._one_of(name, [value])) for name, value in request.filters]
        parts += [(Occur.Must, self._one_of("suits", needed)) for needed in request.needs]
        if request.is_scored:
            parts += [
                (Occur.Should, self._one_of("suits", [liked], SUITING)) for liked in request.likes
            ]
        if request.excluded:
            excluded = tantivy.Query.term_set_query(
                self.schema, "id", [str(document_id) for document_id in request.excluded]
            )
            parts.append((Occur.MustNot, excluded))
        return tantivy.Query.boolean_query(parts)

    def _scored(self, query: Query) -> list[tuple[Occur, tantivy.Query]]:
        parts = [(Occur.Must, self._any(ways)) for ways in query.all_of]
        if query.any_of:
            parts.append((Occur.Must, self._any(query.any_of)))
        parts += [(Occur.Should, self._way(way)) for way in query.better]
        parts += [(Occur.MustNot, self._way(way)) for way in query.none_of]
        return parts

    def _any(self, ways: Sequence[Way]) -> tantivy.Query:
        if len(ways) == 1:
            return self._way(ways[0])
        return tantivy.Query.boolean_query([(Occur.Should, self._way(way)) for way in ways])

    def _way(self, way: Way) -> tantivy.Query:
        query = (
            tantivy.Query.phrase_query(self.schema, way.field, list(way.tokens))
            if len(way.tokens) > 1
            else tantivy.Query.term_query(self.schema, way.field, way.tokens[0], "freq")
        )
        return query if way.weight == 1 else tantivy.Query.boost_query(query, way.weight)

    def _one_of(self, field: str, values: Iterable[str], score: float = 0.0) -> tantivy.Query:
        terms = [
            (Occur.Should, tantivy.Query.term_query(self.schema, field, value, "basic"))
            for value in sorted(values)
        ]
        return tantivy.Query.const_score_query(tantivy.Query.boolean_query(terms), score)


class TantivyEngine:
    """Rust, memory-mapped: 50 to 100 times as fast as pure Python."""

    name = "tantivy"
    version = version("tantivy")

    def create(self, path: Path) -> TantivyWriter:
        index = _with_tokenizer(tantivy.Index(_schema(), path=str(path)))
        writer = TantivyWriter(index, 0, MEMORY_OF_BUILDING)
        writer.commit(0)
        return writer

    def open_writer(self, path: Path) -> TantivyWriter:
        return TantivyWriter(_open(path))

    def open_reader(self, path: Path) -> TantivyReader:
        return TantivyReader(path)

    def is_sound(self, path: Path) -> bool:
        return soundness.is_sound(path)


engine = TantivyEngine()
