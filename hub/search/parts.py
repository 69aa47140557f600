"""The parts of what somebody typed, before anything is looked up.

Nothing that is typed is an error, and only four things are more than words: quotation marks around
what shall stand as it is, a minus before what shall not be there, and 标题: or 单位: (title:,
unit:) before what shall stand in the title or in the name of the unit.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

LONGEST = 200  # Characters of a query.
TITLE, UNIT = "title", "unit"
OPENING, CLOSING = '"“”＂「『', '"“”＂」』'

_MINUS = "\\-－−"
_QUOTES = OPENING + "」』"
_FIELD = "title|标题|標題|unit|单位|單位"
_PART = re.compile(
    rf"(?:(?<!\S)(?P<minus>[{_MINUS}])(?=\S)|[{_MINUS}]+)?"
    rf"(?:(?P<field>{_FIELD})[:：](?=\S))?"
    rf"(?:[{OPENING}](?P<quoted>[^{_QUOTES}]*)[{CLOSING}]|(?P<word>[^\s{_QUOTES}]+))",
    re.IGNORECASE,
)
_FIELDS = {name: UNIT if name in {"unit", "单位", "單位"} else TITLE for name in _FIELD.split("|")}
_NAMES = {TITLE: "标题", UNIT: "单位"}


class Part(NamedTuple):
    """A word or a quotation."""

    text: str
    is_quoted: bool = False
    is_excluded: bool = False
    field: str = ""  # TITLE or UNIT, where it must stand there.


@dataclass(frozen=True)
class Boxes:
    """A query as the boxes of a form that each ask for one thing."""

    words: str = ""
    exact: str = ""
    without: str = ""
    title: str = ""
    unit: str = ""

    @classmethod
    def of(cls, text: str) -> "Boxes":
        """Take a query apart; a second quotation stays among the words."""
        found = parts(text)
        anywhere = [part for part in found if not part.is_excluded and not part.field]
        first = [part for part in anywhere if part.is_quoted][:1]
        words = [part for part in anywhere if part not in first]
        return cls(
            words=" ".join(map(_written, words)),
            exact="".join(part.text for part in first),
            without=" ".join(
                _written(part._replace(is_excluded=False)) for part in found if part.is_excluded
            ),
            title=_bare(part for part in found if _is_in(part, TITLE)),
            unit=_bare(part for part in found if _is_in(part, UNIT)),
        )

    def query(self) -> str:
        """Return the query that asks for all of it."""
        exact = " ".join(self.exact.translate(_UNQUOTED).split())
        found = [self.words.strip(), f"“{exact}”" if exact else ""]
        found += (_written(part._replace(is_excluded=True)) for part in parts(self.without))
        for name, text in ((TITLE, self.title), (UNIT, self.unit)):
            found += (_written(part._replace(field=name)) for part in _plain(text))
        return " ".join(filter(None, found))[:LONGEST]


_UNQUOTED = str.maketrans(dict.fromkeys(_QUOTES, " "))


def parts(text: str) -> list[Part]:
    """Return the parts of a query in their order."""
    return [
        Part(
            found["word"] if found["quoted"] is None else found["quoted"],
            found["quoted"] is not None,
            bool(found["minus"]),
            _FIELDS[found["field"].lower()] if found["field"] else "",
        )
        for found in _PART.finditer(text[:LONGEST])
    ]


def _plain(text: str) -> Iterable[Part]:
    return (Part(part.text, part.is_quoted) for part in parts(text))


def _is_in(part: Part, field: str) -> bool:
    return part.field == field and not part.is_excluded


def _bare(found: Iterable[Part]) -> str:
    return " ".join(_written(Part(part.text, part.is_quoted)) for part in found)


def _written(part: Part) -> str:
    minus, name = "-" if part.is_excluded else "", f"{_NAMES[part.field]}:" if part.field else ""
    return f"{minus}{name}“{part.text}”" if part.is_quoted else f"{minus}{name}{part.text}"
