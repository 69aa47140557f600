"""What documents are called: their titles, units and tags, and how those are found.

`names` holds them as `analysis` makes tokens, with each character once behind them. A mark before
each token tells title, unit and tags apart, so that any of them can be asked for alone. `sounds`
holds the syllables of their Chinese in pairs, since single ones are in half of all names, and then
each once alone. `initials` holds the first letters of these in pairs, and the beginnings of other
words. Between two names stands a token that nobody can ask for.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select

from hub.cases.models import Document
from hub.cases.service import readable
from hub.config import of_this_node
from hub.database import connection
from hub.search import analysis, pinyin
from hub.search.engine import BrokenIndexError, Query, Request, Way
from hub.search.parts import TITLE, UNIT
from hub.search.reading import OpenIndex

BETWEEN = "|"  # Between two names.
JOINED = "'"  # Between two syllables.
BEGINS = "*"  # After the beginning of a word.
TAG = "tag"
MARKS = {TITLE: "^", UNIT: "@", TAG: "#"}  # Before each token of a name.
REMEMBERED = 1_000  # Names whose tokens are kept.
LONGEST_BEGINNING = 12  # Letters of a word that is still being typed.
LONGEST_TAG = 60
MOST_TAGS = 20

Filters = tuple[tuple[str, str], ...]


class Names(NamedTuple):
    """What one document is called."""

    title: str
    unit: str
    tags: tuple[str, ...]


def tags_of(tags: Any) -> tuple[str, ...]:
    """Return the tags of an entry that another node may have written: it may hold anything."""
    if not isinstance(tags, list):
        return ()
    return tuple(
        tag for tag in tags[:MOST_TAGS] if isinstance(tag, str) and len(tag) <= LONGEST_TAG
    )


class _Tokens(NamedTuple):
    """What is indexed of one name, by field."""

    names: str
    sounds: str
    initials: str


def tokens(names: Names) -> dict[str, str]:
    """Return what the engines index of a document's names, by field."""
    parts = [_tokens(MARKS[TITLE], names.title), _known(MARKS[UNIT], names.unit)]
    parts += [_known(MARKS[TAG], tag) for tag in names.tags]
    fields = zip(_Tokens._fields, zip(*parts, strict=True), strict=True)
    return {field: f" {BETWEEN} ".join(filter(None, texts)) for field, texts in fields}


def _tokens(mark: str, name: str) -> _Tokens:
    words = analysis.words(name)
    runs = [word for word in words if analysis.is_chinese(word)]
    read = [pinyin.syllables(run) for run in runs]
    found = [mark + token for word in words for token in analysis.pairs(word)]
    alone = [mark + character for character in dict.fromkeys("".join(runs))]
    sounds = [JOINED.join(pair) for run in read for pair in (*pairwise(run), (BETWEEN,))]
    syllables = dict.fromkeys(syllable for run in read for syllable in run if syllable)
    return _Tokens(
        " ".join([*found, BETWEEN, *alone]),
        " ".join([*sounds, *syllables]),
        " ".join(_initials(set(words).difference(runs), read)),
    )


# Units and tags are those of many documents; titles are not.
_known = lru_cache(REMEMBERED)(_tokens)


def _initials(others: Iterable[str], read: Iterable[Sequence[str]]) -> Iterator[str]:
    for run in read:
        yield from pinyin.letter_pairs("".join(one[:1] or BETWEEN for one in run))
        yield BETWEEN
    for word in sorted(others):
        for length in range(1, min(len(word), LONGEST_BEGINNING) + 1):
            yield word[:length] + BEGINS


def way(words: Sequence[str], field: str) -> Way:
    """Return how words that follow each other are looked for in titles, units or tags."""
    mark = MARKS[field]
    return Way("names", tuple(mark + token for word in words for token in analysis.pairs(word)))


def ways(words: Sequence[str]) -> tuple[Way, ...]:
    """Return how they are looked for in names of any kind."""
    return tuple(way(words, field) for field in MARKS)


def sound(syllables: Sequence[str]) -> Way:
    """Return how syllables that follow each other are looked for among names."""
    return Way("sounds", tuple(map(JOINED.join, pairwise(syllables))) or tuple(syllables))


def sounding(word: str) -> list[Way]:
    """Return the ways in which a Latin word may be pinyin, or the initials, of names."""
    ways = [sound(syllables) for syllables in pinyin.divided(word)]
    if pinyin.are_initials(word):
        ways.append(Way("initials", tuple(pinyin.letter_pairs(word))))
    return ways


def known(
    query: Query, audiences: frozenset[str], limit: int, filters: Filters = ()
) -> list[Names]:
    """Return the names of documents that these audiences may read, best first.

    One question to the index and one to the database, which alone decides. Nothing while there is
    no index.
    """
    index = of_this_node(OpenIndex)
    try:
        reader = index.newest()
        if reader is None:
            return []
        request = Request(query, audiences, filters, limit=limit, is_counted=False)
        hits = [id_ for id_, _ in index.search(reader, request).hits]
    except BrokenIndexError:
        index.give_up()
        return []
    if not hits:
        return []
    rows = connection().execute(_NAMED, {"ids": hits, "audiences": list(audiences)})
    found = {row.id: Names(row.title, row.unit, tags_of(row.tags)) for row in rows}
    return [found[id_] for id_ in hits if id_ in found]


_NAMED = select(
    Document.id, Document.title, Document.unit, Document.fields["tags"].label("tags")
).where(
    Document.id.in_(bindparam("ids", expanding=True)),
    readable(bindparam("audiences", expanding=True)),  # type: ignore[arg-type]
)
