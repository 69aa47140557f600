"""What somebody typed, as the engines are asked it."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from hub.search import analysis
from hub.search.engine import Query, Way
from hub.search.loosening import loosened

T = TypeVar("T")

LONGEST = 200  # Characters of a query.
MOST_WORDS = 32
FILES_WEIGHT = 0.5  # Of the score of what only a file says.

_QUOTED = re.compile('["“”]([^"“”]*)["“”]')
_EXCLUDED = re.compile(r'(?:^|\s)[-－](?:["“”]([^"“”]*)["“”]|([^\s"“”]+))')


@dataclass(frozen=True)
class Question:
    """A query in its two readings, each with what it marks in the texts that it finds."""

    exact: Query  # Each run of Chinese and each quotation as it stands, and all of them.
    loose: Query  # Any part of it. Empty when that says nothing else.
    exact_marks: tuple[str, ...]
    loose_marks: tuple[str, ...]

    @property
    def says_something(self) -> bool:
        """Say whether there is a word in it."""
        return bool(self.exact)


def understand(text: str) -> Question:
    """Read a query: words are all needed, quotations stand as they are, a word behind a minus must
    not be there. Nothing is an error."""
    text = text[:LONGEST]
    excluded = [analysis.words(a or b) for a, b in _EXCLUDED.findall(text)]
    text = _EXCLUDED.sub(" ", text)
    quotations = [analysis.words(quoted) for quoted in _QUOTED.findall(text)]
    single = analysis.words(_QUOTED.sub(" ", text))
    asked = [words for words in (*quotations, *([word] for word in single)) if words]
    asked = asked[:MOST_WORDS]
    words = _once(word for group in asked for word in group)[:MOST_WORDS]
    without = _once(_way(group) for group in excluded[:MOST_WORDS] if group)
    exact = Query(all_of=_once(map(_ways, asked)), none_of=without)
    loose = loosened(words)
    marks = tuple(token for way in loose.any_of for token in way.tokens)
    return Question(exact, replace(loose, none_of=without), words, marks)


def _ways(words: Sequence[str]) -> tuple[Way, ...]:
    """Return how words that follow each other are looked for: in a document, or in its files."""
    way = _way(words)
    return (way, Way("files", way.tokens, FILES_WEIGHT)) if way.field == "text" else (way,)


def _way(words: Sequence[str]) -> Way:
    """Return how words that follow each other are looked for."""
    if len(words) == 1 and len(words[0]) == 1 and analysis.is_chinese(words[0]):
        return Way("characters", (words[0],))
    return Way("text", tuple(pair for word in words for pair in analysis.pairs(word)))


def _once(values: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(values))
