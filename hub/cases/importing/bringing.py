"""Turning texts into drafts, and publishing them in bulk where that was asked for."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

from flask_babel import gettext

from hub.cases import service
from hub.cases.errors import UnknownUnitError
from hub.cases.importing import notes
from hub.cases.importing.notes import Note, note
from hub.cases.importing.texts import Found, Text
from hub.cases.models import State
from hub.cases.uploading import described
from hub.config import settings
from hub.database import db, transaction
from hub.errors import HubError
from hub.identity.models import Actor
from hub.journal.attachments import Attachment
from hub.media import service as media
from hub.media.service import Received

CATEGORY = "digital_party_building"  # Of a text that names none.
Kept = Sequence[tuple[Received, Attachment]]
Remark = tuple[str, Note]  # Where, and what.


@dataclass(frozen=True)
class Terms:
    """In whose name texts come in, and what is set for all of them."""

    author: Actor
    hands: service.Hands | None = None  # Publish, if given.
    visibility: str | None = None
    partners: tuple[str, ...] = ()
    unit: str | None = None
    category: str | None = None


@dataclass
class Brought:
    """What became of texts."""

    made: int = 0
    published: int = 0
    known: int = 0
    remarks: list[Remark] = field(default_factory=list)
    failed: list[Remark] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Return how many texts were looked at."""
        return self.made + self.known + len(self.failed)

    def __add__(self, other: "Brought") -> "Brought":
        return Brought(
            self.made + other.made,
            self.published + other.published,
            self.known + other.known,
            self.remarks + other.remarks,
            self.failed + other.failed,
        )


def bring(found: Sequence[Found], terms: Terms) -> Brought:
    """Make drafts of some texts in one transaction, and publish them if the terms say so.

    A text that was brought in before is left as it is, unless it is still a draft that is to be
    published now. A text that can't be taken is reported and harms no other.
    """
    brought = Brought()
    drafts: dict[UUID, str] = {}
    with ExitStack() as stack:
        texts = [(text, _files_of(text, stack, brought)) for text in found]
        if any(files for _, files in texts):
            stack.enter_context(media.adding())
        _bring_all(texts, terms, brought, drafts)
    return brought


def _bring_all(
    texts: Sequence[tuple[Found, Kept | None]],
    terms: Terms,
    brought: Brought,
    drafts: dict[UUID, str],
) -> None:
    for received, _ in (file for _, files in texts for file in files or ()):
        media.put(received)
    with transaction():
        for text, files in texts:
            if isinstance(text, Text) and files is not None:
                _bring_one(text, files, terms, brought, drafts)
        if terms.hands:
            held_back = service.publish_in_bulk(drafts, terms.hands)
            brought.published += len(drafts) - len(held_back)
            brought.remarks += [(drafts[id_], _note_of(error)) for id_, error in held_back.items()]


def _files_of(text: Found, stack: ExitStack, brought: Brought) -> Kept | None:
    """Return the files of a text, copied beside the store; None when it can't be taken."""
    if not isinstance(text, Text):
        brought.failed.append((text.name, text.reason))
        return None
    files = []
    try:
        for path in text.files:
            with path.open("rb") as source:
                parts = iter(partial(source.read, media.PART), b"")
                most = settings().largest_attachment
                received = stack.enter_context(media.receive(parts, most=most))
            files.append((received, described(received, path.name)))
    except HubError as error:
        brought.failed.append((text.name, _note_of(error)))
        return None
    return files


def _bring_one(
    text: Text, files: Kept, terms: Terms, brought: Brought, drafts: dict[UUID, str]
) -> None:
    known = service.find_import(text.digest)
    if known:
        brought.known += 1
        if terms.hands and known.state == State.DRAFT and known.author_id == terms.author.person_id:
            service.edit(terms.author, known.id, _audience(terms))
            drafts[known.id] = text.name
        return
    try:
        with db.session.begin_nested():  # With all of its files, or not at all.
            case_id, told = _create(text, terms)
            for received, file in files:
                service.attach(terms.author, case_id, received, file)
    except HubError as error:
        brought.failed.append((text.name, _note_of(error)))
        return
    brought.made += 1
    brought.remarks += [(text.name, each) for each in told]
    drafts[case_id] = text.name


def _create(text: Text, terms: Terms) -> tuple[UUID, list[Note]]:
    values, told = _values(text, terms), list(text.told)
    try:
        return _draft(text, terms, values, told), told
    except UnknownUnitError:
        if terms.unit:
            raise
        told.append(note(notes.UNIT_UNKNOWN, unit=values.pop("unit")))
        return _draft(text, terms, values, told), told


def _draft(text: Text, terms: Terms, values: dict[str, Any], told: list[Note]) -> UUID:
    case = service.create(
        terms.author,
        text.kind,
        values,
        is_long_form=text.is_long_form,
        source_digest=text.digest,
        note="\n".join(gettext(each.message, **each.values) for each in told),
    )
    return case.id


def _values(text: Text, terms: Terms) -> dict[str, Any]:
    """Return the fields of a text, with what is set for all; what a text says itself comes first,
    except where the terms are explicit."""
    values: dict[str, Any] = {"category": CATEGORY} if text.is_long_form else {}
    values |= text.values
    if terms.category and "category" not in text.values:
        values["category"] = terms.category
    if terms.unit:
        values["unit"] = terms.unit
    return values | _audience(terms)


def _audience(terms: Terms) -> dict[str, Any]:
    if not terms.visibility:
        return {}
    return {"visibility": terms.visibility, "partners": list(terms.partners)}


def _note_of(error: HubError) -> Note:
    return Note(error.message, error.values, where=error.field)
