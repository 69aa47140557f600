"""Going on in a log that is new to us: where in it stands what we lack.

A reader that changes its relay, or reads from two, has no cursor in the other log but knows the
last release of each issuer. The place before the first that it lacks is its cursor there.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import and_, func, or_, select

from hub.database import db, transaction
from hub.errors import InvalidError
from hub.federation import relay
from hub.federation.client import PeerClient
from hub.federation.errors import RefusedError
from hub.federation.protocol import ChannelCursor, cursor_name, parse_cursor
from hub.journal import log, repair
from hub.journal.models import Chain, LogItem, Release
from hub.registry.service import Caller

MOST = 20_000  # Issuers that a reader may name.
BATCH = 100  # Issuers asked for at once.

Ends = Mapping[str, tuple[ChannelCursor, str]]  # Issuer → place and digest of its last release.


def place_after(peer: Caller, channel: str, ends: Ends) -> ChannelCursor | None:
    """Return the cursor in our log of a channel for a reader that has these ends of chains.

    :return: None when it lacks what the log begins with, or nothing was ever offered.
    :raises ClosedChannelError: when the channel is not open to the peer.
    """
    relay.check_open(peer, channel)
    head = relay.heads_of([channel]).get(channel)
    if head is None:
        return None
    chains = db.session.scalars(select(Chain).where(Chain.channel == channel))
    behind = [c for c in chains if ends.get(c.iss) != (ChannelCursor(c.epoch, c.seq), c.digest)]
    places = [
        _first_lacking(channel, behind[start : start + BATCH], ends)
        for start in range(0, len(behind), BATCH)
    ]
    first = min((place for place in places if place), default=head.seq + 1)
    return ChannelCursor(head.epoch, first - 1) if first > 1 else None


def _first_lacking(channel: str, chains: Sequence[Chain], ends: Ends) -> int | None:
    """Return the first place of what follows these ends, or of all where another release is."""
    named = {(c.iss, *_place(ends[c.iss])): ends[c.iss][1] for c in chains if c.iss in ends}
    ours = repair.releases_at(channel, named)
    lacking = []
    for chain in chains:
        condition = Release.iss == chain.iss
        if chain.iss in ends:
            epoch, seq = _place(ends[chain.iss])
            place = (chain.iss, epoch, seq)
            if epoch == chain.epoch and ours.get(place) == named[place]:
                condition = and_(condition, Release.epoch == epoch, Release.seq > seq)
        lacking.append(condition)
    statement = (
        select(func.min(LogItem.seq))
        .join(Release, Release.position == LogItem.position)
        .where(LogItem.channel == channel, ~Release.is_held, or_(*lacking))
    )
    return db.session.scalar(statement)


def _place(end: tuple[ChannelCursor, str]) -> tuple[str, int]:
    return end[0].epoch, end[0].seq


def parse_ends(value: object) -> Ends:
    """Return ends of chains from their shape on the wire, `{issuer: [cursor, digest]}`.

    :raises InvalidError: for anything else.
    """
    if not isinstance(value, dict) or len(value) > MOST:
        raise InvalidError("ends", f"not an object with at most {MOST} members")
    found = {}
    for iss, end in value.items():
        cursor = parse_cursor(str(end[0])) if isinstance(end, list) and len(end) == 2 else None
        if cursor is None or not isinstance(end[1], str):
            raise InvalidError("ends", "not a cursor and a digest")
        found[iss] = cursor, end[1]
    return found


def resume(client: PeerClient, channel: str) -> None:
    """Move our cursor in a peer's log to where what we lack begins, if that is further on.

    A peer that can't tell is read from where we are.

    :raises PeerError: when the peer does not answer as it should.
    """
    name = cursor_name(client.origin, channel)
    before = log.read_cursor(name)
    chains = db.session.scalars(select(Chain).where(Chain.channel == channel))
    ends = {c.iss: [str(ChannelCursor(c.epoch, c.seq)), c.digest] for c in chains}
    db.session.rollback()  # No transaction is held while the peer answers.
    if not ends:
        return
    try:
        answer = client.post(f"/fed/v1/channels/{channel}/resumption", {"ends": ends})
    except RefusedError as error:
        if error.answered in {404, 405}:
            return
        raise
    place, here = parse_cursor(str(answer.get("cursor") or "")), parse_cursor(before or "")
    if place is None or (here and here.epoch == place.epoch and here.seq >= place.seq):
        return
    with transaction():
        log.lock_heads([])
        if log.read_cursor(name) == before:
            log.move_cursor(name, str(place))
