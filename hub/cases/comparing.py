"""Two documents side by side: what each says to the same question."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from uuid import UUID

from hub.cases.fields import READING, Field, fields_of
from hub.cases.models import Kind

FIRST = ("summary", "category", "period")  # Before what `READING` puts in order.
# What a case says where a pilot lesson has a name of its own for it.
COUNTERPARTS = {
    "problem": "objective",
    "practice": "stages",
    "outcomes": "indicators",
    "preconditions": "copy_conditions",
    "pitfalls": "problems",
    "cost_band": "cost",
}
LONGEST = 500  # Characters of an address that somebody pastes.

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_NAMES = COUNTERPARTS | {theirs: ours for ours, theirs in COUNTERPARTS.items()}


class Side(NamedTuple):
    """What one of the two says."""

    field: Field
    value: Any


class Line(NamedTuple):
    """What both say to one question; None where a document of its kind is not asked it."""

    left: Side | None
    right: Side | None

    @property
    def labels(self) -> dict[str, str]:
        """Return what the question is called, by the names of the fields: once or twice."""
        sides = [side.field for side in self if side]
        unlike = {field.label: field.name for field in reversed(sides)}
        return {name: label for label, name in reversed(unlike.items())}


def aligned(
    kind: str, fields: Mapping[str, Any], other_kind: str, others: Mapping[str, Any]
) -> list[Line]:
    """Return the lines of a comparison in the order in which readers judge; those that only one of
    the two is asked come last, and empty ones are left out."""
    left, right = _sides(kind, fields), _sides(other_kind, others)
    lines = [Line(side, right.pop(_partner(name, right), None)) for name, side in left.items()]
    lines += [Line(None, side) for side in right.values()]
    said = [line for line in lines if any(side and side.value for side in line)]
    return sorted(said, key=lambda line: None in line)


def chosen(words: Iterable[str]) -> list[UUID]:
    """Return the documents that these ids and addresses of pages name, each once."""
    found = (_ID.findall(word[:LONGEST]) for word in words)
    return list(dict.fromkeys(UUID(ids[-1]) for ids in found if ids))


def _sides(kind: str, fields: Mapping[str, Any]) -> dict[str, Side]:
    known = {field.name: field for field in fields_of(kind)}
    order = [*(known[name] for name in FIRST), *READING[Kind(kind)]]
    return {field.name: Side(field, fields.get(field.name)) for field in order}


def _partner(name: str, sides: Mapping[str, Side]) -> str:
    """Return which of the other's fields stands beside this one."""
    return name if name in sides else _NAMES.get(name, "")
