"""What people call kinds and states of peers, the readers of a channel, and spans of time."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from flask_babel import gettext, ngettext
from flask_babel import lazy_gettext as _

from hub.config import settings
from hub.journal.models import DIRECTORY, GROUP, LOCAL, PARTNER, PUBLIC
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

CHANNEL_LABELS = {
    LOCAL: _("cases of this node"),
    GROUP: _("cases of the group"),
    PUBLIC: _("what is public"),
    DIRECTORY: _("the list of nodes and keys"),
}


def channel(name: str, enterprises: Mapping[str, str]) -> str:
    """Return what a channel carries, in words.

    :param enterprises: what people call other enterprises: slug → name.
    """
    if name in CHANNEL_LABELS:
        return str(CHANNEL_LABELS[name])
    slug = name.removeprefix(PARTNER)
    if slug == settings().enterprise:
        return str(gettext("what partners opened to our enterprise"))
    return str(gettext("what was opened to %(name)s", name=enterprises.get(slug, slug)))


def span(seconds: int) -> str:
    """Return how long something lasts, in the largest unit that says it."""
    if seconds < 60:
        return str(ngettext("%(num)s second", "%(num)s seconds", seconds))
    if seconds < 3600:
        return str(ngettext("%(num)s minute", "%(num)s minutes", seconds // 60))
    if seconds < 48 * 3600:
        return str(ngettext("%(num)s hour", "%(num)s hours", seconds // 3600))
    return str(ngettext("%(num)s day", "%(num)s days", seconds // 86400))


def last_day(ends_at: datetime) -> datetime:
    """Return a moment of the last day of an agreement, which ends at midnight."""
    return ends_at - timedelta(seconds=1)
