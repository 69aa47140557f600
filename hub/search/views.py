"""The search page."""

from flask import Blueprint, g, render_template, request

from hub.identity import access
from hub.identity.service import audiences
from hub.search import places, service
from hub.search.forms import Asked

blueprint = Blueprint("search", __name__, template_folder="templates")


@blueprint.get("/search")
@access.anyone
def find() -> str:
    """Show what one may read: what was asked for, best first, or the newest."""
    asked = Asked.of(request.args)
    results = service.search(
        asked.q,
        audiences=audiences(g.actor),
        filters=asked.filters,
        order=asked.order,
        page=asked.page,
        profile=g.actor.profile,
        is_fitting=asked.fits,
    )
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
    )
