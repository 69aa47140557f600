"""Exports in answers: handed over to be saved, never shown in the name of our pages."""

from urllib.parse import quote
from uuid import UUID

from flask import Response

from hub import markup
from hub.cases import service
from hub.cases.exporting.markdown import markdown_of
from hub.cases.exporting.word import word_of
from hub.identity.models import Actor
from hub.identity.service import audiences
from hub.media.kinds import KINDS

FORMS = ("docx", "md")


def exported(case_id: UUID, actor: Actor, form: str) -> Response:
    """Answer with what this actor may read of a case, under its title (RFC 5987).

    :param form: one of `FORMS`.
    :raises NotFoundError, WithdrawnError: as for its page.
    """
    page = service.find_page(case_id, audiences(actor))
    if form == "md":
        data = markdown_of(page).encode()
    else:
        is_made = page.html is not None
        data = word_of(page, markup.safe(page.html) if is_made else markup.paragraphs(page.body))
    name = quote(f"{page.title}.{form}", safe="")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
    return Response(data, content_type=KINDS[form], headers=headers)
