"""Shapes on the wire (docs/federation.md, Endpoints); no behaviour of nodes."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise
from typing import Any

from hub.errors import InvalidError
from hub.registry.addresses import is_origin

VERSION = 1
MAX_ITEMS = 500
MAX_PAGE = 4 * 1024 * 1024  # Bytes of a page of items.
MAX_WAIT = 25  # Seconds for which a node holds a request.
MAX_NODES = 20_000  # Nodes that may confirm one release.
MAX_VIA = 4  # Nodes that an item may come through.

_CHANNEL = re.compile(r"(group|public|dir|partner:[a-z0-9][a-z0-9-]{0,61})\Z")
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_ORIGIN = re.compile(r'"origin":"(https?://[^"\\]{1,240})","parent":\{')
_CURSOR = re.compile(r"([A-Za-z0-9]{1,20}):(\d{1,16})\Z")


@dataclass(frozen=True)
class ChannelCursor:
    """A place in the log that one node offers of a channel; exclusive."""

    epoch: str
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}:{self.seq}"


@dataclass(frozen=True)
class Item:
    """One item of a page: a release, and its entry unless its text is gone."""

    seq: int  # In the log of the node that serves it; 0 at ingest.
    release: object
    entry: object
    via: int

    def as_wire(self) -> dict[str, Any]:
        """Return the shape on the wire."""
        return {"seq": self.seq, "release": self.release, "entry": self.entry, "via": self.via}


def parse_channel(text: str) -> str:
    """Return the name of a channel that may travel.

    :raises InvalidError: for any other text, the channel `local` included.
    """
    if not _CHANNEL.match(text):
        raise InvalidError("ch", "no such channel")
    return text


def parse_cursor(text: str) -> ChannelCursor | None:
    """Return a cursor from its text; None for "0" or nothing, which is before the first item."""
    if text in {"", "0"}:
        return None
    found = _CURSOR.match(text)
    if not found:
        raise InvalidError("after", "not a cursor")
    return ChannelCursor(found[1], int(found[2]))


def parse_place(body: object) -> ChannelCursor:
    """Return the place of its log, `epoch` and `as_of`, at which a peer looked.

    :raises InvalidError: when it names none.
    """
    epoch, as_of = (body.get("epoch"), body.get("as_of")) if isinstance(body, Mapping) else (0, 0)
    found = parse_cursor(f"{epoch}:{as_of}") if type(as_of) is int else None
    if found is None:
        raise InvalidError("as_of", "no place in a log")
    return found


def parse_seen(text: str) -> dict[str, str]:
    """Return the cursors of a `seen` parameter, `<channel>:<epoch>:<seq>` joined by commas."""
    seen = {}
    for part in text.split(",") if text else []:
        channel, _, cursor = part.partition(":")
        if channel == "partner":
            name, _, cursor = cursor.partition(":")
            channel = f"partner:{name}"
        seen[parse_channel(channel)] = str(parse_cursor(cursor) or "0")
    return seen


def parse_items(items: object) -> list[Item]:
    """Return the items of a page or of an ingest; what they hold is not judged here."""
    if not isinstance(items, list) or len(items) > MAX_ITEMS:
        raise InvalidError("items", f"not a list of at most {MAX_ITEMS}")
    return [parse_item(item) for item in items]


def parse_item(item: object) -> Item:
    """Return one item; what it holds is not judged here.

    :raises InvalidError: when it has not the shape of one.
    """
    if not isinstance(item, Mapping):
        raise InvalidError("items", "an item is not an object")
    seq, via = item.get("seq", 0), item.get("via", 0)
    if type(seq) is not int or type(via) is not int or seq < 0 or not 0 <= via < 1000:
        raise InvalidError("items", "seq and via count from 0")
    return Item(seq, item.get("release"), item.get("entry"), via)


@dataclass(frozen=True)
class Page:
    """Part of the log of a channel, as its node serves it."""

    channel: str
    epoch: str
    head: int
    items: Sequence[Item]

    @property
    def end(self) -> int:
        """Return the number of the last item; that of the head when there is none."""
        return self.items[-1].seq if self.items else self.head


def parse_page(body: object, channel: str) -> Page:
    """Return a page that a peer served; its items must be in order.

    :raises InvalidError: when it is anything else.
    """
    if not isinstance(body, Mapping) or body.get("ch") != channel:
        raise InvalidError("ch", "a page of another channel")
    epoch, head = body.get("epoch"), body.get("head")
    if (
        not isinstance(epoch, str)
        or type(head) is not int
        or parse_cursor(f"{epoch}:{head}") is None
    ):
        raise InvalidError("epoch", "no epoch or head")
    items = parse_items(body.get("items"))
    numbers = [item.seq for item in items]
    if any(b != a + 1 for a, b in pairwise(numbers)):
        raise InvalidError("items", "the log of a channel has no gaps")
    return Page(channel, epoch, head, items)


@dataclass(frozen=True)
class Standing:
    """Whether one node has taken in a release, as the node that it reads from knows it."""

    node: str
    name: str
    is_done: bool
    position: int | None = None  # Up to where it has confirmed the log of the channel.
    seen_at: datetime | None = None  # Its last contact.

    def as_wire(self) -> dict[str, Any]:
        """Return the shape on the wire."""
        return {
            "node": self.node,
            "name": self.name,
            "state": "done" if self.is_done else "waiting",
            "position": self.position,
            "seen_at": format_time(self.seen_at) if self.seen_at else None,
        }


def parse_receipts(body: Mapping[str, Any], digest: str) -> tuple[datetime, list[Standing]]:
    """Return when a peer said who has taken in a release, and what it said.

    :raises InvalidError: when it is anything else.
    """
    nodes = body.get("nodes")
    if body.get("release") != digest:
        raise InvalidError("release", "receipts of another release")
    if not isinstance(nodes, list) or len(nodes) > MAX_NODES:
        raise InvalidError("nodes", f"not a list of at most {MAX_NODES}")
    return parse_time(body.get("at")), [parse_standing(row) for row in nodes]


def parse_standing(row: object) -> Standing:
    """Return what is said of one node.

    :raises InvalidError: when it is anything else.
    """
    if not isinstance(row, Mapping) or not is_origin(row.get("node")):
        raise InvalidError("nodes", "a row without a node")
    name, state, position = row.get("name"), row.get("state"), row.get("position")
    if not isinstance(name, str) or len(name) > 200 or state not in {"done", "waiting"}:
        raise InvalidError("nodes", "no name or state")
    if position is not None and (type(position) is not int or not 0 <= position < 2**53):
        raise InvalidError("nodes", "position counts from 0")
    seen_at = row.get("seen_at")
    seen = None if seen_at is None else parse_time(seen_at)
    return Standing(str(row["node"]), name, state == "done", position, seen)


def format_time(moment: datetime) -> str:
    """Return a time as it stands on the wire: UTC, whole seconds."""
    return moment.astimezone(UTC).strftime(_TIME)


def parse_time(text: object) -> datetime:
    """Return the time that a text on the wire means.

    :raises InvalidError: for any other text.
    """
    try:
        return datetime.strptime(str(text), _TIME).replace(tzinfo=UTC)
    except ValueError as error:
        raise InvalidError("at", "not a time") from error


def cursor_name(peer_origin: str, channel: str) -> str:
    """Return the name of our cursor in the log that a peer offers of a channel."""
    return f"pull {channel} {peer_origin}"


def offer_name(peer_origin: str, channel: str) -> str:
    """Return the name under which the head of that log is kept, as the peer last told it."""
    return f"offer {channel} {peer_origin}"


def claimed_authors(items: Sequence[Item]) -> set[str]:
    """Return the origins that the entries of these items claim; nothing is verified here."""
    return {origin for item in items if (origin := _claimed_origin(item.entry))}


def _claimed_origin(entry: object) -> str | None:
    payload = entry.get("p") if isinstance(entry, Mapping) else None
    # Canonical JSON, so the text stands as it is; what is not canonical is refused later.
    found = _ORIGIN.search(payload) if isinstance(payload, str) else None
    return found[1] if found else None


def claimed_digest(release: object) -> str | None:
    """Return the digest of an unverified object; None when it has no payload."""
    payload = release.get("p") if isinstance(release, dict) else None
    if not isinstance(payload, str):
        return None
    return hashlib.sha256(payload.encode(errors="replace")).hexdigest()


def claim(release: object, name: str) -> object:
    """Return what an unverified release says, for looking things up and for the record only."""
    payload = release.get("p") if isinstance(release, dict) else None
    if not isinstance(payload, str) or len(payload) > 8192:
        return None
    return _claims(payload).get(name)


@lru_cache(maxsize=MAX_ITEMS)  # Each item of a page is asked for many things.
def _claims(payload: str) -> Mapping[str, object]:
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
