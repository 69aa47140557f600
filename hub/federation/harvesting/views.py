"""Pages with which an administrator looks after sources, and removes what came from them."""

from collections.abc import Callable
from uuid import UUID

from flask import Blueprint, flash, g, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from hub.database import db, transaction
from hub.errors import HubError
from hub.federation.errors import RefusedError
from hub.federation.forms import refuse
from hub.federation.harvesting import labels, service
from hub.federation.harvesting.forms import MissingForm, RemovalForm, SourceForm
from hub.identity import access
from hub.identity.models import Role

SOURCES = "/admin/federation/sources"
SOURCE = f"{SOURCES}/<uuid:source_id>"

blueprint = Blueprint("harvesting", __name__)
administrator = access.role(Role.ADMINISTRATOR)
remover = access.role(*service.REMOVERS)


@blueprint.get(SOURCES)
@administrator
def sources() -> ResponseReturnValue:
    """Show each source, how it stands, and what can be done."""
    return render_template("federation/sources.html", sources=service.sources(), labels=labels)


@blueprint.get(f"{SOURCES}/new")
@administrator
def new() -> ResponseReturnValue:
    """Ask what to harvest."""
    return render_template("federation/source.html", form=SourceForm())


@blueprint.post(SOURCES)
@administrator
def add() -> ResponseReturnValue:
    """Ask a source once, and harvest it from now on if it answers as it should."""
    form = SourceForm()
    try:
        if form.validate_on_submit():
            _add(form.offer())
            return redirect(url_for(".sources"), 303)
    except RefusedError as error:
        told = labels.TROUBLES.get(error.refusal, labels.UNKNOWN)
        form.url.errors = [*map(_, told), _("(code: %(code)s)", code=error.refusal)]
    except HubError as error:
        refuse(form.url, error)
    return render_template("federation/source.html", form=form), 400


def _add(offer: service.Offer) -> None:
    db.session.rollback()  # Nothing is held while the source is asked.
    called, page = service.attempt(offer.kind, offer.url, offer.set_name)
    with transaction():
        service.add(offer, actor_id=g.actor.person_id)
    flash(
        _(
            "Added. It calls itself “%(name)s” and showed %(count)s items; all of them follow now.",
            name=called[:100],
            count=len(page.records),
        ),
        "success",
    )


@blueprint.post(f"{SOURCE}/suspension")
@administrator
def pause(source_id: UUID) -> ResponseReturnValue:
    """Ask a source no more for now."""
    return _decide(lambda: service.pause(source_id, actor_id=g.actor.person_id), _("Paused."))


@blueprint.post(f"{SOURCE}/resumption")
@administrator
def resume(source_id: UUID) -> ResponseReturnValue:
    """Go on with a paused source."""
    return _decide(lambda: service.resume(source_id, actor_id=g.actor.person_id), _("It goes on."))


@blueprint.post(f"{SOURCE}/harvest")
@administrator
def harvest(source_id: UUID) -> ResponseReturnValue:
    """Have a source harvested at once."""
    said = _("It is being harvested now. Look again in a moment.")
    return _decide(lambda: service.ask_now(source_id), said)


@blueprint.post(f"{SOURCE}/missing")
@administrator
def confirm_missing(source_id: UUID) -> ResponseReturnValue:
    """Hide what is no longer at its source, though it is much."""
    form = MissingForm()
    number = form.number.data if form.validate_on_submit() else -1
    return _decide(
        lambda: service.confirm_missing(source_id, number or 0, actor_id=g.actor.person_id),
        _("Removed here, too."),
    )


@blueprint.get(f"{SOURCE}/removal")
@administrator
def confirm_removal(source_id: UUID) -> ResponseReturnValue:
    """Say what the removal of a source does."""
    return render_template("federation/source_removal.html", shown=service.find(source_id))


@blueprint.post(f"{SOURCE}/removal")
@administrator
def remove(source_id: UUID) -> ResponseReturnValue:
    """Harvest a source no more, and hide all that came from it."""
    return _decide(
        lambda: service.remove(source_id, actor_id=g.actor.person_id),
        _("Removed, with all that came from it."),
    )


@blueprint.get("/cases/<uuid:case_id>/removal")
@remover
def confirm_withdrawal(case_id: UUID) -> ResponseReturnValue:
    """Ask why something harvested shall go."""
    document = service.removable(case_id, g.actor)
    return render_template("federation/removal.html", document=document, form=RemovalForm())


@blueprint.post("/cases/<uuid:case_id>/removal")
@remover
def withdraw(case_id: UUID) -> ResponseReturnValue:
    """Remove one harvested document from this node for good."""
    form = RemovalForm()
    if not form.validate_on_submit():
        document = service.removable(case_id, g.actor)
        return render_template("federation/removal.html", document=document, form=form), 400
    with transaction():
        service.withdraw(case_id, form.reason.data or "", g.actor)
    flash(_("Removed. No later harvest brings it back."), "success")
    return redirect("/search", 303)


def _decide(step: Callable[[], None], said: str) -> ResponseReturnValue:
    with transaction():
        step()
    flash(said, "success")
    return redirect(url_for(".sources"), 303)
