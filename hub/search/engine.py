"""What a search engine promises, so that they can be exchanged.

An engine indexes ids, words and filters, no texts. It is given words that `analysis` made, gives
back ids and scores, and counts. Each module in `engines/` is the only one that knows its library.
"""

import importlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple, Protocol
from uuid import UUID

from hub.errors import HubError, mark

FIELDS = ("text", "characters", "names", "sounds", "initials", "files")  # Each of tokens in order.
# Filters whose values are counted. A document has one value of each, which may be empty, but any
# number of places.
FACETS = (
    "kind",
    "category",
    "place",  # Its unit and each above it: names from the enterprise down, joined by `ABOVE`.
    "unit",
    "level",
    "origin",
    "enterprise",
    "year",
    "replicability",
    "kit",
)
ABOVE = "\t"  # Between the names of a place.
MOST_VALUES = 50  # Values of one facet that are given back: the most frequent ones.
MOST_CONFIRMED = 900  # Beyond so many, one confirmation more changes no order.
SUITING = 0.15  # What each property of the asker's unit that a document suits adds to a score.
ENGINES = ("tantivy", "whoosh")  # Best first.


class BrokenIndexError(HubError):
    """The files of the index are gone or not what they were."""

    status = 503
    code = "index_broken"
    message = mark("The search index is damaged and is being rebuilt.")


class SearchDownError(HubError):
    """The server that keeps the index does not answer, or can't do what it was asked just now."""

    status = 503
    code = "search_down"
    message = mark("The search server does not answer just now.")


class EngineMissingError(HubError):
    """The engine that the settings ask for is not installed."""

    status = 503
    code = "engine_missing"
    message = mark("The search engine “%(name)s” is not installed.")


class Order(StrEnum):
    """In which order hits are given back."""

    RELEVANCE = "relevance"
    NEWEST = "newest"
    CONFIRMED = "confirmed"  # By confirmed effective adoptions; of equals the newest first.


@dataclass(frozen=True)
class Indexed:
    """One document as an engine keeps it."""

    id: UUID
    tokens: Mapping[str, str]  # Of each of `FIELDS` that has any: tokens joined by spaces.
    audience: str
    values: Mapping[str, str]  # Of each of `FACETS` but `place`.
    places: Sequence[str]
    suits: Sequence[str]  # Properties of the units that it is for: see `hub.search.fitting`.
    published_at: int  # Microseconds since 1970.
    confirmed: int  # Adoptions that worked, as far as its readers may know of them.
    offers: Sequence[str] = ()  # Further audiences: those who read as nodes.

    @property
    def rank(self) -> int:
        """Return the number by which `Order.CONFIRMED` orders."""
        return min(self.confirmed, MOST_CONFIRMED) * 10**16 + self.published_at


class Way(NamedTuple):
    """One way to say something: tokens that follow each other in one of `FIELDS`."""

    field: str
    tokens: tuple[str, ...]
    weight: float = 1.0  # Of its score.


@dataclass(frozen=True)
class Query:
    """What a document must say. With nothing in it, every document fits, newest first."""

    all_of: tuple[tuple[Way, ...], ...] = ()  # Of each, one of the ways must be there.
    any_of: tuple[Way, ...] = ()  # At least one of these must be there; all of them score.
    better: tuple[Way, ...] = ()  # These only score.
    none_of: tuple[Way, ...] = ()  # None of these may be there.

    def __bool__(self) -> bool:
        return bool(self.all_of or self.any_of)


@dataclass(frozen=True)
class Request:
    """A query, and which documents it is about."""

    query: Query
    audiences: frozenset[str]  # Only documents with one of these exist for the asker.
    filters: tuple[tuple[str, str], ...] = ()  # Names of `FACETS` with the value wanted.
    needs: tuple[tuple[str, ...], ...] = ()  # Of each, one must be among what a document suits.
    likes: tuple[str, ...] = ()  # Each that is among what a document suits adds to its score.
    excluded: frozenset[UUID] = frozenset()  # Documents that changed since they were indexed.
    limit: int = 10
    offset: int = 0
    order: Order = Order.RELEVANCE
    is_counted: bool = True  # Whether total and facets are wanted.

    @property
    def is_scored(self) -> bool:
        """Say whether hits come by their score."""
        return bool(self.query) and self.order == Order.RELEVANCE


Facets = dict[str, list[tuple[str, int]]]


@dataclass(frozen=True)
class Found:
    """One page of hits, and what was counted over all of them, exactly."""

    hits: Sequence[tuple[UUID, float]]  # With scores, best first.
    total: int  # 0 if not wanted.
    facets: Facets  # For each name: values and counts, most frequent first. Empty if not wanted.
    position: int  # Of the journal, up to which the index that was searched is complete.


class Reader(Protocol):
    """An index to search in; threads may share it."""

    @property
    def position(self) -> int:
        """Return the position of the journal up to which the index is complete."""

    @property
    def count(self) -> int:
        """Return the number of documents in the index."""

    def refresh(self) -> None:
        """Show what was committed meanwhile; costs next to nothing when that is nothing.

        :raises BrokenIndexError: when the files are gone or damaged.
        """

    def search(self, request: Request) -> Found:
        """Find documents.

        :raises BrokenIndexError: when the files are gone or damaged.
        """

    def close(self) -> None:
        """Let go of the files."""


class Writer(Protocol):
    """The only one that changes an index."""

    @property
    def position(self) -> int:
        """Return the position of the journal up to which the index is complete."""

    def add(self, documents: Iterable[Indexed]) -> None:
        """Add documents that are not in the index."""

    def delete(self, ids: Iterable[UUID]) -> None:
        """Remove documents; unknown ids do no harm."""

    def commit(self, position: int) -> None:
        """Keep all changes, and the position that they lead to.

        Whoever is killed before this returns may have kept changes without the position, never the
        position without all changes. To make them once more from the old position mends it.

        :raises BrokenIndexError: when the files are gone or damaged, or another writer has taken
            over.
        """

    def close(self) -> None:
        """Let go of the files; what was not committed is lost."""


class Named(Protocol):
    """What makes indexes, by its name and version."""

    name: str
    version: str


class Engine(Named, Protocol):
    """A library that can keep an index in a folder."""

    def create(self, path: Path) -> Writer:
        """Make an empty index, at position 0, in an empty folder."""

    def open_writer(self, path: Path) -> Writer:
        """Open an index for writing; fails at once when somebody else has.

        :raises BrokenIndexError: when there is no index, or a damaged one.
        """

    def open_reader(self, path: Path) -> Reader:
        """Open an index for searching.

        :raises BrokenIndexError: when there is no index, or a damaged one.
        """

    def is_sound(self, path: Path) -> bool:
        """Read the whole index and say whether it is as it was written."""


@cache
def load(name: str) -> Engine:
    """Return an engine by its name; its library is imported only now.

    :raises EngineMissingError: when it is not installed.
    """
    if name not in ENGINES:
        raise EngineMissingError(name=name)
    try:
        engine: Engine = importlib.import_module(f"hub.search.engines.{name}").engine
    except ImportError as error:
        raise EngineMissingError(name=name) from error
    return engine


def choose(name: str = "") -> Engine:
    """Return the engine that the settings name, or else the best that this machine has.

    :raises EngineMissingError: when it is not installed.
    """
    if name:
        return load(name)
    for candidate in ENGINES[:-1]:
        try:
            return load(candidate)
        except EngineMissingError:
            continue
    return load(ENGINES[-1])


def digest(made_by: Named, *, is_delegating: bool = False) -> str:
    """Return a name for what an index of this engine holds and how.

    It follows the very code that decides it, so that nobody can forget to change it.

    :param is_delegating: whether it leaves out what another node searches for us.
    """
    here = Path(__file__).parent
    names = (
        "analysis.py",
        "naming.py",
        "pinyin.py",
        "pinyin.txt",
        "indexing.py",
        "fitting.py",
        "places.py",
        "engine.py",
        "files/texts.py",
    )
    code = here / "engines" / made_by.name
    own = sorted(code.glob("*.py")) if code.is_dir() else [code.with_suffix(".py")]
    sources = (*(here / name for name in names), *own)
    parts = [made_by.name, made_by.version, *(source.read_text() for source in sources)]
    parts += ["delegating"] if is_delegating else []
    return sha256("\0".join(parts).encode()).hexdigest()[:16]
