"""Asking about a case, and what its unit does with questions."""

from uuid import UUID

from flask import flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_wtf import FlaskForm

from hub.cases import forms, service
from hub.cases.views.blueprint import blueprint
from hub.cases.views.reading import around
from hub.cases.views.workbench import bench
from hub.database import transaction
from hub.errors import ForbiddenError, HubError, NotFoundError
from hub.identity import access
from hub.identity.models import Role
from hub.identity.service import audiences


@blueprint.post("/cases/<uuid:case_id>/questions")
@access.signed_in
def ask(case_id: UUID) -> ResponseReturnValue:
    """Ask the unit of a case."""
    form = forms.RemarkForm()
    try:
        with transaction():
            service.ask(g.actor, case_id, form.text.data or "")
    except HubError as error:
        return _refused(error, case_id, form=form)
    flash(_("Kept. It goes out once the secrecy reviewer of your unit has cleared it."), "success")
    return redirect(url_for("cases.show", case_id=case_id, _anchor="questions"), 303)


@blueprint.post("/cases/<uuid:case_id>/adoptions")
@access.signed_in
def report(case_id: UUID) -> ResponseReturnValue:
    """Report how a case fared in one's own unit."""
    form = forms.AdoptionForm()
    try:
        with transaction():
            service.report(g.actor, case_id, form.text.data or "", form.outcome.data or "")
    except HubError as error:
        return _refused(error, case_id, adoption=form)
    flash(_("Kept. It goes out once the secrecy reviewer of your unit has cleared it."), "success")
    return redirect(url_for("cases.show", case_id=case_id, _anchor="adoptions"), 303)


def _refused(error: HubError, case_id: UUID, **filled_in: FlaskForm) -> ResponseReturnValue:
    """Show the case again with what was typed and why it was not taken.

    :raises HubError: where there is no case to show.
    """
    if error.status in {NotFoundError.status, ForbiddenError.status, 410}:
        raise error
    for form in filled_in.values():
        forms.complain(form, error)
    shown = around(service.find_page(case_id, audiences(g.actor)), g.actor) | filled_in
    return render_template("cases/case.html", **shown), error.status


@blueprint.post("/questions/<uuid:remark_id>/acceptance")
@access.signed_in
def accept(remark_id: UUID) -> ResponseReturnValue:
    """Publish a question beside its case."""
    with transaction():
        case_id = service.accept(g.actor, remark_id)
    flash(_("Published beside the case."), "success")
    return redirect(url_for("cases.show", case_id=case_id, _anchor=f"q-{remark_id}"), 303)


@blueprint.post("/questions/<uuid:remark_id>/refusal")
@access.signed_in
def decline(remark_id: UUID) -> ResponseReturnValue:
    """Let nobody see a question."""
    reason = request.form.get("reason", "")
    try:
        with transaction():
            service.decline(g.actor, remark_id, reason)
    except HubError as error:
        return bench(_slip(remark_id, reason, error)), error.status
    flash(_("Declined. Nobody else will see it."), "success")
    return redirect(url_for("cases.workbench"), 303)


@blueprint.post("/questions/<uuid:question_id>/answers")
@access.signed_in
def answer(question_id: UUID) -> ResponseReturnValue:
    """Answer a question beside its case."""
    text = request.form.get("text", "")
    try:
        with transaction():
            service.answer(g.actor, question_id, text)
    except HubError as error:
        slip = _slip(question_id, text, error)
        page = service.find_page(service.subject_of(question_id), audiences(g.actor))
        shown = around(page, g.actor) | {"slip": slip}
        return render_template("cases/case.html", **shown), error.status
    flash(_("Kept. It goes out once the secrecy reviewer of your unit has cleared it."), "success")
    return redirect(url_for("cases.workbench"), 303)


@blueprint.post("/questions/<uuid:remark_id>/secrecy-review")
@access.role(Role.SECRECY_REVIEWER)
def review_remark(remark_id: UUID) -> ResponseReturnValue:
    """Let a question or an answer leave its unit, or not."""
    decision = service.Clearance.CLEARED if "clear" in request.form else service.Clearance.REFUSED
    grounds = request.form.get("grounds", "")
    try:
        with transaction():
            service.review_remark(g.actor, remark_id, decision, grounds)
    except HubError as error:
        return bench(_slip(remark_id, grounds, error)), error.status
    flash(_("Your decision is recorded."), "success")
    return redirect(url_for("cases.workbench"), 303)


def _slip(remark_id: UUID, text: str, error: HubError) -> forms.Slip:
    """Return what was typed and why it was not taken.

    :raises HubError: the error itself when it is not about what was typed.
    """
    if error.status != HubError.status:
        raise error
    return forms.Slip(remark_id, text, forms.complaint(error))
