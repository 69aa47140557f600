"""Deciding: submission, reviews, signature, publication, audience, withdrawal."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import flash, g, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from hub.cases import forms, service
from hub.cases.errors import IncompleteError
from hub.cases.models import Case
from hub.cases.views.blueprint import blueprint
from hub.cases.views.workbench import about
from hub.database import transaction
from hub.errors import HubError, NotFoundError
from hub.identity import access
from hub.registry import names


@blueprint.post("/workbench/<uuid:case_id>/submission")
@access.signed_in
def submit(case_id: UUID) -> ResponseReturnValue:
    """Hand a draft in."""
    form = forms.DecisionForm()
    try:
        _take(service.submit, case_id, form)
    except IncompleteError:
        return redirect(url_for("cases.work", case_id=case_id), 303)  # It lists what is missing.
    return _done(_("Handed in. The secrecy reviewer has it now."), case_id)


@blueprint.post("/workbench/<uuid:case_id>/secrecy-review")
@access.signed_in
def review_secrecy(case_id: UUID) -> ResponseReturnValue:
    """Decide whether the text may leave the unit."""
    form = forms.SecrecyForm()
    given = {"decision": form.decision.data or "", "grounds": form.grounds.data or ""}
    return _decide(case_id, service.review_secrecy, form, "secrecy_form", **given)


@blueprint.post("/workbench/<uuid:case_id>/approval")
@access.signed_in
def approve(case_id: UUID) -> ResponseReturnValue:
    """Decide on the content, or on a wider audience."""
    form = forms.ApprovalForm()
    given = {"decision": form.decision.data or "", "note": form.note.data or ""}
    return _decide(case_id, service.approve, form, "approval_form", **given)


@blueprint.post("/workbench/<uuid:case_id>/signature")
@access.signed_in
def sign(case_id: UUID) -> ResponseReturnValue:
    """Freeze an approved revision."""
    _take(service.sign, case_id, forms.DecisionForm())
    return _done(_("Signed. It can be published now."), case_id)


@blueprint.post("/workbench/<uuid:case_id>/publication")
@access.signed_in
def publish(case_id: UUID) -> ResponseReturnValue:
    """Release a signed revision."""
    _take(service.publish, case_id, forms.DecisionForm())
    flash(_("Published. Other nodes will have it in a moment."), "success")
    return redirect(url_for("cases.show", case_id=case_id), 303)


@blueprint.get("/cases/<uuid:case_id>/visibility")
@access.signed_in
def audience(case_id: UUID) -> str:
    """Ask who shall read it."""
    work = service.kept_work(case_id, g.actor)
    case = work.case
    form = forms.AudienceForm(
        version=case.version, visibility=case.visibility, partners=case.partners
    )
    return _audience(work, form)


@blueprint.post("/cases/<uuid:case_id>/visibility")
@access.signed_in
def set_visibility(case_id: UUID) -> ResponseReturnValue:
    """Narrow at once, or ask for a wider audience."""
    form = forms.AudienceForm()
    given = {"visibility": form.visibility.data or "", "partners": form.partners.data or []}
    try:
        case = _take(service.set_visibility, case_id, form, **given)
    except HubError as error:
        forms.complain(form, _known(error))
        return _audience(service.kept_work(case_id, g.actor), form), error.status
    if case.wider:
        return _done(_("A wider audience is reviewed first. Readers keep it as it is."), case_id)
    flash(_("Changed. It counts at once."), "success")
    return redirect(url_for("cases.workbench"), 303)


@blueprint.get("/cases/<uuid:case_id>/withdrawal")
@access.signed_in
def confirm_withdrawal(case_id: UUID) -> str:
    """Say what a withdrawal does, and ask for the reason."""
    work = service.kept_work(case_id, g.actor)
    form = forms.WithdrawalForm(version=work.case.version)
    return render_template("cases/withdrawal.html", work=work, form=form)


@blueprint.post("/cases/<uuid:case_id>/withdrawal")
@access.signed_in
def withdraw(case_id: UUID) -> ResponseReturnValue:
    """Take a case back everywhere."""
    form = forms.WithdrawalForm()
    try:
        _take(service.withdraw, case_id, form, reason=form.reason.data or "")
    except HubError as error:
        forms.complain(form, _known(error))
        work = service.kept_work(case_id, g.actor)
        return render_template("cases/withdrawal.html", work=work, form=form), error.status
    flash(_("Withdrawn. It disappears from all nodes as they hear of it."), "success")
    return redirect(f"/cases/{case_id}/receipts", 303)  # Node by node, as they confirm.


def _take(step: Callable[..., Case], case_id: UUID, form: forms.DecisionForm, **given: Any) -> Case:
    with transaction():
        return step(g.actor, case_id, version=form.version.data, **given)


def _decide(
    case_id: UUID, step: Callable[..., Case], form: forms.DecisionForm, name: str, **given: str
) -> ResponseReturnValue:
    """Take a decision; what was wrong with it is shown beside the input."""
    try:
        _take(step, case_id, form, **given)
    except HubError as error:
        forms.complain(form, _known(error))
        work = service.find_work(case_id, g.actor)
        return render_template("cases/work.html", **about(work) | {name: form}), error.status
    flash(_("Your decision is on record."), "success")
    return redirect(url_for("cases.workbench"), 303)


def _known(error: HubError) -> HubError:
    """Pass an error on that has no page of its own to be shown on."""
    if error.status == NotFoundError.status:
        raise error
    return error


def _audience(work: service.Work, form: forms.AudienceForm) -> str:
    forms.offer(form, {}, names.enterprise_names())
    return render_template("cases/audience.html", work=work, form=form)


def _done(message: str, case_id: UUID) -> ResponseReturnValue:
    flash(message, "success")
    return redirect(url_for("cases.work", case_id=case_id), 303)
