"""The journal to the index. One process of a node writes it; all others read.

The index keeps the position that it is complete up to, committed together with the documents, and
is followed from there: killed at any line, nothing is lost and nothing doubled, even when an older
copy of the folder is put back. The cursor `search` in the database repeats that position for
others, and is moved afterwards.
"""

import itertools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, select

from hub.cases.models import Document, Feedback, Remark, public_id
from hub.config import Settings, of_this_node
from hub.database import db, transaction
from hub.journal import log
from hub.journal.models import Release
from hub.search import engine as engines
from hub.search import indexing
from hub.search.engine import BrokenIndexError, Engine, Writer
from hub.search.files import follower as files
from hub.search.folder import FOLLOWING, BusyError, Folder, is_up_to_date
from hub.search.progress import Place, begin, finish, keep, unfinished

CURSOR = "search"
PAGE = 500  # Releases for each commit, or documents for each read.
PAGES = 10  # Of documents for each commit of an index that is being built.

Progress = Callable[[int, int], None]  # Documents done, documents in all.


class Unfinished(NamedTuple):
    """An index that is being built."""

    path: Path
    place: Place  # When this process took it up.
    writer: Writer
    is_resumed: bool


class Follower:
    """Brings what is new in the journal into the index."""

    def __init__(self, config: Settings) -> None:
        self.folder = Folder(config.home)
        self.engine = engines.choose(config.search_engine)
        self._lock: int | None = None
        self._path: Path | None = None
        self._writer: Writer | None = None

    def follow(self) -> int:
        """Follow the journal to its end; return the number of releases that were new.

        Builds the index first when it is missing, damaged or of another version.

        :raises BusyError: when another process follows.
        """
        if self._lock is None:
            self._lock = self.folder.lock(FOLLOWING)
        done = 0
        try:
            writer = self._open()
            while writer and (new := _follow_page(writer)):
                done += new
            while writer and _follow_files(writer):
                self.folder.renew()  # The position stays as it was, so nothing else tells them.
        except BrokenIndexError:
            # Deleted or damaged under our hands. The next round finds out and builds another.
            self.folder.suspect()
            self._release()
        return done

    def close(self) -> None:
        """Let go of the index, so that another process may follow."""
        self._release()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _open(self) -> Writer | None:
        """Return the writer of the current index; None while another process builds one."""
        path = self.folder.current()
        if self._writer and path == self._path and not self.folder.take_suspicion():
            return self._writer
        self._release()
        if path is None or not self._is_usable(path):
            try:
                path = build(self.folder, self.engine)
            except BusyError:
                return None
        self._writer = self.engine.open_writer(path)
        self._path = path
        return self._writer

    def _is_usable(self, path: Path) -> bool:
        if not is_up_to_date(path, self.engine) or not self.engine.is_sound(path):
            return False
        reader = self.engine.open_reader(path)
        position = reader.position
        reader.close()
        db.session.rollback()
        return position <= log.position()  # Else the database is older: a backup was restored.

    def _release(self) -> None:
        if self._writer:
            self._writer.close()
        self._writer, self._path = None, None


def follow_once() -> int:
    """Follow the journal of the current application's node to its end.

    :return: the number of releases that were new.
    :raises BusyError: when another process follows.
    """
    return of_this_node(Follower).follow()


def _follow_page(writer: Writer) -> int:
    """Index what the next releases changed; return how many they were."""
    db.session.rollback()  # What was read before is old.
    releases = log.released_after(writer.position, limit=PAGE)
    if not releases:
        return 0
    ids = _documents_of(releases)
    writer.delete(ids)
    # Whatever the releases say, the documents are what follows from them, in one place.
    writer.add(indexing.read(ids))
    position, count = releases[-1].position, len(releases)
    writer.commit(position)
    with transaction():
        log.move_cursor(CURSOR, position)
    return count


def _follow_files(writer: Writer) -> bool:
    """Index what files say that were read after their documents; say whether there were any."""
    db.session.rollback()
    names = files.unindexed()
    if not names:
        return False
    ids = files.documents_naming(names)
    for start in range(0, len(ids), PAGE):
        page = ids[start : start + PAGE]
        writer.delete(page)
        writer.add(indexing.read(page))
    writer.commit(writer.position)
    with transaction():
        files.note_indexed(names)
    return True


def _documents_of(releases: Sequence[Release]) -> list[UUID]:
    """Return the documents that releases change: what they are about, and of an adoption that."""
    ids = {public_id(release.origin, release.entry_id) for release in releases}
    adopted = select(Feedback.document_id).where(
        Feedback.id.in_(ids), Feedback.type == Remark.ADOPTION
    )
    return list(ids.union(db.session.scalars(adopted)))


def build(folder: Folder, engine: Engine, progress: Progress = lambda done, total: None) -> Path:
    """Build an index of all documents beside the current one, and let it take over.

    One that was left unfinished is gone on with. Safe while the node runs: its follower goes on
    with the new index from the position that this one was complete at.

    :return: its folder.
    :raises BusyError: when another process builds one.
    """
    with folder.building():
        db.session.rollback()
        new = _begin(folder, engine)
        _add_all(new, progress)
        new.writer.commit(new.place.position)
        new.writer.close()
        folder.switch_to(new.path)
        finish(new.path)
    with transaction():
        files.index_again(new.place.started_at)
        log.move_cursor(CURSOR, new.place.position)
    return new.path


def _begin(folder: Folder, engine: Engine) -> Unfinished:
    """Return the index that somebody left unfinished, if it is of use, else an empty one."""
    found = unfinished(folder, engine)
    if folder.path.is_dir():
        folder.sweep(but=found[0] if found else None)
    if found:
        try:
            return Unfinished(*found, engine.open_writer(found[0]), is_resumed=True)
        except BrokenIndexError:
            folder.sweep()
    place = begin()  # Before the documents are read: what changes meanwhile comes again.
    path = folder.new(engine)
    new = Unfinished(path, place, engine.create(path), is_resumed=False)
    keep(path, place)
    return new


def _add_all(index: Unfinished, progress: Progress) -> None:
    """Add all documents from where the index is; committed, and noted, now and then."""
    total = db.session.scalar(
        select(func.count()).select_from(Document).where(Document.audience.is_not(None))
    )
    writer, place = index.writer, index.place
    for number in itertools.count(1):
        db.session.rollback()  # A long read would keep the database from tidying up.
        page = indexing.visible().order_by(Document.id).limit(PAGE)
        left = page.where(Document.id > place.last) if place.last else page
        rows = db.session.execute(left).all()
        if not rows:
            return
        if index.is_resumed and number <= PAGES:
            writer.delete([row.id for row in rows])  # Committed, perhaps, and not noted.
        writer.add(indexing.prepare(rows))
        place = place.after(rows[-1].id, len(rows))
        if number % PAGES == 0:
            writer.commit(place.position)
            keep(index.path, place)
        progress(place.done, max(place.done, total or 0))
