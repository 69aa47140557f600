"""Exports in answers: handed over to be saved, never shown in the name of our pages."""

from urllib.parse import quote
from uuid import UUID

from flask import Response

from hub.cases import service
from hub.cases.exporting.markdown import markdown_of
from hub.identity.models import Actor
from hub.identity.service import audiences

MARKDOWN = "text/markdown; charset=utf-8"


def exported(case_id: UUID, actor: Actor) -> Response:
    """Answer with what this actor may read of a case, under its title (RFC 5987).

    :raises NotFoundError, WithdrawnError: as for its page.
    """
    document = service.find_document(case_id, audiences(actor))
    name = quote(f"{document.title}.md", safe="")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
    return Response(markdown_of(document), content_type=MARKDOWN, headers=headers)
