"""What a word is. All engines index exactly what this yields, with nothing but spaces between.

Text is folded character by character (NFKC, lower case, without accents, Traditional to
Simplified), so that a piece of a text always folds to a piece of the folded text, whatever stands
around it: OpenCC's phrase tables would fold 乾 one way in 乾坤 and another way alone. Then each
run of Chinese becomes its overlapping pairs, which makes a run in a query an exact phrase:
责任区 is 责任 followed by 任区. Words of other scripts stay whole, in the singular (cases is case).
Numbers lose their commas (1,200 is 1200), and dates are told apart from other numbers: 2026年3月,
2026-03 and 2026.3 are the same two words, 2026 and 3月. The sign of a year, month or day is no
word beside its number unless one begins with it: 3月底 is 3月 and 月底, and found by either.

Measured on 1,104 paragraphs and 4,221 questions of CMRC 2018 (bench/relevance.py): pairs alone
reach MRR@10 .979; with single characters beside them .982 (the rest is in `loosening`). Those also
let a query of one character find something. They live in a field of their own, because between the
pairs they would break the phrases.
"""

import importlib
import re
import unicodedata
from array import array
from collections.abc import Sequence
from functools import cache
from operator import add
from typing import NamedTuple

# Scripts written without spaces, and 々 and 〇, which behave like Chinese characters.
CHINESE = "々〇\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\U00020000-\U0003ffff"
OTHER = rf"[^\W_{CHINESE}]"
LONGEST_WORD = 60  # Characters of a word of another script; what follows is cut off.
REMEMBERED = 40_000  # Characters whose folding is kept: more than any real text has.

_DATE = "(?:19|20)[0-9]{2}[-./](?:1[0-2]|0?[1-9])(?:[-./](?:3[01]|[12][0-9]|0?[1-9]))?"
_THOUSANDS = "[0-9]{1,3}(?:,[0-9]{3})+"
_WORDS = re.compile(rf"[{CHINESE}]+|(?:{_DATE}|{_THOUSANDS})(?!{OTHER})|{OTHER}+")
_BETWEEN = re.compile("[-./]")
_NOT_PLURAL = ("ss", "us", "is")  # Ends of words that are no plurals: process, status, analysis.
_UNCHANGED = frozenset({"news"})
_ENCODING, _UNIT = "utf-32-le", "I"  # Four bytes for each character.
_FIRST = "\u3005"  # Folded letters from here on are of scripts written without spaces.


class Tokens(NamedTuple):
    """A text as the engines index it."""

    text: str  # Pairs and words in their order, joined by spaces.
    characters: str  # Each Chinese character, joined by spaces.


class _Folding(dict[int, str]):
    """What each character folds to, found out when it is first met."""

    def __init__(self) -> None:
        super().__init__()
        self.vanishing: set[str] = set()  # Those met that fold to nothing.
        # Imported late: an idle web process should not carry the dictionaries.
        self._convert = importlib.import_module("opencc").OpenCC("t2s").convert

    def __missing__(self, code: int) -> str:
        folded = self._fold(chr(code))
        if not folded:
            self.vanishing.add(chr(code))
        if len(self) < REMEMBERED:
            self[code] = folded
        return folded

    def _fold(self, character: str) -> str:
        if unicodedata.category(character) == "Cs":
            return " "  # Half of a pair; OpenCC can't encode it.
        if "\u0300" <= character < "\u0370":
            return ""  # An accent that follows its letter.
        plain = unicodedata.normalize("NFKC", character).lower()
        if plain < "\u0530":
            parts = unicodedata.normalize("NFKD", plain)
            plain = "".join(part for part in parts if not unicodedata.combining(part))
        return unicodedata.normalize("NFKC", self._convert(plain))


@cache
def _folding() -> _Folding:
    return _Folding()


def fold(text: str) -> str:
    """Return the text as it is compared: its script, case, width and accents evened out."""
    return text.translate(_folding())


def is_chinese(word: str) -> bool:
    """Say whether a folded word is a run of Chinese."""
    return word >= _FIRST


def words(text: str) -> list[str]:
    """Return the words of a text in their order, evened out: runs of Chinese, and other words."""
    found: list[str] = []
    raw = _WORDS.findall(fold(text))
    told = ""  # The sign that the number before has taken in.
    for place, word in enumerate(raw):
        sign, told = told, ""
        if word >= _FIRST:
            if word != sign:
                found.append(word)
        elif "0" <= word < ":":  # It begins with a digit.
            after = raw[place + 1] if place + 1 < len(raw) else ""
            told = _add_number(found, word, after)
        else:
            found.append(singular(word))
    return found


def _add_number(found: list[str], word: str, after: str) -> str:
    """Add a number, or the parts of a date, to the words found before it.

    :param after: the word that follows.
    :return: the sign of a date that it is told with, and that is no further word by itself.
    """
    if not word.isdecimal():
        year, *rest = _BETWEEN.split(word.replace(",", ""))
        found += [
            singular(year),
            *(f"{int(n)}{sign}" for n, sign in zip(rest, "月日", strict=False)),
        ]
    elif len(word) < 3 and after[:1] == "月" and 0 < int(word) < 13:
        found.append(f"{int(word)}月")
        return "月"
    elif len(word) < 3 and after[:1] == "日" and found and is_month(found[-1]):
        found.append(f"{int(word)}日")
        return "日"
    else:
        found.append(word)
        return "年" if len(word) == 4 and word[:2] in {"19", "20"} else ""
    return ""


def is_month(word: str) -> bool:
    """Say whether a word is a month, as `words` tells it."""
    return word[-1] == "月" and "0" <= word[0] <= "9"


def singular(word: str) -> str:
    """Return a word of Latin letters in what is usually its singular; the same for both forms."""
    if len(word) < 4 or word[-1] != "s" or word.endswith(_NOT_PLURAL) or word in _UNCHANGED:
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    return word[:-1]


def pairs(word: str) -> list[str]:
    """Return the overlapping pairs of a run of Chinese; any other word, or one character, whole."""
    if len(word) > 1 and is_chinese(word):
        return list(map(add, word, word[1:]))
    return [word[:LONGEST_WORD]]


def tokens(text: str) -> Tokens:
    """Return what the engines index of a text."""
    found = words(text)
    chinese = "".join([word for word in found if word >= _FIRST])
    paired, parts, start = _woven(chinese, chinese[1:]), [], 0
    for word in found:
        if word >= _FIRST:
            end = start + len(word)
            # Each pair has a space behind it; those across two runs are passed over.
            parts.append(paired[3 * start : 3 * end - 4] if len(word) > 1 else word)
            start = end
        else:
            parts.append(word[:LONGEST_WORD])
    return Tokens(" ".join(parts), _woven(chinese)[:-1])


def _woven(*texts: str) -> str:
    """Return the first character of each text and a space, the second of each and a space, etc.

    This is most of the work of indexing: by columns, it costs a fifth of what a loop would.
    """
    width = len(texts) + 1
    woven = array(_UNIT, " ".encode(_ENCODING) * (width * len(texts[0])))
    for column, text in enumerate(texts):
        codes = array(_UNIT, text.encode(_ENCODING))
        woven[column : column + width * len(codes) : width] = codes
    return woven.tobytes().decode(_ENCODING)


def fold_with_places(text: str) -> tuple[str, Sequence[int]]:
    """Return the folded text, and for each of its characters the place in the text it is from.

    Folding may lengthen a text (㈱) or shorten it (e and an accent): marks need to know where.
    """
    folding = _folding()
    folded = text.translate(folding)
    # Where none vanishes, one that became two would show in the length.
    if len(folded) == len(text) and (not folding.vanishing or folding.vanishing.isdisjoint(text)):
        return folded, range(len(text))
    return folded, [place for place, c in enumerate(text) for _ in folding[ord(c)]]
