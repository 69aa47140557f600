"""What a peer is served that is far behind, or compares what it holds."""

from flask import Blueprint, Response, g, request

from hub.errors import InvalidError
from hub.federation import digest, relay, resuming, snapshot
from hub.federation.api import LARGEST, answer, body_of, whole_number
from hub.federation.buckets import BUCKETS
from hub.registry import access

blueprint = Blueprint("fed_repair", __name__)


@blueprint.get("/fed/v1/channels/<channel>/items/<int:seq>")
@access.peer("fed.read")
def item(channel: str, seq: int) -> Response:
    """Serve one item by its place, for a reader that lost it."""
    epoch, found = relay.read_item(g.peer, channel, seq)
    return answer({"ch": channel, "epoch": epoch, "item": found.as_wire()})


@blueprint.post("/fed/v1/channels/<channel>/resumption")
@access.peer("fed.read")
def resumption(channel: str) -> Response:
    """Say where in the log of a channel stands what a reader lacks that has these chains."""
    request.max_content_length = LARGEST
    ends = resuming.parse_ends(body_of({"ends"})["ends"])
    place = resuming.place_after(g.peer, channel, ends)
    return answer({"ch": channel, "cursor": str(place or "0")})


@blueprint.get("/fed/v1/channels/<channel>/snapshot")
@access.peer("fed.read")
def describe_snapshot(channel: str) -> Response:
    """Say of which parts the snapshot of a channel consists; it is built if need be."""
    return answer({"ch": channel} | snapshot.current(g.peer, channel).as_wire())


@blueprint.get("/fed/v1/channels/<channel>/snapshot/<part>")
@access.peer("fed.read")
def snapshot_part(channel: str, part: str) -> Response:
    """Serve a part of the snapshot: gzip, one item a line."""
    response = Response(snapshot.read_part(g.peer, channel, part), mimetype="application/gzip")
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get("/fed/v1/channels/<channel>/digest")
@access.peer("fed.read")
def compare(channel: str) -> Response:
    """Serve what the caller needs to compare what it holds: 256 hashes, or the list of one."""
    bucket = whole_number("bucket", 0) if "bucket" in request.args else None
    if bucket is not None and bucket >= BUCKETS:
        raise InvalidError("bucket", f"there are {BUCKETS}")
    return answer(digest.compared(g.peer, channel, bucket))
