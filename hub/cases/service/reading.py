"""What readers see: documents, as the live releases in the journal make them."""

import json
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, select

from hub.cases import harvested
from hub.cases.errors import WithdrawnError
from hub.cases.models import Case, Document, Rendering, public_id
from hub.cases.service import adoptions, remarks
from hub.config import settings
from hub.database import db, upsert
from hub.errors import NotFoundError
from hub.identity.models import EVERYBODY, MEMBERS, unit_audience
from hub.identity.profile import parse
from hub.identity.service.organisations import MOST_LEVELS, NAME_LENGTH
from hub.journal.attachments import attachments_of
from hub.journal.models import LOCAL, PUBLIC, PUT, Change, Entry, Live
from hub.registry.hidden import hidden_enterprises
from hub.registry.models import Node

KINDS = frozenset({"case", "pilot_lesson"})
Key = tuple[str, str]  # Origin and entry id.
_KEPT = (  # Of a document that is withdrawn.
    *("origin", "entry_id", "digest", "rev", "kind", "enterprise", "published_at"),
    "is_harvested",
)


def readable(audiences: Collection[str]) -> ColumnElement[bool]:
    """Return the condition under which a document is open to these audiences.

    This is the one place that decides visibility.
    """
    return Document.audience.in_(audiences)


def find_document(document_id: UUID, audiences: Collection[str]) -> Document:
    """Return a document that these audiences may read.

    :raises NotFoundError: when there is none, or none that is open to them.
    :raises WithdrawnError: when there was one that they could read.
    """
    document = db.session.get(Document, document_id)
    if document is None:
        raise NotFoundError
    if document.audience in audiences:
        return document
    if document.withdrawn_at and document.former_audience in audiences:
        raise WithdrawnError(document)
    raise NotFoundError


def receive(changes: Sequence[Change]) -> None:
    """Show, change or hide the documents that these releases are about.

    Called for our own releases and for those of others, in the transaction that appends them.
    """
    newest = {(change.origin, change.entry_id): change for change in changes}
    first = {(c.origin, c.entry_id): c for c in reversed(changes) if c.op == PUT}
    live = _live_entries({entry_id for _, entry_id in newest})
    ids = {public_id(*key): key for key in newest}
    known = _documents(ids)
    cases = _local_cases(ids) if any(change.channel == LOCAL for change in changes) else {}
    enterprises = _enterprises({origin for origin, _ in newest})
    hidden = hidden_enterprises(enterprises.values())
    reports = adoptions.reports_on([one for one, key in ids.items() if key in live])
    rows, others = [], []
    for document_id, key in ids.items():
        before = known.get(document_id)
        readable_now = live.get(key, [])
        if not readable_now and before is None:
            others.append(newest[key])  # A child, or never shown: there is nothing to hide.
            continue
        audience = _audience(readable_now, cases.get(document_id))
        if enterprises.get(key[0]) in hidden:
            audience = None  # Its text stays, for when it may be shown again.
        row = {"id": document_id, "position": newest[key].position, "audience": audience}
        if readable_now:
            row |= _shown(readable_now, before, first.get(key) or newest[key])
            row |= {"enterprise": enterprises.get(key[0], ""), "synced_at": newest[key].received_at}
            row |= adoptions.figures(row, reports.get(document_id, ()))
        elif before is not None:
            row |= _tombstone(before, newest[key].received_at)
        rows.append(row)
    shown = {row["digest"] for row in rows if row["audience"]}
    _forget_renderings({document.digest for document in known.values()} - shown)
    upsert(Document, rows, keys=("id",))
    for document in known.values():
        db.session.expire(document)
    if others:
        remarks.receive(others)


def _forget_renderings(digests: Collection[str]) -> None:
    """Drop the HTML of texts that readers here no longer see."""
    if digests:
        db.session.execute(delete(Rendering).where(Rendering.digest.in_(digests)))


def _live_entries(entry_ids: Collection[str]) -> dict[Key, list[Any]]:
    """Return the live releases of cases and lessons that have a text, newest revision last."""
    statement = (
        select(Live.origin, Live.entry_id, Live.channel, Live.rev, Entry.payload, Entry.digest)
        .join(Entry, Entry.digest == Live.entry_digest)
        .where(
            Live.entry_id.in_(entry_ids),
            Live.op == PUT,
            Live.origin == Entry.origin,
            Entry.payload.is_not(None),
            Entry.type.in_(KINDS),
        )
        .order_by(Live.origin, Live.entry_id, Live.rev)
    )
    live: dict[Key, list[Any]] = {}
    for row in db.session.execute(statement):
        live.setdefault((row.origin, row.entry_id), []).append(row)
    return live


def _documents(ids: Collection[UUID]) -> dict[UUID, Document]:
    rows = db.session.scalars(select(Document).where(Document.id.in_(ids)))
    return {document.id: document for document in rows}


def _local_cases(ids: Iterable[UUID]) -> dict[UUID, str]:
    """Return the audience of each case of ours that stays at home."""
    rows = db.session.execute(
        select(Case.id, Case.visibility, Case.unit_id).where(Case.id.in_(list(ids)))
    )
    return {
        case_id: unit_audience(unit_id) if visibility == "unit" else MEMBERS
        for case_id, visibility, unit_id in rows
    }


def _enterprises(origins: Collection[str]) -> dict[str, str]:
    own = {settings().origin: settings().enterprise}
    rows = db.session.execute(select(Node.origin, Node.enterprise).where(Node.origin.in_(origins)))
    return {row.origin: row.enterprise for row in rows} | own


def _audience(live: Sequence[Any], at_home: str | None) -> str | None:
    # Of the text that is shown: the channels of a case arrive one by one, and what a newer revision
    # tells the group is not for those who may still read the older one.
    channels = {row.channel for row in live if row.digest == live[-1].digest}
    if PUBLIC in channels:
        return EVERYBODY
    if channels - {LOCAL}:
        return MEMBERS
    if channels and at_home is None and _is_harvested(live):
        return MEMBERS
    return at_home if channels else None


def _is_harvested(live: Sequence[Any]) -> bool:
    """Say whether a document was harvested; what others can write, in other channels, was not."""
    if any(row.channel != LOCAL for row in live):
        return False
    return harvested.is_harvested(json.loads(live[-1].payload)["fields"])


def _shown(live: Sequence[Any], before: Document | None, put: Change) -> dict[str, Any]:
    entry = without_nul(json.loads(live[-1].payload))
    fields = entry["fields"]
    said = put.iat
    is_harvested = _is_harvested(live)
    if is_harvested and (dated := harvested.provenance_of(fields).dated):
        said = int(dated.timestamp())
    said = min(said, int(put.received_at.timestamp()))  # A clock set to 2099 is not believed.
    return {
        "origin": entry["origin"],
        "entry_id": entry["id"],
        "digest": live[-1].digest,
        "rev": entry["rev"],
        "kind": entry["type"],
        "title": entry["title"],
        "summary": _text(fields, "summary", 1000),
        "category": _text(fields, "category", 30),
        "unit": _text(fields, "submitting_unit", 200),
        "body": entry["body"],
        "fields": fields,
        "attachments": [file.as_wire() for file in attachments_of(entry)],
        "unit_level": parse(fields, adoptions.UNIT).level,
        "unit_path": _names(fields.get("unit_path")),
        "context": adoptions.context_of(fields),
        "published_at": before.published_at if before else datetime.fromtimestamp(said, UTC),
        "withdrawn_at": None,
        "former_audience": None,
        "is_harvested": is_harvested,
    }


def without_nul(value: Any) -> Any:
    """Return a JSON value without NUL characters, which PostgreSQL can't keep."""
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, list):
        return [without_nul(item) for item in value]
    if isinstance(value, dict):
        return {without_nul(name): without_nul(item) for name, item in value.items()}
    return value


def _text(fields: dict[str, Any], name: str, most: int) -> str:
    """Return a text of another node's entry, which may hold anything."""
    value = fields.get(name)
    return value[:most] if isinstance(value, str) else ""


def _names(said: Any) -> list[str]:
    """Return the names of a unit and of all above it; none where they can't be a path."""
    if not isinstance(said, list) or not 0 < len(said) <= MOST_LEVELS:
        return []
    names = [" ".join(name.split()) if isinstance(name, str) else "" for name in said]
    return names if all(0 < len(name) <= NAME_LENGTH for name in names) else []


def _tombstone(before: Document, at: datetime) -> dict[str, Any]:
    return {name: getattr(before, name) for name in _KEPT} | {
        "title": "",
        "summary": "",
        "category": "",
        "unit": "",
        "body": "",
        "fields": {},
        "attachments": [],
        "unit_level": "",
        "unit_path": [],
        "context": {},
        "adopted": 0,
        "effective": 0,
        "replicability": "",
        "synced_at": at,
        "withdrawn_at": before.withdrawn_at or at,
        "former_audience": before.audience or before.former_audience,
    }
