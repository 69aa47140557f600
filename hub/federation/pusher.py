"""One push up to headquarters: what we published and it does not have yet."""

import json
from collections.abc import Sequence
from typing import Any

import structlog
from sqlalchemy import select

from hub.cases.service import visibility
from hub.config import settings
from hub.database import db, transaction
from hub.federation.client import PeerClient
from hub.federation.errors import NOT_AGREED, MalformedError, RefusedError
from hub.federation.protocol import MAX_PAGE, ChannelCursor, parse_channel, parse_cursor
from hub.federation.recovery import Told, recover
from hub.journal.models import LOCAL, PARTNER, Chain, Entry, Release
from hub.registry import service as registry
from hub.registry.models import PeerKind

BATCH = 200  # Releases sent at once.

logger = structlog.get_logger()

Heads = dict[str, ChannelCursor]


def push(headquarters: str, known: Heads | None = None) -> Heads:
    """Send headquarters every release of ours that it lacks; return what it then has.

    Headquarters itself says what it has, so nothing here can be lost or out of step: whoever was
    killed, or restored from a backup, asks again.

    :param known: what the last push returned, to spare the question; None asks.
    :raises PeerError: when headquarters does not answer, or refuses for another reason than a gap.
    :raises VerificationError: when what we lost in a restore can't be fetched back yet.
    """
    peer = registry.find_peer(headquarters)
    if peer is None:
        return {}
    client = PeerClient.for_peer(peer)
    heads = _ask_heads(client) if known is None else dict(known)
    failure: RefusedError | None = None
    for chain in own_chains():
        try:
            _push_channel(client, chain, heads)
        except RefusedError as error:
            failure = error  # Other channels go on.
    if failure:
        raise failure
    return heads


def own_chains() -> Sequence[tuple[str, str, int]]:
    """Return the heads of our own chains that leave this node: channel, epoch, seq."""
    statement = select(Chain.channel, Chain.epoch, Chain.seq).where(
        Chain.iss == settings().origin, Chain.channel != LOCAL
    )
    return [(channel, epoch, seq) for channel, epoch, seq in db.session.execute(statement)]


def is_behind(heads: Heads) -> bool:
    """Say whether headquarters lacks something of ours."""
    return any(heads.get(name) != ChannelCursor(epoch, seq) for name, epoch, seq in own_chains())


def headquarters() -> str | None:
    """Return the origin of the node that we publish to; None at headquarters itself."""
    found = registry.live_peers(PeerKind.HEADQUARTERS)
    return found[0].origin if found else None


def _ask_heads(client: PeerClient) -> Heads:
    """Return what headquarters has of ours, once we have back what it has and we lost."""
    answer = client.get("/fed/v1/ingest/head")
    heads, digests = answer.get("heads"), answer.get("digests", {})
    if not isinstance(heads, dict) or not isinstance(digests, dict):
        raise MalformedError(client.origin, "no heads")
    found = {parse_channel(str(n)): parse_cursor(str(text)) for n, text in heads.items()}
    told = {
        name: Told(cursor, str(digests[name]) if name in digests else None)
        for name, cursor in found.items()
        if cursor
    }
    recover(client, told)
    return {name: end.place for name, end in told.items()}


def _push_channel(client: PeerClient, chain: tuple[str, str, int], heads: Heads) -> None:
    channel, epoch, head = chain
    place = heads.get(channel)
    after = place.seq if place and place.epoch == epoch else 0
    while after < head:
        items = _items(channel, epoch, after)
        db.session.rollback()  # No transaction is held while headquarters works.
        answer = client.post("/fed/v1/ingest", {"ch": channel, "items": [i for _, i in items]})
        refused = _refused(client, answer.get("refused"))
        if unagreed := _unagreed(items, refused):
            _take_back(channel, unagreed)
        if refused and len(refused) > len(unagreed):
            heads.pop(channel, None)
            raise _refusal(client, [row for row in refused if row["code"] != NOT_AGREED])
        after = items[-1][0]
        heads[channel] = ChannelCursor(epoch, after)


def _refused(client: PeerClient, rows: Any) -> list[dict[str, Any]]:
    """Return what headquarters refused: index, code and detail of each."""
    rows = rows or []
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) and type(row.get("index")) is int and isinstance(row.get("code"), str)
        for row in rows
    ):
        raise MalformedError(client.origin, "no list of what was refused")
    return rows


def _refusal(client: PeerClient, refused: list[dict[str, Any]]) -> RefusedError:
    code, detail = refused[0]["code"][:60], str(refused[0].get("detail"))[:300]
    return RefusedError(client.origin, code, detail, answered=200, retry_after=None)


def _unagreed(
    items: Sequence[tuple[int, dict[str, Any]]], refused: list[dict[str, Any]]
) -> list[str]:
    """Return the ids of which headquarters keeps the release in its chain, and not the text."""
    places = {row["index"] for row in refused if row["code"] == NOT_AGREED}
    releases = [item["release"] for place, (_, item) in enumerate(items) if place in places]
    return [str(json.loads(release["p"])["id"]) for release in releases]


def _take_back(channel: str, entry_ids: list[str]) -> None:
    """Narrow the cases that the agreement does not cover, so that their pages say what is true."""
    with transaction():
        for entry_id in sorted(set(entry_ids)):
            visibility.drop_partner(entry_id, channel.removeprefix(PARTNER))
    logger.warning("not covered by the agreement", channel=channel, cases=entry_ids)


def _items(channel: str, epoch: str, after: int) -> list[tuple[int, dict[str, Any]]]:
    statement = (
        select(Release, Entry)
        .join(Entry, Entry.digest == Release.entry_digest, isouter=True)
        .where(
            Release.iss == settings().origin,
            Release.channel == channel,
            Release.epoch == epoch,
            Release.seq > after,
            ~Release.is_held,
        )
        .order_by(Release.seq)
        .limit(BATCH)
    )
    items: list[tuple[int, dict[str, Any]]] = []
    size = 0
    for release, entry in db.session.execute(statement):
        text = entry.payload if entry and release.op == "put" else None
        size += 2 * len(release.payload) + 2 * len(text or "")
        if items and size > MAX_PAGE:
            break
        item = {"release": _wire(release), "entry": _wire(entry) if text else None, "via": 0}
        items.append((release.seq, item))
    return items


def _wire(row: Release | Entry) -> dict[str, Any]:
    return {"h": row.header, "p": row.payload, "s": row.signature}
