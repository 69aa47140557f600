"""One pull, from cursor to cursor: what a peer offers, taken in page by page."""

from typing import Any

from hub.config import settings
from hub.database import db, transaction
from hub.errors import HubError
from hub.federation import (
    bootstrap,
    checkpoints,
    closing,
    feedback,
    hiding,
    omissions,
    resuming,
    room,
)
from hub.federation.client import PeerClient
from hub.federation.errors import MalformedError, RefusedError
from hub.federation.protocol import (
    MAX_ITEMS,
    MAX_WAIT,
    ChannelCursor,
    Page,
    cursor_name,
    offer_name,
    parse_channel,
    parse_cursor,
    parse_page,
)
from hub.federation.quarantine import has_early, retry_parked
from hub.federation.receiving import Intake
from hub.federation.sender import sender_of
from hub.journal import log
from hub.journal.models import DIRECTORY, GROUP, PARTNER, PUBLIC, partner_channel
from hub.registry import service as registry
from hub.registry.errors import AgreementEndedError
from hub.registry.models import Peer, PeerKind, PeerState, Reason

MOST_GONE = 2  # Snapshots that we take one after the other, if the log moves on meanwhile.
FAR = 2_000  # Items from which a first contact takes the snapshot.
UPSTREAM = (PeerKind.HEADQUARTERS, PeerKind.SIBLING, PeerKind.PARTNER)  # Whom we may pull from.
HELD = MAX_WAIT + 30  # Seconds after which a held request counts as lost.


def pull(peer_origin: str, *, wait: int = 0, is_lacking: bool = False) -> int:
    """Take in all that a peer offers us now; return how many items it served.

    :param wait: seconds to hold the request when there is nothing new; at most 25.
    :param is_lacking: take from headquarters also what our relay is left to bring.
    :raises PeerError: when the peer does not answer as it should; all that was taken in before
        stays, and the next pull goes on from there.
    :raises NoRoomError: when this node can't hold more for now; the cursors stay.
    """
    peer = registry.find_peer(peer_origin)
    if peer is None:
        return 0
    client, peer_kind, enterprise = PeerClient.for_peer(peer), peer.kind, peer.enterprise
    seen, asks = _seen(peer), checkpoints.are_due(peer)
    wait = 0 if room.obstacle() else wait  # What it would bring could not be taken in.
    db.session.rollback()  # No transaction is held while the peer holds our request.
    partner = enterprise if peer_kind == PeerKind.PARTNER else None
    answer = _ask(client, seen, wait, partner, asks)
    if "closure" in answer:
        with transaction():
            closing.receive(peer_origin, answer["closure"])
        return 0
    leaves = not is_lacking and is_spared(peer_origin)
    count = _pull_channels(client, _offered(client, answer), seen, leaves)
    if count or has_early() or omissions.are_due():
        with transaction():
            retry_parked()
    if peer_kind == PeerKind.HEADQUARTERS:
        count += feedback.fetch(client, answer.get("feedback"))
    if asks:
        with transaction():
            checkpoints.keep(peer_origin, answer.get("checkpoints"), _channels_of(peer_kind))
    hiding.note_poll(peer_origin)
    return count


def pull_all() -> dict[str, int]:
    """Pull once from every peer that offers us anything; return the items served by each."""
    return {origin: pull(origin) for origin in upstream()}


def upstream() -> list[str]:
    """Return the origins of those whom we pull from."""
    return [peer.origin for peer in registry.live_peers(*UPSTREAM) if is_upstream(peer)]


def is_upstream(peer: Peer) -> bool:
    """Say whether a peer let us in to read."""
    return peer.kind in UPSTREAM and peer.our_client_id is not None


def is_spared(peer_origin: str) -> bool:
    """Say whether we read from a relay in place of this peer, our headquarters, for now.

    It is still asked from time to time: so it learns how far we are, and we what the relay left
    out. When the relay fails, or no word of headquarters comes through it any more, all is as
    without it.
    """
    peer, via = registry.find_peer(peer_origin), registry.find_peer(settings().relay)
    return (
        peer is not None
        and peer.kind == PeerKind.HEADQUARTERS
        and via is not None
        and via.state == PeerState.LIVE
        and is_upstream(via)
        and via.failing_since is None
        and checkpoints.come_through(via.origin)
    )


def cursor(peer_origin: str, channel: str) -> str | None:
    """Return our cursor in the log that a peer offers of a channel; None before its first item."""
    return log.read_cursor(cursor_name(peer_origin, channel))


def must_have_all(peer_origin: str) -> bool:
    """Say whether a peer should serve all that our headquarters has: itself, or our relay."""
    return peer_origin in {registry.anchors().get(settings().enterprise), settings().relay}


def expected(peer: Peer) -> list[str]:
    """Return the channels of which a peer may have served us something."""
    return _channels_of(peer.kind)


def _channels_of(kind: str) -> list[str]:
    foreign = [partner_channel(settings().enterprise), PUBLIC]
    return foreign if kind == PeerKind.PARTNER else [DIRECTORY, GROUP, *foreign]


def _seen(peer: Peer) -> dict[str, str]:
    """Return our cursors; none where what a snapshot did not hold is still to be hidden."""
    channels = expected(peer)
    names = {cursor_name(peer.origin, channel): channel for channel in channels}
    unsettled = bootstrap.open_among(peer.origin, channels)
    places = {names[name]: at for name, at in log.read_cursors(names).items()}
    return {
        channel: places[channel] for channel in channels if channel in places.keys() - unsettled
    }


def _ask(
    client: PeerClient, seen: dict[str, str], wait: int, partner: str | None, asks: bool
) -> dict[str, Any]:
    """Return the channels that are open to us; hide a partner that says our agreement ended."""
    params = {"seen": ",".join(f"{channel}:{at}" for channel, at in seen.items())}
    if asks:
        params["checkpoints"] = "1"
    if wait:
        params["wait"] = str(wait)
    try:
        return client.get("/fed/v1/channels", params, timeout=HELD if wait else 30)
    except RefusedError as error:
        if error.refusal == AgreementEndedError.code and partner is not None:
            with transaction():
                hiding.hide(partner, Reason.AGREEMENT)
        raise


def _offered(client: PeerClient, answer: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the channels that are open to us with their heads, keys before what they sign."""
    listed = answer.get("channels")
    if not isinstance(listed, list) or len(listed) > 100:
        raise MalformedError(client.origin, "no list of channels")
    found = []
    for row in listed:
        if not isinstance(row, dict):
            raise MalformedError(client.origin, "no list of channels")
        channel = parse_channel(str(row.get("ch")))
        found.append((channel, str(parse_cursor(str(row.get("head"))) or "0")))
    return sorted(found, key=lambda pair: (pair[0] != DIRECTORY, not pair[0].startswith(PARTNER)))


def _pull_channels(
    client: PeerClient, offered: list[tuple[str, str]], seen: dict[str, str], leaves: bool
) -> int:
    """Take in what moved; return the items."""
    try:
        return sum(
            _pull_channel(client, channel, parse_cursor(head), leaves)
            for channel, head in offered
            if head != seen.get(channel, "0")
        )
    except HubError:
        _note_offers(client.origin, offered)
        raise


def _pull_channel(
    client: PeerClient, channel: str, head: ChannelCursor | None, leaves: bool = False
) -> int:
    """Take in pages until one is short, a snapshot first where needed; return the items.

    :param leaves: what is lacking to our relay, if it hands on what shows that something lacks.
    """
    peer_origin, count, gone = client.origin, 0, 0
    leaves = leaves and _is_left_to_relay(peer_origin, channel)
    if cursor(peer_origin, channel) is None or is_spared(peer_origin):
        resuming.resume(client, channel)
    is_far = head is not None and head.seq > FAR and cursor(peer_origin, channel) is None
    if is_far or bootstrap.is_unfinished(peer_origin, channel):
        count += _bootstrap(client, channel)
    while True:
        room.check()
        after = cursor(peer_origin, channel)
        try:
            page = _ask_page(client, channel, after)
        except RefusedError as error:
            if error.refusal != "cursor_gone":
                raise
            if after and head and not after.startswith(f"{head.epoch}:"):
                _begin_again(peer_origin, channel, after)  # Restored: what it lost may yet return.
                continue
            gone += 1
            if gone > MOST_GONE:
                raise
            count += _bootstrap(client, channel)
            continue
        if page.items and (leaves or not _take(peer_origin, page, after)):
            return count  # Asking told it how far we are.
        count += len(page.items)
        if not page.items or page.end >= page.head:
            bootstrap.settle(peer_origin, channel)
            return count


def _is_left_to_relay(peer_origin: str, channel: str) -> bool:
    """Say whether our relay shows what it lacks of a channel, and nothing of it was refused."""
    via = settings().relay
    return (
        checkpoints.are_told(via, channel)
        and not omissions.has_held_back(via, channel)
        and not bootstrap.is_open(peer_origin, channel)
    )


def _ask_page(client: PeerClient, channel: str, after: str | None) -> Page:
    params = {"after": after or "0", "limit": str(MAX_ITEMS)}
    if bootstrap.is_settling(client.origin, channel):
        params["confirm"] = "0"  # We still show what was taken back.
    db.session.rollback()
    return parse_page(client.get(f"/fed/v1/channels/{channel}/items", params), channel)


def _bootstrap(client: PeerClient, channel: str) -> int:
    """Take in a snapshot; from a node that makes none, its log from the start."""
    try:
        return bootstrap.take_in(client, channel, cursor_name(client.origin, channel))
    except RefusedError as error:
        if error.answered != 404:
            raise
        _begin_again(client.origin, channel, cursor(client.origin, channel))
        return 0


def _take(peer_origin: str, page: Page, after: str | None) -> bool:
    """Take in a page and move the cursor, both or neither; False when another puller was first."""
    place = parse_cursor(after or "")
    with transaction():
        log.lock_heads([])
        peer = registry.find_peer(peer_origin)
        if peer is None or cursor(peer_origin, page.channel) != after:
            return False
        if page.items[0].seq != (place.seq if place else 0) + 1:
            raise MalformedError(peer_origin, "a page that does not follow the cursor")
        Intake(sender_of(peer), page.channel).take(page.items)
        if bootstrap.is_settling(peer_origin, page.channel):
            bootstrap.note(peer_origin, page.channel, page.items)
        log.move_cursor(cursor_name(peer_origin, page.channel), f"{page.epoch}:{page.end}")
        head = max(page.head, page.end)
        log.move_cursor(offer_name(peer_origin, page.channel), f"{page.epoch}:{head}")
    return True


def _note_offers(peer_origin: str, offered: list[tuple[str, str]]) -> None:
    """Keep what a peer offers that we could not take in, so that people see how far we are."""
    with transaction():
        for channel, head in offered:
            log.move_cursor(offer_name(peer_origin, channel), head)


def _begin_again(peer_origin: str, channel: str, after: str | None) -> None:
    """Forget the cursor of a log that is no more; what we have already is dropped on the way."""
    with transaction():
        if cursor(peer_origin, channel) == after:
            log.drop_cursor(cursor_name(peer_origin, channel))
