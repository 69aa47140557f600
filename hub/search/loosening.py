"""What is looked for when nothing says all that was asked: any part of it, the telling parts first.

Questions are full of words that say nothing of what they ask for: 是什么 stands in any text. What
only asks is left out, pairs with a particle in them count less, and titles count once more.

Measured on 4,221 questions about 1,104 paragraphs of CMRC 2018 (bench/relevance.py): MRR@10 .982
with every pair alike, .987 without what only asks, .989 with particles at less weight, .991 with
titles. Trigrams beside the pairs made it worse.
"""

import re
from collections.abc import Iterable, Sequence

from hub.search import analysis
from hub.search.engine import Query, Way

MOST = 64  # Ways of each sort.
PARTICLE = 0.3  # Weight of a pair that holds a particle.
CHARACTER = 0.7  # Of a single character beside the pairs that it stands in.
NAME = 0.4  # Of a pair in the title, the unit or a tag, beside the whole text.

_ASKING = re.compile(
    "什么|甚么|怎么样|怎么|怎样|如何|为何|何时|何地|何人|何种|哪一[个年]?|哪[些里儿个家年位种两几]?"
    "|谁|多[少久长大高]|几[个年次]|是否|吗|呢|请问"
)
PARTICLES = re.compile("[的了是在于和与及或由被把将对为而且之其该此这那它他她们也都又有]")


def loosened(words: Sequence[str]) -> Query:
    """Return a query for anything that these folded words say; empty when that is one token."""
    said = [part for word in words for part in telling(word)] or list(words)
    ways: dict[Way, None] = {}
    better: dict[Way, None] = {}
    for part in said:
        tokens = analysis.pairs(part)
        single = len(part) == 1 and analysis.is_chinese(part)
        ways |= dict.fromkeys(_way("characters" if single else "text", token) for token in tokens)
        better |= dict.fromkeys(Way("names", (token,), NAME) for token in tokens if not single)
        if analysis.is_chinese(part) and not single:
            better |= dict.fromkeys(Way("characters", (c,), CHARACTER) for c in part)
    if len(ways) < 2:
        return Query()
    return Query(any_of=_bounded(ways), better=_bounded(better))


def telling(word: str) -> list[str]:
    """Return the parts of a folded word without those that only ask."""
    if not analysis.is_chinese(word):
        return [word]
    return [part for part in _ASKING.split(word) if part]


def _way(field: str, token: str) -> Way:
    is_weak = analysis.is_chinese(token) and PARTICLES.search(token)
    return Way(field, (token,), PARTICLE if is_weak else 1.0)


def _bounded(ways: Iterable[Way]) -> tuple[Way, ...]:
    return tuple(ways)[:MOST]
