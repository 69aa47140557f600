"""Pages with which an administrator joins a federation and looks after its peers."""

from uuid import UUID

from flask import Blueprint, flash, g, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from hub.cases.fields import CATEGORIES
from hub.config import settings
from hub.database import db, transaction
from hub.errors import HubError, NotFoundError
from hub.federation import (
    acknowledgements,
    closing,
    freezing,
    health,
    hiding,
    joining,
    labels,
    omissions,
    peering,
    puller,
    room,
    standing,
)
from hub.federation.forms import (
    ConfirmationForm,
    InvitationForm,
    JoinForm,
    confirmation_of,
    refuse,
)
from hub.federation.shown import receipts_shown
from hub.identity import access
from hub.identity.models import Role
from hub.journal import succession
from hub.journal.signing import node_keys
from hub.registry import names
from hub.registry.models import Peer, PeerKind, PeerState

blueprint = Blueprint("federation", __name__, template_folder="templates")
administrator = access.role(Role.ADMINISTRATOR)


@blueprint.get("/admin/federation/join")
@administrator
def join() -> ResponseReturnValue:
    """Ask for the code that a headquarters gave out."""
    return render_template("federation/join.html", form=JoinForm())


@blueprint.post("/admin/federation/join")
@administrator
def look() -> ResponseReturnValue:
    """Show who gave out a code, and what would be shared, before anything is sent."""
    form = JoinForm()
    try:
        if form.validate_on_submit():
            offer = joining.look(form.code.data or "")
            return render_template("federation/offer.html", offer=offer, grouped=peering.grouped)
    except HubError as error:
        refuse(form.code, error)
    return render_template("federation/join.html", form=form), 400


@blueprint.post("/admin/federation/membership")
@administrator
def enter() -> ResponseReturnValue:
    """Join, and show whether everything works."""
    form = JoinForm()
    try:
        if form.validate_on_submit():
            return redirect(url_for(".lights", peer_id=_enter(form.code.data or "")), 303)
    except HubError as error:
        refuse(form.code, error)
    return render_template("federation/join.html", form=form), 400


def _enter(code: str) -> UUID:
    admission = joining.register(code)
    with transaction():
        return joining.keep(admission, actor_id=g.actor.person_id).id


@blueprint.get("/admin/federation/peers/<uuid:peer_id>")
@administrator
def lights(peer_id: UUID) -> ResponseReturnValue:
    """Try what the exchange with a peer needs, and show how it went."""
    peer = _find(peer_id)
    if not puller.is_upstream(peer):
        raise NotFoundError  # It dials us; there is nothing to try from here.
    tried = health.lights_of(peer)
    kinds = labels.KIND_LABELS
    return render_template("federation/lights.html", peer=_find(peer_id), lights=tried, kinds=kinds)


@blueprint.get("/admin/federation/peers")
@administrator
def peers() -> ResponseReturnValue:
    """Show each peer, how the exchange with it stands, and what can be done."""
    config, unfair, alarms = settings(), omissions.by_peer(), freezing.alarms()
    enterprises = names.enterprise_names()
    accused = {alarm.origin for alarm in alarms}.union(*unfair.values())
    return render_template(
        "federation/peers.html",
        behind=acknowledgements.lags(),
        standings=sorted(standing.standings(), key=_urgency),
        obstacle=room.obstacle(),
        omissions=unfair,
        alarms=alarms,
        recovering=[labels.channel(row.channel, enterprises) for row in succession.waiting()],
        quota=(config.peer_requests_per_minute, config.peer_entries_per_minute),
        fingerprint=peering.grouped(node_keys().fingerprint),
        categories=CATEGORIES,
        enterprises=enterprises,
        nodes=names.node_names(accused),
        labels=labels,
        hidden=hiding.reasons(),
        lease=hiding.LEASE,
    )


@blueprint.get("/admin/federation/invitations/new")
@administrator
def new_invitation() -> ResponseReturnValue:
    """Ask whom to invite."""
    if not settings().is_headquarters:
        raise NotFoundError
    return render_template("federation/invite.html", form=InvitationForm())


@blueprint.post("/admin/federation/invitations")
@administrator
def invite() -> ResponseReturnValue:
    """Make a code, and show it this once."""
    form = InvitationForm()
    try:
        if form.validate_on_submit():
            with transaction():
                code = joining.invite(*form.values(), actor_id=g.actor.person_id)
            page = render_template("federation/invited.html", code=code, form=form)
            return page, 201
    except HubError as error:
        refuse(form.enterprise if error.field == "enterprise" else form.origin, error)
    return render_template("federation/invite.html", form=form), 400


@blueprint.get("/admin/federation/peers/<uuid:peer_id>/confirmation")
@administrator
def compare(peer_id: UUID) -> ResponseReturnValue:
    """Show both fingerprints, and ask whether they were compared and what is agreed."""
    peer = _find_partner(peer_id)
    return _comparison(peer, confirmation_of(peer))


@blueprint.post("/admin/federation/peers/<uuid:peer_id>/confirmation")
@administrator
def confirm(peer_id: UUID) -> ResponseReturnValue:
    """Trust a partner whose fingerprint was compared."""
    form, peer = ConfirmationForm(), _find_partner(peer_id)
    try:
        if form.validate_on_submit():
            seen = form.fingerprint.data or ""
            with transaction():
                peering.confirm(peer.origin, seen, form.agreement(), actor_id=g.actor.person_id)
            flash(_("The connection is confirmed."), "success")
            return redirect(url_for(".peers"), 303)
    except HubError as error:
        refuse(form.compared if error.field == "fingerprint" else form.ends_on, error)
    form.fingerprint.data = peer.fingerprint
    return _comparison(peer, form), 400


def _comparison(peer: Peer, form: ConfirmationForm) -> str:
    ours = peering.grouped(node_keys().fingerprint)
    return render_template(
        "federation/confirmation.html",
        peer=peer,
        form=form,
        ours=ours,
        theirs=peering.grouped(peer.fingerprint),
    )


@blueprint.post("/admin/federation/peers/<uuid:peer_id>/suspension")
@administrator
def suspend(peer_id: UUID) -> ResponseReturnValue:
    """Stop all exchange with a peer."""
    origin = _find(peer_id).origin
    with transaction():
        peering.suspend(origin, actor_id=g.actor.person_id)
    flash(_("The connection is suspended. Nothing passes any more."), "success")
    return redirect(url_for(".peers"), 303)


@blueprint.post("/admin/federation/peers/<uuid:peer_id>/resumption")
@administrator
def resume(peer_id: UUID) -> ResponseReturnValue:
    """Go on with a suspended peer."""
    origin = _find(peer_id).origin
    with transaction():
        peering.resume(origin, actor_id=g.actor.person_id)
    flash(_("The connection goes on where it was stopped."), "success")
    return redirect(url_for(".peers"), 303)


@blueprint.get("/admin/federation/peers/<uuid:peer_id>/closure")
@administrator
def ask_to_close(peer_id: UUID) -> ResponseReturnValue:
    """Say what closing a peering means, before anybody does it."""
    return render_template("federation/closure.html", peer=_find_partner(peer_id))


@blueprint.post("/admin/federation/peers/<uuid:peer_id>/closure")
@administrator
def close(peer_id: UUID) -> ResponseReturnValue:
    """Close a peering with a partner for good."""
    origin = _find_partner(peer_id).origin
    with transaction():
        closing.close(origin, actor_id=g.actor.person_id)
    flash(_("The connection is closed for good. Nobody here sees its cases any more."), "success")
    return redirect(url_for(".peers"), 303)


@blueprint.get("/cases/<uuid:case_id>/receipts")
@access.signed_in
def receipts(case_id: UUID) -> ResponseReturnValue:
    """Show node by node who has confirmed a withdrawal."""
    work, overview, is_current = receipts_shown(case_id, g.actor)
    return render_template(
        "federation/receipts.html", work=work, overview=overview, is_current=is_current
    )


def _urgency(each: standing.Standing) -> tuple[bool, bool]:
    """Return what sorts first whatever needs somebody, and last what is over."""
    return not each.is_red, each.peer.state == PeerState.CLOSED


def _find_partner(peer_id: UUID) -> Peer:
    peer = _find(peer_id)
    if peer.kind != PeerKind.PARTNER or peer.state == PeerState.CLOSED:
        raise NotFoundError
    return peer


def _find(peer_id: UUID) -> Peer:
    peer = db.session.get(Peer, peer_id)
    if peer is None:
        raise NotFoundError
    return peer
