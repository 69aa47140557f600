"""Search for programs."""

import json
from typing import Any

from flask import Response, g, request
from marshmallow import RAISE, Schema, ValidationError, fields, validate

from hub.api import Blueprint
from hub.errors import mark
from hub.identity import access
from hub.identity.errors import ScopeError
from hub.identity.models import Scope
from hub.identity.service import audiences
from hub.search import service
from hub.search.engine import FACETS, Facets, Order
from hub.search.forms import LONGEST_PLACE
from hub.search.queries import LONGEST
from hub.search.service import DEEPEST, MOST_PER_PAGE, PER_PAGE, Hit, Results
from hub.search.snippets import as_html

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))

blueprint = Blueprint("search_api", __name__, url_prefix="/api/v1", description="Search")


def _filter(description: str, longest: int = 255) -> fields.String:
    return fields.String(
        load_default="",
        validate=validate.Length(max=longest, error=mark("This is too long.")),
        metadata={"description": description},
    )


class SearchArguments(Schema):
    """What is looked for."""

    q = fields.String(
        load_default="",
        metadata={"description": "Words; Chinese as it stands, “quoted” exactly. Newest if empty."},
        validate=validate.Length(max=LONGEST, error=mark("A search has at most 200 characters.")),
    )
    kind = _filter("case or pilot_lesson.")
    category = _filter("Code of a category.")
    unit = _filter("Name of the unit that submitted it.")
    place = _filter(
        "Names from the enterprise down to a unit, with tabs between: all below it.", LONGEST_PLACE
    )
    level = _filter("Level of the unit that submitted it.")
    origin = _filter("Origin of the node that wrote it.")
    enterprise = _filter("Short name of the enterprise.")
    year = _filter("Year in which it was published.")
    replicability = _filter("R0 to R4.")
    kit = _filter("“yes” for what has files attached.")
    order = fields.Enum(
        Order,
        by_value=True,
        load_default=Order.RELEVANCE,
        metadata={"description": "Without words, relevance is newest first."},
    )
    page = fields.Integer(
        load_default=1,
        validate=validate.Range(1, DEEPEST, error=mark("This page is out of reach.")),
    )
    per_page = fields.Integer(
        load_default=PER_PAGE,
        validate=validate.Range(1, MOST_PER_PAGE, error=mark("A page holds 1 to 50 hits.")),
    )


_ARGUMENTS = SearchArguments(unknown=RAISE)
_PARSER = Blueprint.ARGUMENTS_PARSER


class HitSchema(Schema):
    """One document that was found."""

    id = fields.UUID(required=True)
    origin = fields.String(required=True)
    kind = fields.String(required=True)
    title = fields.String(required=True)
    snippet = fields.String(
        required=True, metadata={"description": "HTML: escaped text with <mark> and nothing else."}
    )
    unit = fields.String(required=True)
    unsigned = fields.Boolean(
        metadata={"description": "True for what was harvested elsewhere; nobody signed it."}
    )
    published_at = fields.DateTime(required=True)
    synced_at = fields.DateTime(required=True)
    score = fields.Float(required=True)


class CountSchema(Schema):
    """One value of a facet, and how many of the documents found have it."""

    value = fields.String(required=True)
    count = fields.Integer(required=True)


class ResultsSchema(Schema):
    """One page of what was found."""

    total = fields.Integer(
        required=True, allow_none=True, metadata={"description": "Null while it can't be said."}
    )
    page = fields.Integer(required=True)
    hits = fields.List(fields.Nested(HitSchema), required=True)
    facets = fields.Dict(
        keys=fields.String(validate=validate.OneOf(FACETS)),
        values=fields.List(fields.Nested(CountSchema)),
        required=True,
        allow_none=True,
        metadata={"description": "Counts over all documents found. Null while they can't be said."},
    )
    loosened = fields.Boolean(
        metadata={"description": "True when nothing says all of it, so parts were looked for."}
    )
    gap = fields.String(
        validate=validate.OneOf([gap.value for gap in service.Gap if gap]),
        metadata={"description": "Why total and facets are null."},
    )


def _may_read() -> None:
    """Let everybody in, yet no token that was made for other things."""
    if not g.actor.has_scope(Scope.READ):
        raise ScopeError(scope=Scope.READ.value)


reading = access.requires(_may_read, "anyone; tokens with scope read")


@blueprint.get("/search")
@reading
@blueprint.doc(parameters=[{"in": "query", "schema": SearchArguments}])
@blueprint.response(200, ResultsSchema)
def find() -> Response:
    """Find what the caller may read: with a token what its person may, without one what all may."""
    asked = _asked()
    results = service.search(
        asked["q"],
        audiences=audiences(g.actor),
        filters={name: asked[name] for name in FACETS},
        order=asked["order"],
        page=asked["page"],
        per_page=asked["per_page"],
    )
    return respond(results)


def respond(results: Results) -> Response:
    """Answer with what was found, as `ResultsSchema` has it.

    Written by hand: dumping ten hits through the schema takes longer than finding them.
    """
    return Response(_ENCODER.encode(_answer(results)), content_type="application/json")


def _asked() -> dict[str, Any]:
    """Return what is asked for; the usual parser would take a tenth of the time of a search.

    :raises InvalidError: naming the argument that is unknown or out of bounds.
    """
    try:
        asked: dict[str, Any] = _ARGUMENTS.load(request.args)
    except ValidationError as error:
        _PARSER.handle_error(ValidationError({"query": error.messages}))
    return asked


def _answer(results: Results) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "total": results.total,
        "page": results.page,
        "hits": [_hit(hit) for hit in results.hits],
        "facets": None if results.facets is None else _counts(results.facets),
    }
    if results.is_loosened:
        answer["loosened"] = True
    if results.gap:
        answer["gap"] = results.gap
    return answer


def _counts(facets: Facets) -> dict[str, list[dict[str, Any]]]:
    return {
        name: [{"value": value, "count": count} for value, count in values]
        for name, values in facets.items()
    }


def _hit(hit: Hit) -> dict[str, Any]:
    unsigned = {"unsigned": True} if hit.is_harvested else {}
    return unsigned | {
        "id": str(hit.id),
        "origin": hit.origin,
        "kind": hit.kind,
        "title": hit.title,
        "snippet": as_html(hit.snippet),
        "unit": hit.unit,
        "published_at": hit.published_at.isoformat(),
        "synced_at": hit.synced_at.isoformat(),
        "score": round(hit.score, 4),
    }
