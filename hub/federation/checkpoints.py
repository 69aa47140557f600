"""What headquarters signs of its logs each minute: how far they are, and where chains end there.

It travels beside the channels that a peer lists, and goes on from reader to reader as it was
signed. So no relay can keep silent about the newest, and no headquarters keep two logs unseen
(docs/federation.md, Checkpoints).
"""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import func, select

from hub import clock
from hub.config import settings
from hub.database import db, transaction, upsert
from hub.errors import HubError
from hub.federation import bootstrap, freezing, relay, room
from hub.federation.models import KeptCheckpoint
from hub.federation.protocol import ChannelCursor, parse_channel, parse_cursor
from hub.federation.resuming import Ends, parse_ends
from hub.journal import log
from hub.journal.errors import VerificationError
from hub.journal.models import DIRECTORY, GROUP, PUBLIC, Chain, LogItem, Release, partner_channel
from hub.journal.signing import Signed, node_keys
from hub.journal.verification import verify_signed
from hub.registry import service as registry
from hub.registry import trust
from hub.registry.addresses import is_origin
from hub.registry.models import Peer, PeerKind

CHECKPOINT = "jw-checkpoint+jws"
EACH = timedelta(minutes=1)  # Between two of headquarters, and between two questions for them.
FRESH = timedelta(minutes=7)  # What comes through honest relays is younger, also through three.
LATE = timedelta(minutes=10)  # Also where headquarters is asked each five minutes only.
NEWEST = 200  # Items of a log whose issuers are named.
MOST = 100  # Of one answer.
LARGEST = 96 * 1024  # Bytes: as many issuers with the longest names.

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")

logger = structlog.get_logger()


@dataclass(frozen=True)
class Checkpoint:
    """What headquarters signed of its log of one channel."""

    signed: Signed
    channel: str
    place: ChannelCursor  # Of the head.
    ends: Ends
    signed_at: datetime

    def contradicts(self, other: "Checkpoint") -> set[str]:
        """Return the issuers of whom this and another one of the channel can't both be true.

        A log only grows, and so do the chains in it, but for those that a revocation cut.
        """
        before, after = sorted((self, other), key=lambda each: each.place.seq)
        if before.place.epoch != after.place.epoch:
            return set()
        is_same = before.place == after.place
        found = {
            iss
            for iss in before.ends.keys() & after.ends.keys()
            if _goes_back(*before.ends[iss], *after.ends[iss], is_same)
        }
        return found - trust.with_revoked_keys(found) if found else found


def sign_due() -> None:
    """Sign the logs that nodes of our enterprise read, once a minute; on headquarters only.

    Also where nothing has moved, so that its age says whether word of headquarters comes through.
    A follower's step: opens its own transaction.
    """
    config, now = settings(), clock.now()
    if not config.is_headquarters:
        return
    columns = select(KeptCheckpoint.channel, KeptCheckpoint.signed_at)
    own = db.session.execute(columns.where(KeptCheckpoint.peer == config.origin))
    fresh = {channel for channel, signed_at in own if abs(now - signed_at) < EACH}
    channels = {DIRECTORY, GROUP, partner_channel(config.enterprise), PUBLIC}
    due = relay.heads_of(channels - fresh).keys()
    if not due:
        return
    with transaction():
        unsettled = bootstrap.open_channels()
        rows = []
        for channel, head in relay.heads_of(due).items():
            ends = {} if channel in unsettled else _ends(channel, head)
            rows.append(_row(config.origin, _sign(channel, head, ends)))
        upsert(KeptCheckpoint, rows, keys=("peer", "channel"))


def told(channels: Collection[str]) -> list[dict[str, str]]:
    """Return the newest checkpoint that we have of each of these channels, as it was signed."""
    statement = select(KeptCheckpoint).where(KeptCheckpoint.channel.in_(channels))
    rows = db.session.scalars(statement.order_by(KeptCheckpoint.signed_at))
    newest = {row.channel: row.signed for row in rows}
    return [json.loads(text) for text in newest.values()]


def are_due(peer: Peer) -> bool:
    """Say whether a peer should be asked for checkpoints, and what it tells can be taken in."""
    if peer.kind not in {PeerKind.HEADQUARTERS, PeerKind.SIBLING} or room.obstacle():
        return False
    asked = int(log.read_cursor(_asked_name(peer.origin)) or 0)
    return abs(clock.timestamp() - asked) >= EACH.total_seconds()


def keep(peer_origin: str, wires: object, channels: Collection[str]) -> None:
    """Keep what a peer told us that headquarters signed, after all that it served was taken in.

    What is no checkpoint is left alone, and the newest stays. The caller owns the transaction.
    """
    log.move_cursor(_asked_name(peer_origin), clock.timestamp())
    for wire in wires[:MOST] if isinstance(wires, list) else []:
        try:
            found = verify(wire, channels)
        except HubError as error:
            logger.warning("checkpoint refused", peer=peer_origin, reason=str(error))
            continue
        _keep(peer_origin, found)


def verify(wire: Any, channels: Collection[str]) -> Checkpoint:
    """Return a checkpoint that our headquarters signed of one of these channels.

    :raises VerificationError, InvalidError: for anything else, and for one from the future.
    """
    headquarters = registry.anchors().get(settings().enterprise, "")
    said = verify_signed(wire, CHECKPOINT, headquarters, registry.key_of, most=LARGEST)
    if (said.get("v"), said.get("iss")) != (1, headquarters):
        raise VerificationError("foreign_issuer", "not said by our headquarters")
    if said.get("ch") not in channels:
        raise VerificationError("wrong_channel", "of a channel that is not read here")
    iat = said.get("iat")
    if type(iat) is not int or not 0 <= iat <= clock.timestamp() + trust.LEEWAY.total_seconds():
        raise VerificationError("malformed", "of no time, or one that has not come")
    return _read(Signed(wire["h"], wire["p"], wire["s"]), said)


def parse(text: str) -> Checkpoint:
    """Return a checkpoint that was kept."""
    parts = json.loads(text)
    return _read(Signed(parts["h"], parts["p"], parts["s"]), json.loads(parts["p"]))


def are_told(peer_origin: str, channel: str) -> bool:
    """Say whether a peer ever handed on a checkpoint of a channel."""
    return db.session.get(KeptCheckpoint, (peer_origin, channel)) is not None


def come_through(peer_origin: str) -> bool:
    """Say whether a peer still hands on new ones of each channel, if it ever did."""
    mine = select(func.min(KeptCheckpoint.signed_at)).where(KeptCheckpoint.peer == peer_origin)
    oldest = db.session.scalar(mine)
    return oldest is None or clock.now() - oldest < FRESH


def ages() -> dict[str, dict[str, int]]:
    """Return how old is what each peer last brought: its origin → channel → seconds."""
    columns = select(KeptCheckpoint.peer, KeptCheckpoint.channel, KeptCheckpoint.signed_at)
    now, found = clock.now(), dict[str, dict[str, int]]()
    for peer, channel, signed_at in db.session.execute(columns.order_by(KeptCheckpoint.channel)):
        found.setdefault(peer, {})[channel] = max(0, int((now - signed_at).total_seconds()))
    return found


def _goes_back(
    before: ChannelCursor, one: str, after: ChannelCursor, other: str, is_same: bool
) -> bool:
    """Say whether a chain that ended at the first place can't end at the second.

    :param is_same: both are said of one place of the log.
    """
    if before.epoch != after.epoch:
        return is_same
    if before.seq == after.seq:
        return one != other
    return is_same or after.seq < before.seq


def _ends(channel: str, head: ChannelCursor) -> dict[str, list[str]]:
    """Return the ends of chains that stand in a log, of the issuers of its newest items."""
    issuers = (
        select(Release.iss)
        .join(LogItem, LogItem.position == Release.position)
        .where(LogItem.channel == channel, LogItem.seq.between(head.seq - NEWEST + 1, head.seq))
    )
    chains = select(Chain).where(Chain.channel == channel, Chain.iss.in_(issuers))
    found = db.session.scalars(chains.execution_options(populate_existing=True)).all()
    # Sought by their digests: from the places of the log, all of it would be read.
    standing = (
        select(Release.digest, LogItem.seq)
        .join(LogItem, LogItem.position == Release.position)
        .where(Release.digest.in_([chain.digest for chain in found]), ~Release.is_held)
    )
    offered = {digest for digest, seq in db.session.execute(standing) if seq <= head.seq}
    ends = [chain for chain in found if chain.digest in offered]
    return {end.iss: [str(ChannelCursor(end.epoch, end.seq)), end.digest] for end in ends}


def _sign(channel: str, head: ChannelCursor, ends: dict[str, list[str]]) -> Checkpoint:
    said = {
        "v": 1,
        "iss": settings().origin,
        "ch": channel,
        "epoch": head.epoch,
        "seq": head.seq,
        "ends": ends,
        "iat": clock.timestamp(),
    }
    return _read(node_keys().sign(said, CHECKPOINT), said)


def _read(signed: Signed, said: Mapping[str, Any]) -> Checkpoint:
    epoch, seq, ends = said.get("epoch"), said.get("seq"), parse_ends(said.get("ends"))
    place = parse_cursor(f"{epoch}:{seq}") if isinstance(epoch, str) and type(seq) is int else None
    if place is None or len(ends) > NEWEST:
        raise VerificationError("malformed", "names no place, or too many issuers")
    if not all(is_origin(iss) and _DIGEST.match(digest) for iss, (_, digest) in ends.items()):
        raise VerificationError("malformed", "an end is not of a node, or has no digest")
    signed_at = datetime.fromtimestamp(said["iat"], UTC)
    return Checkpoint(signed, parse_channel(str(said.get("ch"))), place, ends, signed_at)


def _keep(peer_origin: str, found: Checkpoint) -> None:
    statement = select(KeptCheckpoint).where(KeptCheckpoint.channel == found.channel)
    kept: Sequence[KeptCheckpoint] = db.session.scalars(statement).all()
    for row in kept:
        known = parse(row.signed)
        if found.contradicts(known):
            headquarters = registry.anchors()[settings().enterprise]
            freezing.accuse(
                headquarters,
                found.channel,
                served_by=peer_origin,
                known=known.signed,
                other=found.signed,
            )
    mine = {row.peer: row for row in kept}.get(peer_origin)
    if mine is None or mine.signed_at < found.signed_at:
        new = _row(peer_origin, found) | {"before": mine.signed if mine else None}
        upsert(KeptCheckpoint, [new], keys=("peer", "channel"))


def _row(peer_origin: str, found: Checkpoint) -> dict[str, Any]:
    return {
        "peer": peer_origin,
        "channel": found.channel,
        "signed": json.dumps(found.signed.as_wire()),
        "signed_at": found.signed_at,
    }


def _asked_name(peer_origin: str) -> str:
    return f"checkpoints {peer_origin}"
