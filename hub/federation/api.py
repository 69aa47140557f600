"""What this node serves to its peers under `/fed`, and what it says of itself to everybody."""

from importlib.metadata import version
from typing import Any

from flask import Blueprint, Response, current_app, g, json, request

from hub import clock
from hub.application import Turns
from hub.config import settings
from hub.database import db, transaction
from hub.errors import HubError, InvalidError
from hub.federation import (
    acknowledgements,
    checkpoints,
    closing,
    feedback,
    protocol,
    relay,
    rewinding,
    rotation,
)
from hub.federation.packing import pack
from hub.federation.receiving import Intake
from hub.federation.sender import Sender
from hub.identity.access import anyone
from hub.journal import outbox
from hub.journal.granting import granted_channels
from hub.journal.signing import node_keys
from hub.registry import access, keys
from hub.registry import service as registry
from hub.registry.models import Peer
from hub.registry.throttle import quotas

LARGEST = 8 * 1024 * 1024  # Bytes of an ingest.
SOFTWARE = version("jingwei")
LARGEST_KEY = 16 * 1024  # Bytes of a change of key.

blueprint = Blueprint("fed", __name__)


@blueprint.get("/.well-known/jingwei")
@anyone
def describe() -> Response:
    """Say who this node is."""
    config = settings()
    signing, token = node_keys().signing_jwk, keys.own_token_jwk()
    return answer(
        {
            "v": protocol.VERSION,
            "node": config.origin,
            "name": config.name,
            "enterprise": config.enterprise,
            "headquarters": registry.anchors().get(config.enterprise, config.origin),
            "fed": f"{config.origin}/fed/v1",
            "jwks": {"keys": [signing, token]},
            "software": "jingwei",
        }
    )


@blueprint.get("/fed/v1/channels")
@access.peer("fed.read", even_closed=True)
def channels() -> Response:
    """List the channels open to the caller; with `wait`, once one of them has moved.

    With `checkpoints`, what headquarters signed of them last, which nobody is woken for.
    Whom we closed the door on gets the signed closure instead, here and nowhere else.
    """
    seen = protocol.parse_seen(request.args.get("seen", ""))
    seconds = min(whole_number("wait", 0), protocol.MAX_WAIT)
    asks = whole_number("checkpoints", 0)
    acknowledgements.note(g.peer, seen)
    granted = granted_channels(g.peer)
    if seconds and granted:
        box, last = outbox.box_of(g.peer.origin), outbox.head_of(g.peer.origin)
        seen[box] = str(protocol.ChannelCursor(*last)) if last else "0"
        db.session.rollback()  # No transaction is held while we wait.
        turns: Turns = current_app.extensions["hub.turns"]
        with turns.left():
            relay.watcher().wait(g.peer.origin, [*granted, box], seen, seconds)
        g.peer = registry.renew(g.peer)
        granted = granted_channels(g.peer)
    if (closure := closing.told_to(g.peer)) is not None:
        return answer({"channels": [], "closure": closure})
    more = {"checkpoints": checkpoints.told(granted)} if asks else {}  # Before the heads.
    heads, mail = relay.heads_of(granted), feedback.waiting_for(g.peer.origin)
    listed = [{"ch": name, "head": relay.told(heads.get(name))} for name in granted]
    return answer({"channels": listed} | more | ({"feedback": mail} if mail else {}))


@blueprint.get("/fed/v1/channels/<channel>/items")
@access.peer("fed.read")
def items(channel: str) -> Response:
    """Serve the items of a channel that follow a cursor, byte for byte as they were signed."""
    after = protocol.parse_cursor(request.args.get("after", ""))
    limit = max(1, min(whole_number("limit", protocol.MAX_ITEMS), protocol.MAX_ITEMS))
    try:
        page = relay.read_page(g.peer, channel, after, limit)
    except relay.CursorAheadError:
        with transaction():
            rewinding.begin_anew(channel, after, seen_by=g.peer.origin)
        raise
    if request.args.get("confirm") != "0":  # Said by readers that still show what is gone.
        acknowledgements.note(g.peer, {channel: str(after or "0")})
    return answer(
        {
            "ch": page.channel,
            "epoch": page.epoch,
            "from": after.seq if after else 0,
            "to": page.end,
            "head": page.head,
            "items": [item.as_wire() for item in page.items],
        }
    )


@blueprint.post("/fed/v1/ingest")
@access.peer("fed.publish")
def ingest() -> Response:
    """Take in what a node of our enterprise publishes."""
    quotas().check_entries(g.peer.origin)
    request.max_content_length = LARGEST
    body = body_of({"ch", "items"})
    channel, found = protocol.parse_channel(str(body["ch"])), protocol.parse_items(body["items"])
    quotas().count_entries(g.peer.origin, len(found))
    with transaction():
        relay.open_ingest(g.peer, channel, protocol.claimed_authors(found))
        sender = Sender(g.peer.origin, g.peer.kind, g.peer.enterprise, is_ingest=True)
        outcomes = Intake(sender, channel).take(found)
    accepted = [{"digest": o.digest, "seq": o.seq} for o in outcomes if o.code is None]
    refused = [
        {"index": index, "code": o.code, "detail": o.reason}
        for index, o in enumerate(outcomes)
        if o.code
    ]
    return answer({"accepted": accepted, "refused": refused})


@blueprint.get("/fed/v1/ingest/head")
@access.peer("fed.publish")
def ingest_head() -> Response:
    """Say what we have of the caller: the last release of its chain in each channel."""
    return answer(rewinding.own_heads(g.peer))


@blueprint.get("/fed/v1/ingest/items")
@access.peer("fed.publish")
def ingested() -> Response:
    """Give the caller back what it published in a channel after a release of its own."""
    channel = protocol.parse_channel(request.args.get("ch", ""))
    after = protocol.parse_cursor(request.args.get("after", ""))
    digest = request.args.get("digest")
    limit = max(1, min(whole_number("limit", protocol.MAX_ITEMS), protocol.MAX_ITEMS))
    found = rewinding.own_items(g.peer, channel, after, digest, limit)
    return answer({"ch": channel, "items": [item.as_wire() for item in found]})


@blueprint.get("/fed/v1/receipts")
@access.peer("fed.receipts")
def receipts() -> Response:
    """Tell the issuer of a release who has taken it in, and nobody else anything."""
    release = acknowledgements.release_of(g.peer.origin, request.args.get("release", ""))
    standings = acknowledgements.standings_of(release)
    return answer(
        {
            "release": release.digest,
            "at": protocol.format_time(clock.now()),
            "nodes": [standing.as_wire() for standing in standings],
        }
    )


@blueprint.post("/fed/v1/feedback")
@access.peer("fed.feedback")
def take_feedback() -> Response:
    """Take in what the caller says of entries that it may see, or pass it on."""
    request.max_content_length = LARGEST
    wires = feedback.parse_entries(body_of({"items"})["items"])
    with transaction():
        outcomes = feedback.take(Sender(g.peer.origin, g.peer.kind, g.peer.enterprise), wires)
    refused = [
        {"index": index, "code": o.code, "detail": o.reason}
        for index, o in enumerate(outcomes)
        if o.code
    ]
    return answer({"accepted": [o.digest for o in outcomes if not o.code], "refused": refused})


@blueprint.get("/fed/v1/feedback")
@access.peer("fed.feedback")
def give_feedback() -> Response:
    """Hand a spoke what waits for it; `after` says what it has, which is then forgotten here."""
    after = protocol.parse_cursor(request.args.get("after", ""))
    with transaction():
        mail = feedback.mail_for(g.peer.origin, after)
    items = [{"seq": number, "entry": wire} for number, wire in mail.items]
    return answer({"epoch": mail.epoch, "items": items})


@blueprint.post("/fed/v1/keys")
@access.peer("fed.publish")
def change_key() -> Response:
    """Take in the next signing key of the caller, vouched for by the one in force."""
    request.max_content_length = LARGEST_KEY
    body = body_of({"jwk", "proof"})
    try:
        with transaction():
            admitted = rotation.admit(g.peer, body)
    except HubError as error:
        with transaction():
            rotation.note_refusal(g.peer, error)
        raise
    return answer(admitted)


@blueprint.post("/fed/v1/hint")
@access.peer("fed.read")
def hint() -> Response:
    """Wake up: the caller has something. Carries nothing and may be lost."""
    body_of({"heads"})
    with transaction():
        db.session.get_one(Peer, g.peer.id).hinted_at = clock.now()
    return Response(status=204)


@blueprint.get("/fed/v1/status")
@access.peer("fed.read")
def status() -> Response:
    """Say in numbers how this node stands, as far as it concerns the caller."""
    granted = granted_channels(g.peer)
    heads, oldest = relay.heads_of(granted), relay.oldest_of(granted)
    return answer(
        {
            "v": protocol.VERSION,
            "version": SOFTWARE,
            "time": clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
            "channels": [
                {"ch": name, "head": str(heads.get(name, "0")), "oldest": oldest.get(name, 0)}
                for name in granted
            ],
        }
    )


def whole_number(name: str, default: int) -> int:
    """Return a parameter of the request.

    :raises InvalidError: when it is no whole number of at most nine digits.
    """
    text = request.args.get(name) or str(default)
    if not text.isdecimal() or len(text) > 9:
        raise InvalidError(name, "not a whole number")
    return int(text)


def body_of(names: set[str]) -> dict[str, Any]:
    body = request.get_json()
    if not isinstance(body, dict):
        raise InvalidError("body", "not an object")
    for name in sorted(names - body.keys()):
        raise InvalidError(name, "missing")
    return body


def answer(body: dict[str, Any]) -> Response:
    """Answer with JSON, packed as the caller understands."""
    response = Response(json.dumps(body).encode(), content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    return pack(response)
