"""Draws hub/search/pinyin.txt from pypinyin: python -m tests.search.pinyin_table

Of the 6,763 characters of GB 2312; of further readings those that occur in any phrase, since the
others are of old books; of phrases those in which a character is not read as usually.
"""

from collections.abc import Iterator

from pypinyin.constants import PHRASES_DICT, PINYIN_DICT
from pypinyin.contrib.tone_convert import to_normal

from hub.search.pinyin import SYLLABLES, TABLE


def _characters() -> Iterator[str]:
    for high in range(0xB0, 0xF8):
        for low in range(0xA1, 0xFF if high != 0xD7 else 0xFA):
            yield bytes([high, low]).decode("gb2312")


def _plain(reading: str) -> str:
    return to_normal(reading, v_to_u=False)


def draw() -> str:
    """Return the text of the table."""
    usual = {c: _usual(c) for c in _characters()}
    usual = {c: syllable for c, syllable in usual.items() if syllable}
    further: dict[str, set[str]] = {}
    phrases: dict[str, list[str]] = {}
    for phrase, readings in PHRASES_DICT.items():
        read = [_plain(reading[0]) for reading in readings]
        if len(read) != len(phrase) or not SYLLABLES.issuperset(read):
            continue
        other = [(c, s) for c, s in zip(phrase, read, strict=True) if usual.get(c, s) != s]
        if other and usual.keys() >= set(phrase):
            phrases[phrase] = read
            for character, syllable in other:
                further.setdefault(syllable, set()).add(character)
    first: dict[str, list[str]] = {}
    for character, syllable in usual.items():
        first.setdefault(syllable, []).append(character)
    blocks = (
        [f"{syllable} {''.join(first[syllable])}" for syllable in sorted(first)],
        [f"{syllable} {''.join(sorted(further[syllable]))}" for syllable in sorted(further)],
        [f"{phrase} {' '.join(read)}" for phrase, read in sorted(phrases.items())],
    )
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _usual(character: str) -> str:
    read = (_plain(reading) for reading in PINYIN_DICT.get(ord(character), "").split(","))
    return next((syllable for syllable in read if syllable in SYLLABLES), "")


if __name__ == "__main__":
    TABLE.write_text(draw())
