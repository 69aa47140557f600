"""The page on which an administrator sees how search stands."""

from flask import Blueprint, render_template

from hub.identity import access
from hub.identity.models import Role
from hub.search import standing

blueprint = Blueprint("search_state", __name__)


@blueprint.get("/admin/search")
@access.role(Role.ADMINISTRATOR)
def state() -> str:
    """Show how far the index is, and what became of the files."""
    return render_template(
        "search/state.html", index=standing.standing(), files=standing.files_by_state()
    )
