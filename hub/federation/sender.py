"""Who handed us something, and what they may hand over."""

from dataclasses import dataclass
from typing import Any

from hub.config import settings
from hub.journal.errors import VerificationError
from hub.journal.models import DIRECTORY, GROUP, partner_channel
from hub.registry import service as registry
from hub.registry.models import Peer, PeerKind


@dataclass(frozen=True)
class Sender:
    """Who handed us the items."""

    origin: str
    kind: PeerKind
    enterprise: str
    is_ingest: bool = False  # It publishes its own; else it serves a log that we read.

    def check(self, statement: dict[str, Any], channel: str, enterprise: str | None) -> None:
        """Refuse a release that this sender may not hand over in a channel.

        :param enterprise: that of the release's issuer, as far as we know it.
        :raises VerificationError: with the codes wrong_channel, foreign_issuer.
        """
        iss, own = statement["iss"], settings().enterprise
        if statement["ch"] != channel:
            raise VerificationError("wrong_channel", "released in another channel")
        if self.is_ingest and iss != self.origin:
            raise VerificationError("foreign_issuer", "not released by the one who sent it")
        if self.kind == PeerKind.PARTNER and enterprise != self.enterprise:
            raise VerificationError("foreign_issuer", "not released by a node of this partner")
        if channel == GROUP and enterprise != own:
            raise VerificationError("foreign_issuer", "not released by a node of the group")
        if channel == DIRECTORY and iss != registry.anchors().get(own):
            raise VerificationError("foreign_issuer", "not released by the headquarters")
        if channel == partner_channel(own) and enterprise == own:
            raise VerificationError("foreign_issuer", "not released by a partner")


def sender_of(peer: Peer) -> Sender:
    """Return a peer whose log we read."""
    return Sender(peer.origin, PeerKind(peer.kind), peer.enterprise)
