"""Entries that speak of another one: signed by their author's node, released by the parent's."""

from collections.abc import Collection
from typing import Any
from uuid import uuid4

from sqlalchemy import select, update

from hub.config import settings
from hub.database import db
from hub.journal.log import Publication, Turn, document_of, held_channels, issue
from hub.journal.models import Change, Entry
from hub.journal.signing import ENTRY, Signed, node_keys
from hub.journal.storage import write_entries


def sign(
    *,
    type: str,  # noqa: A002 - the protocol's word
    parent: tuple[str, str],
    fields: dict[str, Any],
) -> tuple[Signed, dict[str, Any]]:
    """Sign an entry that speaks of another, and return it with its document; release nothing.

    :param parent: origin and id of the entry that it speaks of.
    """
    document = document_of(Publication(type, str(uuid4()), 1, "", "", fields, ()))
    document |= {"parent": {"origin": parent[0], "id": parent[1]}}
    return node_keys().sign(document, ENTRY), document


def keep(entry: Signed, document: dict[str, Any]) -> None:
    """Keep a verified entry until it is decided whether it is released."""
    write_entries([(entry, document)])


def find(digest: str) -> Signed:
    """Return an entry that was kept, as it was signed."""
    entry = db.session.get_one(Entry, digest)
    return Signed(entry.header, entry.payload or "", entry.signature)


def drop(digests: Collection[str]) -> None:
    """Forget the texts of entries that were kept and will not be released."""
    statement = update(Entry).where(Entry.digest.in_(digests)).values(payload=None)
    db.session.execute(statement.execution_options(synchronize_session=False))


def release(origin: str, entry_id: str, channels: Collection[str]) -> list[Change]:
    """Release an entry that speaks of one of ours, as its author signed it, to these channels.

    The one way in which a release carries another node's entry (docs/federation.md, Feedback).
    """
    entry = db.session.scalars(
        select(Entry).where(
            Entry.origin == origin,
            Entry.entry_id == entry_id,
            Entry.parent_origin == settings().origin,
        )
    ).one()
    document = {"id": entry_id, "rev": entry.rev, "origin": origin, "type": entry.type}
    put = set(channels)
    return issue([Turn(document, entry.digest, put, held_channels(entry_id, origin) - put)])
