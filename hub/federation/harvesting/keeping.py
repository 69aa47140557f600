"""From the items of a source to entries of ours in `local`: signed by this node, for itself alone.

Every function works in the caller's transaction and locks the source first, so that two harvests of
one source, and a person who removes something meanwhile, wait for each other.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from hashlib import sha256
from itertools import islice
from uuid import NAMESPACE_URL, UUID, uuid5

from sqlalchemy import func, select

from hub import clock
from hub.cases.models import Kind, public_id
from hub.cases.service import receive
from hub.config import settings
from hub.database import db
from hub.errors import NotFoundError
from hub.federation.harvesting import texts
from hub.federation.harvesting.errors import StoppedError, TooManyItemsError
from hub.federation.harvesting.models import Harvested, Source, SourceState, Standing
from hub.federation.harvesting.records import Record
from hub.journal import log
from hub.journal.models import LOCAL, PUT, Live

BATCH = 500  # Entries of one statement.
MOST_ITEMS = 100_000  # Of one source, those that are gone included.
TENTH = 10


def lock(source_id: UUID) -> Source:
    """Return a source that is not removed, locked until the transaction ends.

    :raises NotFoundError: when there is none.
    """
    statement = select(Source).where(Source.id == source_id).with_for_update()
    found = db.session.scalar(statement.execution_options(populate_existing=True))
    if found is None or found.state == SourceState.REMOVED:
        raise NotFoundError
    return found


def take(source_id: UUID, records: Iterable[Record]) -> bool:
    """Show, change or hide what these items are about; False when nothing in them was new.

    An item that is here unchanged is left as it is, and so is one that a person removed.

    :raises StoppedError: when the source was paused or removed.
    :raises TooManyItemsError: when it would be more than are kept of one source.
    """
    source = lock(source_id)
    if source.state != SourceState.LIVE:
        raise StoppedError
    told = {record.identifier: record for record in records}
    known = _known(source_id, told)
    _check_room(source_id, len(told) - len(known))
    publications = []
    gone = []
    for record in told.values():
        row = known.get(record.identifier)
        if record.is_deleted:
            gone += [row] if row and row.state == Standing.SHOWN else []
        elif publication := _publication(source, record, row):
            publications.append(publication)
    db.session.flush()
    receive(log.publish_all(publications))
    retract(gone)
    return bool(publications or gone)


def retract(rows: Sequence[Harvested], standing: Standing = Standing.GONE) -> None:
    """Hide what some items became; a tombstone without text stays of each."""
    for start in range(0, len(rows), BATCH):
        part = {row.entry_id: row for row in rows[start : start + BATCH]}
        live = select(Live.entry_id, Live.rev, Live.entry_digest).where(
            Live.iss == settings().origin,
            Live.channel == LOCAL,
            Live.entry_id.in_(part),
            Live.op == PUT,
        )
        turns = []
        for found in db.session.execute(live):
            about = {"id": found.entry_id, "rev": found.rev, "origin": settings().origin}
            document = about | {"type": Kind.CASE.value}
            turns.append(log.Turn(document, found.entry_digest, (), {LOCAL}))
        for row in part.values():
            row.state, row.missing_at = standing, None
        receive(log.issue(turns))
    db.session.flush()


def compare(source_id: UUID, present: Collection[str], since: datetime) -> int:
    """Hide the items that are no longer among all that a source has.

    Where that were more than a tenth, none is hidden: they are marked, for a person to decide.

    :param since: when the comparison began; what was seen later is there.
    :returns: how many were marked.
    """
    lock(source_id)
    rows = shown(source_id)
    lost = [row for row in rows if row.identifier not in present and row.seen_at < since]
    for row in rows:
        row.missing_at = None
    if len(lost) * TENTH <= len(rows):
        retract(lost)
        return 0
    for row in lost:
        row.missing_at = since
    db.session.flush()
    return len(lost)


def missing(source_id: UUID) -> list[Harvested]:
    """Return what the last comparison did not find and left to a person."""
    return [row for row in shown(source_id) if row.missing_at]


def shown(source_id: UUID) -> Sequence[Harvested]:
    """Return the items of a source that readers see."""
    statement = select(Harvested).where(
        Harvested.source_id == source_id, Harvested.state == Standing.SHOWN
    )
    return db.session.scalars(statement.order_by(Harvested.identifier)).all()


def counts() -> dict[UUID, tuple[int, int]]:
    """Return how many items of each source readers see, and how many of these are missing there."""
    columns = (Harvested.source_id, func.count(), func.count(Harvested.missing_at))
    statement = select(*columns).where(Harvested.state == Standing.SHOWN)
    rows = db.session.execute(statement.group_by(Harvested.source_id))
    return {source_id: (number, lost) for source_id, number, lost in rows}


def _check_room(source_id: UUID, more: int) -> None:
    statement = select(func.count()).where(Harvested.source_id == source_id)
    if more and (db.session.scalar(statement) or 0) + more > MOST_ITEMS:
        raise TooManyItemsError(MOST_ITEMS)


def _known(source_id: UUID, names: Iterable[str]) -> dict[str, Harvested]:
    found: dict[str, Harvested] = {}
    rest = iter(names)
    while part := list(islice(rest, BATCH)):
        statement = select(Harvested).where(
            Harvested.source_id == source_id, Harvested.identifier.in_(part)
        )
        found |= {row.identifier: row for row in db.session.scalars(statement)}
    return found


def _publication(source: Source, record: Record, row: Harvested | None) -> log.Publication | None:
    """Note what came of an item, and return the entry that readers shall see; None if none."""
    shaped = texts.shape(record, source.name)
    content = json.dumps(shaped, sort_keys=True, ensure_ascii=False)
    digest, now = sha256(content.encode()).hexdigest(), clock.now()
    if row is None:
        entry_id = str(uuid5(NAMESPACE_URL, f"{source.id} {record.identifier}"))
        row = Harvested(
            source_id=source.id,
            identifier=record.identifier,
            document_id=public_id(settings().origin, entry_id),
            entry_id=entry_id,
            rev=0,
            state=Standing.GONE,
            digest="",
        )
        db.session.add(row)
    is_new = row.state == Standing.GONE or (row.state == Standing.SHOWN and row.digest != digest)
    row.datestamp, row.seen_at, row.missing_at = record.datestamp, now, None
    if not is_new:
        return None
    row.rev, row.digest, row.state = row.rev + 1, digest, Standing.SHOWN
    return log.Publication(
        type=Kind.CASE,
        entry_id=row.entry_id,
        rev=row.rev,
        channels=(LOCAL,),
        **shaped,
    )
