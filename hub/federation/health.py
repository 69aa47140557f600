"""How the exchange with a peer stands, and what to do about it, in words for an administrator."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from hub.database import db
from hub.errors import HubError, mark
from hub.federation import room
from hub.federation.client import PeerClient
from hub.federation.errors import PeerError, RefusedError
from hub.journal import log
from hub.registry import trust
from hub.registry.models import Peer, PeerKind

PATIENCE = 3.0  # Seconds that a page waits for a peer.
CLOCKS_APART = 60.0  # Seconds from which tokens are refused.


@dataclass(frozen=True)
class Light:
    """One thing that must hold for the exchange, and what to do when it does not."""

    name: str
    is_green: bool
    fix: str
    what: str = ""  # Is wrong, where the name does not say it.


# By stable code: what it means, and what to do.
TROUBLES = {
    "unreachable": (
        mark("The other node can't be reached."),
        mark("Check the network and the firewall here, then ask whether that node is running."),
    ),
    "malformed_answer": (
        mark("Something else than a node answers at that address."),
        mark("A proxy or a sign-in page may stand between. Ask whoever looks after the network."),
    ),
    "clock": (
        mark("The clocks of the two nodes differ too much."),
        mark("Turn on the time service of this machine."),
    ),
    "peer_suspended": (
        mark("The other side has suspended the connection."),
        mark("Ask its administrator why."),
    ),
    "peer_not_confirmed": (
        mark("The other side has not confirmed the connection yet."),
        mark("Ask its administrator to compare the fingerprints and confirm."),
    ),
    "peer_frozen": (
        mark("The key of this node was revoked."),
        mark("Ask headquarters for a new invitation, then: hub federation key replace CODE."),
    ),
    "peer_closed": (
        mark("The connection was closed for good."),
        mark("If it shall begin anew, both sides invite each other again."),
    ),
    "agreement_ended": (
        mark("The agreement has ended."),
        mark("If it goes on, both sides invite each other again with a new end date."),
    ),
    "invalid_client": (
        mark("The other node no longer knows this one."),
        mark("Ask for a new invitation and join again."),
    ),
    "assertion": (
        mark("The other node does not accept this node's key."),
        mark("Ask for a new invitation and join again."),
    ),
    "throttled": (
        mark("This node asks for more than the other allows in a minute."),
        mark("Nothing is lost. It goes on by itself at the pace that the other side sets."),
    ),
    "cursor_ahead": (
        mark("The other node was restored from a backup."),
        mark("It begins its log anew by itself. If this stays, ask its administrator."),
    ),
}
UNKNOWN = (
    mark("The exchange fails."),
    mark("It is tried again by itself. If this stays, tell the other side the code."),
)

OTHER_KEY = mark("Another key than the pinned one.")
NO_KEY = mark("It is compared once the address answers.")


def code_of(error: Exception) -> str:
    """Return the stable code of a failure: what the peer gave, where it gave one."""
    if isinstance(error, RefusedError):
        return error.refusal
    return error.code if isinstance(error, HubError) else type(error).__name__


def failure_of(error: Exception) -> str:
    """Return what is kept of a failure: its stable code, and the details."""
    return f"{code_of(error)}: {error}"[:500]


def trouble_of(peer: Peer) -> tuple[str, str, str] | None:
    """Return what is wrong with a peer, what to do, and the code; None when all is well."""
    if not peer.failure:
        return None
    code = peer.failure.partition(":")[0]
    return (*TROUBLES.get(code, UNKNOWN), code)


def lights_of(peer: Peer) -> list[Light]:
    """Try everything that the exchange with a peer needs, now, and say how it went.

    Makes requests, so no transaction may be open.
    """
    client, known = PeerClient.for_peer(peer), trust.keys_of(peer.origin)
    kids = {peer.fingerprint, *(key.kid for key in known)}
    is_headquarters = peer.kind == PeerKind.HEADQUARTERS
    db.session.rollback()
    told: dict[str, object] = {}
    address = _try(lambda: told.update(client.ask("GET", "/.well-known/jingwei", timeout=PATIENCE)))
    lights = [
        _light(mark("Address"), address),
        Light(mark("Key"), _shows(told, kids), OTHER_KEY if address is None else NO_KEY),
        Light(mark("Clock"), abs(client.clock_ahead or 0) < CLOCKS_APART, TROUBLES["clock"][1]),
        _light(mark("Receiving"), _try(lambda: client.get("/fed/v1/channels", timeout=PATIENCE))),
    ]
    if is_headquarters:
        sending = _try(lambda: client.get("/fed/v1/ingest/head", timeout=PATIENCE))
        lights.append(_light(mark("Sending"), sending))
    is_indexed = room.index_position() >= log.position()
    fix = mark("The index is still being filled; look again in a minute.")
    return [*lights, Light(mark("Search"), is_indexed, fix)]


def _light(name: str, code: str | None) -> Light:
    what, fix = ("", "") if code is None else TROUBLES.get(code, UNKNOWN)
    return Light(name, code is None, fix, what)


def _shows(told: dict[str, object], kids: Collection[str]) -> bool:
    """Say whether the node shows one of these keys."""
    jwks = told.get("jwks")
    shown = jwks.get("keys") if isinstance(jwks, dict) else None
    return isinstance(shown, list) and any(
        isinstance(key, dict) and key.get("kid") in kids for key in shown
    )


def _try(request: Callable[[], object]) -> str | None:
    """Return the code of what went wrong; None when nothing did."""
    try:
        request()
    except PeerError as error:
        return code_of(error)
    return None
