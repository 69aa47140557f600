"""Writing: the workbench, the form, and the page of a case at work."""

from typing import Any
from uuid import UUID

from flask import flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from hub import markup
from hub.cases import forms, hints, service
from hub.cases.fields import fields_of
from hub.cases.models import Kind
from hub.cases.service.register import SEEING_ALL
from hub.cases.uploading import upload
from hub.cases.views.blueprint import blueprint
from hub.cases.views.reading import body_of
from hub.config import settings
from hub.database import transaction
from hub.errors import HubError, NotFoundError
from hub.identity import access
from hub.identity.models import REVIEWING, Role
from hub.media.serving import send
from hub.registry import names


@blueprint.get("/workbench")
@access.signed_in
def workbench() -> str:
    """List what the caller wrote and what waits for them."""
    return bench()


def bench(slip: forms.Slip | None = None) -> str:
    """Return the workbench, with what was typed there and not taken."""
    mine, queue = service.works_of(g.actor), service.queue_of(g.actor)
    seeing = {*REVIEWING, *SEEING_ALL}
    said = {
        "sees_register": any(map(g.actor.holds, seeing)),
        "undecided": service.undecided(g.actor),
        "to_clear": service.to_clear(g.actor),
    }
    return render_template("cases/workbench.html", mine=mine, queue=queue, slip=slip, **said)


@blueprint.get("/workbench/new")
@access.role(Role.AUTHOR)
def new() -> ResponseReturnValue:
    """Ask which kind, then show its empty form."""
    kind = request.args.get("kind")
    if kind is None:
        return render_template("cases/kinds.html")
    form = forms.filled(_known(kind), {}, unit=str(g.actor.organisation_id), visibility="node")
    return _writing(form, kind, None)


@blueprint.post("/workbench/new")
@access.role(Role.AUTHOR)
def create() -> ResponseReturnValue:
    """Keep a new draft."""
    kind = _known(request.args.get("kind"))
    form = forms.writing_form(kind)()
    try:
        with transaction():
            case = service.create(g.actor, kind, forms.values_of(form, kind))
    except HubError as error:
        return _refused(form, kind, None, error)
    return _kept(case.id)


@blueprint.get("/workbench/<uuid:case_id>/edit")
@access.signed_in
def edit(case_id: UUID) -> ResponseReturnValue:
    """Show the form with what is written so far."""
    work = service.authors_work(case_id, g.actor)
    return _writing(_filled(work), work.case.kind, work)


@blueprint.post("/workbench/<uuid:case_id>/edit")
@access.signed_in
def save(case_id: UUID) -> ResponseReturnValue:
    """Keep what was typed."""
    work = service.authors_work(case_id, g.actor)
    kind = work.case.kind
    form = forms.writing_form(kind)()
    values, version = forms.values_of(form, kind), form.version.data
    try:
        with transaction():
            service.edit(g.actor, case_id, values, version=version)
    except HubError as error:
        return _refused(form, kind, service.authors_work(case_id, g.actor), error)
    return _kept(case_id)


@blueprint.get("/workbench/<uuid:case_id>")
@access.signed_in
def work(case_id: UUID) -> str:
    """Show a case at work: where it stands, its text, and what the caller may do."""
    render_body(service.find_work(case_id, g.actor))
    found = service.find_work(case_id, g.actor)
    return render_template("cases/work.html", **about(found))


@blueprint.post("/workbench/<uuid:case_id>/files")
@access.signed_in
def attach(case_id: UUID) -> ResponseReturnValue:
    """Attach a file, before anything else of the case is changed."""
    version = forms.DecisionForm().version.data
    try:
        upload(g.actor, case_id, request.files.get("file"), version)
    except HubError as error:
        return _not_attached(case_id, error)
    flash(_("Attached."), "success")
    return redirect(url_for("cases.edit", case_id=case_id, _anchor="files"), 303)


@blueprint.post("/workbench/<uuid:case_id>/files/<sha256>/removal")
@access.signed_in
def detach(case_id: UUID, sha256: str) -> ResponseReturnValue:
    """Take a file off."""
    version = forms.DecisionForm().version.data
    with transaction():
        service.detach(g.actor, case_id, sha256, version=version)
    flash(_("Taken off."), "success")
    return redirect(url_for("cases.edit", case_id=case_id, _anchor="files"), 303)


@blueprint.get("/workbench/<uuid:case_id>/files/<sha256>")
@access.signed_in
def file(case_id: UUID, sha256: str) -> ResponseReturnValue:
    """Hand over a file of a case at work."""
    found = service.file_at_work(case_id, sha256, g.actor)
    return send(found.sha256, found.name, found.type)


def _not_attached(case_id: UUID, error: HubError) -> ResponseReturnValue:
    """Show the form again, with what was wrong beside the file."""
    if error.status == NotFoundError.status:
        raise error
    work = service.authors_work(case_id, g.actor)
    form = _filled(work)
    forms.complain(form, error)
    return _writing(form, work.case.kind, work), error.status  # type: ignore[return-value]


def about(work: service.Work) -> dict[str, Any]:
    """Return what the page of a case at work needs."""
    return {
        "work": work,
        "case": work.case,
        "kind": work.case.kind,
        "fields": work.kept,
        "text": body_of(work.revision.body, work.revision.html),
        "steps": service.steps_of(work.case),
        "missing": service.missing_of(work),
        "hints": hints.in_fields(work.case.kind, work.kept),
        "secrecy_form": forms.SecrecyForm(version=work.case.version),
        "approval_form": forms.ApprovalForm(version=work.case.version),
        "step_form": forms.DecisionForm(version=work.case.version),
    }


def render_body(work: service.Work) -> None:
    """Make the HTML of a draft when it is first looked at, outside of any transaction."""
    case_id, number, body = work.case.id, work.revision.number, work.revision.body
    if work.revision.html is not None:
        return
    html = markup.render(body)
    with transaction():
        service.keep_preview(case_id, number, body, html)


def _filled(work: service.Work) -> forms.WritingForm:
    case = work.case
    return forms.filled(
        case.kind,
        work.content,
        version=case.version,
        unit=str(case.unit_id),
        visibility=case.visibility,
        partners=case.partners,
    )


def _known(kind: str | None) -> str:
    if kind not in list(Kind):
        raise NotFoundError
    return kind


def offered(form: forms.WritingForm) -> None:
    """Fill in the units that the caller writes for, and the partners that are known."""
    units = {str(unit.id): unit.name for unit in service.units_of(g.actor)}
    forms.offer(form, units, names.enterprise_names())


def _writing(form: forms.WritingForm, kind: str, work: service.Work | None) -> ResponseReturnValue:
    offered(form)
    listed = fields_of(kind)
    limit = settings().attachment_megabytes
    return render_template(
        "cases/edit.html", form=form, kind=kind, work=work, listed=listed, limit=limit
    )


def _refused(
    form: forms.WritingForm, kind: str, work: service.Work | None, error: HubError
) -> ResponseReturnValue:
    if error.status == NotFoundError.status:
        raise error
    forms.complain(form, error)
    return _writing(form, kind, work), error.status  # type: ignore[return-value]


def _kept(case_id: UUID) -> ResponseReturnValue:
    flash(_("Saved."), "success")
    return redirect(url_for("cases.work", case_id=case_id), 303)
