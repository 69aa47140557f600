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
from hub.database import note, transaction
from hub.identity.access import View, requires
from hub.registry import dpop, keys, service
from hub.registry.errors import ProofOfPossessionError, TokenError, UnknownPeerError
from hub.registry.models import Peer
from hub.registry.throttle import quotas

log = structlog.get_logger()


def peer(scope: str, *, even_closed: bool = False) -> Callable[[View], View]:
    """Let in the peers whose token carries this scope, and whose peering is live.

    Each request counts towards the quota of its peer.

    :param even_closed: also one whose peering was closed, for the route that tells it so.
    """

    def check() -> None:
        try:
            g.peer, proof = service.authenticate_peer(_shown(), scope, even_closed=even_closed)
            quotas().count_request(g.peer.origin)
            if proof is not None:
                with transaction():
                    dpop.claim(proof)
        except ProofOfPossessionError:
            after_this_request(_challenge_proof)
            raise
        except (TokenError, UnknownPeerError):
            after_this_request(_challenge)
            raise
        if service.is_contact_due(g.peer.seen_at):
            _note_contact(g.peer.id, clock.now())

    return requires(check, f"peer:{scope}")


def _shown() -> dpop.Request:
    headers = request.headers
    return dpop.Request(
        request.method, request.path, headers.get("Authorization"), headers.get("DPoP")
    )


def _challenge_proof(response: Response) -> Response:
    """Say which proof is asked for (RFC 9449, section 7.1)."""
    response.headers["WWW-Authenticate"] = f'DPoP error="invalid_dpop_proof", algs="{keys.TOKEN}"'
    return response


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
