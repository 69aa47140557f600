"""The journal to the index. One process of a node writes it; all others read.

The index keeps the position that it is complete up to, committed together with the documents, and
is followed from there: killed at any line, nothing is lost and nothing doubled, even when an older
copy of the folder is put back. The cursor `search` in the database repeats that position for
others, and is moved afterwards.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
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
from hub.search.folder import FOLLOWING, BusyError, Folder, is_up_to_date

CURSOR = "search"
PAGE = 500  # Releases or documents for each commit, or each read.

Progress = Callable[[int, int], None]  # Documents done, documents in all.


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


def _documents_of(releases: Sequence[Release]) -> list[UUID]:
    """Return the documents that releases change: what they are about, and of an adoption that."""
    ids = {public_id(release.origin, release.entry_id) for release in releases}
    adopted = select(Feedback.document_id).where(
        Feedback.id.in_(ids), Feedback.type == Remark.ADOPTION
    )
    return list(ids.union(db.session.scalars(adopted)))


def build(folder: Folder, engine: Engine, progress: Progress = lambda done, total: None) -> Path:
    """Build an index of all documents beside the current one, and let it take over.

    Safe while the node runs: its follower goes on with the new index from the position that this
    one was complete at.

    :return: its folder.
    :raises BusyError: when another process builds one.
    """
    with folder.building():
        if folder.path.is_dir():
            folder.sweep()
        db.session.rollback()
        position = log.position()  # Before the documents: what changes meanwhile comes again.
        path = folder.new(engine)
        writer = engine.create(path)
        _add_all(writer, progress)
        writer.commit(position)
        writer.close()
        folder.switch_to(path)
    with transaction():
        log.move_cursor(CURSOR, position)
    return path


def _add_all(writer: Writer, progress: Progress) -> None:
    total = db.session.scalar(
        select(func.count()).select_from(Document).where(Document.audience.is_not(None))
    )
    done, last = 0, None
    while True:
        db.session.rollback()  # A long read would keep the database from tidying up.
        page = indexing.visible().order_by(Document.id).limit(PAGE)
        rows = db.session.execute(page.where(Document.id > last) if last else page).all()
        if not rows:
            return
        writer.add(indexing.prepare(rows))
        done, last = done + len(rows), rows[-1].id
        progress(done, max(done, total or 0))
