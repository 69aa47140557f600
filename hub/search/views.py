"""The search page."""

from flask import Blueprint, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from hub.identity import access
from hub.identity.service import audiences
from hub.search import asking, keeping, places, service, spelling
from hub.search.forms import BOXES, Asked

blueprint = Blueprint("search", __name__, template_folder="templates")


@blueprint.get("/search")
@access.anyone
def find() -> ResponseReturnValue:
    """Show what one may read: what was asked for, best first, or the newest."""
    asked, readers = Asked.of(request.args), audiences(g.actor)
    if any(name in request.args for name in BOXES):  # One address for each search.
        return redirect(url_for(".find", **asked.arguments()))
    results = service.search(
        asked.q,
        audiences=readers,
        filters=asked.filters,
        order=asked.order,
        page=asked.page,
        profile=g.actor.profile,
        is_fitting=asked.fits,
        by=service.find if asked.here else asking.find_anywhere,
    )
    if g.actor.is_signed_in and asked.q and results.hits and not results.is_loosened:
        keeping.keep(g.actor.person_id, asked.q)
    enterprises = places.enterprise_names(results.facets)
    counted = (results.facets or {}).get("place", [])
    return render_template(
        "search/find.html",
        asked=asked,
        query=asked.q,
        results=results,
        nodes=service.node_names(results),
        enterprises=enterprises,
        place_name=places.label,
        places=places.tree(counted, asked.filters.get("place", ""), enterprises),
        meant=spelling.meant(asked.q, results, audiences=readers, filters=asked.filters),
    )
