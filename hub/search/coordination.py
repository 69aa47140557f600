"""What the processes of a node tell each other about its index, by files in its home folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hub.errors import HubError, mark

BUILDING = "build"  # Lock of whoever builds an index.
FOLLOWING = "follow"  # Lock of whoever writes to the current one.


class BusyError(HubError):
    """Another process has the index open for writing."""

    status = 409
    code = "index_busy"
    message = mark("Another process is writing the search index (%(name)s).")


class Coordination:
    """Who builds an index, who writes to it, and whether somebody doubts it.

    The files lie beside the folder `index`, so that whoever deletes that does not set two writers
    free; and they lie here wherever the index is, since all processes of a node are here.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self._suspicion = home / "index.suspect"

    def suspect(self) -> None:
        """Note that the current index failed a search, so that the follower looks at it."""
        self._suspicion.touch()

    def take_suspicion(self) -> bool:
        """Say whether the index failed a search since this was last asked."""
        try:
            self._suspicion.unlink()
        except FileNotFoundError:
            return False
        return True

    def lock(self, name: str) -> int:
        """Take a lock that ends with the process or with closing the descriptor returned.

        :raises BusyError: when another process has it.
        """
        file = self.home / f"index.{name}.lock"
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise BusyError(name=name) from error
        return descriptor

    @contextmanager
    def building(self) -> Iterator[None]:
        """Be the only one who builds an index.

        :raises BusyError: when another process does.
        """
        descriptor = self.lock(BUILDING)
        try:
            yield
        finally:
            os.close(descriptor)
