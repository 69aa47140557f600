"""The peers of this node, for programs."""

from collections.abc import Sequence

from marshmallow import Schema, fields

from hub.api import Blueprint
from hub.identity import access
from hub.identity.models import Role, Scope
from hub.registry import service
from hub.registry.models import Peer

blueprint = Blueprint(
    "registry", __name__, url_prefix="/api/v1", description="The nodes that this one exchanges with"
)


class PeerSchema(Schema):
    """A peer and how the exchange with it stands."""

    origin = fields.String(required=True)
    name = fields.String(required=True)
    enterprise = fields.String(required=True)
    kind = fields.String(required=True)
    state = fields.String(required=True)
    agreement_ends_at = fields.DateTime(
        format="iso", allow_none=True, metadata={"description": "Partners only."}
    )
    seen_at = fields.DateTime(format="iso", allow_none=True)
    failing_since = fields.DateTime(format="iso", allow_none=True)
    failure = fields.String(allow_none=True, metadata={"description": "A stable code, and why."})


@blueprint.get("/peers")
@access.role(Role.ADMINISTRATOR, scope=Scope.ADMIN)
@blueprint.response(200, PeerSchema(many=True))
def peers() -> Sequence[Peer]:
    """List the peers: headquarters first, then partners, then subsidiaries."""
    return service.peers()
