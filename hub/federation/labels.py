"""What people call kinds and states of peers."""

from flask_babel import lazy_gettext as _

from hub.registry.models import PeerKind, PeerState, Reason

KIND_LABELS = {
    PeerKind.HEADQUARTERS.value: _("Our headquarters"),
    PeerKind.SUBSIDIARY.value: _("Node of our enterprise"),
    PeerKind.SIBLING.value: _("Node of our enterprise, beside headquarters"),
    PeerKind.PARTNER.value: _("Partner enterprise"),
}
STATE_LABELS = {
    PeerState.REGISTERED.value: _("Waiting for confirmation"),
    PeerState.LIVE.value: _("Connected"),
    PeerState.SUSPENDED.value: _("Suspended"),
    PeerState.FROZEN.value: _("Key revoked; it must join again"),
    PeerState.CLOSED.value: _("Closed for good"),
}

REASON_LABELS = {
    Reason.LEASE.value: _(
        "are hidden: it was not reached for seven days. They show again once it answers."
    ),
    Reason.AGREEMENT.value: _("are hidden: the agreement has ended."),
    Reason.CLOSED.value: _("are hidden for good and are being deleted."),
    Reason.HEADQUARTERS.value: _("are hidden: our headquarters says so."),
}
