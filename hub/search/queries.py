"""What somebody typed, as the engines are asked it."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import NamedTuple, TypeVar

from hub.search import analysis, naming, synonyms
from hub.search.engine import Query, Way
from hub.search.loosening import loosened
from hub.search.parts import LONGEST, Part, parts
from hub.search.synonyms import Group, Synonyms, Term

__all__ = ["LONGEST", "Question", "understand"]

T = TypeVar("T")

MOST_WORDS = 32
MOST_WAYS = 96  # Of all words together; what has no more room is looked for as it was typed.
MOST_TOGETHER = 4  # Parts of a query that may be one term.
FILES_WEIGHT = 0.5  # Of the score of what only a file says.
SYNONYM_WEIGHT = 0.8  # Of other words' score beside that of those which were typed.

# What stands between two words that are looked for apart; 2026/3 and 1,200 are one.
_APART = re.compile(r"[^\w\-./:'’,]|[,/](?![0-9])|(?<![0-9])[,/]")
# Official texts set dates with spaces, 2026 年 3 月, and people copy them.
_WITHIN_DATE = re.compile(
    r"(?<=\d)\s+(?=[年月日])|(?<=年)\s+(?=\d{1,2}\s*月)|(?<=月)\s+(?=\d{1,2}\s*日)"
)


@dataclass(frozen=True)
class Question:
    """A query in its readings, each with what it marks in the texts that it finds."""

    exact: Query  # Each run of Chinese and each quotation as it stands, and all of them.
    sounded: Query  # The same with Latin words read as pinyin of names. Empty if there are none.
    loose: Query  # Any part of it. Empty when that says nothing else.
    exact_marks: tuple[str, ...]
    loose_marks: tuple[str, ...]

    @property
    def says_something(self) -> bool:
        """Say whether there is a word in it, be it one that must not be there."""
        return bool(self.exact or self.exact.none_of)


def understand(text: str, known: Synonyms = synonyms.NONE) -> Question:
    """Read a query: words are all needed, quotations stand as they are, a word behind a minus must
    not be there. Nothing is an error.

    :param known: other words for the same, which count as well where no quotation marks stand.
    """
    found = parts(_WITHIN_DATE.sub("", text[:LONGEST]))
    asked = [part for part in found if not part.is_excluded]
    named = _once((way,) for part in asked if part.field for way in _named(part))[:MOST_WORDS]
    without = _once(way for part in found if part.is_excluded for way in _unwanted(part))
    typed = [part for part in asked if not part.field]
    ways = _ways(_terms(typed, known)[:MOST_WORDS], known)
    words = _once(word for asked_for in ways for word in asked_for.words)[:MOST_WORDS]
    exact = Query((*(_said(one) for one in ways), *named), none_of=without[:MOST_WORDS])
    loose = loosened(words)
    said = (word for one in ways for term in one.others for word in term)
    in_names = [word for part in asked if part.field for word in analysis.words(part.text)]
    return Question(
        exact=exact,
        sounded=_sounded(exact, ways),
        loose=replace(loose, all_of=named, none_of=exact.none_of) if loose else loose,
        exact_marks=_once((*words, *said, *in_names)),
        loose_marks=_once((*(token for way in loose.any_of for token in way.tokens), *in_names)),
    )


class _Asked(NamedTuple):
    """Words that stand together, and other words for the same."""

    words: Term
    others: Group = ()
    is_quoted: bool = False


def _terms(typed: Sequence[Part], known: Synonyms) -> list[_Asked]:
    """Return what is asked for in the order in which it stands, terms of several words together."""
    found: list[_Asked] = []
    for part in typed:
        if part.is_quoted:
            found += (_Asked(words, is_quoted=True) for words in _quotation(part.text))
        else:
            found += (_Asked(words) for words in _apart(part.text))
    return _joined(found, known)


def _apart(text: str) -> Iterator[Term]:
    """Yield runs of Chinese, and other words: COVID-19 or v1.6 together, AI,5G each by itself."""
    for piece in _APART.split(analysis.fold(text)):
        for is_run, words in groupby(analysis.words(piece), analysis.is_chinese):
            if is_run:
                yield from ((word,) for word in words)
            else:
                yield tuple(words)


def _quotation(text: str) -> Iterator[Term]:
    """Yield what stands together; a character at an end may be part of a longer run there."""
    words = analysis.words(text)
    while len(words) > 1 and _is_character(words[-1]):
        yield (words.pop(),)
    while len(words) > 1 and _is_character(words[0]):
        yield (words.pop(0),)
    if words:
        yield tuple(words)


def _joined(found: Sequence[_Asked], known: Synonyms) -> list[_Asked]:
    """Return the same with those put together that make up one term of a synonym."""
    done: list[_Asked] = []
    place = 0
    while place < len(found):
        for end in range(min(len(found), place + MOST_TOGETHER), place + 1, -1):
            words = tuple(word for one in found[place:end] for word in one.words)
            if known.has(words) and not any(one.is_quoted for one in found[place:end]):
                done.append(_Asked(words))
                place = end
                break
        else:
            done.append(found[place])
            place += 1
    return done


def _ways(terms: Iterable[_Asked], known: Synonyms) -> list[_Asked]:
    """Give each its synonyms, for as long as there is room."""
    room = MOST_WAYS
    found: dict[Term, _Asked] = {}
    for one in sorted(terms, key=lambda one: not one.is_quoted):  # Whoever quotes means just that.
        if one.words not in found:
            others = () if one.is_quoted else known.of(one.words)[1 : max(room, 1)]
            found[one.words] = one._replace(others=others)
            room -= 1 + len(others)
    return list(found.values())


def _said(asked: _Asked) -> tuple[Way, ...]:
    way = _way(asked.words)
    others = (_way(term)._replace(weight=SYNONYM_WEIGHT) for term in asked.others)
    in_files = [Way("files", way.tokens, FILES_WEIGHT)] if way.field == "text" else []
    return _once((way, *others, *in_files))


def _sounded(exact: Query, ways: Sequence[_Asked]) -> Query:
    """Return a query that takes Latin words for pinyin, too; empty when it has none."""
    sounds = [() if one.is_quoted else naming.sounding("".join(one.words)) for one in ways]
    if not any(sounds):
        return Query()
    heard = [(*said, *more) for said, more in zip(exact.all_of, sounds, strict=False)]
    return replace(exact, all_of=(*heard, *exact.all_of[len(heard) :]))


def _named(part: Part) -> Iterator[Way]:
    if part.is_quoted:
        words = tuple(analysis.words(part.text))
        yield from [naming.way(words, part.field)] if words else []
    else:
        yield from (naming.way(words, part.field) for words in _apart(part.text))


def _unwanted(part: Part) -> Iterator[Way]:
    if words := tuple(analysis.words(part.text)):
        yield naming.way(words, part.field) if part.field else _way(words)


def _is_character(word: str) -> bool:
    return len(word) == 1 and analysis.is_chinese(word)


def _way(words: Sequence[str]) -> Way:
    """Return how words that follow each other are looked for."""
    if len(words) == 1 and _is_character(words[0]):
        return Way("characters", (words[0],))
    return Way("text", tuple(token for word in words for token in analysis.pairs(word)))


def _once(values: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(values))
