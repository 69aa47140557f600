"""How Chinese sounds, without a library: that takes 55 MB of memory and .2 ms for a name.

`pinyin.txt` says it: first a line for each syllable with the characters that are usually read so,
then the same for their further readings, then phrases in which a character is read otherwise than
usually. It is drawn from pypinyin by `tests/search/pinyin_table.py`, and read when first needed.
"""

from collections.abc import Iterator
from functools import cache
from itertools import pairwise, product
from pathlib import Path
from typing import NamedTuple

LONGEST = 36  # Letters of a word that is taken for pinyin.
MOST_READINGS = 6  # Ways to divide one word into syllables.
FEWEST_INITIALS, MOST_INITIALS = 2, 8
TABLE = Path(__file__).with_name("pinyin.txt")

_ALL = """
a ai an ang ao
ba bai ban bang bao bei ben beng bi bian biao bie bin bing bo bu
ca cai can cang cao ce cen ceng cha chai chan chang chao che chen cheng chi chong chou chu chua
chuai chuan chuang chui chun chuo ci cong cou cu cuan cui cun cuo
da dai dan dang dao de dei deng di dia dian diao die ding diu dong dou du duan dui dun duo
e ei en er
fa fan fang fei fen feng fo fou fu
ga gai gan gang gao ge gei gen geng gong gou gu gua guai guan guang gui gun guo
ha hai han hang hao he hei hen heng hong hou hu hua huai huan huang hui hun huo
ji jia jian jiang jiao jie jin jing jiong jiu ju juan jue jun
ka kai kan kang kao ke kei ken keng kong kou ku kua kuai kuan kuang kui kun kuo
la lai lan lang lao le lei len leng li lia lian liang liao lie lin ling liu lo long lou lu luan
lun luo lv lve
ma mai man mang mao me mei men meng mi mian miao mie min ming miu mo mou mu
na nai nan nang nao ne nei nen neng ni nian niang niao nie nin ning niu nong nou nu nuan nuo nv
nve
o ou
pa pai pan pang pao pei pen peng pi pian piao pie pin ping po pou pu
qi qia qian qiang qiao qie qin qing qiong qiu qu quan que qun
ran rang rao re ren reng ri rong rou ru ruan rui run ruo
sa sai san sang sao se sen seng sha shai shan shang shao she shei shen sheng shi shou shu shua
shuai shuan shuang shui shun shuo si song sou su suan sui sun suo
ta tai tan tang tao te tei teng ti tian tiao tie ting tong tou tu tuan tui tun tuo
wa wai wan wang wei wen weng wo wu
xi xia xian xiang xiao xie xin xing xiong xiu xu xuan xue xun
ya yan yang yao ye yi yin ying yo yong you yu yuan yue yun
za zai zan zang zao ze zei zen zeng zha zhai zhan zhang zhao zhe zhei zhen zheng zhi zhong zhou
zhu zhua zhuai zhuan zhuang zhui zhun zhuo zi zong zou zu zuan zui zun zuo
"""
SYLLABLES = frozenset(_ALL.split())
_LONGEST_SYLLABLE = 6
_UNKNOWN = ("",)
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz")
_NO_INITIALS = frozenset("iuv")  # Letters with which no syllable begins.


class Table(NamedTuple):
    """What `pinyin.txt` says."""

    readings: dict[str, tuple[str, ...]]  # Of each character, the usual one first.
    phrases: dict[str, tuple[str, ...]]  # Syllables of phrases that are read otherwise.
    lengths: dict[str, tuple[int, ...]]  # Of the phrases that begin with a character.


@cache
def _table() -> Table:
    known: dict[tuple[str, ...], tuple[str, ...]]  # Each is kept in memory once.
    known = {(syllable,): (syllable,) for syllable in SYLLABLES}
    readings: dict[str, tuple[str, ...]] = {}
    first, second, third = TABLE.read_text().split("\n\n")
    for line in (*first.splitlines(), *second.splitlines()):
        syllable, characters = line.split()
        for character in characters:
            read = (*readings.get(character, ()), *known[(syllable,)])
            readings[character] = known.setdefault(read, read)
    phrases: dict[str, tuple[str, ...]] = {}
    lengths: dict[str, set[int]] = {}
    for line in third.splitlines():
        phrase, *spelt = line.split()
        phrases[phrase] = tuple(known[(syllable,)][0] for syllable in spelt)
        lengths.setdefault(phrase[0], set()).add(len(phrase))
    longest_first = {c: tuple(sorted(found, reverse=True)) for c, found in lengths.items()}
    return Table(readings, phrases, longest_first)


def syllables(run: str) -> list[str]:
    """Return how each character of a folded run of Chinese is read; "" where that is not known."""
    readings, phrases, lengths = _table()
    found = [readings.get(character, _UNKNOWN)[0] for character in run]
    if lengths.keys().isdisjoint(run):
        return found
    place = 0
    while place < len(run):
        for length in lengths.get(run[place], ()):
            if read := phrases.get(run[place : place + length]):
                found[place : place + length] = read
                place += length
                break
        else:
            place += 1
    return found


def readings(character: str) -> tuple[str, ...]:
    """Return all usual readings of a folded character, the most frequent first."""
    return _table().readings.get(character, ())


def divided(word: str) -> list[tuple[str, ...]]:
    """Return the ways to read a folded Latin word as whole syllables, those of few first."""
    return [way for way, rest in begun(word) if not rest][:MOST_READINGS]


def begun(word: str) -> list[tuple[tuple[str, ...], str]]:
    """Return ways to read a word as syllables and the beginning of another, which may be "".

    They are twice `MOST_READINGS` at most, whole ones first; each place is looked at once.
    """
    if not word or len(word) > LONGEST or not _LETTERS.issuperset(word):
        return []
    # For each place: ways from there to the end.
    ways: list[list[tuple[tuple[str, ...], str]]] = [[] for _ in word] + [[((), "")]]
    for place in range(len(word) - 1, -1, -1):
        rest = word[place:]
        found = ways[place]
        for length in range(min(_LONGEST_SYLLABLE, len(rest)), 0, -1):
            if rest[:length] in SYLLABLES:
                found += (((rest[:length], *way), end) for way, end in ways[place + length])
        if rest not in SYLLABLES and rest in _beginnings():
            found.append(((), rest))
        found.sort(key=lambda way: (bool(way[1]), len(way[0])))  # Whole ones, of few, first.
        del found[2 * MOST_READINGS :]
    return ways[0]


@cache
def _beginnings() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for syllable in sorted(SYLLABLES):
        for length in range(1, len(syllable) + 1):
            found.setdefault(syllable[:length], []).append(syllable)
    return {beginning: tuple(syllables) for beginning, syllables in found.items()}


def beginning_with(letters: str) -> tuple[str, ...]:
    """Return the syllables that begin with these letters."""
    return _beginnings().get(letters, ())


def are_initials(word: str) -> bool:
    """Say whether a folded word may be the first letters of as many syllables."""
    return (
        FEWEST_INITIALS <= len(word) <= MOST_INITIALS
        and _LETTERS.issuperset(word)
        and _NO_INITIALS.isdisjoint(word)
    )


def is_heard(word: str, run: str, *, is_begun: bool = False) -> bool:
    """Say whether a Latin word is how some of a run of Chinese sounds, or is its initials.

    :param is_begun: whether the word may go on.
    """
    known = _table().readings
    return any(
        begins(word, run[place:], is_begun=is_begun)
        for place, character in enumerate(run)
        if any(syllable[0] == word[0] for syllable in known.get(character, ()))
    )


def begins(word: str, run: str, *, is_begun: bool = False) -> bool:
    """Say the same of the beginning of a run."""
    return _is_spelt(word, run, is_begun) or (are_initials(word) and _is_begun_by(word, run))


def _is_spelt(word: str, run: str, is_begun: bool) -> bool:
    places = {0}  # Of the word, up to which what was looked at may have been read.
    for character in run:
        reached = set()
        for place, syllable in product(places, readings(character)):
            rest = word[place:]
            if rest == syllable or (is_begun and syllable.startswith(rest)):
                return True
            if rest.startswith(syllable):
                reached.add(place + len(syllable))
        if not reached:
            return False
        places = reached
    return False


def _is_begun_by(word: str, run: str) -> bool:
    return len(word) <= len(run) and all(
        any(syllable[0] == letter for syllable in readings(character))
        for letter, character in zip(word, run, strict=False)
    )


def is_homophone(one: str, other: str) -> bool:
    """Say whether two runs of Chinese may sound alike."""
    return len(one) == len(other) and all(
        a == b or not set(readings(a)).isdisjoint(readings(b))
        for a, b in zip(one, other, strict=True)
    )


def letter_pairs(letters: str) -> Iterator[str]:
    """Yield each two letters that follow each other: rare enough for an index to find quickly."""
    return (a + b for a, b in pairwise(letters))
