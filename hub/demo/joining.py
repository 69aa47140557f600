"""Joining the demo's nodes, by the same invitations that people use."""

import time

from hub.database import db, transaction
from hub.demo.nodes import DemoNode
from hub.errors import HubError, mark
from hub.federation import joining, peering
from hub.registry import service as registry
from hub.registry.models import PeerKind, PeerState

SLOWEST_NEWS = 60.0  # Seconds.
PAUSE = 0.05


class UnheardError(HubError):
    """A node did not hear from its headquarters."""

    status = 503
    code = "unheard"
    message = mark("%(url)s hears nothing from its headquarters.")


def join_all(nodes: list[DemoNode]) -> None:
    """Join subsidiaries to their headquarters, and headquarters with each other."""
    headquarters = [node for node in nodes if node.plan.role == "headquarters"]
    for node in nodes:
        if node.plan.role == "subsidiary":
            join(node, next(h for h in headquarters if h.plan.enterprise == node.plan.enterprise))
    for one in headquarters:
        for other in headquarters:
            if one is not other:
                befriend(one, other)
    for node in nodes:
        known = {one.plan.enterprise for one in headquarters} - {node.plan.enterprise}
        _wait_until_known(node, known)


def join(node: DemoNode, headquarters: DemoNode) -> None:
    """Let a node join a headquarters, unless it has."""
    if not _has_joined(node, headquarters):
        _register(node, headquarters, PeerKind.SUBSIDIARY)


def befriend(one: DemoNode, other: DemoNode) -> None:
    """Let two headquarters become partners; who compares fingerprints here is the demo."""
    for here, there in ((one, other), (other, one)):
        if not _has_joined(here, there):
            _register(here, there, PeerKind.PARTNER)
    for here in (one, other):
        there = other if here is one else one
        with here.opened():
            peer = peering.find(there.url)
            fingerprint, state = peer.fingerprint, peer.state
            if state == PeerState.REGISTERED:
                with transaction():
                    peering.confirm(there.url, fingerprint)


def _wait_until_known(node: DemoNode, enterprises: set[str]) -> None:
    """Wait until a node has heard of all enterprises: its headquarters tells it, not we.

    :raises UnheardError: when it takes too long.
    """
    deadline = time.monotonic() + SLOWEST_NEWS
    with node.opened():
        while not enterprises <= set(registry.anchors()):
            if time.monotonic() > deadline:
                raise UnheardError(url=node.url)
            db.session.rollback()
            time.sleep(PAUSE)


def _has_joined(node: DemoNode, headquarters: DemoNode) -> bool:
    with node.opened():
        peer = registry.find_peer(headquarters.url)
        return peer is not None and peer.our_client_id is not None


def _register(node: DemoNode, headquarters: DemoNode, kind: PeerKind) -> None:
    with headquarters.opened(), transaction():
        code = joining.invite(node.url, node.plan.enterprise, kind)
    with node.opened():
        admission = joining.register(code)
        with transaction():
            joining.keep(admission)
