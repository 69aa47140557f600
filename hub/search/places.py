"""Places of documents in the tree of units: names from the enterprise down to the unit.

An enterprise stands there by its slug, which nobody else can bear; what people call it is said
when it is shown. An entry that does not say where its unit belongs stands below its node.
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

from hub.registry import names
from hub.search.engine import ABOVE, Facets

LONGEST = 1_000  # Characters of a place.
MOST_CHILDREN = 12  # Below one place that are shown.


class Branch(NamedTuple):
    """One place as the tree shows it, with the number of hits in it and below."""

    value: str
    name: str
    depth: int
    hits: int
    is_chosen: bool


def places_of(enterprise: str, node: str, path: Sequence[str], unit: str) -> list[str]:
    """Return the places that a document has: its unit and all above it, highest first."""
    called = [enterprise, *(path or (node, unit))]
    joined = accumulate((name for name in called if name), _below)
    return [place for place in joined if len(place) <= LONGEST]


def tree(
    counts: Sequence[tuple[str, int]], chosen: str, enterprises: Mapping[str, str]
) -> list[Branch]:
    """Return what is above the chosen place, that itself, and what is right below.

    Where nothing is chosen: the enterprises, and of a single one what is right below it.

    :param counts: of all places that hits have, most frequent first.
    """
    known = dict(counts)
    above = list(accumulate(chosen.split(ABOVE), _below))
    if not chosen:
        tops = _children("", known)
        above = tops if len(tops) == 1 else []
        if not above:
            return [_branch(place, known, chosen, enterprises) for place in tops]
    shown = [*above, *_children(above[-1], known)]
    return [_branch(place, known, chosen, enterprises) for place in shown]


def enterprise_names(facets: Facets | None) -> dict[str, str]:
    """Return what people call the enterprises in these facets, by their slugs."""
    counted = facets or {}
    slugs = {value for value, _ in counted.get("enterprise", [])}
    slugs |= {value.split(ABOVE)[0] for value, _ in counted.get("place", [])}
    return names.headquarters_names(slugs)


def label(place: str, enterprises: Mapping[str, str]) -> str:
    """Return what people call a place: the last of its names."""
    name = place.rpartition(ABOVE)[2]
    return enterprises.get(name, name) if ABOVE not in place else name


def _below(above: str, own: str) -> str:
    return above + ABOVE + own


def _children(parent: str, known: Mapping[str, int]) -> list[str]:
    start = parent + ABOVE if parent else ""
    found = [p for p in known if p.startswith(start) and ABOVE not in p[len(start) :] and p]
    return found[:MOST_CHILDREN]


def _branch(
    place: str, known: Mapping[str, int], chosen: str, enterprises: Mapping[str, str]
) -> Branch:
    depth = place.count(ABOVE)
    return Branch(place, label(place, enterprises), depth, known.get(place, 0), place == chosen)
