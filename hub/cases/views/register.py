"""The register of reviews: to be read, and to be taken along as an Excel sheet."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from importlib import import_module
from io import BytesIO
from zoneinfo import ZoneInfo

from flask import Response, g, render_template, request, send_file
from flask_babel import gettext as _

from hub.cases.service import register as registers
from hub.cases.service.register import DECISIONS, Decision
from hub.cases.views.blueprint import blueprint
from hub.config import settings
from hub.errors import mark
from hub.identity import access
from hub.identity.models import REVIEWING

SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MOST = 100_000  # Lines of one sheet.
reviewers = access.role(*registers.SEEING_ALL, *sorted(REVIEWING))


@blueprint.get("/register")
@reviewers
def show_register() -> str:
    """Show what was decided, newest first."""
    since, until = _day("since"), _day("until")
    before = request.args.get("before", type=int)
    part = registers.register(g.actor, before=before, since=since, until=_after(until))
    asked = {name: request.args.get(name, "") for name in ("since", "until")}
    return render_template(
        "cases/register.html", part=part, asked=asked, labels=DECISIONS, is_first=before is None
    )


@blueprint.get("/register.xlsx")
@reviewers
def download_register() -> Response:
    """Hand over the register as a sheet."""
    since, until = _day("since"), _day("until")
    lines = registers.whole_register(g.actor, since=since, until=_after(until))
    file = BytesIO()
    # Loaded for whoever asks: every process of a node would wait for it at its start.
    book = import_module("openpyxl").Workbook(write_only=True)
    sheet = book.create_sheet(_("Register of reviews"))
    sheet.append([str(_(head)) for head in _HEADS])
    for number, line in enumerate(lines):
        if number == MOST:
            break
        sheet.append([_harmless(cell) for cell in _cells(line)])
    book.save(file)
    file.seek(0)
    return send_file(
        file, SHEET, as_attachment=True, download_name=f"{_('Register of reviews')}.xlsx"
    )


_HEADS = (
    mark("Number"),
    mark("Time"),
    mark("Case"),
    mark("Unit"),
    mark("Revision"),
    mark("Decision"),
    mark("Decided by"),
    mark("Grounds"),
    mark("Digest"),
)


def _cells(line: Decision) -> Iterator[object]:
    at = line.at.astimezone(ZoneInfo(settings().time_zone))
    label = _(DECISIONS[line.action])
    yield from (line.number, f"{at:%Y-%m-%d %H:%M:%S}", line.title, line.unit, line.rev)
    yield from (label, line.by, line.grounds, line.digest)


def _harmless(cell: object) -> object:
    """Return a cell that no program takes for a formula."""
    text = isinstance(cell, str) and cell.lstrip().startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{cell}" if text else cell


def _day(name: str) -> datetime | None:
    """Return the beginning of a day that was asked for, in the node's zone."""
    try:
        day = datetime.strptime(request.args.get(name, ""), "%Y-%m-%d")  # noqa: DTZ007
    except ValueError:
        return None
    return day.replace(tzinfo=ZoneInfo(settings().time_zone))


def _after(day: datetime | None) -> datetime | None:
    return day + timedelta(days=1) if day else None
