"""What follows for a document from the units that took it over: two counts and a level.

Counted is only what every reader of the document may see, so that no count tells more than the
adoptions beside it do. Of each unit the newest report counts, and never one of the document's own.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select

from hub.cases.fields import SUITS
from hub.cases.models import Document, Feedback, Kind, Remark
from hub.cases.scales import Outcome, Replicability
from hub.database import db
from hub.identity.models import EVERYBODY, Profile
from hub.identity.profile import PARTS, parse

# Columns of a document on which its figures rest, beside its adoptions.
COUNTED_OF = ("kind", "is_harvested", "audience", "origin", "unit", "attachments", "context")
UNIT = "unit_"  # Before the names of the parts of a profile, in an entry.
SUITED = dict(zip(PARTS, SUITS, strict=True))  # The field that says for whom, of each part.


class Report(NamedTuple):
    """What one unit last said of its adoption."""

    document_id: UUID
    origin: str
    unit: str
    audience: str
    outcome: str
    is_confirmed: bool
    level: str
    size: str
    layout: str
    sector: str

    @property
    def worked(self) -> bool:
        """Say whether it was successful, in the words of the unit's own secretary."""
        return self.outcome == Outcome.SUCCESSFUL and self.is_confirmed

    @property
    def profile(self) -> Profile:
        """Return what the unit was like."""
        return Profile(self.level, self.size, self.layout, self.sector)


def context_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an entry says of its unit (`own`) and of the units that it is for (`suits`).

    Another node may have written it: whatever is no known code is left out.
    """
    own = {part: code for part, code in parse(fields, UNIT)._asdict().items() if code}
    suits = {}
    for part, field in SUITED.items():
        said = fields.get(field.name)
        if isinstance(said, list) and (known := [code for code in PARTS[part] if code in said]):
            suits[part] = known
    return {name: value for name, value in (("own", own), ("suits", suits)) if value}


def reports_on(document_ids: Collection[UUID]) -> dict[UUID, list[Report]]:
    """Return the adoptions of these documents that anybody may see, oldest first.

    Without a limit: somebody has accepted each of them.
    """
    statement = (
        select(*(getattr(Feedback, name) for name in Report._fields))
        .where(
            Feedback.document_id.in_(document_ids),
            Feedback.type == Remark.ADOPTION,
            Feedback.audience.is_not(None),
        )
        .order_by(Feedback.written, Feedback.id)
    )
    found: dict[UUID, list[Report]] = {}
    for row in db.session.execute(statement):
        found.setdefault(row.document_id, []).append(Report._make(row))
    return found


def figures(document: Mapping[str, Any], reports: Iterable[Report]) -> dict[str, Any]:
    """Return the columns of a document that follow from its adoptions.

    :param document: what `COUNTED_OF` names.
    """
    counted = _counted(document, reports)
    worked = [report.profile for report in counted if report.worked]
    context = {name: said for name, said in document["context"].items() if name != "worked"}
    if worked:
        context["worked"] = _by_part(worked)
    return {
        "adopted": len(counted),
        "effective": len(worked),
        "context": context,
        "replicability": _replicability(document, worked),
    }


def recount(position_of: Mapping[UUID, int]) -> None:
    """Bring documents up to date with their adoptions.

    The caller owns the transaction that changed those.

    :param position_of: documents, here or not, with the position of the release that changed an
        adoption: the index has to look at them again.
    """
    documents = db.session.scalars(select(Document).where(Document.id.in_(position_of))).all()
    reports = reports_on([document.id for document in documents])
    for document in documents:
        if document.audience is None:
            continue  # Counted when it is shown again.
        before = {name: getattr(document, name) for name in COUNTED_OF}
        now = figures(before, reports.get(document.id, ()))
        if any(getattr(document, name) != value for name, value in now.items()):
            document.position = max(document.position, position_of[document.id])
            for name, value in now.items():
                setattr(document, name, value)
    db.session.flush()


def _counted(document: Mapping[str, Any], reports: Iterable[Report]) -> list[Report]:
    """Return the newest report of each other unit, of those that all readers may see."""
    newest: dict[tuple[str, str], Report] = {}
    for report in reports:
        is_own = (report.origin, report.unit) == (document["origin"], document["unit"])
        if not is_own and (document["audience"] != EVERYBODY or report.audience == EVERYBODY):
            newest[report.origin, report.unit] = report
    return list(newest.values()) if document["audience"] else []


def _by_part(profiles: Sequence[Profile]) -> dict[str, dict[str, int]]:
    """Return how many units had each property."""
    found = {}
    for at, part in enumerate(PARTS):
        if counts := Counter(profile[at] for profile in profiles if profile[at]):
            found[part] = dict(counts)
    return found


def _replicability(document: Mapping[str, Any], worked: Sequence[Profile]) -> str:
    if document["is_harvested"] or document["kind"] not in set(Kind):
        return ""  # Nobody has vouched for what was harvested.
    if document["kind"] == Kind.PILOT_LESSON:
        return Replicability.PILOT
    if not worked or not document["attachments"]:
        return Replicability.AT_HOME
    own = Profile(**document["context"].get("own", {}))
    others = {profile._replace(size="") for profile in worked if _differ(profile, own)}
    if any(_differ(one, other) for one, other in combinations(others, 2)):
        return Replicability.SEVERAL
    return Replicability.CONFIRMED


def _differ(one: Profile, other: Profile) -> bool:
    """Say whether two units are known to differ in sector, level or layout."""
    pairs = ((one.sector, other.sector), (one.level, other.level), (one.layout, other.layout))
    return any(left and right and left != right for left, right in pairs)
