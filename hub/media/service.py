"""Taking files in, finding them, and removing those that nothing names any more.

A file comes in two steps. `receive` writes the bytes beside the store while it hashes them; then,
inside of `adding`, `put` moves them to their place and `keep` writes the row in the caller's
transaction. Killed in between, a file without a row is left, which `tidy` removes; a row without
its file never is, since `tidy` has the store for itself while it removes both.
"""

import fcntl
import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from secrets import token_hex

from sqlalchemy import delete, func, select

from hub import clock
from hub.config import settings
from hub.database import db, insert_missing, transaction, upsert
from hub.media.errors import EmptyFileError, FileTooLargeError, FullError, NoRoomError
from hub.media.models import MissingFile, StoredFile
from hub.media.scanning import scan
from hub.media.stores import free_bytes, store

PART = 256 * 1024  # Bytes in memory at a time.
RESERVE = 200_000_000  # Bytes that stay free on the disk.
ABANDONED = 3600.0  # Seconds after which a half-written file has no writer any more.
PAGE = 500

InUse = Callable[[Collection[str]], set[str]]


@dataclass(frozen=True)
class Received:
    """A file that was written beside the store and hashed."""

    sha256: str
    size: int
    path: Path


@contextmanager
def receive(parts: Iterable[bytes], *, most: int) -> Iterator[Received]:
    """Write a file beside the store in constant memory; what is not `put` is gone at the end.

    Opens no transaction, and none should be open: it takes as long as its source and its scanner.

    :param most: bytes that it may have.
    :raises FileTooLargeError: as soon as it has more.
    :raises EmptyFileError: when it has none.
    :raises FullError: when the disk would be full.
    :raises InfectedError, ScannerError: as `scanning.scan`.
    """
    if free_bytes(settings()) < RESERVE + most:
        raise FullError
    folder = _incoming()
    draft, digest, size = folder / token_hex(8), sha256(), 0
    try:
        with draft.open("xb") as file:
            for part in parts:
                size += len(part)
                if size > most:
                    raise FileTooLargeError(most)
                digest.update(part)
                file.write(part)
            if not size:
                raise EmptyFileError
            file.flush()
            os.fsync(file.fileno())
        scan(draft)
        yield Received(digest.hexdigest(), size, draft)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def adding() -> Iterator[None]:
    """Hold off `tidy` from before a file is put until its row is committed; many may add at once.

    Waits while files are being removed.
    """
    with _locked(_lock(), fcntl.LOCK_SH):
        yield


def put(received: Received) -> None:
    """Move a file to its place, inside of `adding`; the same bytes are there once.

    :raises NoRoomError: when all files together would have more bytes than are kept here.
    """
    if not held([received.sha256]):
        kept = db.session.scalar(select(func.sum(StoredFile.size))) or 0
        if kept + received.size > settings().most_kept:
            raise NoRoomError(settings().most_kept)
    store().put(received.sha256, received.path)


def keep(received: Received) -> None:
    """Note in the caller's transaction that a file is held, after `put`."""
    insert_missing(
        StoredFile,
        [{"sha256": received.sha256, "size": received.size, "stored_at": clock.now()}],
    )
    db.session.execute(delete(MissingFile).where(MissingFile.sha256 == received.sha256))


def take(parts: Iterable[bytes], *, most: int, check: Callable[[Received], None]) -> None:
    """Take a file in whole, in a transaction of its own.

    :param check: raises when these are not the bytes that were wanted; then nothing is kept.
    """
    with receive(parts, most=most) as received:
        check(received)
        with adding():
            put(received)
            with transaction():
                keep(received)


@contextmanager
def only_one(name: str) -> Iterator[bool]:
    """Yield whether nobody else on this machine is inside with the same name."""
    with _locked(_incoming() / f"{name}.lock", fcntl.LOCK_EX | fcntl.LOCK_NB) as is_alone:
        yield is_alone


def held(names: Collection[str]) -> dict[str, int]:
    """Return those of these files that are held here, with their sizes."""
    rows = db.session.execute(
        select(StoredFile.sha256, StoredFile.size).where(StoredFile.sha256.in_(names))
    )
    return {row.sha256: row.size for row in rows}


def missing(names: Collection[str]) -> dict[str, MissingFile]:
    """Return those of these files that could not be had when they were last asked for."""
    rows = db.session.scalars(select(MissingFile).where(MissingFile.sha256.in_(names)))
    return {row.sha256: row for row in rows}


def note_missing(name: str, code: str) -> None:
    """Keep in the caller's transaction that a file could not be had, and why."""
    row = {"sha256": name, "code": code[:60], "tried_at": clock.now()}
    upsert(MissingFile, [row], keys=("sha256",))


def tidy(in_use: InUse) -> int:
    """Remove the files that nothing names any more; return how many.

    Opens its own transactions. Lets it be while files are being added: it is called again.

    :param in_use: returns those of some files that are still named.
    """
    unused = _unused(in_use)
    db.session.rollback()
    if not unused:
        return 0
    with _locked(_lock(), fcntl.LOCK_EX | fcntl.LOCK_NB) as has_it:
        if not has_it:
            return 0
        with transaction():
            gone = unused - in_use(unused)  # Somebody may have named it since.
            db.session.execute(delete(StoredFile).where(StoredFile.sha256.in_(gone)))
            db.session.execute(delete(MissingFile).where(MissingFile.sha256.in_(gone)))
        for name in gone:
            store().remove(name)
    return len(gone)


def sweep() -> int:
    """Remove what was left behind by whoever was killed; return how many files."""
    before, count = time.time() - ABANDONED, 0
    for draft in _incoming().iterdir():
        if draft.stat().st_mtime < before:
            draft.unlink(missing_ok=True)
            count += 1
    with _locked(_lock(), fcntl.LOCK_EX | fcntl.LOCK_NB) as has_it:
        if has_it:
            for name in set(store().names()) - set(db.session.scalars(select(StoredFile.sha256))):
                store().remove(name)
                count += 1
            db.session.rollback()
    return count


def _unused(in_use: InUse) -> set[str]:
    """Return the files and the notes of missing ones that nothing names, page by page."""
    unused: set[str] = set()
    for column in (StoredFile.sha256, MissingFile.sha256):
        after = ""
        while names := db.session.scalars(
            select(column).where(column > after).order_by(column).limit(PAGE)
        ).all():
            unused |= set(names) - in_use(names)
            after = names[-1]
    return unused


def _lock() -> Path:
    """Return the file whose lock keeps adding and removing apart."""
    return settings().home / "files.lock"


def _incoming() -> Path:
    folder: Path = settings().home / "incoming"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


@contextmanager
def _locked(path: Path, kind: int) -> Iterator[bool]:
    """Hold a lock; yield whether it was to be had at once, if `kind` says so."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, kind)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
