"""The place in a text that shows why it was found, with the words marked."""

import re
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple

from markupsafe import escape

from hub.search import analysis, writings

LENGTH = 120  # Characters of a snippet.
LEAST = 60  # Of these, where the text has them.
BEFORE = 30  # Of these at most before the first mark.
MOST_MARKED = 50  # Places of each word.
LOOKED_AT = 4  # Places of each word among which the densest is chosen.
DOTS = "…"

# Signs of Markdown: of bold text and code; of headings, quotations, lists and tables.
_INSIDE = re.compile(r"\*\*|`+")
_SIGN = re.compile(r"[*`#>\-+|]")
_BETWEEN = re.compile(r"^[ \t]*(?:#{1,6}|>|[-*+])[ \t]+|\|[-| :]*", re.MULTILINE)
_ENDS = re.compile(r"[。！？；!?;\n]|\.(?!\d)")  # The point of 1.6 ends nothing.


class Part(NamedTuple):
    """A piece of a text, raw: whoever shows it escapes it."""

    text: str
    is_marked: bool = False


def is_marked(parts: Iterable[Part]) -> bool:
    """Say whether a word is marked in a text."""
    return any(part.is_marked for part in parts)


class Marker:
    """Finds words in raw texts, in whichever script, case or width they stand there."""

    def __init__(self, words: Sequence[str]) -> None:
        """Take folded words."""
        self._words = words

    def __bool__(self) -> bool:
        return bool(self._words)

    def mark(self, text: str) -> tuple[Part, ...]:
        """Return the whole text, its words marked; marks that touch become one."""
        folded, places = self._compared(text)
        marked = bytearray(len(text))
        for word in self._words:
            for start, end in islice(writings.places(folded, word), MOST_MARKED):
                first, last = places[start], places[end - 1]
                marked[first : last + 1] = b"\1" * (last + 1 - first)
        return tuple(_parts(text, marked))

    def _compared(self, text: str) -> tuple[str, Sequence[int]]:
        """Return the text as words are compared with, and where its characters are from."""
        if all(analysis.is_chinese(word) and word in text for word in self._words):
            return text, range(len(text))  # It is in the script that was asked for.
        return analysis.fold_with_places(text)

    def cut(
        self, texts: Sequence[str], more: Iterable[str] = (), *, title: str = ""
    ) -> tuple[Part, ...]:
        """Return a snippet of the text that holds most of the words, else of the first one.

        :param more: texts to look at only when those hold none.
        :param title: what stands above the snippet; when it says all the words, the texts are not
            searched for other spellings of them, which would take longest.
        """
        seen = [text for text in texts if text]
        if len(self._words) == 1 and analysis.is_chinese(self._words[0]):
            for text in seen:  # The most frequent case, without any folding.
                if (place := text.find(self._words[0])) >= 0:
                    return self._window(text, place)
            if seen and self._words[0] in title:
                return self._window(seen[0], 0)
        is_told = all(word in title.lower() for word in self._words)
        for prepare in (str.lower,) if is_told else (str.lower, analysis.fold):
            best = max(((*self._densest(prepare(text)), text) for text in seen), default=None)
            if best and best[0]:
                return self._window(best[2], -best[1])
            for text in () if is_told else more:
                seen.append(text)
                count, place = self._densest(prepare(text))
                if count:
                    return self._window(text, -place)
        return self._window(seen[0], 0) if seen else ()

    def _densest(self, text: str) -> tuple[int, int]:
        """Return how many of the words the best piece of a text holds, and minus where it is."""
        if len(self._words) == 1:
            first_place = next(writings.places(text, self._words[0]), None)
            return (0, 0) if first_place is None else (1, -first_place[0])
        places = sorted(
            (start, word)
            for word in self._words
            for start, _ in islice(writings.places(text, word), LOOKED_AT)
        )
        reach = LENGTH - BEFORE
        best, first = (0, 0), 0
        for last, (place, _) in enumerate(places):
            while place - places[first][0] > reach:
                first += 1
            held = len({word for _, word in places[first : last + 1]})
            best = max(best, (held, -places[first][0]))
        return best

    def _window(self, text: str, place: int) -> tuple[Part, ...]:
        start = max(0, min(place, len(text) - LENGTH + BEFORE) - BEFORE)
        sentence = -1
        latest = min(place, len(text) - LEAST)  # A last word alone says nothing.
        for end in _ENDS.finditer(text, start, max(start, latest)):
            sentence = end.start()
        start = max(start, sentence + 1)
        parts = self.mark(_plain(text[start : start + LENGTH]))
        before = (Part(DOTS),) if start > 0 and sentence < 0 else ()
        after = (Part(DOTS),) if start + LENGTH < len(text) else ()
        return (*before, *parts, *after)


def _plain(text: str) -> str:
    """Return a piece of Markdown as one line without its signs."""
    if _SIGN.search(text):
        text = _BETWEEN.sub(" ", _INSIDE.sub("", text))
    return " ".join(text.split())


def _parts(text: str, marked: bytearray) -> Iterable[Part]:
    start = 0
    while start < len(text):
        flag = marked[start]
        end = marked.find(not flag, start)
        end = len(text) if end < 0 else end
        yield Part(text[start:end], bool(flag))
        start = end


def as_html(parts: Iterable[Part]) -> str:
    """Return HTML in which everything is escaped but the marks."""
    return "".join(
        f"<mark>{escape(part.text)}</mark>" if part.is_marked else escape(part.text)
        for part in parts
    )
