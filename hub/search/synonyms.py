"""Words that mean the same in this field: what asks for one asks for all of its group.

`content/synonyms.txt` holds the groups until an administrator edits them; from then on the
database does. They count at the next search; the index knows nothing of them.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import product
from pathlib import Path
from uuid import UUID

from hub import clock
from hub.audit.service import record
from hub.config import Settings, of_this_node
from hub.database import db
from hub.errors import HubError, mark
from hub.search import analysis
from hub.search.models import SynonymList

DEFAULT = Path(__file__).parent.parent.parent / "content" / "synonyms.txt"
NAME = "search"  # Of the one row.
SEPARATOR, COMMENT = "=", "#"
MOST_GROUPS = 1_000
MOST_TERMS = 8  # Of a group.
LONGEST_TERM = 30
LONGEST_LIST = 60_000  # Characters.
MOST_PROBLEMS = 20  # That are told at once.
MOST_WAYS = 8  # In which one part of a query is looked for.
MOST_WORDS = 4  # Of a term.
FRESH = 5.0  # Seconds after which a process looks whether another one changed the list.

Term = tuple[str, ...]  # The words of it, folded.
Group = tuple[Term, ...]


class Problem(HubError):
    """What is wrong with one line of a list."""

    code = "synonyms"

    def __init__(self, line: int, message: str, **values: object) -> None:
        self.message = message
        super().__init__(field="text", line=line, **values)


class SynonymsError(HubError):
    """A list that can't be used as it is; `problems` says where and why."""

    code = "synonyms"
    message = mark("The list was not saved: %(count)s of its lines can't be used.")

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(field="text", count=len(problems))
        self.problems = problems[:MOST_PROBLEMS]


class Synonyms:
    """The groups of a list, found by what is asked for."""

    def __init__(self, groups: Sequence[Group]) -> None:
        self._groups: Mapping[Term, Group] = {term: group for group in groups for term in group}
        runs = [term[0] for term in self._groups if len(term) == 1 and _is_run(term[0])]
        self._lengths = sorted({len(run) for run in runs}, reverse=True)

    def of(self, words: Term) -> Group:
        """Return other words for exactly these, beginning with themselves; else only these."""
        if group := self._groups.get(words):
            return (words, *(term for term in group if term != words))[:MOST_WAYS]
        if len(words) == 1 and _is_run(words[0]):
            return self._within(words[0])
        return (words,)

    def has(self, words: Term) -> bool:
        """Say whether exactly these words are in a group."""
        return words in self._groups

    def _within(self, run: str) -> Group:
        """Return a run of Chinese with what it holds said in other words, too."""
        pieces = list(self._pieces(run))
        ways = {"".join(said): None for said in _few(pieces)}
        return tuple(dict.fromkeys([(run,), *(tuple(analysis.words(way)) for way in ways)]))

    def _pieces(self, run: str) -> Iterator[list[str]]:
        """Yield the ways to say each piece of a run; the longest terms are seen first."""
        place = plain = 0
        while place < len(run):
            lengths = (n for n in self._lengths if self._at(run, place, n))
            if length := next(lengths, 0):
                term = (run[place : place + length],)
                yield [run[plain:place]]
                yield [*map(_said, self.of(term))]
                place = plain = place + length
            else:
                place += 1
        yield [run[plain:]]

    def _at(self, run: str, place: int, length: int) -> bool:
        return (run[place : place + length],) in self._groups and place + length <= len(run)


def _few(pieces: Sequence[Sequence[str]]) -> Iterator[tuple[str, ...]]:
    """Yield combinations of pieces, at most `MOST_WAYS`, however many there are."""
    for count, said in enumerate(product(*pieces)):
        if count == MOST_WAYS:
            return
        yield said


def _said(term: Term) -> str:
    """Return a term as part of a text; where it is of several words, they stay apart."""
    return term[0] if len(term) == 1 else f" {' '.join(term)} "


def _is_run(word: str) -> bool:
    return analysis.is_chinese(word) and len(word) > 1


NONE = Synonyms(())


class KeptSynonyms:
    """The list in force, as one process knows it."""

    def __init__(self, config: Settings) -> None:
        self._text = ""
        self._known = NONE
        self._read_at: float | None = None

    def newest(self) -> Synonyms:
        """Return the list; what another process changed counts within five seconds."""
        now = time.monotonic()
        if self._read_at is None or now - self._read_at > FRESH:
            text = current()
            if text != self._text:
                self._text, self._known = text, Synonyms(_read(text)[0])
            self._read_at = now
        return self._known

    def forget(self) -> None:
        """Read the list anew at the next search."""
        self._read_at = None


def in_force() -> Synonyms:
    """Return the synonyms of the current application's node."""
    return of_this_node(KeptSynonyms).newest()


@cache
def default() -> str:
    """Return the list that a node begins with."""
    return DEFAULT.read_text()


def current() -> str:
    """Return the text of the list in force."""
    kept = db.session.get(SynonymList, NAME)
    return default() if kept is None else kept.text


def is_edited() -> bool:
    """Say whether an administrator has edited the list."""
    return db.session.get(SynonymList, NAME) is not None


def change(text: str, *, by: UUID | None) -> None:
    """Put another list in force.

    :raises SynonymsError: naming the lines that can't be used.
    """
    text = "\n".join(line.rstrip() for line in text.splitlines())
    groups = parse(text)
    before = set(parse(current()))
    kept = db.session.get(SynonymList, NAME)
    if kept is None:
        kept = SynonymList(name=NAME)
        db.session.add(kept)
    kept.text, kept.changed_at = text, clock.now()
    _record("synonyms.changed", before, set(groups), by)


def restore(*, by: UUID | None) -> None:
    """Put the list that a node begins with in force again."""
    before = set(parse(current()))
    kept = db.session.get(SynonymList, NAME)
    if kept is not None:
        db.session.delete(kept)
        _record("synonyms.restored", before, set(parse(default())), by)


def _record(action: str, before: set[Group], after: set[Group], by: UUID | None) -> None:
    db.session.flush()
    record(
        action,
        actor_id=by,
        subject="synonyms",
        groups=len(after),
        added=_told(after - before),
        removed=_told(before - after),
    )


def _told(groups: set[Group]) -> list[str]:
    lines = (f" {SEPARATOR} ".join(" ".join(term) for term in group) for group in groups)
    return sorted(lines)[:MOST_PROBLEMS]


def parse(text: str) -> list[Group]:
    """Return the groups of a list: one to a line, with = between the terms; # begins a remark.

    :raises SynonymsError: naming the lines that can't be used.
    """
    groups, problems = _read(text)
    if problems:
        raise SynonymsError(problems)
    return groups


def _read(text: str) -> tuple[list[Group], list[Problem]]:
    """Return the groups of a list that can be used, and what is wrong with the others."""
    if len(text) > LONGEST_LIST:
        return [], [Problem(1, _TOO_MUCH, limit=LONGEST_LIST)]
    groups: list[Group] = []
    problems: list[Problem] = []
    lines: dict[Term, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not (said := line.partition(COMMENT)[0].strip()):
            continue
        try:
            group = _group(number, said.replace("＝", SEPARATOR), lines)
        except Problem as problem:
            problems.append(problem)
            continue
        if len(groups) == MOST_GROUPS:
            return groups, [*problems, Problem(number, _TOO_MANY, limit=MOST_GROUPS)]
        groups.append(group)
        lines |= dict.fromkeys(group, number)
    return groups, problems


_TOO_MUCH = mark("Line %(line)s: a list has at most %(limit)s characters.")
_TOO_MANY = mark("Line %(line)s: a list has at most %(limit)s groups.")
_ALONE = mark("Line %(line)s: a group needs 2 to %(limit)s terms, with = between them.")
_TWICE = mark(
    "Line %(line)s: “%(term)s” is in line %(other)s already; a term belongs to one group."
)
_SHORT = mark("Line %(line)s: “%(term)s” is too short. A term has two characters or more.")
_LONG = mark("Line %(line)s: “%(term)s” is too long. A term has at most %(limit)s characters.")


def _group(line: int, said: str, lines: Mapping[Term, int]) -> Group:
    written = [" ".join(term.split()) for term in said.split(SEPARATOR)]
    group: dict[Term, None] = {}
    for shown in written:
        term = tuple(analysis.words(shown))
        if len(shown) > LONGEST_TERM or len(term) > MOST_WORDS:
            raise Problem(line, _LONG, term=f"{shown[:LONGEST_TERM]}…", limit=LONGEST_TERM)
        if sum(map(len, term)) < 2:
            raise Problem(line, _SHORT, term=shown)
        if term in lines or term in group:
            raise Problem(line, _TWICE, term=shown, other=lines.get(term, line))
        group[term] = None
    if not 2 <= len(group) <= MOST_TERMS:
        raise Problem(line, _ALONE, limit=MOST_TERMS)
    return tuple(group)
