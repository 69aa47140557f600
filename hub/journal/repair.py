"""Making good what was missed or lost: state that follows from what a peer has live.

An ordinary release is the next of its chain, and `journal.log` appends it. What is here comes from
a snapshot or a comparison: it stands anywhere in its chain, may be known already, and never moves a
newer statement of the same issuer. What was known already is noted at the journal's end, like what
is held under a revoked key, so that whoever follows the journal looks again.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, false, func, or_, select

from hub import clock
from hub.database import db, upsert
from hub.journal.models import JOURNAL, PUT, RETRACT, Chain, Change, Head, Live, Release
from hub.journal.storage import Appended, changes_of, drop_texts, insert, move_live
from hub.journal.verification import VerifiedEntry, VerifiedRelease

Taken = tuple[VerifiedRelease, VerifiedEntry | None, int, bool]  # As for `log.append_received`.


@dataclass(frozen=True)
class Standing:
    """What one issuer said last of one entry in a channel, as we have it."""

    iss: str
    origin: str
    entry_id: str
    op: str
    epoch: str | None  # None when its release is lost.
    seq: int
    entry_digest: str

    def yields_to(self, statement: dict[str, Any], chain_epoch: str) -> bool:
        """Say whether a release is at least as new as this.

        The same place counts as new: what was hidden here without a retraction may come back.

        :param chain_epoch: the incarnation of the issuer's log that we follow.
        """
        if self.epoch in {None, statement["epoch"]}:
            return bool(statement["seq"] >= self.seq)
        return bool(statement["epoch"] == chain_epoch)


def is_its_release() -> ColumnElement[bool]:
    """Return the condition under which a release is the one that live state follows from."""
    return and_(
        Release.origin == Live.origin,
        Release.entry_id == Live.entry_id,
        # No index shall serve this: an issuer has many releases, an entry has few.
        func.coalesce(Release.iss, "") == Live.iss,
        Release.channel == Live.channel,
        Release.seq == Live.seq,
        Release.entry_digest == Live.entry_digest,
        ~Release.is_held,
    )


def standings(channel: str, entry_ids: Collection[str]) -> list[Standing]:
    """Return what stands of these entries in a channel, whoever issued it."""
    columns = (Live.iss, Live.origin, Live.entry_id, Live.op)
    statement = (
        select(*columns, Release.epoch, Live.seq, Live.entry_digest)
        .join(Release, is_its_release(), isouter=True)
        .where(Live.channel == channel, Live.entry_id.in_(entry_ids))
    )
    return [Standing(*row) for row in db.session.execute(statement)]


def releases_at(
    channel: str, places: Collection[tuple[str, str, int]]
) -> dict[tuple[str, str, int], str]:
    """Return the releases that stand at these places, issuer, epoch and seq, of their chains."""
    seqs: dict[tuple[str, str], list[int]] = {}
    for iss, epoch, seq in places:
        seqs.setdefault((iss, epoch), []).append(seq)
    # Each chain with all that the index needs: else SQLite reads every release.
    wanted = [
        and_(
            Release.iss == iss,
            Release.channel == channel,
            Release.epoch == epoch,
            Release.seq.in_(named),
            ~Release.is_held,
        )
        for (iss, epoch), named in seqs.items()
    ]
    columns = (Release.iss, Release.epoch, Release.seq, Release.digest)
    statement = select(*columns).where(or_(false(), *wanted))
    rows = db.session.execute(statement)
    return {(row.iss, row.epoch, row.seq): row.digest for row in rows}


def restore(items: Sequence[Taken], heads: dict[str, Head]) -> list[Change]:
    """Put verified releases with their entries in force, wherever they stand in their chains.

    The caller has left out what is older than what stands.

    :param heads: what `log.lock_heads` returned, for the channels of all that is offered on.
    """
    if not items:
        return []
    known = select(Release.digest).where(
        Release.digest.in_([release.signed.digest for release, *_ in items]), ~Release.is_held
    )
    noted = set(db.session.scalars(known))
    appended = [
        Appended(
            release.signed,
            release.statement,
            entry.signed if entry else None,
            entry.document if entry else None,
            via,
            is_offered and release.signed.digest not in noted,
            is_note=release.signed.digest in noted,
        )
        for release, entry, via, is_offered in items
    ]
    rows = insert(appended, heads)
    move_live(rows)
    db.session.flush()
    return changes_of(rows, appended)


def keep(items: Sequence[Taken], heads: dict[str, Head]) -> None:
    """Keep verified releases that are not known here, and let nothing follow; without their texts.

    :param heads: see `restore`.
    """
    appended = [
        Appended(r.signed, r.statement, None, entry.document if entry else None, via, is_offered)
        for r, entry, via, is_offered in items
    ]
    if appended:
        insert(appended, heads)


def move_chains(channel: str, digests: Collection[str]) -> list[tuple[str, int]]:
    """Let chains go on from these releases where that is further on; return issuers and places.

    Into another incarnation a chain goes only by the first release of it, which names the end of
    the one before.
    """
    found = db.session.scalars(
        select(Release)
        .where(Release.digest.in_(digests), Release.channel == channel, ~Release.is_held)
        .order_by(Release.position)
    ).all()
    issuers = {release.iss for release in found}
    rows = db.session.scalars(select(Chain).where(Chain.channel == channel, Chain.iss.in_(issuers)))
    ends = {chain.iss: (chain.epoch, chain.seq) for chain in rows}
    moved = {}
    for release in found:
        if _goes_on(release, ends.get(release.iss)):
            ends[release.iss] = (release.epoch, release.seq)
            moved[release.iss] = release
    names = ("iss", "channel", "epoch", "seq", "digest")
    chains = [{name: getattr(release, name) for name in names} for release in moved.values()]
    upsert(Chain, chains, keys=("iss", "channel"))
    return [(release.iss, release.seq) for release in moved.values()]


def hide(
    channel: str, stale: Iterable[tuple[str, str, str, int]], heads: dict[str, Head]
) -> list[Change]:
    """Take out of a channel what its issuer no longer offers there, as if it were retracted.

    What has changed since it was looked at stays. There is no retraction to pass on: those who
    read our log find out by comparing too.

    :param stale: issuer, origin, id and the seq that stood.
    """
    wanted = {(iss, origin, entry_id): seq for iss, origin, entry_id, seq in stale}
    entry_ids = sorted({entry_id for _, _, entry_id in wanted})
    rows = db.session.scalars(
        select(Live)
        .where(Live.channel == channel, Live.entry_id.in_(entry_ids), Live.op == PUT)
        .order_by(Live.iss, Live.origin, Live.entry_id)
        .execution_options(populate_existing=True)
    )
    notes = []
    for live in rows:
        if wanted.get((live.iss, live.origin, live.entry_id)) == live.seq:
            live.op = RETRACT
            heads[JOURNAL].seq += 1
            notes.append(_note(live, heads[JOURNAL].seq))
    db.session.flush()
    if notes:
        db.session.execute(db.insert(Release), notes)
        db.session.execute(drop_texts(entry_ids))
    now = clock.timestamp()
    return [
        Change(n["position"], n["origin"], n["entry_id"], channel, RETRACT, now, n["received_at"])
        for n in notes
    ]


def _note(live: Live, position: int) -> dict[str, Any]:
    """Return the row that tells followers to look again; the release itself may be lost."""
    names = ("iss", "channel", "seq", "op", "origin", "entry_id", "rev", "entry_digest")
    empty = dict.fromkeys(("digest", "epoch", "header", "payload", "signature"), "")
    place = {"position": position, "received_at": clock.now(), "is_held": True}
    return {name: getattr(live, name) for name in names} | empty | place


def _goes_on(release: Release, end: tuple[str, int] | None) -> bool:
    if end is None:
        return True
    epoch, seq = end
    if release.epoch == epoch:
        return release.seq > seq
    after = json.loads(release.payload).get("after") if release.seq == 1 else None
    if not isinstance(after, dict) or type(after.get("seq")) is not int:
        return False
    return after.get("epoch") == epoch and bool(after["seq"] >= seq)
