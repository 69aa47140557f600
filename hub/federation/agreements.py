"""What an agreement with a partner enterprise covers, asked at each request."""

import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from hub import clock
from hub.database import db
from hub.errors import InvalidError
from hub.federation.directory import KINDS
from hub.federation.protocol import Item
from hub.journal.models import PARTNER, PUT, Entry, Live
from hub.journal.verification import parent_of
from hub.registry.models import Peer, PeerKind, PeerState

AGREEMENT = timedelta(days=365)  # How long one lasts, when nobody says otherwise.
NOTHING: frozenset[str] = frozenset({""})  # No case is filed under it.


@dataclass(frozen=True)
class Agreement:
    """What we open to a partner, and until when."""

    ends_at: datetime | None = None  # A year from now if None.
    categories: tuple[str, ...] = ()  # Empty means all.
    shares_public: bool = True


EVERYTHING = Agreement()


def check_categories(categories: Collection[str], known: Collection[str]) -> list[str]:
    """Return the categories of an agreement, each once, in their usual order.

    :raises InvalidError: for one that does not exist.
    """
    if not set(categories) <= set(known):
        raise InvalidError("categories", ", ".join(known))
    return [code for code in known if code in categories]


def covers(categories: Collection[str], channel: str, document: dict[str, Any]) -> bool:
    """Say whether an agreement about these categories covers an entry; none means all.

    What is said of a case is covered as the case is; who signs with which key always is.
    """
    if not categories or document["type"] in KINDS:
        return True
    parent = parent_of(document)
    if parent is None:
        return document["fields"].get("category") in categories
    text = _text_in(channel, parent)
    return text is not None and json.loads(text)["fields"].get("category") in categories


def covers_text(categories: Collection[str], channel: str, payload: str) -> bool:
    """Say whether an agreement covers an entry, from the text that was verified once."""
    return not categories or covers(categories, channel, json.loads(payload))


def withhold(categories: Collection[str], channel: str, item: Item) -> Item:
    """Return an item of a log, without its text when an agreement does not cover that."""
    if isinstance(item.entry, dict) and not covers_text(categories, channel, item.entry["p"]):
        return replace(item, entry=None)
    return item


def partner_of(channel: str) -> Peer | None:
    """Return the partner who reads a channel, if a person here ever confirmed it."""
    if not channel.startswith(PARTNER):
        return None
    statement = select(Peer).where(
        Peer.kind == PeerKind.PARTNER,
        Peer.enterprise == channel.removeprefix(PARTNER),
        Peer.state != PeerState.REGISTERED,
    )
    return db.session.scalar(statement)


def categories_of(channel: str) -> Collection[str]:
    """Return the categories that may pass in a channel of a partner; empty means all.

    Without an agreement in force that is `NOTHING`: retractions pass, and no text.
    """
    peer = partner_of(channel)
    if peer is None:
        return []
    is_over = peer.agreement_ends_at is not None and peer.agreement_ends_at <= clock.now()
    return NOTHING if is_over or peer.state == PeerState.CLOSED else peer.categories


def _text_in(channel: str, parent: tuple[str, str]) -> str | None:
    origin, entry_id = parent
    statement = (
        select(Entry.payload)
        .join(Live, Live.entry_digest == Entry.digest)
        .where(
            Live.iss == origin,
            Live.channel == channel,
            Live.origin == origin,
            Live.entry_id == entry_id,
            Live.op == PUT,
        )
    )
    return db.session.scalar(statement)
