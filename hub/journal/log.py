"""Appending to the journal, and following it.

Appending is serial: the heads of the logs are locked last, in the order of their names, and the
numbers given out under the lock. A reader that asks for what follows n therefore never steps over
a commit that is still under way (docs/federation.md, Rules).
"""

import secrets
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import select

from hub import clock
from hub.config import settings
from hub.database import db, insert_missing, upsert
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
from hub.journal.signing import ENTRY, RELEASE, Signed, node_keys
from hub.journal.storage import Appended, store, write_entries
from hub.journal.verification import VerifiedEntry, VerifiedRelease


def publish(
    *,
    type: str,  # noqa: A002 - the protocol's word
    entry_id: str,
    rev: int,
    title: str,
    body: str,
    fields: dict[str, Any],
    channels: Collection[str],
    lang: str = "zh-CN",
) -> list[Change]:
    """Sign a revision and release it to exactly these channels, leaving all others.

    The caller owns the transaction and hands the changes to whoever shows them.
    """
    document = {
        "v": 1,
        "type": type,
        "id": entry_id,
        "rev": rev,
        "origin": settings().origin,
        "prev": _digest_before(entry_id, rev),
        "created": clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        "lang": lang,
        "title": title,
        "body": body,
        "fields": fields,
        "attachments": [],
    }
    entry = node_keys().sign(document, ENTRY)
    lost = _channels_of(entry_id) - set(channels)
    return _issue(document, entry.digest, put=set(channels), lost=lost, entry=entry)


def readdress(entry_id: str, channels: Collection[str]) -> list[Change]:
    """Release the current revision to exactly these channels; none of them withdraws it.

    Where the channels stay the same it is released again, so that every follower looks again:
    what a unit keeps to itself and what its node may read share one channel.
    """
    entry = _newest(entry_id)
    wanted, held = set(channels), _channels_of(entry_id)
    document = {"id": entry_id, "rev": entry.rev, "origin": entry.origin, "type": entry.type}
    put = wanted if wanted == held else wanted - held
    return _issue(document, entry.digest, put=put, lost=held - wanted)


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


def position() -> int:
    """Return the last position of the journal; 0 when nothing was ever published."""
    return db.session.scalar(select(Head.seq).where(Head.name == JOURNAL)) or 0


def released_after(cursor: int, *, limit: int = 500) -> Sequence[Release]:
    """Return the releases that follow the cursor, oldest first.

    :param limit: most releases to return; a short page means "caught up".
    """
    statement = select(Release).where(Release.position > cursor).order_by(Release.position)
    return db.session.scalars(statement.limit(limit)).all()


def read_cursor(name: str) -> str | None:
    """Return the last place that a follower has handled; None before its first."""
    return db.session.scalar(select(Cursor.value).where(Cursor.name == name))


def move_cursor(name: str, value: str | int) -> None:
    """Remember the last place that a follower has handled, in the caller's transaction."""
    row = {"name": name, "value": str(value), "moved_at": clock.now()}
    upsert(Cursor, [row], keys=("name",))


def drop_cursor(name: str) -> None:
    """Forget a follower's place: it begins again from the start."""
    db.session.execute(db.delete(Cursor).where(Cursor.name == name))


def _digest_before(entry_id: str, rev: int) -> str | None:
    statement = (
        select(Entry.digest)
        .where(Entry.origin == settings().origin, Entry.entry_id == entry_id, Entry.rev < rev)
        .order_by(Entry.rev.desc())
    )
    return db.session.scalar(statement.limit(1))


def _channels_of(entry_id: str) -> set[str]:
    """Return the channels in which our own entry is live."""
    here = settings().origin
    statement = select(Live.channel).where(
        Live.iss == here, Live.origin == here, Live.entry_id == entry_id, Live.op == PUT
    )
    return set(db.session.scalars(statement))


def _newest(entry_id: str) -> Entry:
    statement = select(Entry).where(Entry.origin == settings().origin, Entry.entry_id == entry_id)
    return db.session.scalars(statement.order_by(Entry.rev.desc()).limit(1)).one()


def _issue(
    document: dict[str, Any],
    digest: str,
    *,
    put: set[str],
    lost: set[str],
    entry: Signed | None = None,
) -> list[Change]:
    """Write one release for each channel that gains or loses the entry, heads locked last."""
    channels = sorted(put | lost)
    if entry:
        write_entries([(entry, document)])
    heads = lock_heads([channel for channel in channels if channel != LOCAL])
    chains = chains_of(settings().origin, channels)
    appended = []
    for channel in channels:
        op = PUT if channel in put else RETRACT
        statement = _statement(channel, op, document, digest, chains.get(channel))
        release = node_keys().sign(statement, RELEASE)
        appended.append(Appended(release, statement, None, document, 0, channel != LOCAL))
    return store(appended, heads)


def _statement(
    channel: str, op: str, document: dict[str, Any], digest: str, chain: Chain | None
) -> dict[str, Any]:
    return {
        "v": 1,
        "iss": settings().origin,
        "epoch": chain.epoch if chain else secrets.token_hex(4),
        "ch": channel,
        "seq": chain.seq + 1 if chain else 1,
        "prev": chain.digest if chain else None,
        "op": op,
        "id": document["id"],
        "rev": document["rev"],
        "digest": digest,
        "relay": [channel],
        "iat": clock.timestamp(),
    }


def chains_of(iss: str, channels: Collection[str]) -> dict[str, Chain]:
    """Return the last release of one issuer in each of these channels."""
    statement = select(Chain).where(Chain.iss == iss, Chain.channel.in_(channels))
    rows = db.session.scalars(statement.execution_options(populate_existing=True))
    return {chain.channel: chain for chain in rows}
