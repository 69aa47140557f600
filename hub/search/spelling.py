"""Another spelling, where nothing says what was typed.

It is drawn from titles, units and tags of documents that the asker may read, and offered only
when it finds something for them. So it tells nothing that a search would not, and takes as long
for a hidden word as for one that nobody ever wrote.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice, product

from hub.search import analysis, naming, pinyin, synonyms, writings
from hub.search.engine import Query, Way
from hub.search.naming import Filters
from hub.search.parts import parts
from hub.search.queries import understand
from hub.search.service import Results

LONGEST_RUN = 12  # Characters of a run of Chinese that is looked at.
SHORTEST_WORD = 4  # Letters of another word.
MOST_WORDS = 4  # That are looked at, and
MOST_WRONG = 2  # of these that may be wrong.
MOST_TRIED = 3  # Spellings of each.
MOST_READINGS = 8
MOST_CHECKED = 3  # Hits; one that the database closes meanwhile is no hit.
LOOKED_AT = 30  # Documents whose names are looked at.


def meant(
    text: str, results: Results, *, audiences: frozenset[str], filters: Mapping[str, str]
) -> str:
    """Return another query to offer beside these results; "" where they say what was asked for."""
    if (results.total and not results.is_loosened) or results.gap or results.page > 1:
        return ""
    return correction(text, audiences=audiences, filters=filters)


def correction(text: str, *, audiences: frozenset[str], filters: Mapping[str, str]) -> str:
    """Return a query like this one that finds something; "" when there is none.

    Costs some questions to the index, 30 at most, so it is asked only when nothing was found.
    """
    corrected, wrong = text, 0
    for word in islice(_words(text), MOST_WORDS):
        if wrong == MOST_WRONG:
            break
        if _finds(word, audiences):
            continue
        wrong += 1
        better = next((c for c in _candidates(word, audiences) if _finds(c, audiences)), "")
        if not better:
            return ""
        corrected = _replaced(corrected, word, better)
    wanted = tuple((name, value) for name, value in filters.items() if value)
    return corrected if wrong and _finds(corrected, audiences, wanted) else ""


def _words(text: str) -> Iterator[str]:
    for part in parts(text):
        if not part.is_excluded and not part.field:
            for word in analysis.words(part.text):
                is_run = analysis.is_chinese(word) and 1 < len(word) <= LONGEST_RUN
                if is_run or (len(word) >= SHORTEST_WORD and word.isalpha() and word.isascii()):
                    yield word


def _finds(text: str, audiences: frozenset[str], filters: Filters = ()) -> bool:
    """Say whether something says all of a query that these audiences may read."""
    question = understand(text, synonyms.in_force())
    return any(
        naming.known(query, audiences, MOST_CHECKED, filters)
        for query in (question.exact, question.sounded)
        if query
    )


def _candidates(word: str, audiences: frozenset[str]) -> Iterator[str]:
    """Yield other spellings, the likeliest first: what sounds the same, then what looks alike."""
    if not analysis.is_chinese(word):
        yield from islice(_alike(word, audiences), MOST_TRIED)
        return
    yield from islice(_homophones(word, audiences), MOST_TRIED)
    yield from islice(_similar(word, audiences), MOST_TRIED)


def _homophones(run: str, audiences: frozenset[str]) -> Iterator[str]:
    read = islice(product(*map(pinyin.readings, run)), MOST_READINGS)
    ways = tuple(naming.sound(syllables) for syllables in read)
    if not ways:
        return
    pieces = Counter(
        piece
        for name in _names(Query(all_of=(ways,)), audiences)
        for piece in _pieces(name, len(run))
        if piece != run and pinyin.is_homophone(piece, run)
    )
    yield from (piece for piece, _ in pieces.most_common())


def _similar(run: str, audiences: frozenset[str]) -> Iterator[str]:
    """Yield pieces of names with one character more, less or another; of long runs, two."""
    if len(run) < 3:
        return
    allowed = 1 if len(run) < 6 else 2
    characters = tuple(way for one in dict.fromkeys(run) for way in naming.ways((one,)))
    found: Counter[str] = Counter()
    for name in _names(Query(any_of=characters), audiences):
        for length in (len(run), len(run) - 1, len(run) + 1):
            found.update(p for p in _pieces(name, length) if 0 < _distance(p, run) <= allowed)
    yield from sorted(found, key=lambda p: (_distance(p, run), abs(len(p) - len(run)), -found[p]))


def _alike(word: str, audiences: frozenset[str]) -> Iterator[str]:
    allowed = 1 if len(word) < 8 else 2
    begun = Way("initials", (word[:2] + naming.BEGINS,))
    found = Counter(
        other
        for name in _names(Query(all_of=((begun,),)), audiences)
        for other in analysis.words(name)
        if not analysis.is_chinese(other) and 0 < _distance(other, word) <= allowed
    )
    yield from sorted(found, key=lambda other: (_distance(other, word), -found[other]))


def _names(query: Query, audiences: frozenset[str]) -> Iterator[str]:
    for names in naming.known(query, audiences, LOOKED_AT):
        yield from (names.title, names.unit, *names.tags)


def _pieces(name: str, length: int) -> Iterator[str]:
    for run in filter(analysis.is_chinese, analysis.words(name)):
        yield from (run[n : n + length] for n in range(len(run) - length + 1))


def _distance(one: str, other: str) -> int:
    """Return how many characters differ, two that changed places counting once."""
    if abs(len(one) - len(other)) > 2:
        return 3  # More than is ever allowed.
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        last, before, row = before, row, [i]
        for j, b in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]


def _replaced(text: str, word: str, better: str) -> str:
    """Return the text as it was typed, with a word in it spelt otherwise."""
    folded, where = analysis.fold_with_places(text)
    place = next(writings.places(folded, word), None)
    if place is None:
        return text
    return text[: where[place[0]]] + better + text[where[place[1] - 1] + 1 :]
