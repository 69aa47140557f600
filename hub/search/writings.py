"""How a word may stand in a text, for whoever looks for it there (see `analysis.words`)."""

import re
from collections.abc import Iterator
from functools import lru_cache

from hub.search import analysis

REMEMBERED = 1_000  # Words whose writings are kept.
_BEFORE = f"(?<!{analysis.OTHER})"
_AFTER = f"(?!{analysis.OTHER})"


def places(text: str, word: str) -> Iterator[tuple[int, int]]:
    """Yield where a word begins and ends in a folded text; one that is not Chinese, as a whole."""
    if not analysis.is_chinese(word):
        yield from (found.span() for found in _pattern(word).finditer(text))
        return
    start = text.find(word)
    while start >= 0:
        yield start, start + len(word)
        start = text.find(word, start + 1)


@lru_cache(REMEMBERED)
def _pattern(word: str) -> re.Pattern[str]:
    if analysis.is_month(word):
        number = word[:-1]
        return re.compile(rf"(?<![0-9])0?{number}\s?月|(?<=[0-9]{{4}}[-./])0?{number}(?![0-9])")
    if word[-1] == "日" and word[0].isdecimal():
        number = word[:-1]
        return re.compile(rf"(?<=月)\s?0?{number}\s?日|(?<=[0-9][-./])0?{number}(?![0-9])")
    if word.isdecimal() and len(word) > 3:
        return re.compile(f"{_BEFORE}(?:{word}|{_with_commas(word)}){_AFTER}")
    forms = "|".join(map(re.escape, _forms(word)))
    end = _AFTER if len(word) < analysis.LONGEST_WORD else ""
    return re.compile(f"{_BEFORE}(?:{forms}){end}")


def _with_commas(number: str) -> str:
    first = len(number) % 3 or 3
    return ",".join([number[:first], *(number[n : n + 3] for n in range(first, len(number), 3))])


def _forms(word: str) -> list[str]:
    """Return a word with its plurals, the longest first."""
    forms = [f"{word}es", f"{word}s", word]
    if word[-1] == "y":
        forms.insert(0, f"{word[:-1]}ies")
    return [form for form in forms if form == word or analysis.singular(form) == word]
