"""Search for programs."""

from typing import Any

from flask import Response, g, request
from marshmallow import RAISE, Schema, ValidationError, fields, validate

from hub.api import Blueprint
from hub.errors import mark
from hub.identity import access
from hub.identity.errors import ScopeError
from hub.identity.models import Scope
from hub.identity.service import audiences
from hub.search import asking, service, spelling
from hub.search.answers import answer_of, respond
from hub.search.engine import FACETS, Order
from hub.search.parts import LONGEST
from hub.search.places import LONGEST as LONGEST_PLACE
from hub.search.service import DEEPEST, MOST_PER_PAGE, PER_PAGE
from hub.search.suggestions import Kind, suggest

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
        metadata={
            "description": "Words; Chinese as it stands, “quoted” exactly, -without, title:word, "
            "unit:word. Newest if empty."
        },
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
    fits = fields.String(
        load_default="",
        validate=validate.OneOf(["", "0", "1"]),
        metadata={"description": "1 for what fits the caller’s unit; see `fits` in the answer."},
    )
    here = fields.String(
        load_default="",
        validate=validate.OneOf(["", "0", "1"]),
        metadata={"description": "1 to look in this node’s own index only; see `reach`."},
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


class FitSchema(Schema):
    """Why a document fits the caller's unit and why not, in the caller's language.

    Only for a caller whose unit has a profile.
    """

    speaks_for = fields.List(fields.String(), required=True)
    speaks_against = fields.List(fields.String(), required=True)


class HitSchema(Schema):
    """One document that was found."""

    id = fields.UUID(required=True)
    origin = fields.String(required=True)
    kind = fields.String(required=True)
    title = fields.String(required=True)
    snippet = fields.String(
        required=True, metadata={"description": "HTML: escaped text with <mark> and nothing else."}
    )
    file = fields.String(
        metadata={"description": "Name of the attached file that says it, or is called so."}
    )
    unit = fields.String(required=True)
    category = fields.String(required=True)
    level = fields.String(required=True, metadata={"description": "Of its unit; may be empty."})
    replicability = fields.String(
        required=True, metadata={"description": "R0 to R4; empty for what was harvested."}
    )
    adopted = fields.Integer(
        required=True, metadata={"description": "Other units that took it over."}
    )
    effective = fields.Integer(
        required=True, metadata={"description": "Those of them that it worked for."}
    )
    kit = fields.Boolean(required=True, metadata={"description": "Whether files are attached."})
    fit = fields.Nested(FitSchema)
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
    fits = fields.Boolean(
        metadata={"description": "Present when `fits` was asked: false if the unit has no profile."}
    )
    did_you_mean = fields.String(
        metadata={"description": "Another query that finds something, where this one does not."}
    )
    gap = fields.String(
        validate=validate.OneOf([gap.value for gap in service.Gap if gap]),
        metadata={"description": "Why total and facets are null."},
    )
    reach = fields.String(
        validate=validate.OneOf([reach.value for reach in service.Reach if reach]),
        metadata={
            "description": "Where another node searches for this one: “all” if it answered and "
            "this is its list; “away” if it did not, “unable” if it can’t answer this, and then "
            "only what this node indexes itself was looked at."
        },
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
    asked, readers = _asked(_ARGUMENTS), audiences(g.actor)
    filters = {name: asked[name] for name in FACETS}
    results = service.search(
        asked["q"],
        audiences=readers,
        filters=filters,
        order=asked["order"],
        page=asked["page"],
        per_page=asked["per_page"],
        profile=g.actor.profile,
        is_fitting=asked["fits"] == "1",
        by=service.find if asked["here"] == "1" else asking.find_anywhere,
    )
    answer = answer_of(results)
    if asked["fits"] == "1":
        answer["fits"] = g.actor.profile.is_described
    if meant := spelling.meant(asked["q"], results, audiences=readers, filters=filters):
        answer["did_you_mean"] = meant
    return respond(answer)


class SuggestionArguments(Schema):
    """What somebody has typed so far."""

    q = fields.String(
        load_default="",
        validate=validate.Length(max=LONGEST, error=mark("A search has at most 200 characters.")),
        metadata={"description": "Empty: past searches of the token’s person."},
    )


class SuggestionSchema(Schema):
    """Words that may be searched for."""

    text = fields.String(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(list(Kind)))


@blueprint.get("/suggestions")
@reading
@blueprint.doc(parameters=[{"in": "query", "schema": SuggestionArguments}])
@blueprint.response(200, SuggestionSchema(many=True))
def suggestions() -> list[dict[str, str]]:
    """Suggest titles, units and tags of what the caller may read, and their own past searches."""
    asked = _asked(_TYPED)
    found = suggest(asked["q"], audiences=audiences(g.actor), person_id=g.actor.person_id)
    return [{"text": one.text, "kind": one.kind.value} for one in found]


_TYPED = SuggestionArguments(unknown=RAISE)


def _asked(arguments: Schema) -> dict[str, Any]:
    """Return what is asked for; the usual parser would take a tenth of the time of a search.

    :raises InvalidError: naming the argument that is unknown or out of bounds.
    """
    try:
        asked: dict[str, Any] = arguments.load(request.args)
    except ValidationError as error:
        _PARSER.handle_error(ValidationError({"query": error.messages}))
    return asked
