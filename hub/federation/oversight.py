"""Pages on which people see what was held back, and what a partner can read."""

from flask import Blueprint, Response, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from hub.database import transaction
from hub.federation import preview, quarantine
from hub.federation.forms import DiscardForm
from hub.identity import access
from hub.identity.models import Role

ITEM = "/admin/federation/quarantine/<int(max=9007199254740991):item_id>"
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
    return render_template("federation/quarantine.html", items=items, total=total, dropped=dropped)


@blueprint.get(ITEM)
@administrator
def item(item_id: int) -> ResponseReturnValue:
    """Show what came, as text, and what can be done about it."""
    found = quarantine.find(item_id)
    return render_template("federation/held.html", item=found, form=DiscardForm())


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
    reason = f"{outcome.code}: {outcome.reason}"
    flash(_("It is still held back. %(reason)s", reason=reason), "warning")
    return redirect(url_for(".item", item_id=item_id), 303)


@blueprint.post(f"{ITEM}/removal")
@administrator
def discard(item_id: int) -> ResponseReturnValue:
    """Forget an item for good, for a reason that is kept."""
    form = DiscardForm()
    if not form.validate_on_submit():
        found = quarantine.find(item_id)
        return render_template("federation/held.html", item=found, form=form), 400
    with transaction():
        quarantine.discard(item_id, form.reason.data or "", actor_id=g.actor.person_id)
    flash(_("It was discarded."), "success")
    return redirect(url_for(".held_back"), 303)


@blueprint.get("/admin/federation/partners")
@liaison
def partners() -> ResponseReturnValue:
    """List the partners, each with what it can read."""
    return render_template("federation/partners.html", partners=preview.partners())


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
    )
