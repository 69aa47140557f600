"""From a document to a draft: sending it, and looking at what was found in it."""

from typing import Any
from uuid import UUID

from flask import flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from hub.cases import forms, service
from hub.cases.importing import drafting
from hub.cases.importing.drafting import Drafted
from hub.cases.models import ImportedDocument
from hub.cases.views.blueprint import blueprint
from hub.cases.views.reading import body_of
from hub.cases.views.workbench import offered, render_body
from hub.config import settings
from hub.database import db, transaction
from hub.errors import HubError, NotFoundError
from hub.identity import access
from hub.identity.models import Role


@blueprint.get("/workbench/import")
@access.role(Role.AUTHOR)
def bring() -> ResponseReturnValue:
    """Ask for a document or a text."""
    return _asking(forms.ImportForm(formdata=None))


@blueprint.post("/workbench/import")
@access.role(Role.AUTHOR)
def take() -> ResponseReturnValue:
    """Make drafts of what was sent."""
    form, sent = forms.ImportForm(), request.files.get("file")
    text, folds = form.text.data or "", bool(form.folds.data)
    try:
        if text.strip() and not (sent and sent.filename):
            drafted = drafting.draft_text(g.actor, text, folds=folds)
        else:
            drafted = drafting.draft_file(g.actor, sent, folds=folds)
    except HubError as error:
        forms.complain(form, error)
        return _asking(form), error.status
    return _leading_to(drafted)


@blueprint.get("/workbench/<uuid:case_id>/import")
@access.signed_in
def arrange(case_id: UUID) -> ResponseReturnValue:
    """Show what was found in a document, and where it went."""
    drafting.draft_of(g.actor, case_id)
    render_body(service.authors_work(case_id, g.actor))
    work = service.authors_work(case_id, g.actor)
    return _arranging(work, forms.arranged(work), drafting.draft_of(g.actor, case_id))


@blueprint.post("/workbench/<uuid:case_id>/import")
@access.signed_in
def rearrange(case_id: UUID) -> ResponseReturnValue:
    """Keep where it shall go, and hand the draft in if that was asked for."""
    found, form = drafting.draft_of(g.actor, case_id), forms.ArrangeForm()
    mapping, version = request.form.getlist("section"), form.version.data
    try:
        with transaction():
            values = forms.arranged_values(form)
            told = drafting.rearrange(g.actor, case_id, mapping, values, version=version)
            if "submit" in request.form:
                service.submit(g.actor, case_id)
    except HubError as error:
        if error.status == NotFoundError.status:
            raise
        forms.complain(form, error)
        work = service.authors_work(case_id, g.actor)
        return _arranging(work, form, found), error.status
    for each in told:
        flash(drafting.words(each), "warning")
    return _kept(case_id)


def _kept(case_id: UUID) -> ResponseReturnValue:
    if "submit" in request.form:
        flash(_("Handed in for secrecy review."), "success")
        return redirect(url_for("cases.work", case_id=case_id), 303)
    flash(_("Saved."), "success")
    return redirect(url_for("cases.arrange", case_id=case_id), 303)


def _asking(form: forms.ImportForm) -> str:
    limit = settings().attachment_megabytes
    return render_template("cases/import.html", form=form, limit=limit)


def _leading_to(drafted: Drafted) -> ResponseReturnValue:
    """Lead to what became of a document: its draft, or the workbench with several of them."""
    for each in drafted.told if len(drafted.ids) != 1 else ():
        flash(drafting.words(each), "warning")
    if len(drafted.ids) != 1:
        count = len(drafted.ids)
        flash(ngettext("%(num)s draft was made.", "%(num)s drafts were made.", count), "success")
        return redirect(url_for("cases.workbench"), 303)
    if drafted.is_known:
        flash(_("This document is here already. This is the draft that was made of it."), "warning")
    [case_id] = drafted.ids
    is_arranged = db.session.get(ImportedDocument, case_id) is not None
    page = "cases.arrange" if is_arranged else "cases.edit"
    return redirect(url_for(page, case_id=case_id), 303)


def _arranging(work: service.Work, form: Any, found: ImportedDocument) -> str:
    offered(form)
    return render_template(
        "cases/arrange.html",
        form=form,
        work=work,
        case=work.case,
        found=found,
        fields=forms.PLACES,
        text=body_of(work.revision.body, work.revision.html),
    )
