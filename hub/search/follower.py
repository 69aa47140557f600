"""The journal to the index. One process of a node writes it; all others read.

The index keeps the position that it is complete up to, committed together with the documents, and
is followed from there: killed at any line, nothing is lost and nothing doubled, even when an older
copy of the folder is put back. The cursor `search` in the database repeats that position for
others, and is moved afterwards.
"""

import os
from collections.abc import Sequence
from uuid import UUID

import structlog
from sqlalchemy import select

from hub.cases.models import Feedback, Remark, public_id
from hub.cases.service import documents_naming
from hub.config import Settings, of_this_node
from hub.database import db, transaction
from hub.journal import log
from hub.journal.models import Release
from hub.search import indexing
from hub.search.building import CURSOR, build
from hub.search.coordination import FOLLOWING, BusyError, Coordination
from hub.search.engine import BrokenIndexError, SearchDownError, Writer
from hub.search.files import follower as files
from hub.search.shelf import Index
from hub.search.shelves import shelf_of

logger = structlog.get_logger()

PAGE = 500  # Releases for each commit, or documents for each read.


class Follower:
    """Brings what is new in the journal into the index."""

    def __init__(self, config: Settings) -> None:
        self.shelf = shelf_of(config)
        self.coordination = Coordination(config.home)
        self._lock: int | None = None
        self._name = ""  # Of the index that is written.
        self._writer: Writer | None = None

    def follow(self) -> int:
        """Follow the journal to its end; return the number of releases that were new.

        Builds the index first when it is missing, damaged or of another version.

        :raises BusyError: when another process follows.
        """
        if self._lock is None:
            self._lock = self.coordination.lock(FOLLOWING)
        done = 0
        try:
            writer = self._open()
            while writer and (new := _follow_page(writer)):
                done += new
            while writer and _follow_files(writer):
                self.shelf.renew()  # The position stays as it was, so nothing else tells them.
        except BrokenIndexError:
            # Deleted or damaged under our hands. The next round finds out and builds another.
            self.coordination.suspect()
            self._release()
        except SearchDownError as error:
            # What was not committed is made once more when the server is back.
            if error.__cause__ is not None:  # Else it was not asked, having failed just before.
                logger.warning("index not written", reason=str(error.__cause__))
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
        index: Index | None = self.shelf.current()
        is_same = index is not None and index.name == self._name
        if self._writer and is_same and not self.coordination.take_suspicion():
            return self._writer
        self._release()
        if index is None or not self._is_usable(index):
            try:
                index = build(self.shelf, self.coordination)
            except BusyError:
                return None
        self._writer = index.open_writer()
        self._name = index.name
        return self._writer

    def _is_usable(self, index: Index) -> bool:
        if not self.shelf.is_up_to_date(index) or not index.is_sound():
            return False
        reader = index.open_reader()
        position = reader.position
        reader.close()
        db.session.rollback()
        return position <= log.position()  # Else the database is older: a backup was restored.

    def _release(self) -> None:
        if self._writer:
            self._writer.close()
        self._writer, self._name = None, ""


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
    ids = documents_naming(names)
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
