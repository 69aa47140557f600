"""How this node and each of its peers stand to each other, from what is stored: no peer is asked.

The page about peers, `hub federation status` and the metrics all say what stands here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select

from hub import clock
from hub.database import db
from hub.errors import HubError, mark
from hub.federation import checkpoints, health, omissions, puller, quarantine
from hub.federation.protocol import cursor_name, offer_name, parse_cursor
from hub.federation.quarantine import Held
from hub.journal.granting import granted_channels
from hub.journal.models import Cursor
from hub.registry import service as registry
from hub.registry.models import Peer, PeerState

SILENCE = timedelta(minutes=2)  # Whoever waits for news calls, or answers, several times in it.
LATE = 120  # Seconds without progress from which a lag is no longer ordinary.

STATES = {
    PeerState.REGISTERED: (
        mark("The connection is not confirmed yet."),
        mark("Compare the fingerprints by telephone; each side confirms."),
    ),
    PeerState.FROZEN: (
        mark("Its signing key was revoked."),
        mark("Invite it again; it joins with another key."),
    ),
    PeerState.SUSPENDED: (
        mark("The connection is suspended here."),
        mark("It goes on from where it was stopped once an administrator says so."),
    ),
    PeerState.CLOSED: health.TROUBLES["peer_closed"],
}
SILENT = (
    mark("Nothing heard from it for a while."),
    mark("Ask whether that node is running and reaches this one."),
)
LEAVES_OUT = (
    mark("It does not serve all that others have published."),
    mark("Ask its administrator what became of it."),
)
STALE = (
    mark("No new checkpoint of headquarters comes through it."),
    mark("See that “hub serve” runs there. A relay must reach headquarters."),
)
LAGGING = (
    mark("This node is behind what the other one offers and gets no further."),
    mark("See that “hub serve” runs here, then test the connection."),
)
ENDED = health.TROUBLES["agreement_ended"]


@dataclass(frozen=True)
class Lag:
    """How far we are behind what a peer offers."""

    items: int
    seconds: int  # Since we last took something in.


@dataclass(frozen=True)
class Trouble:
    """What is wrong, what to do about it, and the stable code."""

    what: str
    fix: str
    code: str


@dataclass(frozen=True)
class Standing:
    """How it stands with one peer."""

    peer: Peer
    lag: Lag | None  # None where we read nothing from it.
    silent_for: int | None  # Seconds since the last contact; None before the first.
    trouble: Trouble | None
    reads: list[str]  # The channels that it may read here.
    held: Held
    checkpoints: Mapping[str, int]  # Channel → age in seconds of the newest that it handed us.

    @property
    def is_red(self) -> bool:
        """Say whether somebody should look at it; what was closed for good is over."""
        return self.trouble is not None and self.peer.state != PeerState.CLOSED


def standings() -> list[Standing]:
    """Return how it stands with each peer: headquarters first, then by name."""
    held, places, now = quarantine.held_by_peer(), _places(), clock.now()
    unfair, told = omissions.by_peer(), checkpoints.ages()
    found = []
    for peer in registry.peers():
        lag = _lag_of(peer, places, now) if puller.is_upstream(peer) else None
        silence = int((now - peer.seen_at).total_seconds()) if peer.seen_at else None
        trouble = _trouble_of(peer, lag, now)
        if trouble is None and peer.origin in unfair:
            trouble = Trouble(*LEAVES_OUT, omissions.OMITTED)
        mine, ages = held.get(peer.origin, Held()), told.get(peer.origin, {})
        if trouble is None and _is_stale(peer, ages):
            trouble = Trouble(*STALE, "stale")
        found.append(Standing(peer, lag, silence, trouble, reads(peer), mine, ages))
    return found


def reads(peer: Peer) -> list[str]:
    """Return the channels that a peer may read here now."""
    if peer.state != PeerState.LIVE:
        return []
    return granted_channels(registry.caller_of(peer))


def _trouble_of(peer: Peer, lag: Lag | None, now: datetime) -> Trouble | None:
    if peer.state != PeerState.LIVE:
        return Trouble(*STATES[PeerState(peer.state)], f"peer_{peer.state}")
    if peer.agreement_ends_at and peer.agreement_ends_at <= now:
        return Trouble(*ENDED, "agreement_ended")
    failure = health.trouble_of(peer)
    if failure:
        return Trouble(*failure)
    if now - (peer.seen_at or peer.created_at) > SILENCE:
        return Trouble(*SILENT, "silent")
    if lag and lag.items and lag.seconds > LATE:
        return Trouble(*LAGGING, "lagging")
    return None


def _is_stale(peer: Peer, ages: Mapping[str, int]) -> bool:
    """Say whether a peer that should hand on each checkpoint, and did once, no longer does."""
    oldest = max(ages.values(), default=0)
    return puller.must_have_all(peer.origin) and oldest > checkpoints.LATE.total_seconds()


def _places() -> Mapping[str, tuple[str, datetime]]:
    """Return all that we keep of the logs of peers: our cursors, and the heads they told us."""
    kept = or_(Cursor.name.like("pull %"), Cursor.name.like("offer %"))
    rows = db.session.execute(select(Cursor.name, Cursor.value, Cursor.moved_at).where(kept))
    return {name: (value, moved_at) for name, value, moved_at in rows}


def _lag_of(peer: Peer, places: Mapping[str, tuple[str, datetime]], now: datetime) -> Lag:
    behind = [_behind(peer, channel, places, now) for channel in puller.expected(peer)]
    return Lag(sum(lag.items for lag in behind), max(lag.seconds for lag in behind))


def _behind(
    peer: Peer, channel: str, places: Mapping[str, tuple[str, datetime]], now: datetime
) -> Lag:
    head, told_at = places.get(offer_name(peer.origin, channel), ("0", now))
    ours, moved_at = places.get(cursor_name(peer.origin, channel), ("0", told_at))
    try:
        there, here = parse_cursor(head), parse_cursor(ours)
    except HubError:
        return Lag(0, 0)
    items = there.seq - (here.seq if here and here.epoch == there.epoch else 0) if there else 0
    return Lag(items, int((now - moved_at).total_seconds())) if items > 0 else Lag(0, 0)
