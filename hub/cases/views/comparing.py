"""The page on which two cases stand side by side."""

from typing import Any

from flask import g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import Row

from hub.cases import comparing, content, service
from hub.cases.views.blueprint import blueprint
from hub.identity import access
from hub.identity.service import audiences


@blueprint.get("/cases/compare")
@access.anyone
def compare() -> ResponseReturnValue:
    """Show what two cases say to the same questions, or ask for what is missing."""
    picked = request.args.getlist("case")
    named = [request.args.get("a", ""), request.args.get("b", "")]
    ids = comparing.chosen([*picked, *named])
    if len(ids) == 2 and picked:
        return redirect(url_for(".compare", a=ids[0], b=ids[1]))  # An address to pass on.
    pages = [service.find_page(case_id, audiences(g.actor)) for case_id in ids[:2]]
    if len(ids) != 2:
        return render_template(
            "cases/choose.html", page=pages[0] if len(ids) == 1 else None, count=len(ids)
        )
    return render_template("cases/compare.html", pages=pages, lines=_lines(*pages))


def _lines(left: Row[Any], right: Row[Any]) -> list[comparing.Line]:
    return comparing.aligned(
        left.kind,
        content.well_formed(left.kind, left.fields),
        right.kind,
        content.well_formed(right.kind, right.fields),
    )
