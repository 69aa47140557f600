"""Which channels are open to whom, decided anew at each request."""

from collections.abc import Collection

from hub import clock
from hub.config import settings
from hub.errors import HubError, mark
from hub.journal.models import DIRECTORY, GROUP, PUBLIC, partner_channel
from hub.registry.models import PeerKind, PeerState
from hub.registry.service import Caller


class ClosedChannelError(HubError):
    """A channel is not open to the caller, or there is none of this name: the two look alike."""

    status = 403
    code = "closed_channel"
    message = mark("This channel is not open to you.")


def granted_channels(peer: Caller) -> list[str]:
    """Return the channels that a peer may read now, decided anew at each request."""
    if peer.state != PeerState.LIVE:
        return []
    if peer.kind in {PeerKind.SUBSIDIARY, PeerKind.SIBLING}:
        return [DIRECTORY, GROUP, partner_channel(settings().enterprise), PUBLIC]
    if peer.kind == PeerKind.PARTNER and has_agreement(peer):
        named = partner_channel(peer.enterprise)
        return [named, PUBLIC] if peer.shares_public else [named]
    return []


def agreed_in(peer: Caller, channel: str) -> Collection[str]:
    """Return the categories that a peer may read in a channel; empty means all."""
    return peer.categories if channel == partner_channel(peer.enterprise) else ()


def has_agreement(peer: Caller) -> bool:
    """Say whether the agreement with a partner is in force."""
    return peer.agreement_ends_at is not None and clock.now() < peer.agreement_ends_at
