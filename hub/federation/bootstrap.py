"""Beginning in a channel with a peer's snapshot, where its log is too long or no longer served.

First the parts are taken in, batch by batch, with a place to go on from; then the log from there
on. What the peer has live is noted all along, so that at the end what it does not have can be
hidden: the retractions that we missed.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from sqlalchemy import delete, exists, or_, select

from hub.cases.service import reading
from hub.config import settings
from hub.database import db, insert_missing, transaction
from hub.errors import InvalidError
from hub.federation import digest, room
from hub.federation.client import PeerClient
from hub.federation.errors import MalformedError, RefusedError
from hub.federation.models import Listed
from hub.federation.parts import Part, Snapshot, parse_snapshot, read
from hub.federation.protocol import MAX_ITEMS, Item, claim
from hub.federation.restoring import Ends, Restoration
from hub.federation.sender import sender_of
from hub.journal import log, repair
from hub.journal.models import PUT, Cursor, Head, Live
from hub.registry import service as registry
from hub.registry.models import Peer

BUILD = 180.0  # Seconds for which the peer may build.
TRIES = 3  # A snapshot is replaced when something in it is withdrawn; then we begin again.

Stale = tuple[str, str, str, int]  # Issuer, origin, id, and the seq that stands.


@dataclass(frozen=True)
class _Place:
    """How far the parts of one build were taken in."""

    build: str
    part: int = 0
    line: int = 0

    def __str__(self) -> str:
        return f"{self.build}:{self.part}:{self.line}"


class _ReplacedError(Exception):
    """The build that we were reading is no longer served, or another puller went on with it."""


def take_in(client: PeerClient, channel: str, cursor: str) -> int:
    """Take in a peer's snapshot of a channel, and set our cursor to where it was made.

    Killed at any line, it goes on with the next call, or begins again with a newer build. Pulling
    from the cursor and `settle` complete it.

    :param cursor: the name of our cursor in the log of the channel.
    :return: how many items the snapshot held.
    :raises PeerError: when the peer does not answer as it should.
    :raises NoRoomError: when this node can't hold more for now; what was taken in stays.
    """
    for _ in range(TRIES):
        body = client.get(f"/fed/v1/channels/{channel}/snapshot", timeout=BUILD)
        try:
            with suppress(_ReplacedError):
                return _take_build(client, channel, parse_snapshot(body), cursor)
        except InvalidError as error:
            raise MalformedError(client.origin, str(error)) from error
    raise MalformedError(client.origin, "a snapshot that is replaced again and again")


def is_unfinished(peer_origin: str, channel: str) -> bool:
    """Say whether a snapshot was begun and not taken in to its end."""
    return log.read_cursor(_place_name(peer_origin, channel)) is not None


def is_settling(peer_origin: str, channel: str) -> bool:
    """Say whether a snapshot was taken in, and what it does not hold is still to be hidden."""
    return log.read_cursor(_settling_name(peer_origin, channel)) is not None


def is_open(peer_origin: str, channel: str) -> bool:
    """Say whether anything of a bootstrap is still to be done."""
    return bool(open_among(peer_origin, [channel]))


def open_among(peer_origin: str, channels: Iterable[str]) -> set[str]:
    """Return those of a peer's channels in which anything of a bootstrap is still to be done."""
    names = {
        name(peer_origin, channel): channel
        for channel in channels
        for name in (_place_name, _settling_name)
    }
    return {names[name] for name in log.read_cursors(names)}


def open_channels() -> set[str]:
    """Return the channels in which something of a bootstrap is still to be done."""
    names = select(Cursor.name).where(
        or_(Cursor.name.like("snapshot %"), Cursor.name.like("settle %"))
    )
    return {name.split(" ")[1] for name in db.session.scalars(names)}


def note(peer_origin: str, channel: str, items: Sequence[Item]) -> None:
    """Note what a peer has live, in the transaction that takes it in."""
    rows = []
    for item in items:
        iss, entry_id = claim(item.release, "iss"), claim(item.release, "id")
        if (
            claim(item.release, "op") != PUT
            or not _is_short(iss, 255)
            or not _is_short(entry_id, 36)
        ):
            continue
        key = {"peer": peer_origin, "channel": channel}
        rows.append(key | {"iss": iss, "entry_id": entry_id})
    insert_missing(Listed, rows)


def settle(peer_origin: str, channel: str) -> int:
    """Hide what we have live by way of a peer and it has not; return how much that was.

    Called once the log was followed to its head. On a relay, those who read its log begin with its
    snapshot too: the releases that it never saw are missing there.
    """
    count = 0
    while is_settling(peer_origin, channel):
        db.session.rollback()
        with transaction():
            heads = log.lock_heads([channel])
            peer = registry.find_peer(peer_origin)
            if peer is None or not is_settling(peer_origin, channel):
                break
            stale = _not_listed(peer, channel)
            hide(channel, stale, heads)
            count += len(stale)
            if len(stale) < MAX_ITEMS:
                if settings().offers_all:
                    log.begin_log(heads[channel])
                log.drop_cursor(_settling_name(peer_origin, channel))
                _forget_listed(peer_origin, channel)
    return count


def hide(channel: str, stale: Iterable[Stale], heads: dict[str, Head]) -> None:
    """Hide entries from readers here, and from those who read what we offer."""
    changes = repair.hide(channel, stale, heads)
    if changes:
        reading.receive(changes)


def _place_name(peer_origin: str, channel: str) -> str:
    return f"snapshot {channel} {peer_origin}"


def _settling_name(peer_origin: str, channel: str) -> str:
    return f"settle {channel} {peer_origin}"


def _take_build(client: PeerClient, channel: str, found: Snapshot, cursor: str) -> int:
    place = _begin(client.origin, channel, found.build)
    for number, part in enumerate(found.parts):
        if number >= place.part:
            start = place.line if number == place.part else 0
            _take_part(client, channel, part, _Place(place.build, number, start))
    with transaction():
        _require(_place_name(client.origin, channel), _Place(place.build, len(found.parts)))
        log.move_cursor(cursor, str(found.as_of))
        log.move_cursor(_settling_name(client.origin, channel), str(found.as_of))
        log.drop_cursor(_place_name(client.origin, channel))
    return sum(part.count for part in found.parts)


def _begin(peer_origin: str, channel: str, build: str) -> _Place:
    """Return the place to go on from; the start, when another build was read before."""
    with transaction():
        log.lock_heads([])
        name = _place_name(peer_origin, channel)
        before, part, line = (log.read_cursor(name) or "::").rsplit(":", 2)
        if before == build:
            return _Place(build, int(part), int(line))
        _forget_listed(peer_origin, channel)
        log.drop_cursor(_settling_name(peer_origin, channel))
        log.move_cursor(name, str(_Place(build)))
    return _Place(build)


def _take_part(client: PeerClient, channel: str, part: Part, place: _Place) -> None:
    """Download a part whole, check its hash, and take its items in."""
    db.session.rollback()  # No transaction is held while the peer sends.
    room.check()
    try:
        data = client.download(f"/fed/v1/channels/{channel}/snapshot/{part.name}")
    except RefusedError as error:
        if error.answered == 404:
            raise _ReplacedError from error
        raise
    count = 0
    for batch in read(part, data):
        rest = batch[max(0, place.line - count) :]
        if rest:
            start = count + len(batch) - len(rest)
            _take_batch(client.origin, channel, rest, _Place(place.build, place.part, start))
        count += len(batch)
    with transaction():
        name = _place_name(client.origin, channel)
        _require(name, _Place(place.build, place.part, count))
        log.move_cursor(name, _Place(place.build, place.part + 1))


def _take_batch(
    peer_origin: str, channel: str, batch: Sequence[tuple[Item, bool]], place: _Place
) -> None:
    """Take in items and move the place, both or neither."""
    with transaction():
        name = _place_name(peer_origin, channel)
        _require(name, place)
        peer = registry.find_peer(peer_origin)
        if peer is None:
            raise _ReplacedError
        for is_end, rows in groupby(batch, key=itemgetter(1)):
            items = [item for item, _ in rows]
            (Ends if is_end else Restoration)(sender_of(peer), channel).take(items)
            if not is_end:
                note(peer_origin, channel, items)
        log.move_cursor(name, _Place(place.build, place.part, place.line + len(batch)))


def _require(name: str, place: _Place) -> None:
    """Lock the journal, and let pass only while nobody else has gone on from this place."""
    log.lock_heads([])
    if log.read_cursor(name) != str(place):
        raise _ReplacedError


def _not_listed(peer: Peer, channel: str) -> Sequence[Stale]:
    is_listed = exists().where(
        Listed.peer == peer.origin,
        Listed.channel == channel,
        Listed.iss == Live.iss,
        Listed.entry_id == Live.entry_id,
    )
    statement = select(Live.iss, Live.origin, Live.entry_id, Live.seq).where(
        Live.channel == channel, Live.op == PUT, digest.by_way_of(peer), ~is_listed
    )
    rows = db.session.execute(statement.limit(MAX_ITEMS))
    return [(iss, origin, entry_id, seq) for iss, origin, entry_id, seq in rows]


def _forget_listed(peer_origin: str, channel: str) -> None:
    db.session.execute(delete(Listed).where(Listed.peer == peer_origin, Listed.channel == channel))


def _is_short(value: object, most: int) -> bool:
    return isinstance(value, str) and len(value) <= most and "\0" not in value
