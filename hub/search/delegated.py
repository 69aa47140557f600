"""Search for other nodes: a relay or headquarters answers what its readers may read from it.

A node that does not want to index what it has from hundreds of others asks here instead.
"""

from typing import Any

from flask import Blueprint, Response, g, request
from marshmallow import RAISE, Schema, ValidationError, fields, validate

from hub.api import Blueprint as ApiBlueprint
from hub.cases.service.offered import words_for
from hub.config import settings
from hub.errors import InvalidError, NotFoundError
from hub.registry import access
from hub.search import service
from hub.search.answers import answer_of, respond
from hub.search.elsewhere import FIGURES, FILTERS
from hub.search.engine import Order
from hub.search.parts import LONGEST
from hub.search.places import LONGEST as LONGEST_PLACE
from hub.search.service import DEEPEST, MOST_PER_PAGE, PER_PAGE

LARGEST = 16 * 1024  # Bytes of a question.

blueprint = Blueprint("search_fed", __name__)


class QuestionSchema(Schema):
    """What a node asks; nothing in it widens what it may read."""

    q = fields.String(load_default="", validate=validate.Length(max=LONGEST))
    filters = fields.Dict(
        keys=fields.String(validate=validate.OneOf(FILTERS)),
        values=fields.String(validate=validate.Length(max=LONGEST_PLACE)),
        load_default=dict,
    )
    order = fields.Enum(
        Order,
        by_value=True,
        load_default=Order.RELEVANCE,
        validate=validate.NoneOf([Order.CONFIRMED]),
    )
    page = fields.Integer(strict=True, load_default=1, validate=validate.Range(1, DEEPEST))
    per_page = fields.Integer(
        strict=True, load_default=PER_PAGE, validate=validate.Range(1, MOST_PER_PAGE)
    )


_QUESTION = QuestionSchema(unknown=RAISE)


@blueprint.post("/fed/v1/search")
@access.peer("fed.read")
def find() -> Response:
    """Find what the caller may read here, in the words of `GET /api/v1/search`."""
    if not settings().offers_all:
        raise NotFoundError
    words = words_for(g.peer)
    asked = _asked()
    results = service.search(
        asked["q"],
        audiences=words,
        filters=asked["filters"],
        order=asked["order"],
        page=asked["page"],
        per_page=asked["per_page"],
        is_by_node=True,
    )
    response = respond(_without_figures(answer_of(results)))
    response.headers["Cache-Control"] = "no-store"
    return response


def _without_figures(answer: dict[str, Any]) -> dict[str, Any]:
    """Leave out what counts adoptions: among them are those that this peer may know nothing of."""
    for hit in answer["hits"]:
        for name in FIGURES:
            hit.pop(name, None)
    for name in FIGURES:
        (answer["facets"] or {}).pop(name, None)
    return answer


def _asked() -> dict[str, Any]:
    """Return what is asked.

    :raises InvalidError: naming what is unknown, malformed or out of bounds.
    """
    request.max_content_length = LARGEST
    body = request.get_json()
    if not isinstance(body, dict):
        raise InvalidError("body", "not an object")
    try:
        asked: dict[str, Any] = _QUESTION.load(body)
    except ValidationError as error:
        ApiBlueprint.ARGUMENTS_PARSER.handle_error(ValidationError({"json": error.messages}))
    return asked
