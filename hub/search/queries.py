"""What somebody typed, as the engines are asked it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from hub.search import analysis
from hub.search.engine import Query

T = TypeVar("T")

LONGEST = 200  # Characters of a query.
MOST_WORDS = 32
MOST_TOKENS = 64  # Pairs and words of a loosened query.

_QUOTED = re.compile('["“”]([^"“”]*)["“”]')


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
    """Read a query: words are all needed, quotations stand as they are. Nothing is an error."""
    text = text[:LONGEST]
    quotations = [analysis.words(quoted) for quoted in _QUOTED.findall(text)]
    single = analysis.words(_QUOTED.sub(" ", text))
    asked = [words for words in (*quotations, *([word] for word in single)) if words]
    asked = asked[:MOST_WORDS]
    words = _once(word for group in asked for word in group)[:MOST_WORDS]
    exact = Query(
        phrases=_once(_phrase(group) for group in asked if not _is_character(group)),
        characters=_once(group[0] for group in asked if _is_character(group)),
    )
    tokens = _once(token for word in words for token in analysis.pairs(word))[:MOST_TOKENS]
    loose = Query(
        any_tokens=tokens,
        any_characters=_once("".join(filter(analysis.is_chinese, words)))[:MOST_TOKENS],
    )
    says_more = len(tokens) > 1 or bool(exact.characters and exact.phrases)
    return Question(exact, loose if says_more else Query(), words, tokens)


def _phrase(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(pair for word in words for pair in analysis.pairs(word))


def _is_character(words: list[str]) -> bool:
    return len(words) == 1 and len(words[0]) == 1 and analysis.is_chinese(words[0])


def _once(values: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(values))
