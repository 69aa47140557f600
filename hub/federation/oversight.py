"""Pages on which people see what was held back, who contradicted itself, and what partners read."""

from flask import Blueprint, Response, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from hub.database import transaction
from hub.federation import freezing, labels, preview, quarantine
from hub.federation.forms import DiscardForm, UnfreezingForm
from hub.federation.models import Frozen, Quarantined
from hub.federation.reasons import reason
from hub.identity import access
from hub.identity.models import Role
from hub.registry import names

ITEM = "/admin/federation/quarantine/<int(max=9007199254740991):item_id>"
ALARM = "/admin/federation/frozen/<int(max=9007199254740991):frozen_id>"
LAST_PAGE = 100_000

blueprint = Blueprint("oversight", __name__)
administrator = access.role(Role.ADMINISTRATOR)
liaison = access.role(Role.ADMINISTRATOR, Role.PARTNER_LIAISON)


@blueprint.get("/admin/federation/quarantine")
@administrator
def held_back() -> ResponseReturnValue:
    """Show what arrived and was not taken in, newest first, and why."""
    items, held = quarantine.newest(), quarantine.held_by_peer()
    dropped = {peer: numbers.dropped for peer, numbers in held.items() if numbers.dropped}
    total = sum(numbers.items for numbers in held.values())
    senders = {item.peer for item in items} | {item.iss for item in items} | dropped.keys()
    return render_template(
        "federation/quarantine.html",
        items=items,
        total=total,
        dropped=dropped,
        nodes=names.node_names(senders),
        reason=reason,
    )


@blueprint.get(ITEM)
@administrator
def item(item_id: int) -> ResponseReturnValue:
    """Show what came, as text, and what can be done about it."""
    return _item(quarantine.find(item_id), DiscardForm())


def _item(found: Quarantined, form: DiscardForm) -> str:
    return render_template(
        "federation/held.html",
        item=found,
        form=form,
        nodes=names.node_names({found.peer, found.iss}),
        enterprises=names.enterprise_names(),
        reason=reason(found.code, is_parked=found.is_parked),
        labels=labels,
    )


@blueprint.get(f"{ITEM}/raw")
@administrator
def raw(item_id: int) -> ResponseReturnValue:
    """Hand out what came, as a file that no browser opens by itself."""
    found = quarantine.find(item_id)
    name = f"held-back-{found.id}.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(found.raw.encode(), headers=headers, content_type="application/octet-stream")


@blueprint.post(f"{ITEM}/retry")
@administrator
def retry(item_id: int) -> ResponseReturnValue:
    """Try an item again, and say what became of it."""
    with transaction():
        outcome = quarantine.retry(item_id, actor_id=g.actor.person_id)
    if outcome.code is None:
        flash(_("It was taken in."), "success")
        return redirect(url_for(".held_back"), 303)
    flash(_("It is still held back. %(reason)s", reason=_(reason(outcome.code)[0])), "warning")
    return redirect(url_for(".item", item_id=item_id), 303)


@blueprint.post(f"{ITEM}/removal")
@administrator
def discard(item_id: int) -> ResponseReturnValue:
    """Forget an item for good, for a reason that is kept."""
    form = DiscardForm()
    if not form.validate_on_submit():
        return _item(quarantine.find(item_id), form), 400
    with transaction():
        quarantine.discard(item_id, form.reason.data or "", actor_id=g.actor.person_id)
    flash(_("It was discarded."), "success")
    return redirect(url_for(".held_back"), 303)


@blueprint.get(ALARM)
@administrator
def contradiction(frozen_id: int) -> ResponseReturnValue:
    """Show both versions of what a node signed, and ask what was found out."""
    return _contradiction(freezing.find(frozen_id), UnfreezingForm())


def _contradiction(alarm: Frozen, form: UnfreezingForm) -> str:
    return render_template(
        "federation/contradiction.html",
        alarm=alarm,
        form=form,
        versions=freezing.versions_of(alarm),
        nodes=names.node_names({alarm.origin, alarm.served_by}),
        enterprises=names.enterprise_names(),
        labels=labels,
    )


@blueprint.post(f"{ALARM}/resolution")
@administrator
def unfreeze(frozen_id: int) -> ResponseReturnValue:
    """Trust a node again that contradicted itself, and try what waited."""
    form, alarm = UnfreezingForm(), freezing.find(frozen_id)
    origin = alarm.origin
    if not form.validate_on_submit():
        return _contradiction(alarm, form), 400
    with transaction():
        freezing.unfreeze(origin, reason=form.reason.data or "", actor_id=g.actor.person_id)
    with transaction():  # Locks the journal, which comes before the audit log.
        quarantine.retry_parked()
    flash(_("The node is trusted again. What waited is taken in."), "success")
    return redirect(url_for("federation.peers"), 303)


@blueprint.get("/admin/federation/partners")
@liaison
def partners() -> ResponseReturnValue:
    """List the partners, each with what it can read."""
    return render_template(
        "federation/partners.html", partners=preview.partners(), states=labels.STATE_LABELS
    )


@blueprint.get("/admin/federation/partners/<enterprise>")
@liaison
def preview_as(enterprise: str) -> ResponseReturnValue:
    """Show what a partner can read here now."""
    partner = preview.find_partner(enterprise)
    page = max(1, min(request.args.get("page", 1, type=int), LAST_PAGE))
    cases, total = preview.readable_by(partner, page)
    return render_template(
        "federation/preview.html",
        partner=partner,
        cases=cases,
        total=total,
        page=page,
        per_page=preview.PER_PAGE,
        nodes=names.node_names({case.origin for case in cases}),
    )
