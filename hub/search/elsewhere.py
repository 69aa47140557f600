"""What this node leaves to another's search: the port by which it is asked, and what is believed.

Of an answer we take ids, their order and numbers. All that is shown of a hit is our own.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from flask import Flask, current_app

from hub.search.engine import FACETS, MOST_VALUES, Facets
from hub.search.hits import storable
from hub.search.places import LONGEST

FIGURES = ("replicability", "adopted", "effective")  # Other nodes are told none of these.
FILTERS = [name for name in FACETS if name not in FIGURES]
MOST = 10**9  # Documents that anybody may claim to have.

logger = structlog.get_logger()

# Asks the node that we read from, in the words of `POST /fed/v1/search`. Returns what it answered,
# unchecked, within a few seconds; None when it did not answer, or is known not to.
Ask = Callable[[Mapping[str, Any]], Any]


class UnlikelyAnswerError(Exception):
    """An answer that is not what was asked for; as good as none."""


@dataclass(frozen=True)
class Told:
    """What another node answered, as far as it can be believed."""

    hits: list[tuple[UUID, float]]  # With scores, best first.
    total: int | None
    facets: Facets | None
    is_loosened: bool


def init_app(app: Flask, ask: Ask) -> None:
    """Let the searches of an application reach another node."""
    app.extensions["hub.elsewhere"] = ask


def ask(question: Mapping[str, Any]) -> Told | None:
    """Ask the node that we read from; None when there is no answer, or none that makes sense."""
    answer = current_app.extensions["hub.elsewhere"](question)
    if answer is None:
        return None
    try:
        return read(answer, most=question["per_page"])
    except UnlikelyAnswerError:
        logger.warning("search answered with something unexpected")
        return None


def read(answer: Any, *, most: int) -> Told:
    """Return what an answer says; what it says beyond that is not looked at.

    :param most: hits that were asked for.
    :raises UnlikelyAnswerError: when anything that we need is missing, malformed or too much.
    """
    _expect(isinstance(answer, dict))
    rows, total, facets = answer.get("hits"), answer.get("total"), answer.get("facets")
    _expect(isinstance(rows, list) and len(rows) <= most)
    hits = [_hit(row) for row in rows]
    _expect(len({id_ for id_, _ in hits}) == len(hits))
    _expect(total is None or (_is_number(total) and total >= len(hits)))
    _expect((total is None) == (facets is None))
    is_loosened = answer.get("loosened", False)
    _expect(isinstance(is_loosened, bool))
    counted = None if facets is None else _facets(facets)
    return Told(hits, total, counted, is_loosened)


def _hit(row: Any) -> tuple[UUID, float]:
    _expect(isinstance(row, dict))
    id_, score = row.get("id"), row.get("score")
    _expect(isinstance(id_, str) and type(score) in {int, float})
    try:
        found = UUID(id_), float(score)
    except (ValueError, OverflowError) as error:
        raise UnlikelyAnswerError from error
    _expect(math.isfinite(found[1]))
    return found


def _facets(facets: Any) -> Facets:
    """Return the counts of all facets; of those that it does not tell, none."""
    _expect(isinstance(facets, dict))
    return {name: _counts(facets.get(name, [])) for name in FACETS}


def _counts(rows: Any) -> list[tuple[str, int]]:
    _expect(isinstance(rows, list) and len(rows) <= MOST_VALUES)
    return [_count(row) for row in rows]


def _count(row: Any) -> tuple[str, int]:
    _expect(isinstance(row, dict))
    value, count = row.get("value"), row.get("count")
    _expect(isinstance(value, str) and len(value) <= LONGEST and storable(value) == value)
    _expect(_is_number(count))
    return value, count


def _is_number(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MOST


def _expect(holds: bool) -> None:
    if not holds:
        raise UnlikelyAnswerError
