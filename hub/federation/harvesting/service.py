"""What people decide about sources and about what was harvested from them."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select

from hub import clock
from hub.audit.service import record
from hub.cases.content import clean_text
from hub.cases.errors import IncompleteError
from hub.cases.models import Document
from hub.database import db
from hub.errors import ForbiddenError, NotFoundError
from hub.federation.harvesting import feeds, keeping, oai
from hub.federation.harvesting.errors import KnownSourceError, OtherNumberError
from hub.federation.harvesting.fetching import Fetcher
from hub.federation.harvesting.models import (
    Harvested,
    Source,
    SourceKind,
    SourceState,
    Standing,
)
from hub.federation.harvesting.records import Page
from hub.identity.models import Actor, Role

TRIAL = 10.0  # Seconds that a page waits for each answer of a source.
REMOVERS = (Role.ADMINISTRATOR, Role.BRANCH_SECRETARY)
REASON = 500


@dataclass(frozen=True)
class Offer:
    """What somebody wants to have harvested."""

    kind: SourceKind
    url: str
    set_name: str
    name: str
    interval: int  # Minutes.


@dataclass(frozen=True)
class Shown:
    """A source, and how it stands."""

    source: Source
    items: int  # That readers see.
    missing: int  # Of these, no longer at the source, and left to a person.

    @property
    def trouble(self) -> str | None:
        """Return the stable code of what somebody should look at."""
        if self.source.failure:
            return self.source.failure.partition(":")[0]
        return "vanishing" if self.missing else None


def sources() -> list[Shown]:
    """Return all sources that are not removed, by name."""
    rows = db.session.scalars(
        select(Source).where(Source.state != SourceState.REMOVED).order_by(Source.name, Source.url)
    )
    numbers = keeping.counts()
    return [Shown(row, *numbers.get(row.id, (0, 0))) for row in rows]


def find(source_id: UUID) -> Shown:
    """Return a source.

    :raises NotFoundError: when there is none, or none any more.
    """
    row = db.session.get(Source, source_id)
    if row is None or row.state == SourceState.REMOVED:
        raise NotFoundError
    return Shown(row, *keeping.counts().get(row.id, (0, 0)))


def attempt(kind: SourceKind, url: str, set_name: str) -> tuple[str, Page]:
    """Ask a source once; return what it calls itself and the first items that it shows.

    Makes requests, so no transaction may be open.

    :raises HubError: whatever would be wrong at a harvest.
    """
    fetcher = Fetcher(url, timeout=TRIAL)
    if kind == SourceKind.FEED:
        document = feeds.read(fetcher.fetch(url), url)
        return document.name, document.page
    repository = oai.Repository(fetcher)
    described = repository.described()
    pages = repository.pages(set_name, None, in_seconds=described.counts_seconds)
    return described.name, next(pages, Page(()))


def add(offer: Offer, *, actor_id: UUID | None = None) -> Source:
    """Have a source harvested from now on; one that was removed comes back as it was.

    :raises KnownSourceError: when it is harvested already.
    """
    same = (Source.url == offer.url, Source.set_name == offer.set_name)
    source = db.session.scalar(select(Source).where(*same).with_for_update())
    if source is not None and source.state != SourceState.REMOVED:
        raise KnownSourceError(source.name)
    now = clock.now()
    if source is None:
        source = Source(url=offer.url, set_name=offer.set_name, created_at=now)
        db.session.add(source)
    source.kind, source.name, source.interval = offer.kind, offer.name, offer.interval
    source.state, source.due_at, source.swept_at = SourceState.LIVE, now, now
    source.reached, source.is_partial, source.unreadable = None, False, 0
    source.failure = source.failing_since = source.succeeded_at = None
    db.session.flush()
    record("source.added", actor_id=actor_id, subject=str(source.id), url=offer.url)
    return source


def pause(source_id: UUID, *, actor_id: UUID | None = None) -> None:
    """Ask a source no more; what it has shown stays."""
    keeping.lock(source_id).state = SourceState.PAUSED
    record("source.paused", actor_id=actor_id, subject=str(source_id))


def resume(source_id: UUID, *, actor_id: UUID | None = None) -> None:
    """Go on with a paused source, at once."""
    source = keeping.lock(source_id)
    source.state, source.due_at = SourceState.LIVE, clock.now()
    record("source.resumed", actor_id=actor_id, subject=str(source_id))


def ask_now(source_id: UUID) -> None:
    """Have a source harvested by the follower within seconds."""
    source = keeping.lock(source_id)
    source.due_at = min(source.due_at, clock.now() - timedelta(seconds=1))


def remove(source_id: UUID, *, actor_id: UUID | None = None) -> None:
    """Harvest a source no more, and hide at once all that it has shown."""
    source = keeping.lock(source_id)
    source.state = SourceState.REMOVED
    rows = keeping.shown(source_id)
    keeping.retract(rows)
    record("source.removed", actor_id=actor_id, subject=str(source_id), items=len(rows))


def confirm_missing(source_id: UUID, number: int, *, actor_id: UUID | None = None) -> None:
    """Hide what a sweep did not find, though it was more than a tenth.

    :param number: as many as the person saw.
    :raises OtherNumberError: when it is another number by now.
    """
    keeping.lock(source_id)
    rows = keeping.missing(source_id)
    if len(rows) != number:
        raise OtherNumberError
    keeping.retract(rows)
    record("source.confirmed", actor_id=actor_id, subject=str(source_id), items=number)


def removable(document_id: UUID, actor: Actor) -> Document:
    """Return a harvested document for those who may remove it from this node.

    :raises NotFoundError: when nothing was harvested under this id, or it is gone.
    :raises ForbiddenError: for everybody else.
    """
    if not any(map(actor.holds, REMOVERS)):
        raise ForbiddenError
    document = db.session.get(Document, document_id)
    if document is None or not document.is_harvested or document.audience is None:
        raise NotFoundError
    return document


def withdraw(document_id: UUID, reason: str, actor: Actor) -> None:
    """Remove one harvested document from this node for good: no later harvest brings it back."""
    removable(document_id, actor)
    reason = clean_text(reason, "reason", REASON)
    if not reason:
        raise IncompleteError(["reason"])
    row = _locked(document_id)
    keeping.retract([row], Standing.REMOVED)
    record("harvested.removed", actor_id=actor.person_id, subject=str(document_id), reason=reason)


def _locked(document_id: UUID) -> Harvested:
    """Return an item that readers see, its source locked before it as in a harvest."""
    same = select(Harvested).where(Harvested.document_id == document_id)
    keeping.lock(db.session.scalars(same).one().source_id)
    row = db.session.scalars(same.execution_options(populate_existing=True)).one()
    if row.state != Standing.SHOWN:
        raise NotFoundError
    return row
