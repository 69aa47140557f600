"""Making a pasted text readable, and saying what stayed broken.

Texts copied from web pages come in Traditional script, with pronunciations in brackets after many
characters and punctuation of a typewriter. What is damaged beyond that is reported, not guessed.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from functools import cache

from opencc import OpenCC

from hub.cases.importing import notes
from hub.cases.importing.notes import Note, note

_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
_TONED = "āáǎàēéěèīíǐìōóǒòūúǔùǖǘǚǜńňǹ"
_SYLLABLE = f"[a-zü{_TONED}]{{1,6}}"
_GLOSS = re.compile(rf"(?<=[{_HAN}])[(（]({_SYLLABLE})[)）]")
# Half a gloss, whose character and bracket are gone; or what stands for a lost character.
_BROKEN = re.compile(rf".?\?[a-zü]{{0,5}}[{_TONED}][a-z]{{0,5}}[)）]|[\ufffd\ue000-\uf8ff]+")
_NEUTRAL = frozenset(
    [
        "a",
        "ba",
        "bu",
        "de",
        "ge",
        "guo",
        "le",
        "li",
        "ma",
        "me",
        "men",
        "ne",
        "shang",
        "tou",
        "xia",
        "zhe",
        "zi",
    ]
)
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_NARROW = {",": "，", ":": "：", ";": "；", "?": "？", "!": "！"}
_AFTER_HAN = re.compile(rf"(?<=[{_HAN}”’》）])([,:;?!])(?=[{_HAN}“‘《（]|$)", re.MULTILINE)
_BRACKETS = re.compile(r"\(([^()\n]*)\)")
_CHINESE = re.compile(f"[{_HAN}]")
_GAP = re.compile(rf"(?<=[{_HAN}，。；：、？！”）])[ \t\u3000\u00a0]+(?=[{_HAN}，。；：、？！“（])")
SPANS = 50  # Damaged places of one paragraph that are told.
_CREDIT = re.compile(r"[（(]?(?:责任)?编辑[:：][^，。]{1,20}[）)]?")
_PAIRS = {"”": "“", "’": "‘", "》": "《", "」": "「", "』": "『"}
_CORNERS = str.maketrans("「」『』", "“”‘’")


@cache
def _converter() -> OpenCC:
    return OpenCC("tw2s")  # Knows more than t2s: 隨著 is 随着, and 著名 stays.


def mend(text: str) -> tuple[str, list[Note]]:
    """Return a pasted text, one paragraph to a line, and what was done to it or remains broken."""
    told: list[Note] = []
    lines = [line.strip() for line in mend_lines(text, told).split("\n")]
    lines = drop_credits([line for line in lines if line], told)
    told.extend(damages(lines))
    return "\n".join(lines), told


def mend_lines(text: str, told: list[Note], *, folds: bool = True) -> str:
    """Return a text with as many lines as it has, each mended in itself.

    :param folds: whether Traditional characters become Simplified ones.
    """
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = strip_controls(text, told)
    text = _strip_glosses(text, told)
    if folds:
        text = _simplify(text, told)
    return _widen_punctuation(text, told)


def strip_controls(text: str, told: list[Note]) -> str:
    """Take out characters that nobody sees and that no field may hold."""
    clean, count = _CONTROLS.subn("", text)
    if count:
        told.append(note(notes.CONTROLS, count=count))
    return clean


def damages(lines: list[str]) -> Iterator[Note]:
    """Yield what is broken in these paragraphs: marks without partner, remains of characters."""
    for number, line in enumerate(lines, 1):
        spans = _damaged(line)[:SPANS]
        for start, end in spans:
            yield note(notes.DAMAGE, number=number, text=_near(line, start, end))
        for at in _unpaired(line):
            if not any(start - 8 <= at <= end + 8 for start, end in spans):
                yield note(notes.QUOTES, number=number, text=_near(line, at, at + 1))


def _damaged(line: str) -> list[tuple[int, int]]:
    """Return where characters were lost; places close to each other are one."""
    spans: list[tuple[int, int]] = []
    for match in _BROKEN.finditer(line):
        if spans and match.start() - spans[-1][1] <= 4:
            spans[-1] = (spans[-1][0], match.end())
        else:
            spans.append(match.span())
    return spans


def _strip_glosses(text: str, told: list[Note]) -> str:
    """Remove pinyin in brackets after a character; toneless ones only among others with tones."""
    found = Counter(_has_tone(syllable) for syllable in _GLOSS.findall(text))
    if not found[True]:
        return text
    clean = _GLOSS.sub(
        lambda match: "" if _has_tone(match[1]) or match[1] in _NEUTRAL else match[0], text
    )
    told.append(note(notes.GLOSSES, count=len(_GLOSS.findall(text)) - len(_GLOSS.findall(clean))))
    return clean


def _has_tone(text: str) -> bool:
    return any(character in _TONED for character in text)


def _simplify(text: str, told: list[Note]) -> str:
    simple = str(_converter().convert(text))
    if simple == text:
        return text
    told.append(note(notes.SCRIPT))
    return simple.translate(_CORNERS)


def _widen_punctuation(text: str, told: list[Note]) -> str:
    text, gaps = _GAP.subn("", text)
    text, marks = _AFTER_HAN.subn(lambda match: _NARROW[match[1]], text)
    wide = [each for each in _BRACKETS.findall(text) if _CHINESE.search(each)]
    text, brackets = _BRACKETS.sub(_widened, text), len(wide)
    if gaps + marks + brackets:
        told.append(note(notes.PUNCTUATION, count=gaps + marks + brackets))
    return text


def _widened(brackets: re.Match[str]) -> str:
    return f"（{brackets[1]}）" if _CHINESE.search(brackets[1]) else brackets[0]


def drop_credits(lines: list[str], told: list[Note]) -> list[str]:
    """Leave out who edited the page that was copied: a person's name, and not of this text."""
    kept = [line for line in lines if not _CREDIT.fullmatch(line)]
    told.extend(note(notes.CREDIT, text=line) for line in lines if line not in kept)
    return kept


def _unpaired(line: str) -> Iterator[int]:
    """Yield the places of opening and closing marks that have no partner."""
    opened: list[tuple[str, int]] = []
    for at, character in enumerate(line):
        if character in _PAIRS.values():
            if opened and opened[-1][0] == character:
                yield opened.pop()[1]  # Opened twice: the first was never closed.
            opened.append((character, at))
        elif character in _PAIRS:
            if opened and opened[-1][0] == _PAIRS[character]:
                opened.pop()
            elif character != "’":  # Also an apostrophe.
                yield at
    yield from (at for character, at in opened if character != "‘")


def _near(line: str, start: int, end: int) -> str:
    return line[max(0, start - 6) : end + 6]
