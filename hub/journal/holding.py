"""What was released under a revoked key: held back at readers, signed again at its origin.

A cutoff is a place in each log of headquarters. Since a log carries every chain in order, it cuts
each chain in one place for each epoch; those places are what readers, who have other logs, apply.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, func, or_, select, update

from hub import clock
from hub.config import settings
from hub.database import db
from hub.journal import log
from hub.journal.models import JOURNAL, LOCAL, Chain, Change, Entry, Head, Live, LogItem, Release
from hub.journal.signing import RELEASE, Signed, node_keys
from hub.journal.storage import move_live

PAGE = 500

Counts = dict[str, list[str]]  # Channel → for each epoch of the chain, `epoch:seq` of the last.


@dataclass(frozen=True)
class Held:
    """A release that was taken out of sight, with the entry that only it carried."""

    change: Change
    iss: str
    seq: int
    release: Signed
    entry: Signed | None


def places(cursors: Sequence[str]) -> dict[str, int]:
    """Return the last seq of each epoch: `["a:5"]` → `{"a": 5}`."""
    return {epoch: int(seq) for epoch, _, seq in (text.partition(":") for text in cursors)}


def position_at(moment: datetime) -> int:
    """Return the last position of the journal that was taken in by a moment of our clock."""
    last = select(func.max(Release.position)).where(Release.received_at <= moment)
    return db.session.scalar(last) or 0


def cutoff_at(position: int, iss: str) -> tuple[dict[str, str], Counts]:
    """Return the places of our logs at a position, and those of one issuer's chains there."""
    chains = select(Release.channel, Release.epoch, func.max(Release.seq)).where(
        Release.iss == iss, Release.position <= position, Release.channel != LOCAL, ~Release.is_held
    )
    counts: Counts = {}
    for channel, epoch, seq in db.session.execute(chains.group_by(Release.channel, Release.epoch)):
        counts.setdefault(channel, []).append(f"{epoch}:{seq}")
    logs = (
        select(LogItem.channel, Head.epoch, func.max(LogItem.seq))
        .join(Head, Head.name == LogItem.channel)
        .where(LogItem.channel.in_(list(counts)), LogItem.position <= position)
        .group_by(LogItem.channel, Head.epoch)
    )
    rows = db.session.execute(logs)
    return {channel: f"{epoch}:{seq}" for channel, epoch, seq in rows}, counts


def hold(iss: str, kid: str, counts: Counts) -> Iterator[list[Held]]:
    """Take out of sight what an issuer released under a key after the places that count.

    What follows it in the same chain goes with it, for a chain has no gaps. The journal notes at
    its end what was held, so that whoever follows it looks again. In the caller's transaction.
    """
    heads = log.lock_heads([])
    # Also where a snapshot was begun and the chain is not known yet.
    channels = select(Release.channel).where(
        Release.iss == iss, ~Release.is_held, Release.channel != LOCAL
    )
    for channel in sorted(db.session.scalars(channels.distinct())):
        last = places(counts.get(channel, []))
        while first := _first_after(iss, channel, kid, last):  # What was mended stands out of turn.
            _cut_chain(first)
            following = _from(first)
            while rows := _standing_rows(iss, channel, following):
                yield _take_out(rows, heads[JOURNAL])


def sign_again(kid: str, counts: Counts) -> int:
    """Sign anew what we released under a key after the places that count; return how much.

    The payloads stay, and with them digests and chains: only header and signature change. In the
    caller's transaction.
    """
    here, own, done = settings().origin, node_keys(), 0
    channels = select(Chain.channel).where(Chain.iss == here, Chain.channel != LOCAL)
    for channel in db.session.scalars(channels.order_by(Chain.channel)).all():
        after = 0
        while rows := _after(here, channel, places(counts.get(channel, [])), after):
            for row in rows:
                if kid_of(row.header) == kid:
                    signed = own.sign(json.loads(row.payload), RELEASE)
                    row.header, row.signature = signed.header, signed.signature
                    done += 1
            after = rows[-1].position
            db.session.flush()
    return done


def kid_of(header: str) -> str:
    """Return the `kid` in the header of a signed object that was verified."""
    return str(json.loads(header)["kid"])


def _first_after(iss: str, channel: str, kid: str, last: dict[str, int]) -> Release | None:
    after = 0
    while rows := _after(iss, channel, last, after):
        for row in rows:
            if kid_of(row.header) == kid:
                return row
        after = rows[-1].position
    return None


def _after(iss: str, channel: str, last: dict[str, int], position: int) -> Sequence[Release]:
    later = [and_(Release.epoch == epoch, Release.seq > seq) for epoch, seq in last.items()]
    statement = select(Release).where(
        _standing(iss, channel),
        Release.position > position,
        or_(Release.epoch.not_in(list(last)), *later),
    )
    return db.session.scalars(statement.order_by(Release.position).limit(PAGE)).all()


def _standing(iss: str, channel: str) -> ColumnElement[bool]:
    return and_(Release.iss == iss, Release.channel == channel, ~Release.is_held)


def _from(first: Release) -> ColumnElement[bool]:
    """Return the condition for a release and all that follow in its chain."""
    is_later = and_(Release.epoch != first.epoch, Release.position > first.position)
    return or_(and_(Release.epoch == first.epoch, Release.seq >= first.seq), is_later)


def _standing_rows(iss: str, channel: str, following: ColumnElement[bool]) -> Sequence[Any]:
    statement = (
        select(Release, Entry)
        .join(Entry, Entry.digest == Release.entry_digest, isouter=True)
        .where(_standing(iss, channel), following)
        .order_by(Release.position)
        .limit(PAGE)
    )
    return db.session.execute(statement).all()


def _cut_chain(first: Release) -> None:
    """Let the chain end before a release, so that what is signed again follows it."""
    iss, channel = first.iss, first.channel
    db.session.execute(delete(Chain).where(Chain.iss == iss, Chain.channel == channel))
    if first.seq > 1:  # The one before need not be here: a snapshot brings what is live.
        place = (first.epoch, first.seq - 1, json.loads(first.payload)["prev"])
    else:
        before = select(Release).where(_standing(iss, channel), Release.position < first.position)
        last = db.session.scalar(before.order_by(Release.position.desc()).limit(1))
        if last is None:
            return
        place = (last.epoch, last.seq, last.digest)
    epoch, seq, digest = place
    db.session.add(Chain(iss=iss, channel=channel, epoch=epoch, seq=seq, digest=digest))
    db.session.flush()


def _take_out(rows: Sequence[Any], journal: Head) -> list[Held]:
    """Mark releases as held, note them at the journal's end, and undo what followed from them."""
    now, notes, held = clock.now(), [], []
    for release, entry in rows:
        journal.seq += 1
        names = [column.name for column in Release.__table__.columns]
        copied = {name: getattr(release, name) for name in names}
        notes.append(copied | {"position": journal.seq, "received_at": now, "is_held": True})
        held.append(_held(release, entry, journal.seq, now))
    positions = [release.position for release, _ in rows]
    db.session.execute(update(Release).where(Release.position.in_(positions)).values(is_held=True))
    db.session.execute(db.insert(Release), notes)
    first = rows[0][0]
    _undo(first.iss, first.channel, {release.entry_id for release, _ in rows})
    _forget_entries({release.entry_digest for release, _ in rows})
    return held


def _held(release: Release, entry: Entry | None, at: int, now: datetime) -> Held:
    iat = json.loads(release.payload)["iat"]
    change = Change(at, release.origin, release.entry_id, release.channel, "retract", iat, now)
    text = entry and entry.payload
    signed = Signed(release.header, release.payload, release.signature)
    carried = Signed(entry.header, text, entry.signature) if entry and text else None
    return Held(change, release.iss, release.seq, signed, carried)


def _undo(iss: str, channel: str, entry_ids: Collection[str]) -> None:
    """Let the last release that still stands decide over each of these entries."""
    mine = and_(Live.iss == iss, Live.channel == channel, Live.entry_id.in_(entry_ids))
    db.session.execute(delete(Live).where(mine).execution_options(synchronize_session=False))
    last = (
        select(func.max(Release.position))
        .where(_standing(iss, channel), Release.entry_id.in_(entry_ids))
        .group_by(Release.origin, Release.entry_id)
    )
    rows = db.session.execute(
        select(Release.__table__).where(Release.position.in_(last)).order_by(Release.position)
    )
    move_live([dict(row) for row in rows.mappings()])


def _forget_entries(digests: Collection[str]) -> None:
    """Drop the entries that nothing but held releases carries."""
    stands = exists().where(
        Release.origin == Entry.origin,
        Release.entry_id == Entry.entry_id,
        Release.entry_digest == Entry.digest,
        ~Release.is_held,
    )
    db.session.execute(
        delete(Entry)
        .where(Entry.digest.in_(digests), ~stands)
        .execution_options(synchronize_session=False)
    )
