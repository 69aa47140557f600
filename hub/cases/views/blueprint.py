"""The blueprint of these pages, and what their templates may call."""

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from flask import Blueprint
from flask.blueprints import BlueprintSetupState
from flask_babel import gettext, ngettext

from hub import clock
from hub.cases import fields, scales
from hub.config import Settings, of_this_node
from hub.identity import profile
from hub.registry import names

_CLAUSE = re.compile(r"[，。；：！？、,;!?]|\. ")
_PERIOD = re.compile(r"(\d{4})-(\d\d)/(\d{4})-(\d\d)")

blueprint = Blueprint("cases", __name__, template_folder="../templates")


def _zone(config: Settings) -> ZoneInfo:
    return ZoneInfo(config.time_zone)


@blueprint.app_template_filter("day")
def day(moment: datetime) -> str:
    """Return a date as people write it, in the node's time zone."""
    here = moment.astimezone(of_this_node(_zone))
    return str(
        gettext("%(year)s-%(month)s-%(day)s", year=here.year, month=here.month, day=here.day)
    )


@blueprint.app_template_filter("moment")
def moment_of_day(at: datetime) -> str:
    """Return a date with its time of day, in the node's time zone."""
    return f"{day(at)} {at.astimezone(of_this_node(_zone)):%H:%M}"


@blueprint.app_template_filter("ago")
def ago(moment: datetime) -> str:
    """Return how long ago something was; the date once it is more than a month."""
    minutes = int((clock.now() - moment).total_seconds() // 60)
    if minutes < 1:
        return str(gettext("just now"))
    if minutes < 60:
        return str(ngettext("%(num)s minute ago", "%(num)s minutes ago", minutes))
    if minutes < 48 * 60:
        return str(ngettext("%(num)s hour ago", "%(num)s hours ago", minutes // 60))
    if minutes < 31 * 24 * 60:
        return str(ngettext("%(num)s day ago", "%(num)s days ago", minutes // (24 * 60)))
    return str(day(moment))


@blueprint.app_template_filter("months")
def months(period: str) -> str:
    """Return a period such as 2026-01/2026-09 in words; any other text as it is."""
    found = _PERIOD.fullmatch(period)
    if found is None:
        return period
    year, month, last_year, last_month = found.groups()
    first = gettext("%(year)s-%(month)s", year=year, month=int(month))
    last = gettext("%(year)s-%(month)s", year=last_year, month=int(last_month))
    return str(gettext("%(first)s to %(last)s", first=first, last=last))


@blueprint.app_template_filter("opening")
def opening(text: str, most: int = 90) -> str:
    """Return the beginning of a text, cut where a clause ends: half a number misleads."""
    if len(text) <= most:
        return text
    ends = list(_CLAUSE.finditer(text, most // 2, most))
    return f"{text[: ends[-1].start() if ends else most - 1]}…"


@blueprint.app_template_filter("filesize")
def filesize(size: int) -> str:
    """Return a number of bytes in a unit that people compare."""
    return f"{max(1, size // 1000)} KB" if size < 1_000_000 else f"{size / 1_000_000:.1f} MB"


@blueprint.app_template_filter("enterprises")
def enterprises(slugs: list[str]) -> str:
    """Return what people call these enterprises, as a list."""
    known = names.enterprise_names()
    return str(gettext(", ")).join(known.get(slug, slug) for slug in slugs)


@blueprint.record_once
def _give_words(state: BlueprintSetupState) -> None:
    """Let templates and their macros look up what codes are called."""
    state.app.jinja_env.globals["words"] = fields
    state.app.jinja_env.globals["scales"] = scales
    state.app.jinja_env.globals["units"] = profile
