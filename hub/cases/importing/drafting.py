"""From what somebody sends to drafts of theirs: all of it is kept, or none."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

from flask_babel import gettext
from werkzeug.datastructures import FileStorage

from hub.cases import service
from hub.cases.importing import notes
from hub.cases.importing.bringing import CATEGORY, Kept
from hub.cases.importing.documents import Document, Section
from hub.cases.importing.notes import Note, note
from hub.cases.importing.proposing import mapping_of, proposed, values_of
from hub.cases.importing.reading import Read, Row, read_file, read_text
from hub.cases.importing.texts import NOT_CONTENT
from hub.cases.models import ImportedDocument, Kind, State
from hub.cases.uploading import described, parts_of, ready
from hub.config import settings
from hub.database import db, transaction
from hub.errors import ForbiddenError, HubError, NotFoundError
from hub.identity.models import Actor, Role
from hub.journal.attachments import Attachment
from hub.media import service as media
from hub.media.errors import (
    BrokenPictureError,
    EmptyFileError,
    InfectedError,
    LargePictureError,
    UnknownKindError,
)
from hub.media.service import Received


@dataclass(frozen=True)
class Drafted:
    """What became of one document."""

    ids: list[UUID]  # Of the drafts; of a sheet there may be several.
    told: Sequence[Note] = ()
    is_known: bool = False  # The same document was brought in before.


def draft_file(actor: Actor, sent: FileStorage | None, *, folds: bool) -> Drafted:
    """Make a draft of a document, with the original and its pictures beside it.

    Opens its own transactions, and none while it reads. The same document sent again leads to the
    same draft.

    :param folds: whether Traditional characters become Simplified ones.
    :raises HubError: when it can't be read, or may not be attached; then nothing is kept.
    """
    _check_author(actor)
    if sent is None:
        raise EmptyFileError
    try:
        with closing(sent), ExitStack() as received:
            return _draft_file(actor, sent, folds, received)
    except InfectedError as error:
        with transaction():
            service.record_infected(actor, error.values["found"])
        raise


def draft_text(actor: Actor, text: str, *, folds: bool) -> Drafted:
    """Make a draft of a text that was pasted; opens its own transactions.

    :raises UnreadableDocumentError: when there is nothing in it, or too much.
    """
    _check_author(actor)
    digest = sha256(text.encode(errors="replace")).hexdigest()
    return _keep(actor, read_text(text, folds=folds), digest, ())


def shown(drafted: Drafted) -> dict[str, Any]:
    """Return what became of a document, as programs read it."""
    kept = db.session.get(ImportedDocument, drafted.ids[0]) if drafted.ids else None
    return {
        "id": drafted.ids[0] if drafted.ids else None,
        "ids": drafted.ids,
        "sections": kept.sections if kept else [],
        "warnings": kept.warnings if kept else list(warnings_of(drafted.told)),
    }


def draft_of(actor: Actor, case_id: UUID) -> ImportedDocument:
    """Return what was found in the document that a case of one's own was made of.

    :raises NotFoundError: for everybody else, and for cases that were typed here.
    """
    service.authors_work(case_id, actor)
    found = db.session.get(ImportedDocument, case_id)
    if found is None:
        raise NotFoundError
    return found


def rearrange(
    actor: Actor,
    case_id: UUID,
    mapping: Sequence[str],
    values: Mapping[str, Any],
    *,
    version: int | None = None,
) -> list[Note]:
    """Put the sections into other fields in the caller's transaction; the full text stays.

    :param mapping: the field for each section, or nothing.
    :param values: further fields, and what surrounds them.
    :returns: which sections do not fit where they were put.
    :raises HubError: as `service.edit`.
    """
    kept, told = draft_of(actor, case_id), list[Note]()
    sections = [_section(row) for row in kept.sections]
    chosen = [*mapping, *[""] * len(sections)][: len(sections)]
    emptied = {row["field"]: None for row in kept.sections if row["field"]}
    made = values_of(sections, chosen, Kind.CASE, told)
    service.edit(actor, case_id, emptied | made | dict(values), version=version)
    kept.sections = _rows(sections, chosen)
    return told


def _check_author(actor: Actor) -> None:
    """Refuse whoever writes nowhere before anything is opened for them."""
    if not actor.holds(Role.AUTHOR):
        raise ForbiddenError


def _draft_file(actor: Actor, sent: FileStorage, folds: bool, received: ExitStack) -> Drafted:
    most, name = settings().largest_attachment, sent.filename or ""
    original = received.enter_context(media.receive(parts_of(sent), most=most))
    read = read_file(original.path, name, folds=folds)
    files = [(original, described(original, name))]
    if isinstance(read, Document):
        files += _drawn(read, received)
    with media.adding():
        for file, _ in files:
            media.put(file)
        return _keep(actor, read, original.sha256, files)


def _drawn(document: Document, received: ExitStack) -> Iterator[tuple[Received, Attachment]]:
    """Yield the pictures of a document, drawn anew; how many can't be opened is told."""
    lost = 0
    for picture in document.pictures:
        try:
            yield received.enter_context(ready([picture.data], picture.name))
        except (BrokenPictureError, LargePictureError, UnknownKindError):
            lost += 1
    if lost:
        document.told.append(note(notes.LOST["picture"], count=lost))


def _keep(actor: Actor, read: Read, digest: str, files: Kept) -> Drafted:
    with transaction():
        known = service.find_import(digest)
        is_own = known is not None and known.author_id == actor.person_id
        if known and is_own and known.state != State.WITHDRAWN:
            return Drafted([known.id], is_known=True)
        source = None if known else digest
        if isinstance(read, Document):
            return _keep_document(actor, read, source, files)
        if isinstance(read, list):
            return _keep_rows(actor, read, files)
        values = {name: value for name, value in read.items() if name not in NOT_CONTENT}
        kind = read.get("kind") or Kind.CASE
        is_long_form = "kind" not in read or read.get("long_form") is True
        case = service.create(actor, kind, values, is_long_form=is_long_form, source_digest=source)
        _attach(actor, case.id, files)
        return Drafted([case.id])


def _keep_document(actor: Actor, document: Document, source: str | None, files: Kept) -> Drafted:
    told = list(document.told)
    values = proposed(document, [unit.name for unit in service.units_of(actor)], told)
    mapping = mapping_of(document.sections, Kind.CASE)
    values |= values_of(document.sections, mapping, Kind.CASE, told)
    values.setdefault("category", CATEGORY)
    text = "\n".join(map(words, told))
    case = service.create(
        actor, Kind.CASE, values, is_long_form=True, source_digest=source, note=text
    )
    _attach(actor, case.id, files)
    rows = _rows(document.sections, mapping)
    kept = ImportedDocument(case_id=case.id, sections=rows, warnings=list(warnings_of(told)))
    db.session.add(kept)
    return Drafted([case.id], told)


def _keep_rows(actor: Actor, rows: Sequence[Row], files: Kept) -> Drafted:
    """Make a draft of each row; one that can't be taken is told and harms no other."""
    ids, told = list[UUID](), list[Note]()
    for row in rows:
        try:
            values = {name: value for name, value in row.values.items() if value}
            with db.session.begin_nested():
                case = service.create(actor, Kind.CASE, values, is_long_form="body" in values)
                _attach(actor, case.id, files)
            ids.append(case.id)
        except HubError as error:
            reason = words(Note(error.message, error.values))
            told.append(note(notes.ROW, number=row.number, field=error.field, reason=reason))
    return Drafted(ids, told)


def _attach(actor: Actor, case_id: UUID, files: Kept) -> None:
    for received, file in files:
        service.attach(actor, case_id, received, file)


def _rows(sections: Sequence[Section], mapping: Sequence[str]) -> list[dict[str, Any]]:
    pairs = zip(sections, mapping, strict=True)
    return [asdict(section) | {"field": name} for section, name in pairs]


def _section(row: Mapping[str, Any]) -> Section:
    rows = tuple(tuple(cells) for cells in row["rows"])
    return Section(row["heading"], tuple(row["paragraphs"]), rows)


def words(told: Note) -> str:
    """Return a note in the reader's language."""
    values = {name: _translated(value) for name, value in told.values.items()}
    return str(gettext(told.message, **values) if values else gettext(told.message))


def warnings_of(told: Sequence[Note]) -> Iterator[dict[str, str]]:
    """Yield notes as programs read them: a code, where, and what in the reader's language."""
    for each in told:
        yield {"code": notes.code_of(each.message), "place": _place(each), "text": words(each)}


def _place(told: Note) -> str:
    """Return where a note is about: the number of a paragraph, or the name of a section."""
    return str(told.values.get("number") or told.values.get("heading") or "")


def _translated(value: Any) -> Any:
    return gettext(value) if isinstance(value, str) and value else value
