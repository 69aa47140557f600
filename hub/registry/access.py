"""Which peer may call a route; it stands as `g.peer` for the view.

@blueprint.get("/fed/v1/channels")
@access.peer("fed.read")
def channels() -> Response: ...
"""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import structlog
from flask import Response, after_this_request, g, request
from sqlalchemy import update
from sqlalchemy.exc import OperationalError

from hub import clock
from hub.database import note
from hub.identity.access import View, requires
from hub.registry import service
from hub.registry.errors import TokenError, UnknownPeerError
from hub.registry.models import Peer
from hub.registry.throttle import quotas

log = structlog.get_logger()


def peer(scope: str) -> Callable[[View], View]:
    """Let in the peers whose token carries this scope, and whose peering is live.

    Each request counts towards the quota of its peer.
    """

    def check() -> None:
        try:
            g.peer = service.authenticate_peer(request.headers.get("Authorization"), scope)
        except (TokenError, UnknownPeerError):
            after_this_request(_challenge)
            raise
        quotas().count_request(g.peer.origin)
        if service.is_contact_due(g.peer.seen_at):
            _note_contact(g.peer.id, clock.now())

    return requires(check, f"peer:{scope}")


def _challenge(response: Response) -> Response:
    """Say how to come back (RFC 6750, section 3)."""
    response.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
    return response


def _note_contact(peer_id: UUID, at: datetime) -> None:
    """Keep when a peer was last here. A reader must not wait for a writer because of that."""
    try:
        note(update(Peer).where(Peer.id == peer_id).values(seen_at=at))
    except OperationalError as error:
        log.info("contact not noted", peer=str(peer_id), reason=str(error.orig))
