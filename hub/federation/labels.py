"""What people call kinds and states of peers."""

from flask_babel import lazy_gettext as _

from hub.registry.models import PeerKind, PeerState

KIND_LABELS = {
    PeerKind.HEADQUARTERS.value: _("Our headquarters"),
    PeerKind.SUBSIDIARY.value: _("Node of our enterprise"),
    PeerKind.PARTNER.value: _("Partner enterprise"),
}
STATE_LABELS = {
    PeerState.REGISTERED.value: _("Waiting for confirmation"),
    PeerState.LIVE.value: _("Connected"),
    PeerState.SUSPENDED.value: _("Suspended"),
    PeerState.FROZEN.value: _("Key revoked; it must join again"),
}
