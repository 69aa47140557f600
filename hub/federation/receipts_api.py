"""Who has confirmed a withdrawal, for programs of those who may withdraw."""

from typing import Any
from uuid import UUID

from flask import g
from marshmallow import Schema, fields

from hub.api import Blueprint
from hub.federation.shown import receipts_shown
from hub.identity.access import scope
from hub.identity.models import Scope

blueprint = Blueprint(
    "federation_api", __name__, url_prefix="/api/v1", description="Who has confirmed a withdrawal"
)


class ReceiptSchema(Schema):
    """How far one node is with a withdrawal."""

    node = fields.String(required=True)
    name = fields.String(required=True)
    state = fields.String(
        required=True, metadata={"description": "done, waiting, or unreachable since seen_at."}
    )
    seen_at = fields.DateTime(format="iso", allow_none=True)


class ReceiptsSchema(Schema):
    """Who has confirmed the withdrawal of a case."""

    id = fields.UUID(required=True)
    done = fields.Integer(required=True)
    total = fields.Integer(required=True)
    as_of = fields.DateTime(
        format="iso",
        allow_none=True,
        metadata={"description": "When headquarters said so; null when it never did."},
    )
    is_current = fields.Boolean(
        required=True, metadata={"description": "Whether headquarters could be asked just now."}
    )
    nodes = fields.List(fields.Nested(ReceiptSchema), required=True)


@blueprint.get("/cases/<uuid:case_id>/receipts")
@scope(Scope.READ)
@blueprint.response(200, ReceiptsSchema)
def case_receipts(case_id: UUID) -> dict[str, Any]:
    """Say node by node who has confirmed a withdrawal, to those who may withdraw the case."""
    _, overview, is_current = receipts_shown(case_id, g.actor)
    return {
        "id": case_id,
        "done": overview.done,
        "total": len(overview.lines),
        "as_of": overview.as_of,
        "is_current": is_current,
        "nodes": overview.lines,
    }
