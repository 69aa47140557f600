"""What may be meant, while somebody types: titles, units and tags of what they may read.

The index is asked once and the database once; whatever is shown stands in a document that is open
to the asker at this moment. One's own past searches come first.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import islice
from typing import NamedTuple
from uuid import UUID

from hub.search import analysis, keeping, naming, pinyin
from hub.search.engine import Query, Way

LONGEST = 64  # Characters that are looked at.
MOST = 8
MOST_OWN = 3
MOST_WORDS = 6
MOST_WAYS = 24  # To go on with one word.
LOOKED_AT = 30  # Documents whose names are looked at.


class Kind(StrEnum):
    """Where a suggestion comes from."""

    OWN = "own"  # A past search of one's own.
    TITLE = "title"
    UNIT = "unit"
    TAG = "tag"


class Suggestion(NamedTuple):
    """Words that may be searched for."""

    text: str
    kind: Kind


class _Typed(NamedTuple):
    """A word, folded; the last one may go on."""

    word: str
    is_begun: bool

    @property
    def is_heard(self) -> bool:
        """Say whether it may be pinyin; one letter begins half of all names."""
        return len(self.word) > 1 and not analysis.is_chinese(self.word)

    def ways(self) -> tuple[Way, ...]:
        """Return the ways in which names may say it."""
        plain = naming.ways((self.word,))
        if analysis.is_chinese(self.word):
            return plain
        if self.is_begun and len(self.word) <= naming.LONGEST_BEGINNING:
            plain = (Way("initials", (self.word + naming.BEGINS,)),)
        sounds = islice(self._sounds() if self.is_heard else (), MOST_WAYS)
        return tuple(dict.fromkeys((*plain, *sounds)))

    def _sounds(self) -> Iterator[Way]:
        yield from naming.sounding(self.word)
        if self.is_begun:
            for syllables, rest in pinyin.begun(self.word):
                for last in pinyin.beginning_with(rest) if rest else ():
                    yield naming.sound((*syllables, last))

    def begins(self, name: str) -> bool:
        """Say whether a folded name begins with it, in one of these ways."""
        if name.startswith(self.word):
            return True
        return self.is_heard and pinyin.begins(self.word, name, is_begun=self.is_begun)

    def is_in(self, name: str) -> bool:
        """Say whether a folded name says it, in one of these ways."""
        if analysis.is_chinese(self.word):
            return self.word in name
        for word in analysis.words(name):
            if analysis.is_chinese(word):
                if self.is_heard and pinyin.is_heard(self.word, word, is_begun=self.is_begun):
                    return True
            elif word.startswith(self.word) if self.is_begun else word == self.word:
                return True
        return False


def suggest(
    text: str, *, audiences: frozenset[str], person_id: UUID | None = None
) -> list[Suggestion]:
    """Return what these audiences may mean by the beginning of a search; nothing is an error.

    :param person_id: whose past searches are suggested, too.
    """
    text = text[:LONGEST]
    typed = _typed(text)
    own = _own(text, typed, person_id) if person_id else []
    if not typed:
        return own
    query = Query(all_of=tuple(one.ways() for one in typed))
    found = naming.known(query, audiences, LOOKED_AT)
    named = dict.fromkeys(s for names in found for s in _matching(names, typed))
    best = sorted(named, key=lambda s: not typed[0].begins(analysis.fold(s.text)))
    known = {suggestion.text for suggestion in own}
    others: dict[str, Suggestion] = {}
    for suggestion in best:  # A tag may be a title, too.
        if suggestion.text not in known:
            others.setdefault(suggestion.text, suggestion)
    return [*own, *others.values()][:MOST]


def _typed(text: str) -> list[_Typed]:
    words = analysis.words(text)
    goes_on = bool(text) and not text[-1].isspace()
    last = min(len(words), MOST_WORDS) - 1
    return [_Typed(word, goes_on and n == last) for n, word in enumerate(words[:MOST_WORDS])]


def _own(text: str, typed: Sequence[_Typed], person_id: UUID) -> list[Suggestion]:
    kept = keeping.kept(person_id)
    fitting = (
        past
        for past in kept
        if past != text and (folded := analysis.fold(past)) and all(t.is_in(folded) for t in typed)
    )
    return [Suggestion(past, Kind.OWN) for past in islice(fitting, MOST_OWN if typed else MOST)]


def _matching(names: naming.Names, typed: Sequence[_Typed]) -> Iterator[Suggestion]:
    kinds = [(names.title, Kind.TITLE), (names.unit, Kind.UNIT)]
    for name, kind in [*kinds, *((tag, Kind.TAG) for tag in names.tags)]:
        folded = analysis.fold(name)
        if name and all(one.is_in(folded) for one in typed):
            yield Suggestion(name, kind)
