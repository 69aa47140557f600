"""Pages on which somebody looks after the searches that they keep."""

from urllib.parse import parse_qsl
from uuid import UUID

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from hub.database import transaction
from hub.errors import HubError
from hub.identity import access
from hub.identity.service import audiences
from hub.search import saved
from hub.search.forms import Asked
from hub.search.saved import News

MOST_ARGUMENTS = 50
LONGEST = 8_000  # Characters of the arguments of an address.

blueprint = Blueprint("saved", __name__)


@blueprint.get("/search/saved")
@access.signed_in
def kept() -> ResponseReturnValue:
    """List the searches that one keeps."""
    return _kept()


def _kept(problem: HubError | None = None, about: UUID | None = None) -> ResponseReturnValue:
    page = render_template(
        "search/saved.html",
        kept=saved.saved_by(g.actor.person_id),
        problem=problem,
        about=about,
        most=saved.MOST,
        longest=saved.NAME_LENGTH,
    )
    return page, problem.status if problem else 200


@blueprint.post("/search/saved")
@access.signed_in
def save() -> ResponseReturnValue:
    """Keep a search under a name."""
    try:
        with transaction():
            saved.save(g.actor.person_id, request.form.get("name", ""), _asked())
    except HubError as error:
        return _kept(error)
    flash(_("The search is saved. What is new in it stands on the home page."), "success")
    return redirect(url_for(".kept"), 303)


def _asked() -> Asked:
    """Return the search that the form was shown with."""
    text = request.form.get("search", "")[:LONGEST]
    try:
        return Asked.of(dict(parse_qsl(text, max_num_fields=MOST_ARGUMENTS)))
    except ValueError:
        return Asked()


@blueprint.post("/search/saved/<uuid:saved_id>/name")
@access.signed_in
def rename(saved_id: UUID) -> ResponseReturnValue:
    """Give one of one's own searches another name."""
    try:
        with transaction():
            saved.rename(g.actor.person_id, saved_id, request.form.get("name", ""))
    except HubError as error:
        if error.field is None:
            raise
        return _kept(error, saved_id)
    flash(_("The search has its new name."), "success")
    return redirect(url_for(".kept"), 303)


@blueprint.post("/search/saved/<uuid:saved_id>/removal")
@access.signed_in
def remove(saved_id: UUID) -> ResponseReturnValue:
    """Forget one of one's own searches."""
    with transaction():
        saved.remove(g.actor.person_id, saved_id)
    flash(_("The search is removed."), "success")
    return redirect(url_for(".kept"), 303)


@blueprint.app_template_global("news_of_saved_searches")
def news() -> list[News]:
    """Return what is new for the reader, for the home page, which knows nothing of search."""
    if not g.actor.is_signed_in:
        return []
    return saved.news_of(g.actor.person_id, audiences(g.actor))
