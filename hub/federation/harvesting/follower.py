"""Harvesting what is due: page by page, each in a transaction of its own.

Killed or refused half-way, it begins again from the same place the next time; whatever comes twice
changes nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

import structlog
from sqlalchemy import select

from hub import clock
from hub.audit.service import record
from hub.database import db, transaction
from hub.errors import HubError, NotFoundError
from hub.federation import room
from hub.federation.errors import RefusedError
from hub.federation.harvesting import feeds, keeping, oai
from hub.federation.harvesting.errors import StoppedError
from hub.federation.harvesting.fetching import Fetcher
from hub.federation.harvesting.models import Source, SourceKind, SourceState
from hub.federation.harvesting.records import Page
from hub.federation.health import failure_of

SWEEP = timedelta(days=7)  # Between two comparisons with all that a source has.
RETRY = timedelta(minutes=15)  # After a failure, unless the source says when or is due earlier.

logger = structlog.get_logger()


@dataclass(frozen=True)
class Task:
    """What one harvest has to know of its source; no row is held while requests are made."""

    id: UUID
    url: str
    set_name: str
    reached: datetime | None
    is_partial: bool
    is_sweep: bool
    began: datetime


class Reader(Protocol):
    """What both kinds of source can do."""

    def pages(self) -> Iterator[Page]:
        """Yield what may be new since the last harvest."""

    def goes_on(self, was_new: bool) -> bool:
        """Say whether a page follows that matters, by whether the last one brought anything."""

    def present(self) -> set[str] | None:
        """Return what else is there, once all pages were read; None if nothing says what is not."""

    def reached(self) -> datetime | None:
        """Return the moment up to which all is read now."""


@dataclass
class OaiReader:
    """Reads what changed since the last harvest; where deletions are not told, also all names."""

    task: Task
    repository: oai.Repository
    _names: set[str] | None = None

    def pages(self) -> Iterator[Page]:
        """Yield what changed; see `Reader`."""
        task, described = self.task, self.repository.described()
        if task.is_sweep and not described.keeps_deletions:
            # Before the records: what changes while the names are listed comes again with those.
            self._names = self.repository.identifiers(task.set_name)
        yield from self.repository.pages(
            task.set_name, task.reached, in_seconds=described.counts_seconds
        )

    def goes_on(self, was_new: bool) -> bool:
        """Read the whole list: it holds changes only."""
        return True

    def present(self) -> set[str] | None:
        """Return the names that were listed."""
        return self._names

    def reached(self) -> datetime | None:
        """Return when the repository first answered."""
        return self.repository.answered_at


@dataclass
class FeedReader:
    """Reads the feed, and its archives as far as they bring anything; at a sweep, all of them."""

    task: Task
    fetcher: Fetcher
    _seen: set[str] = field(default_factory=set)
    _is_whole: bool = False

    def pages(self) -> Iterator[Page]:
        """Yield each document without what a newer one told already (RFC 5005, section 4)."""
        has_archives = False
        for document in feeds.documents(self.fetcher):
            fresh = [r for r in document.page.records if r.identifier not in self._seen]
            self._seen.update(r.identifier for r in fresh)
            yield Page(tuple(fresh), document.page.unreadable)
            has_archives |= document.older is not None
            if document.is_complete:
                break
        self._is_whole = has_archives or document.is_complete
        if has_archives and self.task.is_sweep:
            # What changed meanwhile left its archive and stands in front.
            yield feeds.read(self.fetcher.fetch(self.fetcher.url), self.fetcher.url).page

    def goes_on(self, was_new: bool) -> bool:
        """Stop at the first document that is known, unless all shall be read."""
        task = self.task
        return was_new or task.is_partial or task.is_sweep or task.reached is None

    def present(self) -> set[str] | None:
        """Return nothing more than the pages have shown, if they were all."""
        return set() if self._is_whole else None

    def reached(self) -> datetime | None:
        """Return when it began: all that was there has been read once."""
        return self.task.began


def harvest_due() -> bool:
    """Harvest the source that has waited longest; False when none is due."""
    statement = select(Source.id).where(
        Source.state == SourceState.LIVE, Source.due_at <= clock.now()
    )
    source_id = db.session.scalar(statement.order_by(Source.due_at).limit(1))
    db.session.rollback()
    if source_id is None:
        return False
    harvest(source_id)
    return True


def harvest(source_id: UUID) -> HubError | None:
    """Harvest one source now, and return what went wrong; it stands on the source's row too.

    What came before a failure stays. Opens its own transactions, and none while it asks.
    """
    with transaction():
        task, kind = _begin(source_id)
    unreadable = 0
    try:
        reader = _reader(task, kind)
        for page in reader.pages():
            room.check()
            with transaction():
                was_new = keeping.take(source_id, page.records)
            unreadable += page.unreadable
            if not reader.goes_on(was_new):
                break
    except (StoppedError, NotFoundError) as error:
        return error
    except HubError as error:
        db.session.rollback()
        logger.warning("harvest failed", source=task.url, reason=str(error))
        with transaction():
            _fail(source_id, error)
        return error
    with transaction():
        _finish(task, reader, unreadable)
    return None


def _begin(source_id: UUID) -> tuple[Task, str]:
    source, now = keeping.lock(source_id), clock.now()
    task = Task(
        source.id,
        source.url,
        source.set_name,
        source.reached,
        source.is_partial,
        now - source.swept_at >= SWEEP,
        now,
    )
    source.is_partial, source.due_at = True, now + timedelta(minutes=source.interval)
    return task, source.kind


def _reader(task: Task, kind: str) -> Reader:
    fetcher = Fetcher(task.url)
    if kind == SourceKind.OAI:
        return OaiReader(task, oai.Repository(fetcher))
    return FeedReader(task, fetcher)


def _fail(source_id: UUID, error: HubError) -> None:
    source, now = keeping.lock(source_id), clock.now()
    asked = error.retry_after if isinstance(error, RefusedError) else None
    pause = timedelta(seconds=asked) if asked else RETRY
    source.due_at = max(now + pause, min(source.due_at, now + RETRY))
    source.failing_since = source.failing_since or now
    source.failure = failure_of(error)


def _finish(task: Task, reader: Reader, unreadable: int) -> None:
    source = keeping.lock(task.id)
    present = reader.present() if task.is_sweep else None
    if present is not None:
        lost = keeping.compare(task.id, present, task.began)
        if lost:
            logger.warning("items vanish", source=task.url, items=lost)
            record("source.vanishing", actor_id=None, subject=str(task.id), items=lost)
    if task.is_sweep:
        source.swept_at = task.began
    source.reached, source.is_partial = reader.reached(), False
    source.succeeded_at, source.unreadable = clock.now(), unreadable
    source.failing_since = source.failure = None
