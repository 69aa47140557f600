"""What a machine can see in a text that should not be there; a person decides."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hub.cases.content import personal_numbers
from hub.cases.fields import fields_of

NEAR = 6  # Characters shown on each side.
MOST = 50

_MARKS = re.compile(
    r"(?:绝密|机密|秘密|内部)\s*[★☆].{0,8}|★"
    r"|^\s*[【（(\[]?(?:绝密|机密|秘密|内部)[】）)\]]?\s*$"
    r"|[（(【\[](?:绝密|机密|秘密|内部)[）)】\]]"
    r"|(?:密级|保密期限)\s*[:：]"
    r"|内部(?:资料|文件|刊物|使用|参考|传阅)|(?:不得|严禁)外传"
)


class Kind(StrEnum):
    """What was found."""

    PERSONAL = "personal"  # The number of a telephone or of an identity card.
    MARKED = "marked"  # As confidential.


@dataclass(frozen=True)
class Hint:
    """One such place: the paragraph, from 1, and what stands there."""

    kind: Kind
    number: int
    text: str


def found(lines: list[str]) -> list[Hint]:
    """Return what may be wrong in some paragraphs, at most fifty of it."""
    return [hint for number, line in enumerate(lines, 1) for hint in _in(number, line)][:MOST]


def in_fields(kind: str, content: Mapping[str, Any]) -> list[tuple[str, Hint]]:
    """Return the same of all that a case says, each with the name of its field."""
    hints = [
        (field.label, hint)
        for field in fields_of(kind)
        for hint in found(list(_lines(content.get(field.name))))
    ]
    return hints[:MOST]


def _lines(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from value.splitlines()
    elif isinstance(value, list):
        for item in value:
            yield from (
                [" ".join(map(str, item.values()))] if isinstance(item, dict) else [str(item)]
            )


def _in(number: int, line: str) -> Iterator[Hint]:
    for personal in personal_numbers(line):
        at = line.find(personal)
        near = line[max(0, at - NEAR) : at + len(personal)]
        yield Hint(Kind.PERSONAL, number, near)
    for match in _MARKS.finditer(line):
        yield Hint(Kind.MARKED, number, match.group().strip())
