"""Building an index of all documents, beside the one that is searched meanwhile.

Killed at any line, it is gone on with: what was added is committed now and then, and noted with
the document that came last.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import func, select

from hub.cases.models import Document
from hub.database import db, transaction
from hub.journal import log
from hub.search import indexing
from hub.search.coordination import Coordination
from hub.search.engine import BrokenIndexError, Writer
from hub.search.files import follower as files
from hub.search.progress import Place, Progress, begin
from hub.search.shelf import Index, Shelf

CURSOR = "search"
PAGE = 500  # Documents for each read.
PAGES = 10  # Of documents for each commit.

Told = Callable[[int, int], None]  # Documents done, documents in all.


@dataclass(frozen=True)
class Unfinished:
    """An index that is being built."""

    index: Index
    place: Place  # When this process took it up.
    writer: Writer
    is_resumed: bool


def build(shelf: Shelf, coordination: Coordination, tell: Told = lambda done, total: None) -> Index:
    """Build an index of all documents beside the current one, and let it take over.

    One that was left unfinished is gone on with. Safe while the node runs: its follower goes on
    with the new index from the position that this one was complete at.

    :return: the index.
    :raises BusyError: when another process builds one.
    :raises SearchDownError: when it is kept on a server that does not answer.
    """
    progress = Progress(coordination.home)
    with coordination.building():
        db.session.rollback()
        new = _begin(shelf, progress)
        _add_all(new, progress, tell)
        new.writer.commit(new.place.position)
        new.writer.close()
        shelf.switch_to(new.index)
        progress.finish()
    with transaction():
        files.index_again(new.place.started_at)
        log.move_cursor(CURSOR, new.place.position)
    return new.index


def _begin(shelf: Shelf, progress: Progress) -> Unfinished:
    """Return the index that somebody left unfinished, if it is of use, else an empty one."""
    found = progress.unfinished(shelf)
    shelf.sweep(but=found[0] if found else None)
    if found:
        try:
            return Unfinished(*found, found[0].open_writer(), is_resumed=True)
        except BrokenIndexError:
            shelf.sweep()
    place = begin()  # Before the documents are read: what changes meanwhile comes again.
    index = shelf.new()
    new = Unfinished(index, place, index.create(), is_resumed=False)
    progress.keep(index, place)
    return new


def _add_all(new: Unfinished, progress: Progress, tell: Told) -> None:
    """Add all documents from where the index is; committed, and noted, now and then."""
    total = db.session.scalar(select(func.count()).select_from(Document).where(indexing.belongs()))
    writer, place = new.writer, new.place
    for number in itertools.count(1):
        db.session.rollback()  # A long read would keep the database from tidying up.
        page = indexing.indexed().order_by(Document.id).limit(PAGE)
        left = page.where(Document.id > place.last) if place.last else page
        rows = db.session.execute(left).all()
        if not rows:
            return
        if new.is_resumed and number <= PAGES:
            writer.delete([row.id for row in rows])  # Committed, perhaps, and not noted.
        writer.add(indexing.prepare(rows))
        place = place.after(rows[-1].id, len(rows))
        if number % PAGES == 0:
            writer.commit(place.position)
            progress.keep(new.index, place)
        tell(place.done, max(place.done, total or 0))
