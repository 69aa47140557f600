"""What other nodes may find here: what stands in the logs of the channels that they read.

The audience of a document says who at this node may read it. Other nodes read channels, so each
document has a word for each channel that offers it as it is shown here, and each peer may read a
set of such words. Where the text that is shown is not the one that a channel offers, it has none.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, func, literal, or_, select

from hub.cases.models import Document
from hub.config import settings
from hub.database import db
from hub.journal.granting import ClosedChannelError, agreed_in, granted_channels
from hub.journal.models import LOCAL, PUT, Live, LogItem, Release
from hub.journal.repair import is_its_release
from hub.registry.models import PeerKind
from hub.registry.service import Caller

ANY = "channel:"  # Begins the word of what a channel offers.
OURS = "ours:"  # The same for what nodes of our enterprise wrote; partners take no other from us.

_is_offered = and_(
    Live.origin == Document.origin,
    # An entry has few rows; an issuer and a channel have many, so no index shall serve these two.
    func.coalesce(Live.iss, "") == Document.origin,
    Live.entry_id == Document.entry_id,
    Live.entry_digest == Document.digest,
    Live.op == PUT,
    Live.channel != LOCAL,
    is_its_release(),
    LogItem.position == Release.position,
    func.coalesce(LogItem.channel, "") == Live.channel,
)


def words_for(peer: Caller) -> frozenset[str]:
    """Return the words of what a peer may read now.

    :raises ClosedChannelError: when nothing is open to it.
    """
    channels = granted_channels(peer)
    if not channels:
        raise ClosedChannelError
    if peer.kind != PeerKind.PARTNER:
        return frozenset(ANY + channel for channel in channels)
    return frozenset(
        word
        for channel in channels
        for word in (
            [f"{OURS}{channel}:{category}" for category in agreed_in(peer, channel)]
            or [OURS + channel]
        )
    )


def words_of(document_ids: Sequence[UUID]) -> dict[UUID, list[str]]:
    """Return the words of each of these documents; those that no channel offers are left out."""
    found: dict[UUID, list[str]] = defaultdict(list)
    for id_, category, enterprise, channel in db.session.execute(offers_of(document_ids)):
        found[id_].append(ANY + channel)
        if enterprise == settings().enterprise:
            found[id_] += [OURS + channel, f"{OURS}{channel}:{category}"]
    return found


def offers_of(document_ids: Sequence[UUID]) -> Select[UUID, str, str, str]:
    """Return the query for the channels that offer each of these documents as it is shown."""
    columns = select(Document.id, Document.category, Document.enterprise, Live.channel)
    return columns.where(Document.id.in_(document_ids), _is_offered).distinct()


def offered(words: Any, enterprise: Any) -> ColumnElement[bool]:
    """Return the condition under which a document is open to a peer that may read these words.

    Like `readable`, and for those who read as nodes the one place that decides.

    :param words: a collection, or a parameter for one.
    :param enterprise: ours.
    """
    ours = literal(OURS) + Live.channel
    is_open = or_(
        (literal(ANY) + Live.channel).in_(words),
        and_(
            Document.enterprise == enterprise,
            or_(ours.in_(words), (ours + ":" + Document.category).in_(words)),
        ),
    )
    is_in_log = select(Live.channel).where(_is_offered, is_open).correlate(Document).exists()
    return and_(Document.audience.is_not(None), is_in_log)
