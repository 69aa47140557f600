"""What somebody is shown of a case: the published document, or the work on it."""

from typing import Any
from uuid import UUID

from hub.cases import content, harvested, service
from hub.cases.models import Case, Document, State
from hub.config import settings
from hub.identity.models import Actor
from hub.identity.service import audiences


def case_shown(case_id: UUID, actor: Actor) -> dict[str, Any]:
    """Return a case as this actor sees it, for the API.

    Its author and those whose step it is see the newest revision; all others what is published.

    :raises NotFoundError: when there is nothing for them.
    :raises WithdrawnError: when there was.
    """
    work = service.standing_of(case_id, actor)
    if work and work.case.rev != work.case.published_rev and service.is_concerned(work, actor):
        return _work_shown(work)
    document = service.find_document(case_id, audiences(actor))
    shown = document_shown(document)
    return shown | _standing(work) if work else shown


def document_shown(document: Document) -> dict[str, Any]:
    """Return a published document with its fields, as far as they can be read."""
    shown = content.well_formed(document.kind, document.fields) | {
        "id": document.id,
        "kind": document.kind,
        "state": State.PUBLISHED,
        "rev": document.rev,
        "title": document.title,
        "attachments": document.attachments,
        "body": document.body,
        "origin": document.origin,
        "enterprise": document.enterprise,
        "unit": document.unit,
        "published_at": document.published_at,
        "synced_at": document.synced_at,
        "replicability": document.replicability,
        "adopted": document.adopted,
        "effective": document.effective,
    }
    if document.is_harvested:
        found = harvested.provenance_of(document.fields)
        shown |= {"unsigned": True, "source": found.source, "source_link": found.link}
    return shown


def _work_shown(work: service.Work) -> dict[str, Any]:
    return (
        work.content
        | _standing(work)
        | {
            "id": work.case.id,
            "kind": work.case.kind,
            "attachments": work.files,
            "rev": work.case.rev,
            "origin": settings().origin,
            "enterprise": settings().enterprise,
            "unit": work.unit.name,
        }
    )


def _standing(work: service.Work) -> dict[str, Any]:
    case: Case = work.case
    return {
        "state": case.state,
        "version": case.version,
        "visibility": case.visibility,
        "partners": case.partners,
        "note": work.revision.note,
    }
