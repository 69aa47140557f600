"""The blueprint of these pages, and what their templates may call."""

from datetime import datetime
from zoneinfo import ZoneInfo

from flask import Blueprint
from flask.blueprints import BlueprintSetupState
from flask_babel import gettext, ngettext

from hub import clock
from hub.cases import fields
from hub.config import Settings, of_this_node

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
    """Return a period such as 2026-01/2026-09 in words."""
    begins, _, ends = period.partition("/")
    first, last = begins.replace("-", "."), ends.replace("-", ".")
    return str(gettext("%(first)s to %(last)s", first=first, last=last))


@blueprint.app_template_filter("filesize")
def filesize(size: int) -> str:
    """Return a number of bytes in a unit that people compare."""
    return f"{max(1, size // 1000)} KB" if size < 1_000_000 else f"{size / 1_000_000:.1f} MB"


@blueprint.record_once
def _give_words(state: BlueprintSetupState) -> None:
    """Let templates and their macros look up what codes are called."""
    state.app.jinja_env.globals["words"] = fields
