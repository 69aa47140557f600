"""Files of cases: attaching them, taking them off, and who may have them."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy import select

from hub.audit.service import record
from hub.cases.errors import TooManyFilesError, TooMuchInFilesError, WrongStateError
from hub.cases.models import Case, CaseFile, Document, State, public_id
from hub.cases.service.drafting import rewrite
from hub.cases.service.finding import Work, find_work, own_work
from hub.cases.service.reading import find_document, readable
from hub.config import settings
from hub.database import db
from hub.errors import NotFoundError
from hub.identity.models import Actor
from hub.journal import attachments
from hub.journal.attachments import Attachment
from hub.journal.models import PUT, EntryFile, Live
from hub.media import service as media
from hub.media.kinds import is_picture
from hub.media.service import Received

MOST = 20  # Files of one case.
PICTURES = 5  # That the page of a case shows.
SHOWN = 10_000_000  # Bytes of such a picture; others may attach larger ones, to be saved.
LOOKED_AT = 500  # Documents that may name one file.


@dataclass(frozen=True)
class ShownFile:
    """A file of a published document, and whether it is held here."""

    sha256: str
    size: int
    type: str
    name: str
    is_held: bool
    failed_at: datetime | None  # When it could last not be had.


def check_attachable(
    actor: Actor, case_id: UUID, received: Received | None = None, *, version: int | None = None
) -> None:
    """Refuse a file for the reasons for which `attach` would, before it is put.

    :param received: the file, once its bytes are here.
    :raises WrongStateError, TooManyFilesError, TooMuchInFilesError, NotFoundError: see `attach`.
    """
    _check_room(_open(actor, case_id, version), received)


def attach(
    actor: Actor,
    case_id: UUID,
    received: Received,
    file: Attachment,
    *,
    version: int | None = None,
) -> Case:
    """Attach a file to one's own case; the same file again changes nothing.

    The caller has put it. It is a change like any other: what was handed in goes back to secrecy
    review, and of what is signed or published the next revision opens.

    :raises TooManyFilesError: when the case has as many as it may have.
    :raises TooMuchInFilesError: when they would have more bytes than they may.
    :raises WrongStateError: when the case can't be changed now.
    :raises NotFoundError: for everybody but its author.
    """
    work = _open(actor, case_id, version)
    case = work.case
    if file.sha256 in {other.sha256 for other in work.files}:
        return case
    _check_room(work, received)
    media.keep(received)
    rewrite(work, work.kept)
    db.session.add(CaseFile(case_id=case.id, number=case.rev, **file.as_wire()))
    _record("case.attached", actor, case, file.sha256)
    return case


def detach(actor: Actor, case_id: UUID, sha256: str, *, version: int | None = None) -> Case:
    """Take a file off one's own case; a change like `attach`.

    :raises NotFoundError: when it has no such file.
    """
    work = _open(actor, case_id, version)
    if sha256 not in {file.sha256 for file in work.files}:
        raise NotFoundError
    rewrite(work, work.kept)
    db.session.flush()  # The next revision has its files now.
    db.session.delete(db.session.get_one(CaseFile, (work.case.id, work.case.rev, sha256)))
    _record("case.detached", actor, work.case, sha256)
    return work.case


def file_at_work(case_id: UUID, sha256: str, actor: Actor) -> CaseFile:
    """Return a file of the newest revision, for those who see that.

    :raises NotFoundError: for everybody else, and when it has no such file.
    """
    for file in find_work(case_id, actor).files:
        if file.sha256 == sha256:
            return file
    raise NotFoundError


def published_file(
    document_id: UUID, sha256: str, audiences: Collection[str]
) -> tuple[Document, Attachment]:
    """Return a file of a published document with it, for those who may read that.

    :raises NotFoundError, WithdrawnError: as for its page; and when it has no such file.
    """
    document = find_document(document_id, audiences)
    for row in document.attachments:
        if row["sha256"] == sha256:
            return document, Attachment(**row)
    raise NotFoundError


def documents_naming(names: Collection[str]) -> list[UUID]:
    """Return the documents that have one of these files, as their live entries say."""
    statement = (
        select(Live.origin, Live.entry_id)
        .join(EntryFile, EntryFile.digest == Live.entry_digest)
        .where(EntryFile.sha256.in_(names), Live.op == PUT)
        .distinct()
    )
    return [public_id(row.origin, row.entry_id) for row in db.session.execute(statement)]


def readable_file(sha256: str, audiences: Collection[str]) -> tuple[Document, Attachment]:
    """Return a file with one of the published documents that have it and are open to these.

    :raises NotFoundError: when none is.
    """
    named_by = documents_naming([sha256])[:LOOKED_AT]
    statement = select(Document.id).where(Document.id.in_(named_by), readable(audiences)).limit(1)
    document_id = db.session.scalar(statement)
    if document_id is None:
        raise NotFoundError
    return published_file(document_id, sha256, audiences)


def shown_files(rows: Iterable[dict[str, Any]]) -> list[ShownFile]:
    """Return the files of a document that may be read, as its page lists them."""
    names = [row["sha256"] for row in rows]
    if not names:
        return []
    held, missing = media.held(names), media.missing(names)
    return [
        ShownFile(
            **row,
            is_held=row["sha256"] in held,
            failed_at=missing[row["sha256"]].tried_at if row["sha256"] in missing else None,
        )
        for row in rows
    ]


def pictures_of(files: Iterable[ShownFile]) -> list[ShownFile]:
    """Return those of the files that the page of a case shows, not those that can't be had."""
    shown = (
        file
        for file in files
        if is_picture(file.type) and file.size <= SHOWN and not file.failed_at
    )
    return list(islice(shown, PICTURES))


def files_in_use(names: Collection[str]) -> set[str]:
    """Return those of these files that a live entry names, or a case that is being written."""
    drafted = (
        select(CaseFile.sha256)
        .join(Case, Case.id == CaseFile.case_id)
        .where(
            CaseFile.sha256.in_(names),
            CaseFile.number == Case.rev,
            Case.state != State.WITHDRAWN,
        )
    )
    return attachments.live(names) | set(db.session.scalars(drafted))


def _open(actor: Actor, case_id: UUID, version: int | None) -> Work:
    work = own_work(case_id, actor, version=version)
    if work.case.state in {State.WIDEN_REVIEW, State.WITHDRAWN}:
        raise WrongStateError(work.case.state)
    return work


def _check_room(work: Work, received: Received | None) -> None:
    sizes = {file.sha256: file.size for file in work.files}
    if received and received.sha256 in sizes:
        return
    if len(sizes) >= MOST:
        raise TooManyFilesError(limit=MOST)
    most = settings().largest_case
    if received and sum(sizes.values()) + received.size > most:
        raise TooMuchInFilesError(field="file", limit=most // 1_000_000)


def record_infected(actor: Actor, found: str, case_id: UUID | None = None) -> None:
    """Write down that somebody sent an infected file, for a case of theirs or to begin one."""
    subject = str(case_id or actor.person_id)
    record("case.infected_file", actor_id=actor.person_id, subject=subject, found=found)


def _record(action: str, actor: Actor, case: Case, sha256: str) -> None:
    record(action, actor_id=actor.person_id, subject=str(case.id), rev=case.rev, file=sha256)
