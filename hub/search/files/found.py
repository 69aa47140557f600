"""Which file of a document says what was looked for, and where."""

from collections.abc import Collection, Sequence
from itertools import accumulate
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Row, func, select

from hub.cases.models import Document
from hub.cases.service import readable
from hub.database import db
from hub.search.files.extraction import State
from hub.search.models import FileText
from hub.search.snippets import Marker, Part, is_marked

MOST_FILES = 30  # Of the documents of one page of hits.
MOST_CHARACTERS = 2_000_000  # Looked through for one page: a fifth of a second at the most.


class Told(NamedTuple):
    """The file for which a document was found."""

    name: str
    snippet: Sequence[Part]  # Of its text; empty when its name says it.


def found_in_files(
    ids: Collection[UUID], marker: Marker, audiences: Collection[str]
) -> dict[UUID, Told]:
    """Return the first file of each of these documents that says what is marked."""
    if not ids or not marker:
        return {}
    rows = db.session.execute(
        select(Document.id, Document.attachments).where(Document.id.in_(ids), readable(audiences))
    ).all()
    by_name = {row.id: told for row in rows if (told := _by_name(row, marker))}
    others = [row for row in rows if row.id not in by_name]
    snippets = _snippets([file["sha256"] for row in others for file in row.attachments], marker)
    return by_name | {row.id: told for row in others if (told := _by_text(row, snippets))}


def _by_name(row: Row[Any], marker: Marker) -> Told | None:
    for name in [file["name"] for file in row.attachments]:
        if is_marked(marker.mark(name)):
            return Told(name, ())
    return None


def _by_text(row: Row[Any], snippets: dict[str, Sequence[Part]]) -> Told | None:
    for file in row.attachments:
        if file["sha256"] in snippets:
            return Told(file["name"], snippets[file["sha256"]])
    return None


def _snippets(names: Sequence[str], marker: Marker) -> dict[str, Sequence[Part]]:
    """Return snippets of those of some files that say it."""
    rows = db.session.execute(
        select(FileText.sha256, FileText.text).where(FileText.sha256.in_(_bounded(names)))
    )
    cut = {row.sha256: marker.cut((row.text,)) for row in rows}
    return {name: snippet for name, snippet in cut.items() if is_marked(snippet)}


def _bounded(names: Sequence[str]) -> list[str]:
    """Return those of some files that have a text, as far as one page may look."""
    if not names:
        return []
    rows = db.session.execute(
        select(FileText.sha256, func.length(FileText.text).label("length")).where(
            FileText.sha256.in_(names[:MOST_FILES]), FileText.state == State.OK
        )
    ).all()
    ends = accumulate(row.length for row in rows)
    return [row.sha256 for row, end in zip(rows, ends, strict=True) if end <= MOST_CHARACTERS]
