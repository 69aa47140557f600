"""Writing releases into the journal's tables, and all that follows from them.

Only `journal.log`, `journal.holding` and `journal.repair` call this: their callers hold the locks.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Update, exists, func, select, update

from hub import clock
from hub.database import db, upsert
from hub.journal.attachments import keep_names
from hub.journal.models import JOURNAL, PUT, Chain, Change, Entry, Head, Live, LogItem, Release
from hub.journal.signing import Signed
from hub.journal.verification import parent_of


@dataclass(frozen=True)
class Appended:
    """A release and its entry on their way into the journal."""

    release: Signed
    statement: dict[str, Any]
    entry: Signed | None
    document: dict[str, Any] | None
    via: int
    is_offered: bool  # Joins the log that this node offers to the readers of the channel.
    is_note: bool = False  # It stands already: followers shall look at its entry again.


def store(items: Sequence[Appended], heads: dict[str, Head]) -> list[Change]:
    """Insert releases at the next positions, and all that follows from them."""
    if not items:
        return []
    releases = insert(items, heads)
    _move_chains(releases)
    move_live(releases)
    db.session.flush()
    return changes_of(releases, items)


def insert(items: Sequence[Appended], heads: dict[str, Head]) -> list[dict[str, Any]]:
    """Insert releases at the next positions, and nothing that follows; return their rows."""
    now = clock.now()
    write_entries([(i.entry, i.document) for i in items if i.entry and i.document])
    authors = _authors_of(items)
    releases: list[dict[str, Any]] = []
    offered: list[dict[str, Any]] = []
    for item in items:
        heads[JOURNAL].seq += 1
        releases.append(_release_row(item, authors, heads[JOURNAL].seq, now))
        if item.is_offered:
            head = heads[item.statement["ch"]]
            head.seq += 1
            offered.append(
                {
                    "channel": head.name,
                    "seq": head.seq,
                    "position": heads[JOURNAL].seq,
                    "via": item.via,
                }
            )
    db.session.execute(db.insert(Release), releases)
    if offered:
        db.session.execute(db.insert(LogItem), offered)
    return releases


def changes_of(rows: Sequence[dict[str, Any]], items: Sequence[Appended]) -> list[Change]:
    """Return what these rows of releases mean for whoever shows their entries."""
    return [
        Change(
            position=row["position"],
            origin=row["origin"],
            entry_id=row["entry_id"],
            channel=row["channel"],
            op=row["op"],
            iat=item.statement["iat"],
            received_at=row["received_at"],
        )
        for row, item in zip(rows, items, strict=True)
    ]


def live_children(iss: str, parent_ids: Collection[str]) -> Sequence[Row[Any]]:
    """Return where the children of entries of `iss` are live: parent, channel, and what they are.

    Columns: parent_id, channel, origin, entry_id, rev, entry_digest, type.
    """
    statement: Any = (
        select(
            Entry.parent_id,
            Live.channel,
            Live.origin,
            Live.entry_id,
            Live.rev,
            Live.entry_digest,
            Entry.type,
        )
        .join(Entry, Entry.digest == Live.entry_digest)
        .where(
            Entry.parent_origin == iss,
            Entry.parent_id.in_(parent_ids),
            func.coalesce(Live.iss, "") == iss,  # No index shall serve this: it names many rows.
            Live.op == PUT,
        )
    )
    found: Sequence[Row[Any]] = db.session.execute(statement).all()
    return found


def _authors_of(items: Sequence[Appended]) -> dict[tuple[str, str], str]:
    """Return who wrote the entries that came without their text, if we had them.

    A child is released by its parent's origin, so its release does not say who wrote it.

    :return: digest of the entry and who may release it → its origin.
    """
    digests = {item.statement["digest"] for item in items if item.document is None}
    if not digests:
        return {}
    columns = select(Entry.digest, Entry.origin, Entry.parent_origin)
    rows = db.session.execute(columns.where(Entry.digest.in_(digests)))
    return {(row.digest, row.parent_origin or row.origin): row.origin for row in rows}


def _release_row(
    item: Appended, authors: dict[tuple[str, str], str], at: int, now: datetime
) -> dict[str, Any]:
    statement = item.statement
    author = authors.get((statement["digest"], statement["iss"]), statement["iss"])
    return {
        "position": at,
        "digest": item.release.digest,
        "iss": statement["iss"],
        "epoch": statement["epoch"],
        "channel": statement["ch"],
        "seq": statement["seq"],
        "op": statement["op"],
        "origin": item.document["origin"] if item.document else author,
        "entry_id": statement["id"],
        "rev": statement["rev"],
        "entry_digest": statement["digest"],
        "header": item.release.header,
        "payload": item.release.payload,
        "signature": item.release.signature,
        "received_at": now,
        "is_held": item.is_note,
    }


def write_entries(entries: Sequence[tuple[Signed, dict[str, Any]]]) -> None:
    """Keep entries with their texts; what was dropped of one comes back."""
    rows = {
        entry.digest: {
            "digest": entry.digest,
            "origin": document["origin"],
            "entry_id": document["id"],
            "rev": document["rev"],
            "type": document["type"],
            "header": entry.header,
            "payload": entry.payload,
            "signature": entry.signature,
            "parent_origin": parent[0] if parent else None,
            "parent_id": parent[1] if parent else None,
        }
        for entry, document in entries
        for parent in (parent_of(document),)
    }
    # A text that had been dropped comes back when its entry is released again.
    upsert(Entry, list(rows.values()), keys=("digest",), changing=("payload",))
    keep_names([(entry.digest, document) for entry, document in entries])


def _move_chains(releases: Sequence[dict[str, Any]]) -> None:
    last = {
        (row["iss"], row["channel"]): {
            name: row[name] for name in ("iss", "channel", "epoch", "seq", "digest")
        }
        for row in releases
    }
    upsert(Chain, list(last.values()), keys=("iss", "channel"))


def move_live(releases: Sequence[dict[str, Any]]) -> None:
    """Let the last of these releases decide, for each entry in each channel."""
    names = ("iss", "channel", "origin", "entry_id", "op", "seq", "rev", "entry_digest")
    keys = ("iss", "channel", "origin", "entry_id")
    last = {tuple(row[k] for k in keys): {n: row[n] for n in names} for row in releases}
    upsert(Live, list(last.values()), keys=keys)
    touched = sorted({row["entry_id"] for row in releases if row["rev"] > 1 or row["op"] != PUT})
    for start in range(0, len(touched), 500):
        db.session.execute(drop_texts(touched[start : start + 500]))


def drop_texts(entry_ids: Sequence[str]) -> Update:
    """Forget the text of every entry that no audience may read any longer."""
    is_live = exists().where(Live.entry_digest == Entry.digest, Live.op == PUT)
    return (
        update(Entry)
        .where(Entry.entry_id.in_(entry_ids), Entry.payload.is_not(None), ~is_live)
        .values(payload=None)
        .execution_options(synchronize_session=False)
    )
