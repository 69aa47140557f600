"""The first page, and the page of one case."""

from typing import Any
from uuid import UUID

from flask import g, render_template
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from sqlalchemy import Row

from hub import markup
from hub.cases import content, forms, harvested, service
from hub.cases.errors import WithdrawnError
from hub.cases.models import Remark
from hub.cases.views.blueprint import blueprint
from hub.config import settings
from hub.identity import access
from hub.identity.models import Actor, Role
from hub.identity.service import audiences
from hub.registry import names

ACTING = (Role.AUTHOR, Role.BRANCH_SECRETARY, Role.SIGNATORY)
REMOVING = (Role.ADMINISTRATOR, Role.BRANCH_SECRETARY)  # Of what was harvested.


@blueprint.get("/")
@access.anyone
def home() -> str:
    """Show search, what is new, and what waits for the reader."""
    documents = service.newest(audiences(g.actor))
    queue = service.queue_of(g.actor, limit=5)
    return render_template("cases/home.html", documents=documents, queue=queue)


@blueprint.get("/cases/<uuid:case_id>")
@access.anyone
def show(case_id: UUID) -> ResponseReturnValue:
    """Show what is published."""
    try:
        page = service.find_page(case_id, audiences(g.actor))
    except WithdrawnError as error:
        gone, is_kept = error.document, service.is_kept_by(case_id, g.actor)
        node = names.node_names({gone.origin}).get(gone.origin, gone.origin)
        left = {"document": gone, "is_kept": is_kept, "node": node}
        return render_template("cases/tombstone.html", **left), 410
    return render_template("cases/case.html", **around(page, g.actor))


def around(page: Row[Any], actor: Actor) -> dict[str, object]:
    """Return what the page of a case needs: the case, what was said of it, and what one may do."""
    said = service.beside(page.id, audiences(actor), actor) if page.is_discussed else []
    may_report = actor.is_signed_in and service.may_report(actor, page)
    return shown(page) | {
        "work": _work(page, actor),
        "remarks": [one for one in said if one["type"] != Remark.ADOPTION],
        "adoptions": [one for one in said if one["type"] == Remark.ADOPTION],
        "adoption": forms.AdoptionForm(formdata=None) if may_report else None,
        "may_ask": actor.is_signed_in and not page.is_harvested and service.may_ask(actor),
        "may_remove": page.is_harvested and any(map(actor.holds, REMOVING)),
        "form": None,
        "slip": None,
    }


def shown(page: Row[Any]) -> dict[str, object]:
    """Return what the template of a case needs."""
    files = service.shown_files(page.attachments)
    return {
        "document": page,
        "kind": page.kind,
        "fields": content.well_formed(page.kind, page.fields),
        "harvested": harvested.provenance_of(page.fields) if page.is_harvested else None,
        "text": body_of(page.body, page.html),
        "files": files,
        "pictures": service.pictures_of(files),
    }


def body_of(body: str, html: str | None) -> Markup:
    """Return a body to show: rendered, or as paragraphs of plain text until it is."""
    return markup.paragraphs(body) if html is None else markup.safe(html)


def _work(page: Row[Any], actor: Actor) -> service.Work | None:
    """Return the case behind a document, for those who may act on it."""
    if page.origin != settings().origin or not any(map(actor.holds, ACTING)):
        return None
    return service.standing_of(page.id, actor)
