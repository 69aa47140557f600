"""Appending to the journal, and following it.

Appending is serial: the heads of the logs are locked last, in the order of their names, and the
numbers given out under the lock. A reader that asks for what follows n therefore never steps over
a commit that is still under way (docs/federation.md, Rules).
"""

import secrets
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from hub import clock
from hub.config import settings
from hub.database import connection, db, insert_missing, upsert
from hub.journal import succession
from hub.journal.attachments import Attachment
from hub.journal.models import (
    JOURNAL,
    LOCAL,
    PUT,
    RETRACT,
    Chain,
    Change,
    Cursor,
    Entry,
    Head,
    Live,
    Release,
)
from hub.journal.signing import ENTRY, RELEASE, node_keys
from hub.journal.storage import Appended, live_children, store, write_entries
from hub.journal.verification import VerifiedEntry, VerifiedRelease

_POSITION = select(Head.seq).where(Head.name == JOURNAL)


@dataclass(frozen=True)
class Publication:
    """A revision of an entry of ours, and the channels in which it shall be."""

    type: str
    entry_id: str
    rev: int
    title: str
    body: str
    fields: dict[str, Any]
    channels: Collection[str]
    lang: str = "zh-CN"
    attachments: Sequence[Attachment] = ()


@dataclass(frozen=True)
class Turn:
    """An entry that joins some channels and leaves others."""

    document: dict[str, Any]
    digest: str
    put: Collection[str]
    lost: set[str]


def publish(
    *,
    type: str,  # noqa: A002 - the protocol's word
    entry_id: str,
    rev: int,
    title: str,
    body: str,
    fields: dict[str, Any],
    channels: Collection[str],
) -> list[Change]:
    """Sign a revision and release it to exactly these channels, leaving all others.

    The caller owns the transaction and hands the changes to whoever shows them.
    """
    return publish_all([Publication(type, entry_id, rev, title, body, fields, channels)])


def publish_all(publications: Sequence[Publication]) -> list[Change]:
    """Publish many revisions at the price of little more than one; no entry twice among them."""
    documents = [document_of(publication) for publication in publications]
    entries = [node_keys().sign(document, ENTRY) for document in documents]
    turns = []
    for wanted, document, entry in zip(publications, documents, entries, strict=True):
        # A first revision was nowhere before.
        held = held_channels(wanted.entry_id) if wanted.rev > 1 else set()
        put = set(wanted.channels)
        turns.append(Turn(document, entry.digest, put, held - put))
    write_entries(list(zip(entries, documents, strict=True)))
    return issue(turns)


def readdress(entry_id: str, channels: Collection[str]) -> list[Change]:
    """Release the current revision to exactly these channels; none of them withdraws it.

    Where the channels stay the same it is released again, so that every follower looks again:
    what a unit keeps to itself and what its node may read share one channel.
    """
    entry = _newest(entry_id)
    wanted, held = set(channels), held_channels(entry_id)
    document = {"id": entry_id, "rev": entry.rev, "origin": entry.origin, "type": entry.type}
    put = wanted if wanted == held else wanted - held
    return issue([Turn(document, entry.digest, put, held - wanted)])


def look_again(rows: Iterable[tuple[str, str, int, str, str]]) -> list[Change]:
    """Let every follower look again at entries of others: who may read them has changed here.

    What says so is a retraction in `local`, where they never were: it leaves all other channels as
    they are, and never leaves this node. The caller owns the transaction.

    :param rows: origin, id, revision, type and digest of each entry.
    """
    return issue(
        [
            Turn({"origin": origin, "id": entry_id, "rev": rev, "type": kind}, digest, (), {LOCAL})
            for origin, entry_id, rev, kind, digest in rows
        ]
    )


def append_received(
    items: Iterable[tuple[VerifiedRelease, VerifiedEntry | None, int, bool]],
    heads: dict[str, Head],
) -> list[Change]:
    """Append releases of other nodes, each the next of its issuer's chain, in this order.

    Each item is a release, its entry if it came with one, the nodes it came through, and whether
    this node offers it on.

    :param heads: what `lock_heads` returned, for the channels of all that is offered on.
    """
    return store(
        [
            Appended(
                release.signed,
                release.statement,
                entry.signed if entry else None,
                entry.document if entry else None,
                via,
                is_offered,
            )
            for release, entry, via, is_offered in items
        ],
        heads,
    )


def lock_heads(channels: Collection[str]) -> dict[str, Head]:
    """Lock the heads of the journal and of these channels, in the order of their names."""
    names = sorted({JOURNAL, *channels})
    insert_missing(Head, [{"name": n, "epoch": secrets.token_hex(4), "seq": 0} for n in names])
    statement = select(Head).where(Head.name.in_(names)).order_by(Head.name).with_for_update()
    rows = db.session.scalars(statement.execution_options(populate_existing=True))
    return {head.name: head for head in rows}


def begin_log(head: Head) -> None:
    """Begin the log of a channel anew, at a head that the caller has locked.

    Every cursor in it is gone then, so that its readers take what is live from a snapshot.
    """
    head.epoch, head.floor = secrets.token_hex(4), head.seq


def position() -> int:
    """Return the last position of the journal; 0 when nothing was ever published."""
    return connection().scalar(_POSITION) or 0  # Asked many times a second, also while idle.


def released_after(cursor: int, *, limit: int = 500) -> Sequence[Release]:
    """Return the releases that follow the cursor, oldest first.

    :param limit: most releases to return; a short page means "caught up".
    """
    statement = select(Release).where(Release.position > cursor).order_by(Release.position)
    return db.session.scalars(statement.limit(limit)).all()


def read_cursor(name: str) -> str | None:
    """Return the last place that a follower has handled; None before its first."""
    return db.session.scalar(select(Cursor.value).where(Cursor.name == name))


def read_cursors(names: Collection[str]) -> dict[str, str]:
    """Return the last places that these followers have handled, of those that have begun."""
    rows = db.session.execute(select(Cursor.name, Cursor.value).where(Cursor.name.in_(names)))
    return {row.name: row.value for row in rows}


def move_cursor(name: str, value: object) -> None:
    """Remember the last place that a follower has handled, in the caller's transaction."""
    row = {"name": name, "value": str(value), "moved_at": clock.now()}
    upsert(Cursor, [row], keys=("name",))


def drop_cursor(name: str) -> None:
    """Forget a follower's place: it begins again from the start."""
    db.session.execute(db.delete(Cursor).where(Cursor.name == name))


def reissue(channel: str, entry_ids: Collection[str]) -> list[Change]:
    """Release again what we last said of these entries in a channel, in the order we said it."""
    here = settings().origin
    statement = select(Live).where(
        Live.iss == here, Live.channel == channel, Live.entry_id.in_(entry_ids)
    )
    turns = []
    for live in db.session.scalars(statement.order_by(Live.seq)):
        document = {"id": live.entry_id, "rev": live.rev, "origin": live.origin}
        put, lost = ({channel}, set()) if live.op == PUT else (set(), {channel})
        turns.append(Turn(document, live.entry_digest, put, lost))
    return issue(turns) if turns else []


def _digest_before(entry_id: str, rev: int) -> str | None:
    statement = (
        select(Entry.digest)
        .where(Entry.origin == settings().origin, Entry.entry_id == entry_id, Entry.rev < rev)
        .order_by(Entry.rev.desc())
    )
    return db.session.scalar(statement.limit(1))


def held_channels(entry_id: str, origin: str | None = None) -> set[str]:
    """Return the channels in which we have released an entry, our own unless `origin` is given."""
    here = settings().origin
    statement = select(Live.channel).where(
        Live.iss == here,
        Live.origin == (origin or here),
        Live.entry_id == entry_id,
        Live.op == PUT,
    )
    return set(db.session.scalars(statement))


def _newest(entry_id: str) -> Entry:
    statement = select(Entry).where(Entry.origin == settings().origin, Entry.entry_id == entry_id)
    return db.session.scalars(statement.order_by(Entry.rev.desc()).limit(1)).one()


def issue(turns: Sequence[Turn]) -> list[Change]:
    """Write one release for each channel that gains or loses an entry, heads locked last.

    Children leave a channel with their parent, and come back to none by themselves.
    """
    turns = [*turns, *_children_leaving(turns)]
    channels = {channel for turn in turns for channel in (*turn.put, *turn.lost)}
    heads = lock_heads(channels - {LOCAL})
    successions = succession.take_over(channels)
    chains = chains_of(settings().origin, channels - successions.keys())
    ends = {name: (chain.epoch, chain.seq, chain.digest) for name, chain in chains.items()}
    appended = []
    for turn in turns:
        for channel in sorted({*turn.put, *turn.lost}):
            op = PUT if channel in turn.put else RETRACT
            statement = _statement(channel, op, turn, ends.get(channel))
            if old := successions.pop(channel, None):
                statement["after"] = old
            release = node_keys().sign(statement, RELEASE)
            ends[channel] = (statement["epoch"], statement["seq"], release.digest)
            appended.append(Appended(release, statement, None, turn.document, 0, channel != LOCAL))
    return store(appended, heads)


def _children_leaving(turns: Sequence[Turn]) -> list[Turn]:
    lost = {turn.document["id"]: set(turn.lost) for turn in turns if turn.lost}
    leaving: dict[str, Turn] = {}
    for row in live_children(settings().origin, lost) if lost else ():
        if row.channel in lost[row.parent_id]:
            document = {"id": row.entry_id, "rev": row.rev, "origin": row.origin, "type": row.type}
            turn = Turn(document, row.entry_digest, (), set())
            leaving.setdefault(row.entry_digest, turn).lost.add(row.channel)
    return list(leaving.values())


def document_of(publication: Publication) -> dict[str, Any]:
    """Return the entry of a revision (docs/federation.md, Entry)."""
    entry_id, rev = publication.entry_id, publication.rev
    return {
        "v": 1,
        "type": publication.type,
        "id": entry_id,
        "rev": rev,
        "origin": settings().origin,
        "prev": _digest_before(entry_id, rev) if rev > 1 else None,
        "created": clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        "lang": publication.lang,
        "title": publication.title,
        "body": publication.body,
        "fields": publication.fields,
        "attachments": [file.as_wire() for file in publication.attachments],
    }


def _statement(
    channel: str, op: str, turn: Turn, end: tuple[str, int, str] | None
) -> dict[str, Any]:
    """Return a release that follows the end of its chain: epoch, seq and digest, None if new."""
    epoch, seq, digest = end or (secrets.token_hex(4), 0, None)
    return {
        "v": 1,
        "iss": settings().origin,
        "epoch": epoch,
        "ch": channel,
        "seq": seq + 1,
        "prev": digest,
        "op": op,
        "id": turn.document["id"],
        "rev": turn.document["rev"],
        "digest": turn.digest,
        "relay": [channel],
        "iat": clock.timestamp(),
    }


def chains_of(iss: str, channels: Collection[str]) -> dict[str, Chain]:
    """Return the last release of one issuer in each of these channels."""
    statement = select(Chain).where(Chain.iss == iss, Chain.channel.in_(channels))
    rows = db.session.scalars(statement.execution_options(populate_existing=True))
    return {chain.channel: chain for chain in rows}


def epochs_of(issuers: Collection[str], channel: str) -> dict[str, str]:
    """Return the incarnation of each of these issuers' logs that we follow in a channel."""
    statement = select(Chain.iss, Chain.epoch).where(
        Chain.channel == channel, Chain.iss.in_(issuers)
    )
    return {row.iss: row.epoch for row in db.session.execute(statement)}
