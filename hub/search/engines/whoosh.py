"""The index in whoosh: pure Python, for processors that tantivy is not built for."""

import json
import os
import threading
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from importlib.metadata import version
from math import log
from pathlib import Path
from typing import Any
from uuid import UUID

from whoosh import fields, index, query, scoring, sorting
from whoosh.analysis import SpaceSeparatedTokenizer

from hub.search.engine import (
    CHARACTER_WEIGHT,
    FACETS,
    MOST_VALUES,
    BrokenIndexError,
    Found,
    Indexed,
    Query,
    Request,
)

MEGABYTES = 64  # That the writer fills before it writes.
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
        text=fields.TEXT(analyzer=SpaceSeparatedTokenizer()),
        characters=fields.TEXT(analyzer=SpaceSeparatedTokenizer(), phrase=False),
        **{name: fields.ID(sortable=True) for name in (*FACETS, "audience")},
        published_at=fields.NUMERIC(int, bits=64, sortable=True),
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
            filters = {name: getattr(document, name) for name in (*FACETS, "audience")}
            self._writer.add_document(
                id=str(document.id),
                text=document.tokens.text,
                characters=document.tokens.characters,
                published_at=document.published_at,
                **filters,
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
        groups = sorting.Facets()
        for name in FACETS:
            groups.add_facet(name, sorting.FieldFacet(name, maptype=sorting.Count))
        order = {} if request.query else {"sortedby": "published_at", "reverse": True}
        found = self._searcher.search(
            _asked(request.query),
            limit=max(request.offset + request.limit, 1),
            filter=_shown(request),
            mask=query.Or([query.Term("id", str(one)) for one in request.excluded]) or None,
            groupedby=groups,
            **order,
        )
        facets = {name: _values(found.groups(name)) for name in FACETS}
        total = sum(count for _, count in facets["kind"])
        last = min(request.offset + request.limit, found.scored_length())
        hits = [
            (UUID(found[n]["id"]), float(found.score(n)) if request.query else 0.0)
            for n in range(request.offset, last)
        ]
        shown = {name: values[:MOST_VALUES] for name, values in facets.items()}
        return Found(hits, total, shown, self.position)


def _values(counts: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def _shown(request: Request) -> Any:
    """Return the filter: what decides and does not score."""
    parts = [query.Or([query.Term("audience", one) for one in sorted(request.audiences)])]
    parts += [query.Term(name, value) for name, value in request.filters]
    return query.And(parts)


def _asked(asked: Query) -> Any:
    """Return what scores."""
    if not asked:
        return query.Every()
    must = [_phrase(tokens) for tokens in asked.phrases]
    must += [query.Term("characters", word) for word in asked.characters]
    if asked.any_tokens:
        must.append(query.Or([query.Term("text", token) for token in asked.any_tokens]))
    if not asked.any_characters:
        return query.And(must)
    also = [query.Term("characters", c, boost=CHARACTER_WEIGHT) for c in asked.any_characters]
    return query.AndMaybe(query.And(must), query.Or(also))


def _phrase(tokens: tuple[str, ...]) -> Any:
    if len(tokens) == 1:
        return query.Term("text", tokens[0])
    return query.Phrase("text", list(tokens))


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
