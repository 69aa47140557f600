"""Where a node keeps its index: `index/` in its home folder.

Each index has a folder of its own, named by its engine and the digest of what it holds. The file
`current` names the one that is searched; replacing it is how a new index takes over, all at once.
An index may be deleted at any time: the follower builds another.
"""

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hub.errors import HubError, mark
from hub.search import engine as engines
from hub.search.engine import BrokenIndexError, Engine

POINTER = "current"
SUSPECT = "suspect"
BUILDING = "build"  # Lock of whoever builds an index.
FOLLOWING = "follow"  # Lock of whoever writes to the current one.


class BusyError(HubError):
    """Another process has the index open for writing."""

    status = 409
    code = "index_busy"
    message = mark("Another process is writing the search index (%(name)s).")


class Folder:
    """All indexes of one node."""

    def __init__(self, home: Path) -> None:
        self.path = home / "index"

    def stamp(self) -> tuple[int, int] | None:
        """Return what changes whenever another index takes over; None when there is none."""
        try:
            found = os.stat(self.path / POINTER)
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino

    def current(self) -> Path | None:
        """Return the folder of the index that is searched; None when there is none."""
        try:
            name = (self.path / POINTER).read_text().strip()
        except OSError:
            return None
        path = self.path / name
        return path if name and path.parent == self.path and path.is_dir() else None

    def new(self, engine: Engine) -> Path:
        """Make an empty folder for an index that is about to be built."""
        name = f"{engine.name}-{engines.digest(engine)}-{secrets.token_hex(3)}"
        path = self.path / name
        path.mkdir(parents=True, mode=0o700)
        return path

    def switch_to(self, path: Path) -> None:
        """Let an index take over, and delete all others."""
        draft = self.path / f".{POINTER}"
        with draft.open("w") as file:
            file.write(path.name)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.path / POINTER)
        self.sweep()

    def renew(self) -> None:
        """Let readers open the current index anew, and forget what they remember of it."""
        if (self.path / POINTER).exists():
            os.utime(self.path / POINTER)

    def sweep(self, but: Path | None = None) -> None:
        """Delete every index but the current one; only for whoever holds the lock to build.

        :param but: another one that stays, since somebody goes on with it.
        """
        kept = {self.current(), but}
        for path in self.path.iterdir():
            if path.is_dir() and path not in kept:
                shutil.rmtree(path, ignore_errors=True)

    def suspect(self) -> None:
        """Note that the current index failed a search, so that the follower looks at it."""
        if self.path.is_dir():
            (self.path / SUSPECT).touch()

    def take_suspicion(self) -> bool:
        """Say whether the index failed a search since this was last asked."""
        try:
            (self.path / SUSPECT).unlink()
        except OSError:
            return False
        return True

    def lock(self, name: str) -> int:
        """Take a lock that ends with the process or with closing the descriptor returned.

        :raises BusyError: when another process has it.
        """
        # Beside the folder, so that whoever deletes that does not set two writers free.
        file = self.path.with_name(f"index.{name}.lock")
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


def engine_of(path: Path) -> Engine:
    """Return the engine that made an index.

    :raises BrokenIndexError: when its name says nothing, or the engine is not installed.
    """
    try:
        return engines.load(path.name.partition("-")[0])
    except engines.EngineMissingError as error:
        raise BrokenIndexError from error


def is_up_to_date(path: Path, engine: Engine) -> bool:
    """Say whether an index holds what this version, with this engine, would make."""
    return path.name.startswith(f"{engine.name}-{engines.digest(engine)}-")
