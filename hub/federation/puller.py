"""One pull, from cursor to cursor: what a peer offers, taken in page by page."""

from typing import Any

from hub.config import settings
from hub.database import db, transaction
from hub.errors import HubError
from hub.federation import closing, feedback, hiding, room
from hub.federation.client import PeerClient
from hub.federation.errors import MalformedError, RefusedError
from hub.federation.protocol import (
    MAX_ITEMS,
    MAX_WAIT,
    Page,
    parse_channel,
    parse_cursor,
    parse_page,
)
from hub.federation.quarantine import has_early, retry_parked
from hub.federation.receiving import Intake, sender_of
from hub.journal import log
from hub.journal.models import DIRECTORY, GROUP, PARTNER, PUBLIC, partner_channel
from hub.registry import service as registry
from hub.registry.errors import AgreementEndedError
from hub.registry.models import Peer, PeerKind, Reason

UPSTREAM = (PeerKind.HEADQUARTERS, PeerKind.PARTNER)  # Whom we pull from.
HELD = MAX_WAIT + 30  # Seconds after which a held request counts as lost.


def pull(peer_origin: str, *, wait: int = 0) -> int:
    """Take in all that a peer offers us now; return how many items it served.

    :param wait: seconds to hold the request when there is nothing new; at most 25.
    :raises PeerError: when the peer does not answer as it should; all that was taken in before
        stays, and the next pull goes on from there.
    :raises NoRoomError: when this node can't hold more for now; the cursors stay.
    """
    peer = registry.find_peer(peer_origin)
    if peer is None:
        return 0
    client, peer_kind, enterprise = PeerClient.for_peer(peer), peer.kind, peer.enterprise
    seen = {name: cursor for name in expected(peer) if (cursor := _cursor(peer_origin, name))}
    wait = 0 if room.obstacle() else wait  # What it would bring could not be taken in.
    db.session.rollback()  # No transaction is held while the peer holds our request.
    try:
        answer = _ask(client, seen, wait)
    except RefusedError as error:
        if error.refusal == AgreementEndedError.code and peer_kind == PeerKind.PARTNER:
            with transaction():
                hiding.hide(enterprise, Reason.AGREEMENT)
        raise
    if "closure" in answer:
        with transaction():
            closing.receive(peer_origin, answer["closure"])
        return 0
    offered = _offered(client, answer)
    try:
        count = sum(
            _pull_channel(client, peer_origin, channel)
            for channel, head in offered
            if head != seen.get(channel, "0")
        )
    except HubError:
        _note_offers(peer_origin, offered)
        raise
    if count or has_early():
        with transaction():
            retry_parked()
    if peer_kind == PeerKind.HEADQUARTERS:
        count += feedback.fetch(client, answer.get("feedback"))
    hiding.note_poll(peer_origin)
    return count


def pull_all() -> dict[str, int]:
    """Pull once from every peer that offers us anything; return the items served by each."""
    origins = [peer.origin for peer in registry.live_peers(*UPSTREAM)]
    return {origin: pull(origin) for origin in origins}


def cursor_name(peer_origin: str, channel: str) -> str:
    """Return the name of our cursor in the log that a peer offers of a channel."""
    return f"pull {channel} {peer_origin}"


def offer_name(peer_origin: str, channel: str) -> str:
    """Return the name under which the head of that log is kept, as the peer last told it."""
    return f"offer {channel} {peer_origin}"


def _cursor(peer_origin: str, channel: str) -> str | None:
    return log.read_cursor(cursor_name(peer_origin, channel))


def expected(peer: Peer) -> list[str]:
    """Return the channels of which a peer may have served us something."""
    foreign = [partner_channel(settings().enterprise), PUBLIC]
    return foreign if peer.kind == PeerKind.PARTNER else [DIRECTORY, GROUP, *foreign]


def _ask(client: PeerClient, seen: dict[str, str], wait: int) -> dict[str, Any]:
    params = {"seen": ",".join(f"{channel}:{cursor}" for channel, cursor in seen.items())}
    if wait:
        params["wait"] = str(wait)
    return client.get("/fed/v1/channels", params, timeout=HELD if wait else 30)


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


def _pull_channel(client: PeerClient, peer_origin: str, channel: str) -> int:
    """Take in pages until one is short; return the number of items."""
    count = 0
    while True:
        room.check()
        after = _cursor(peer_origin, channel)
        db.session.rollback()
        params = {"after": after or "0", "limit": MAX_ITEMS}
        try:
            body = client.get(f"/fed/v1/channels/{channel}/items", params)
        except RefusedError as error:
            if error.refusal != "cursor_gone" or after is None:
                raise
            _begin_again(peer_origin, channel, after)
            continue
        page = parse_page(body, channel)
        if not page.items or not _take(peer_origin, page, after):
            return count
        count += len(page.items)
        if page.end >= page.head:
            return count


def _take(peer_origin: str, page: Page, after: str | None) -> bool:
    """Take in a page and move the cursor, both or neither; False when another puller was first."""
    place = parse_cursor(after or "")
    with transaction():
        log.lock_heads([])
        peer = registry.find_peer(peer_origin)
        if peer is None or _cursor(peer_origin, page.channel) != after:
            return False
        if page.items[0].seq != (place.seq if place else 0) + 1:
            raise MalformedError(peer_origin, "a page that does not follow the cursor")
        Intake(sender_of(peer), page.channel).take(page.items)
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
        if _cursor(peer_origin, channel) == after:
            log.drop_cursor(cursor_name(peer_origin, channel))
