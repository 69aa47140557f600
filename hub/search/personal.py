"""What search does for one reader: suggestions while typing, and their own past searches."""

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from hub.database import transaction
from hub.identity import access
from hub.identity.service import audiences
from hub.search import keeping
from hub.search.parts import LONGEST
from hub.search.suggestions import suggest

blueprint = Blueprint("personal", __name__)


@blueprint.get("/search/suggestions")
@access.anyone
def suggestions() -> ResponseReturnValue:
    """Say what may be meant by what is typed so far."""
    found = suggest(
        request.args.get("q", ""), audiences=audiences(g.actor), person_id=g.actor.person_id
    )
    return [{"text": one.text, "kind": one.kind.value} for one in found]


@blueprint.get("/me/searches")
@access.signed_in
def searches() -> ResponseReturnValue:
    """Show one's own past searches."""
    return render_template(
        "search/past.html",
        kept=keeping.kept(g.actor.person_id),
        is_keeping=keeping.is_keeping(g.actor.person_id),
        most=keeping.MOST_KEPT,
    )


@blueprint.post("/me/searches/deletion")
@access.signed_in
def delete() -> ResponseReturnValue:
    """Delete one of one's own past searches, or all of them."""
    text = request.form.get("text", "")[:LONGEST]
    with transaction():
        keeping.forget(g.actor.person_id, text or None)
    flash(_("Deleted."), "success")
    return redirect(url_for(".searches"), 303)


@blueprint.post("/me/searches/choice")
@access.signed_in
def choose() -> ResponseReturnValue:
    """Have one's own searches kept, or not."""
    is_kept = request.form.get("keep") == "yes"
    with transaction():
        keeping.choose(g.actor.person_id, is_kept=is_kept)
    said = _("Your searches are kept from now on.") if is_kept else _("Nothing is kept any more.")
    flash(said, "success")
    return redirect(url_for(".searches"), 303)
