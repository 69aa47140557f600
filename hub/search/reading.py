"""The index as web processes see it: opened when first needed, newest at each search."""

import threading

from hub.config import Settings
from hub.search.coordination import Coordination
from hub.search.engine import BrokenIndexError, Found, Reader, Request
from hub.search.shelf import Index
from hub.search.shelves import shelf_of

KEPT = 256  # Answers of the index that a process keeps for as long as the index stands.


class OpenIndex:
    """The current index of one node, opened in this process."""

    def __init__(self, config: Settings) -> None:
        self.shelf = shelf_of(config)
        self._coordination = Coordination(config.home)
        self._lock = threading.Lock()
        self._reader: Reader | None = None
        self._stamp: object = None
        self._kept: dict[Request, Found] = {}
        self._kept_at: tuple[Reader, int] | None = None

    def newest(self) -> Reader | None:
        """Return the index as last committed; None while there is none.

        Costs two looks at the file system when nothing has changed, or two questions to a cluster.

        :raises BrokenIndexError: when its files are damaged.
        :raises SearchDownError: when it is on a server that does not answer.
        """
        stamp = self.shelf.stamp()
        if stamp is None:
            return None
        if stamp != self._stamp:
            self._open(stamp)
        if self._reader:
            self._reader.refresh()
        return self._reader

    def search(self, reader: Reader, request: Request) -> Found:
        """Ask the index, or remember what it answered: until it changes it says the same.

        What is remembered are ids and counts. The database decides about them each time.

        :raises BrokenIndexError: when its files are damaged.
        :raises SearchDownError: when it is on a server that does not answer.
        """
        kept = self._kept
        if self._kept_at != (reader, reader.position) or len(kept) >= KEPT:
            kept = self._kept = {}
            self._kept_at = (reader, reader.position)
        found = kept.get(request)
        if found is None:
            found = reader.search(request)
            if found.position == reader.position:
                kept[request] = found
        return found

    def give_up(self) -> None:
        """Drop an index that failed, and ask the follower to look at it."""
        self._coordination.suspect()
        with self._lock:
            self._reader, self._stamp = None, None

    def _open(self, stamp: object) -> None:
        with self._lock:
            if stamp == self._stamp:
                return  # Another thread was first.
            index = self.shelf.current()
            self._reader = _open_reader(index) if index else None
            self._stamp = stamp


def _open_reader(index: Index) -> Reader | None:
    try:
        return index.open_reader()
    except BrokenIndexError:
        if index.exists():
            raise
        return None  # Replaced while we looked; the next search finds the other.
