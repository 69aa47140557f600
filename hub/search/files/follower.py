"""Files follow their documents: each is read once it is held here and somebody may read of it."""

import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import NamedTuple

import structlog
from sqlalchemy import select, update

from hub import clock
from hub.cases.models import Document
from hub.cases.service import documents_naming
from hub.config import settings
from hub.database import db, insert_missing, transaction
from hub.media.models import StoredFile
from hub.media.stores import store
from hub.search.files.extraction import LARGEST, Extract, Reason, extract
from hub.search.models import FileText

PAGE = 500  # Files or documents that are looked at together.
AT_ONCE = 20  # Files whose documents are indexed in one go.

logger = structlog.get_logger()


class Waiting(NamedTuple):
    """A file that was not read yet."""

    sha256: str
    size: int
    name: str  # By which a document calls it.


def read_next(is_wanted: Callable[[], bool] = lambda: True) -> bool:
    """Read one of the files that wait, and keep its text; say whether there was one.

    Opens its own transaction, and none while it reads. May stop at any point: a file whose text
    was not kept is read again. One that can't be read never is.
    """
    waiting = _waiting()
    db.session.rollback()  # Nothing is held while the child works.
    if waiting is None:
        return False
    found = _read(waiting, is_wanted)
    if found is None:
        return False
    if found.reason not in {Reason.NONE, Reason.KIND}:  # A picture is nothing to tell.
        logger.warning("file not read whole", file=waiting.sha256, reason=found.reason.value)
    with transaction():
        _keep(waiting.sha256, found)
    return True


def unindexed() -> list[str]:
    """Return some of the files that were read after their documents had been indexed."""
    statement = select(FileText.sha256).where(FileText.is_indexed.is_(False))
    return list(db.session.scalars(statement.order_by(FileText.sha256).limit(AT_ONCE)))


def note_indexed(names: Collection[str]) -> None:
    """Note in the caller's transaction that the documents of these files are indexed."""
    _mark(FileText.sha256.in_(names), is_indexed=True)


def index_again(since: datetime) -> None:
    """Let the documents of files that were read since then be indexed once more.

    For whoever built another index meanwhile, and may have passed them too early.
    """
    _mark(FileText.read_at >= since, is_indexed=False)


def _mark(condition: object, *, is_indexed: bool) -> None:
    statement = update(FileText).where(condition)  # type: ignore[arg-type]
    db.session.execute(
        statement.values(is_indexed=is_indexed).execution_options(synchronize_session=False)
    )


def _waiting() -> Waiting | None:
    """Return a file that is held, has not been read, and that a document in sight names."""
    after = ""
    while True:
        statement = (
            select(StoredFile.sha256, StoredFile.size)
            .outerjoin(FileText, FileText.sha256 == StoredFile.sha256)
            .where(FileText.sha256.is_(None), StoredFile.sha256 > after)
            .order_by(StoredFile.sha256)
            .limit(PAGE)
        )
        sizes = {row.sha256: row.size for row in db.session.execute(statement)}
        if not sizes:
            return None
        for name, called in _names_in_sight(sizes):
            return Waiting(name, sizes[name], called)
        after = max(sizes)


def _names_in_sight(names: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield those of some files that documents in sight have, and what they call them."""
    ids = documents_naming(names)
    for start in range(0, len(ids), PAGE):
        statement = select(Document.attachments).where(
            Document.id.in_(ids[start : start + PAGE]), Document.audience.is_not(None)
        )
        for attachments in db.session.scalars(statement):
            for row in attachments:
                if row["sha256"] in names:
                    yield row["sha256"], row["name"]


def _read(waiting: Waiting, is_wanted: Callable[[], bool]) -> Extract | None:
    if waiting.size > LARGEST:
        return Extract(Reason.SIZE)
    with _on_this_machine(waiting.sha256) as path:
        return extract(path, waiting.name, is_wanted)


@contextmanager
def _on_this_machine(sha256: str) -> Iterator[Path]:
    """Yield where a file lies; from a bucket it is copied here for as long as it is read."""
    path = store().path(sha256)
    if path is not None:
        yield path
        return
    with NamedTemporaryFile(dir=settings().home) as copy:
        with store().open(sha256) as source:
            shutil.copyfileobj(source, copy)
        copy.flush()
        yield Path(copy.name)


def _keep(sha256: str, found: Extract) -> None:
    # Locked, so that it is not removed before its text is there to go with it.
    held = select(StoredFile.sha256).where(StoredFile.sha256 == sha256)
    if db.session.scalar(held.with_for_update(read=True)) is None:
        return
    row = {"sha256": sha256, "state": found.state.value, "reason": found.reason.value}
    more = {"text": found.text, "read_at": clock.now(), "is_indexed": False}
    insert_missing(FileText, [row | more])
