"""The page of what is related to a case, and the same for programs."""

from typing import Any
from uuid import UUID

from flask import Blueprint, g, render_template
from marshmallow import Schema, fields, validate

from hub.cases.service import find_document
from hub.identity import access
from hub.identity.service import audiences
from hub.search.api import blueprint as programs
from hub.search.api import reading
from hub.search.related import Related, Why, related

blueprint = Blueprint("related", __name__)


@blueprint.get("/cases/<uuid:case_id>/related")
@access.anyone
def show(case_id: UUID) -> str:
    """Show what is like a case, what it comes from and what came of it."""
    seen = audiences(g.actor)
    found = related(case_id, seen)
    return render_template(
        "search/related.html", document=find_document(case_id, seen), found=found, words_for=Why
    )


class RelatedSchema(Schema):
    """A related case or lesson."""

    id = fields.UUID(required=True)
    kind = fields.String(required=True)
    title = fields.String(required=True)
    unit = fields.String(required=True)
    published_at = fields.DateTime(required=True)
    why = fields.String(
        required=True,
        validate=validate.OneOf([why.value for why in Why]),
        metadata={
            "description": "earlier: this one derives from it; later: it derives from this one; "
            "alike: it says much the same."
        },
    )


class RelatedListSchema(Schema):
    """What is related to a document, at most five."""

    related = fields.List(fields.Nested(RelatedSchema), required=True)


@programs.get("/cases/<uuid:case_id>/related")
@reading
@programs.response(200, RelatedListSchema)
def list_related(case_id: UUID) -> dict[str, Any]:
    """List what is related to a case, as far as the caller may read it."""
    return {"related": [_as_json(each) for each in related(case_id, audiences(g.actor))]}


def _as_json(each: Related) -> dict[str, Any]:
    values = each._asdict()
    return {name: values[name] for name in ("id", "kind", "title", "unit", "published_at", "why")}
