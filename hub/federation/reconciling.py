"""Comparing what we hold of a channel with what a peer has live, and mending the difference.

Both sides must stand at the same place of the log, before anything is fetched and again before
anything is hidden; else it is left for later.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from hub import clock
from hub.database import db, transaction
from hub.errors import InvalidError
from hub.federation import bootstrap, digest, puller
from hub.federation.buckets import BUCKETS, LiveEntry, hashes, parse_bucket, parse_buckets
from hub.federation.client import PeerClient
from hub.federation.errors import MalformedError, RefusedError
from hub.federation.protocol import ChannelCursor, Item, cursor_name, parse_cursor, parse_item
from hub.federation.restoring import Restoration
from hub.federation.sender import sender_of
from hub.journal import log
from hub.registry import service as registry
from hub.registry.models import Peer

EACH = 86_400  # Seconds between two comparisons of a channel.
AGAIN = 60  # Seconds until the next try when the two stand at different places.
MOST_BUCKETS = 16  # That are looked at one by one; where more differ, the snapshot costs less.
MOST_ITEMS = 200  # That are fetched one by one.


@dataclass(frozen=True)
class Difference:
    """What a comparison found, and mended."""

    lacking: int = 0  # Fetched again.
    stale: int = 0  # Hidden.
    is_bootstrapped: bool = False  # Too much differed: all of it was taken from the snapshot.


@dataclass(frozen=True)
class _Plan:
    """What has to be done so that both sides hold the same at one place of the log."""

    as_of: ChannelCursor
    lacking: Sequence[LiveEntry] = ()
    stale: Sequence[LiveEntry] = ()
    is_far: bool = False  # Too much differs to go through it one by one.


def compare_due(peer_origin: str) -> None:
    """Compare each channel of a peer that was not compared for a day, if it stands still.

    The first time is spread over the day, so that the nodes of a group don't come all at once. A
    peer of a version that can't be compared with is left alone for as long.

    :raises PeerError: when the peer does not answer as it should.
    """
    peer = registry.find_peer(peer_origin)
    now = clock.timestamp()
    for channel in puller.expected(peer) if peer else ():
        due = log.read_cursor(_due_name(peer_origin, channel))
        if due is None:
            pause = random.randrange(EACH)  # noqa: S311 - spreads load, guards nothing
        elif now < int(due):
            continue
        else:
            pause = EACH if _is_compared(peer_origin, channel) else AGAIN
        with transaction():
            log.move_cursor(_due_name(peer_origin, channel), now + pause)


def _is_compared(peer_origin: str, channel: str) -> bool:
    try:
        return compare(peer_origin, channel) is not None
    except RefusedError as error:
        if error.answered == 404:
            return True
        raise


def compare(peer_origin: str, channel: str) -> Difference | None:
    """Compare a channel with a peer now, and mend what differs.

    :return: what was found; None when the two stand at different places of the log, or moved.
    :raises PeerError: when the peer does not answer as it should.
    """
    peer = registry.find_peer(peer_origin)
    at = parse_cursor(puller.cursor(peer_origin, channel) or "")
    if peer is None or at is None or _is_bootstrapping(peer_origin, channel):
        return None
    client = PeerClient.for_peer(peer)
    try:
        found = _look(client, peer, channel, at)
        if found is None:
            return None
        return _begin_again(client, channel) if found.is_far else _mend(client, channel, found)
    except InvalidError as error:
        raise MalformedError(peer_origin, str(error)) from error
    except RefusedError as error:
        if error.refusal == digest.MovingError.code:
            return None
        raise


def _look(client: PeerClient, peer: Peer, channel: str, at: ChannelCursor) -> _Plan | None:
    """Return the difference; None when the peer stands elsewhere."""
    if not _stands(client, channel, at):
        return None  # Asked first, for a comparison costs the peer much more.
    path = f"/fed/v1/channels/{channel}/digest"
    as_of, theirs = parse_buckets(client.get(path))
    if as_of != at:
        return None
    ours = hashes(digest.held(peer, channel))
    db.session.rollback()  # No transaction is held while the peer answers.
    different = {number for number in range(BUCKETS) if ours[number] != theirs[number]}
    if len(different) > MOST_BUCKETS:
        return _Plan(at, is_far=True)
    listed: list[LiveEntry] = []
    for number in sorted(different):
        place, entries = parse_bucket(client.get(path, {"bucket": number}))
        if place != at:
            return None
        listed += [entry for entry in entries if entry.bucket == number]
    if not different:
        return _Plan(at)
    held = [entry for entry in digest.held(peer, channel) if entry.bucket in different]
    mine, known = {entry.line for entry in held}, {_key(entry) for entry in listed}
    lacking = [entry for entry in listed if entry.line not in mine]
    stale = [entry for entry in held if _key(entry) not in known]
    return _Plan(at, lacking, stale, is_far=len(lacking) > MOST_ITEMS)


def _begin_again(client: PeerClient, channel: str) -> Difference:
    bootstrap.take_in(client, channel, cursor_name(client.origin, channel))
    puller.pull(client.origin)
    return Difference(is_bootstrapped=True)


def _mend(client: PeerClient, channel: str, plan: _Plan) -> Difference | None:
    """Fetch what is lacking and hide what is stale, in one transaction; None if a side moved."""
    if not plan.lacking and not plan.stale:
        return Difference()
    items = _fetch(client, channel, plan)
    if not _stands(client, channel, plan.as_of):
        return None
    with transaction():
        heads = log.lock_heads([channel])
        peer = registry.find_peer(client.origin)
        if peer is None or puller.cursor(client.origin, channel) != str(plan.as_of):
            return None
        outcomes = Restoration(sender_of(peer), channel).take(items)
        bootstrap.hide(channel, [(*_key(entry), entry.seq) for entry in plan.stale], heads)
    return Difference(sum(o.code is None for o in outcomes), len(plan.stale))


def _fetch(client: PeerClient, channel: str, plan: _Plan) -> list[Item]:
    """Return what we lack, item by item; what the peer took back meanwhile is left out."""
    items = []
    for entry in plan.lacking:
        try:
            body = client.get(f"/fed/v1/channels/{channel}/items/{entry.place}")
        except RefusedError as error:
            if error.answered != 404:
                raise
            continue
        if body.get("epoch") == plan.as_of.epoch:
            items.append(parse_item(body.get("item")))
    return items


def _stands(client: PeerClient, channel: str, at: ChannelCursor) -> bool:
    """Say whether the peer's log still ends where the comparison was made."""
    listed = client.get("/fed/v1/channels").get("channels")
    rows = listed if isinstance(listed, list) else []
    return any(
        isinstance(row, dict) and row.get("ch") == channel and row.get("head") == str(at)
        for row in rows
    )


def _is_bootstrapping(peer_origin: str, channel: str) -> bool:
    db.session.rollback()
    return bootstrap.is_open(peer_origin, channel)


def _key(entry: LiveEntry) -> tuple[str, str, str]:
    return entry.iss, entry.origin, entry.entry_id


def _due_name(peer_origin: str, channel: str) -> str:
    return f"compare {channel} {peer_origin}"
