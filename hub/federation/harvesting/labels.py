"""What people call kinds and states of sources, and what to do when one fails."""

from flask_babel import lazy_gettext as _

from hub.errors import mark
from hub.federation.harvesting.models import SourceKind

KIND_LABELS = {
    SourceKind.OAI.value: _("OAI-PMH repository"),
    SourceKind.FEED.value: _("Atom or RSS feed"),
}
INTERVALS = {
    60: _("every hour"),
    360: _("every six hours"),
    1440: _("once a day"),
}
_CLOSED = (
    mark("The source is not open to everybody."),
    mark("Ask whoever runs it to let this node in without signing in."),
)
_ABSENT = (
    mark("There is nothing at this address any more."),
    mark("Open the address in a browser and look for the right one."),
)
_BUSY = (
    mark("The source is busy."),
    mark("It is tried again by itself, when the source asked for it."),
)
# By stable code: what it means, and what to do.
TROUBLES = {
    "unreachable": (
        mark("The source can't be reached."),
        mark("Check its address and the way out of this network. It is tried again by itself."),
    ),
    "malformed_answer": (
        mark("The source sends more than 8 MiB at once, or something that can't be unpacked."),
        mark("Tell whoever runs it. What came before stays."),
    ),
    "redirect": (
        mark("The address leads to another one, which is not followed."),
        mark("If the source has moved, remove it and add it with its new address."),
    ),
    "http_401": _CLOSED,
    "http_403": _CLOSED,
    "http_404": _ABSENT,
    "http_410": _ABSENT,
    "http_429": _BUSY,
    "http_503": _BUSY,
    "not_xml": (
        mark("What the source sends is broken."),
        mark("Tell whoever runs it. What came before stays."),
    ),
    "unreadable_feed": (
        mark("What the source sends is broken."),
        mark("Tell whoever runs it. What came before stays."),
    ),
    "forbidden_xml": (
        mark("What the source sends could harm this node and was not read."),
        mark("It declares a document type or is nested too deeply. Tell whoever runs it."),
    ),
    "other_kind": (
        mark("At this address is something else now."),
        mark("Open the address in a browser and look for the right one."),
    ),
    "repository": (
        mark("The repository refuses the request."),
        mark("If the set does not exist there, remove the source and add it with another set."),
    ),
    "endless": (
        mark("The list of the source does not end."),
        mark("Choose a smaller set, or tell whoever runs it. What came before stays."),
    ),
    "too_many_items": (
        mark("The source has more items than this node keeps of one."),
        mark("Choose a smaller set, or tell whoever runs it. What came before stays."),
    ),
    "other_origin": (
        mark("The archive of the feed is on another host, which is not asked."),
        mark("Add that address as a source of its own. What came before stays."),
    ),
    "source_address": (
        mark("This address is no longer one that a source may have."),
        mark("Remove the source and add it with another address."),
    ),
    "disk_full": (
        mark("This node has no room for more."),
        mark("Free or add space on the disk of the home folder. It goes on by itself."),
    ),
    "index_behind": (
        mark("This node has no room for more."),
        mark("It goes on by itself. If the number does not fall, see that “hub serve” runs."),
    ),
    "vanishing": (
        mark("More than a tenth of its items is no longer there."),
        mark("Nothing was removed here. Look at the source, then decide below."),
    ),
}
UNKNOWN = (
    mark("The source refuses or fails."),
    mark("It is tried again by itself. If this stays, tell whoever runs it the code."),
)
