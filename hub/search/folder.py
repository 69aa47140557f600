"""Where a node keeps its index unless it has a cluster for it: `index/` in its home folder.

Each index has a folder of its own, named by its engine and the digest of what it holds. The file
`current` names the one that is searched; replacing it is how a new index takes over, all at once.
An index may be deleted at any time: the follower builds another.
"""

import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from hub.search import engine as engines
from hub.search.engine import BrokenIndexError, Engine, Reader, Writer
from hub.search.shelf import Index

POINTER = "current"


@dataclass(frozen=True)
class FolderIndex:
    """An index in a folder of its own, of whichever engine made it."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def engine_name(self) -> str:
        return self.name.partition("-")[0]

    @property
    def engine(self) -> Engine:
        """Return the engine that made it.

        :raises BrokenIndexError: when its name says nothing, or the engine is not installed.
        """
        try:
            return engines.load(self.engine_name)
        except engines.EngineMissingError as error:
            raise BrokenIndexError from error

    def exists(self) -> bool:
        return self.path.exists()

    def is_sound(self) -> bool:
        return self.engine.is_sound(self.path)

    def create(self) -> Writer:
        self.path.mkdir(parents=True, mode=0o700)
        return self.engine.create(self.path)

    def open_writer(self) -> Writer:
        return self.engine.open_writer(self.path)

    def open_reader(self) -> Reader:
        return self.engine.open_reader(self.path)


class Folder:
    """All indexes of one node that has them in its home folder."""

    def __init__(self, home: Path, engine: Engine, *, is_delegating: bool = False) -> None:
        self.path = home / "index"
        self.engine = engine  # Of new indexes.
        self.is_delegating = is_delegating  # To another node, so these leave something out.

    def stamp(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self.path / POINTER)
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino

    def current(self) -> FolderIndex | None:
        try:
            name = (self.path / POINTER).read_text().strip()
        except OSError:
            return None
        path = self.path / name
        return FolderIndex(path) if name and path.parent == self.path and path.is_dir() else None

    def new(self) -> FolderIndex:
        return FolderIndex(self.path / f"{self._of_today}{secrets.token_hex(3)}")

    def named(self, name: str) -> FolderIndex:
        return FolderIndex(self.path / Path(name).name)

    def switch_to(self, index: Index) -> None:
        draft = self.path / f".{POINTER}"
        with draft.open("w") as file:
            file.write(index.name)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.path / POINTER)
        self.sweep()

    def renew(self) -> None:
        if (self.path / POINTER).exists():
            os.utime(self.path / POINTER)

    def sweep(self, but: Index | None = None) -> None:
        kept = {index.name for index in (self.current(), but) if index}
        for path in self.path.iterdir() if self.path.is_dir() else ():
            if path.is_dir() and path.name not in kept:
                shutil.rmtree(path, ignore_errors=True)

    def is_up_to_date(self, index: Index) -> bool:
        return index.name.startswith(self._of_today)

    @property
    def _of_today(self) -> str:
        """Return how the names of all indexes begin that hold what this version would make."""
        digest = engines.digest(self.engine, is_delegating=self.is_delegating)
        return f"{self.engine.name}-{digest}-"
