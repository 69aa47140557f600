"""The addresses of the feeds, open to everybody."""

from typing import Any

from flask import Blueprint, Response, render_template, request
from flask_babel import force_locale, gettext
from sqlalchemy import Row

from hub import clock, markup
from hub.cases import content
from hub.config import settings
from hub.federation.feeds import atom, oai
from hub.identity.access import anyone

SETTLED = 60  # Seconds after which a date that counts whole seconds tells versions apart.

blueprint = Blueprint("feeds", __name__, template_folder="templates")


@blueprint.get(atom.PATH)
@anyone
def public() -> Response:
    """Serve the newest changes of the public cases."""
    return _answer(atom.current())


@blueprint.get("/feeds/public/<int:number>.atom")
@anyone
def archive(number: int) -> Response:
    """Serve one of the older documents of the feed."""
    return _answer(atom.archive(number))


@blueprint.route(oai.PATH, methods=["GET", "POST"])
@anyone
def harvest() -> Response:
    """Answer a harvester: its arguments are in the address of a GET, and in the body of a POST."""
    given = request.form if request.method == "POST" else request.args
    with force_locale(settings().locale):
        answer = oai.Answer(list(given.items(multi=True)), gettext).as_xml()
    return Response(answer, content_type="text/xml; charset=utf-8")


def _answer(feed: atom.Feed) -> Response:
    with force_locale(settings().locale):
        body = feed.as_xml(_html_of)
    response = Response(body, content_type="application/atom+xml; charset=utf-8")
    response.add_etag()
    if (clock.now() - feed.changed_at).total_seconds() > SETTLED:
        response.last_modified = feed.changed_at
    response.make_conditional(request)
    return response


def _html_of(record: Row[Any]) -> str:
    """Return a case as HTML with nothing in it that acts."""
    text = markup.paragraphs(record.body) if record.html is None else markup.safe(record.html)
    fields = content.well_formed(record.kind, record.fields)
    return markup.safe(
        render_template("feeds/content.html", kind=record.kind, fields=fields, text=text)
    )
