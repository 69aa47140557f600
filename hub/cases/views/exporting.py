"""A case as a file."""

from uuid import UUID

from flask import Response, g

from hub.cases.exporting.answers import exported
from hub.cases.views.blueprint import blueprint
from hub.identity import access


@blueprint.get("/cases/<uuid:case_id>/export.<any(docx, md):form>")
@access.anyone
def export(case_id: UUID, form: str) -> Response:
    """Hand over what is published as a file."""
    return exported(case_id, g.actor, form)
