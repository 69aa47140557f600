"""What this node offers: which channels to whom, and the items in them, byte for byte."""

import threading
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass
from time import monotonic

from flask import Flask, current_app
from sqlalchemy import and_, func, select

from hub.config import Settings, of_this_node, settings
from hub.database import Commits, connection, db
from hub.errors import HubError, NotFoundError, mark
from hub.federation import agreements
from hub.federation.directory import introduce
from hub.federation.items import as_item, read_items, signed_items
from hub.federation.protocol import ChannelCursor, Item, Page
from hub.journal.granting import ClosedChannelError, agreed_in, granted_channels
from hub.journal.models import (
    GROUP,
    PUBLIC,
    Head,
    LogItem,
    partner_channel,
)
from hub.registry import service as registry
from hub.registry.models import PeerKind
from hub.registry.service import Caller, live_peers

POLL = 0.05  # Seconds between two looks at the heads while somebody waits.


class CursorGoneError(HubError):
    """The cursor belongs to a log that is no more, or to a part of it that is no longer served."""

    status = 410
    code = "cursor_gone"
    message = mark("This cursor is of another log; begin again.")

    def __init__(self, channel: str | None = None) -> None:
        super().__init__()
        if channel:
            self.more = {"snapshot": f"{settings().origin}/fed/v1/channels/{channel}/snapshot"}


class CursorAheadError(HubError):
    """The reader has seen more than there is: the log was restored from a backup."""

    status = 409
    code = "cursor_ahead"
    message = mark("This cursor is ahead of the log.")


def open_ingest(peer: Caller, channel: str, authors: Collection[str] = ()) -> None:
    """Let a node of our enterprise publish into a channel, and partners know the keys first.

    The caller owns the transaction.

    :param authors: origins of the entries; feedback is another node's.

    :raises ClosedChannelError: for any other peer, and for a channel that nobody reads. That of a
        partner stays open after its agreement, for no end of an agreement may stop a withdrawal.
    """
    partners = {partner_channel(p.enterprise): p for p in live_peers(PeerKind.PARTNER)}
    is_open = channel in {GROUP, PUBLIC} or agreements.partner_of(channel) is not None
    if peer.kind != PeerKind.SUBSIDIARY or not is_open:
        raise ClosedChannelError
    for name, partner in partners.items():
        if channel == name or (channel == PUBLIC and partner.shares_public):
            for origin in sorted({peer.origin, *filter(_is_ours, authors)}):
                introduce(origin, partner.enterprise)


def _is_ours(origin: str) -> bool:
    return registry.enterprise_of(origin) == settings().enterprise


def heads_of(channels: Collection[str]) -> dict[str, ChannelCursor]:
    """Return the heads of these channels; one in which nothing was offered yet is left out."""
    rows = db.session.execute(
        select(Head.name, Head.epoch, Head.seq).where(Head.name.in_(channels))
    )
    return {name: ChannelCursor(epoch, seq) for name, epoch, seq in rows}


def told(head: ChannelCursor | None) -> str:
    """Return a head as readers are told it: "0" until there is an item, which is no news."""
    return str(head) if head and head.seq else "0"


def oldest_of(channels: Collection[str]) -> dict[str, int]:
    """Return the first item that can still be read in each of these channels; none of an empty."""
    served = and_(LogItem.channel == Head.name, LogItem.seq > Head.floor)
    first = select(func.min(LogItem.seq)).where(served).scalar_subquery()
    rows = db.session.execute(select(Head.name, first).where(Head.name.in_(channels)))
    return {name: seq for name, seq in rows if seq is not None}


def check_open(peer: Caller, channel: str) -> None:
    """Let a peer pass to whom a channel is open.

    :raises ClosedChannelError: for any other channel, one that does not exist included.
    """
    if channel not in granted_channels(peer):
        raise ClosedChannelError


def floor_of(channel: str) -> int:
    """Return the place before which the log of a channel is no longer served."""
    return db.session.scalar(select(Head.floor).where(Head.name == channel)) or 0


def read_page(peer: Caller, channel: str, after: ChannelCursor | None, limit: int) -> Page:
    """Return the items of a channel that follow a cursor, oldest first.

    :raises ClosedChannelError: when the channel is not open to the peer.
    :raises CursorGoneError: for a cursor of another epoch, or before what the log still serves.
    :raises CursorAheadError: for a cursor beyond the head.
    """
    check_open(peer, channel)
    head = heads_of([channel]).get(channel, ChannelCursor("new", 0))
    if after and after.epoch != head.epoch:
        raise CursorGoneError(channel)
    if after and after.seq > head.seq:
        raise CursorAheadError
    agreed = agreed_in(peer, channel)
    items = read_items(channel, after.seq if after else 0, limit)
    # Looked at last: what leaves the log meanwhile moves the floor in the same transaction.
    if (after.seq if after else 0) < floor_of(channel):
        raise CursorGoneError(channel)
    covered = [agreements.withhold(agreed, channel, item) for item in items]
    return Page(channel, head.epoch, max(head.seq, items[-1].seq if items else 0), covered)


def read_item(peer: Caller, channel: str, seq: int) -> tuple[str, Item]:
    """Return the epoch of the log of a channel, and the one item at a place of it.

    Also before the floor: a reader that compares fetches what it lacks, however old.

    :raises ClosedChannelError, NotFoundError: when the channel is closed, or has no such item.
    """
    check_open(peer, channel)
    found = db.session.execute(signed_items(channel).where(LogItem.seq == seq)).first()
    head = heads_of([channel]).get(channel)
    if found is None or head is None:
        raise NotFoundError
    agreed = agreed_in(peer, channel)
    return head.epoch, agreements.withhold(agreed, channel, as_item(found))


@dataclass
class Watcher:
    """Holds requests until a head moves: one poller a process, however many wait."""

    most: int  # Requests that may be held at once; the next is answered at once.

    def __post_init__(self) -> None:
        self._moved = threading.Condition()
        self._waiting: set[str] = set()  # Who waits.
        self._version = 0
        self._heads: dict[str, ChannelCursor] = {}

    def wait(
        self, peer: str, channels: Collection[str], seen: dict[str, str], seconds: float
    ) -> None:
        """Return when a head differs from what was seen, or when the time is up.

        At once when this peer has a request held already, or all places are taken. The caller
        holds no transaction while it waits.
        """
        end = monotonic() + seconds
        with self._moved:
            if peer in self._waiting or len(self._waiting) >= self.most:
                return
            self._waiting.add(peer)
            if len(self._waiting) == 1:
                self._start(current_app._get_current_object())  # type: ignore[attr-defined]
            try:
                while not _differs(self._heads, channels, seen) and monotonic() < end:
                    self._moved.wait(end - monotonic())
            finally:
                self._waiting.remove(peer)

    def _start(self, app: Flask) -> None:
        self._version += 1
        self._heads = {}
        threading.Thread(target=self._poll, args=(app, self._version), daemon=True).start()

    def _poll(self, app: Flask, version: int) -> None:
        pause = threading.Event()
        with app.app_context(), closing(Commits()) as commits:
            while self._is_needed(version):
                if commits.may_have_come():
                    self._look()
                pause.wait(POLL)

    def _look(self) -> None:
        rows = connection().execute(select(Head.name, Head.epoch, Head.seq))
        heads = {name: ChannelCursor(epoch, seq) for name, epoch, seq in rows}
        with self._moved:
            if heads != self._heads:
                self._heads = heads
                self._moved.notify_all()

    def _is_needed(self, version: int) -> bool:
        with self._moved:
            return bool(self._waiting) and self._version == version

    @property
    def held(self) -> int:
        """Return how many requests this process holds now."""
        return len(self._waiting)


def watcher() -> Watcher:
    """Return the watcher of this process."""
    return of_this_node(_make_watcher)


def _make_watcher(config: Settings) -> Watcher:
    return Watcher(most=config.held_requests)


def _differs(
    heads: dict[str, ChannelCursor], channels: Collection[str], seen: dict[str, str]
) -> bool:
    return any(
        told(heads[channel]) != seen.get(channel, "0") for channel in channels if channel in heads
    )
