"""Keeping the records of the feeds in step with the journal.

A record is stamped by a later transaction than the one that added it, so a datestamp is never
older than the moment from which everybody could see the record: whoever harvests from the time of
their last harvest misses nothing (docs/adr/0013).
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update

from hub import clock
from hub.cases.models import Document, public_id
from hub.cases.service import readable
from hub.config import settings
from hub.database import db, upsert
from hub.federation.feeds.models import PublicRecord
from hub.identity.models import EVERYBODY
from hub.journal import log
from hub.journal.models import PUBLIC, Release

CURSOR = "feeds"


def is_due() -> bool:
    """Say whether the journal has moved on, or a record still lacks its datestamp."""
    unstamped = select(PublicRecord.place).where(PublicRecord.stamped_at.is_(None)).limit(1)
    return _cursor() < log.position() or db.session.scalar(unstamped) is not None


def stamp(limit: int) -> None:
    """Give a datestamp to records that were committed before, in the order of their places.

    Datestamps never run backwards along the places, whatever the clock does.
    """
    unstamped = (
        select(PublicRecord.id)
        .where(PublicRecord.stamped_at.is_(None))
        .order_by(PublicRecord.place)
        .limit(limit)
    )
    found = db.session.scalars(unstamped).all()
    # Only after they were found: what commits in between waits for the next turn.
    now = clock.now().replace(microsecond=0)
    last = db.session.scalar(select(func.max(PublicRecord.stamped_at)))
    statement = update(PublicRecord).where(PublicRecord.id.in_(found))
    db.session.execute(
        statement.values(stamped_at=max(now, last or now)),
        execution_options={"synchronize_session": False},
    )


def take(limit: int) -> None:
    """Move the records of what was released or retracted in `public` to the end.

    A case that was never open to everybody when this looked never becomes a record.
    """
    after = _cursor()
    statement = (
        select(
            Release.position, Release.channel, Release.origin, Release.entry_id, Release.received_at
        )
        .where(Release.position > after)
        .order_by(Release.position)
        .limit(limit)
    )
    releases = db.session.execute(statement).all()
    changed: dict[UUID, datetime] = {}
    for release in releases:
        if release.channel == PUBLIC:
            record_id = public_id(release.origin, release.entry_id)
            changed.pop(record_id, None)  # Its later release decides about its place.
            changed[record_id] = release.received_at
    _place(changed)
    if releases:
        log.move_cursor(CURSOR, releases[-1].position)


def _place(changed: Mapping[UUID, datetime]) -> None:
    words = _words_of_records(changed) | _words_of_documents(changed)
    place = db.session.scalar(select(func.max(PublicRecord.place))) or 0
    rows = []
    for record_id, received_at in changed.items():
        if record_id in words:
            place += 1
            kind, category = words[record_id]
            rows.append(
                {
                    "id": record_id,
                    "place": place,
                    "received_at": received_at.replace(microsecond=0),
                    "stamped_at": None,
                    "kind": kind,
                    "category": category,
                }
            )
    upsert(PublicRecord, rows, keys=("id",))


def _words_of_records(ids: Collection[UUID]) -> dict[UUID, tuple[str, str]]:
    """Return kind and category as they last were in public."""
    table = PublicRecord
    rows = db.session.execute(select(table.id, table.kind, table.category).where(table.id.in_(ids)))
    return {row.id: (row.kind, row.category) for row in rows}


def _words_of_documents(ids: Collection[UUID]) -> dict[UUID, tuple[str, str]]:
    """Return kind and category of what is open to everybody now, and ours to show."""
    statement = select(Document.id, Document.kind, Document.category).where(
        Document.id.in_(ids), readable({EVERYBODY}), _is_ours()
    )
    return {row.id: (row.kind, row.category) for row in db.session.execute(statement)}


def _is_ours() -> Any:
    """Return the condition for cases that are found here: our own, or those of our group's nodes.

    Those of other enterprises are found at their own headquarters.
    """
    config = settings()
    if config.is_headquarters:
        return Document.enterprise == config.enterprise
    return Document.origin == config.origin


def _cursor() -> int:
    return int(log.read_cursor(CURSOR) or 0)
