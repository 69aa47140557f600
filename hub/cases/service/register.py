"""The register of reviews (审查台账): read from the audit trail, which nobody can edit."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select

from hub.audit.models import AuditEntry
from hub.cases.models import Case, Revision
from hub.database import db
from hub.errors import mark
from hub.identity.models import REVIEWING, Actor, Organisation, Person, Role

PAGE = 50
LOOKED_AT = 500  # Entries that one step looks at; those of other units are passed over.
DECISIONS = {
    "case.submitted": mark("Handed in"),
    "case.cleared": mark("Secrecy review: cleared"),
    "case.redact": mark("Secrecy review: to be redacted"),
    "case.escalated": mark("Secrecy review: referred upwards"),
    "case.refused": mark("Secrecy review: refused"),
    "case.approved": mark("Content review: agreed"),
    "case.returned": mark("Content review: returned"),
    "case.signed": mark("Signed"),
    "case.published": mark("Published"),
    "case.visibility": mark("Audience changed"),
    "case.not_agreed": mark("Taken back from a partner whose agreement does not cover it"),
    "case.withdrawn": mark("Withdrawn"),
    "case.infected_file": mark("An infected file was refused"),
}
SEEING_ALL = (Role.SECURITY_OFFICER, Role.AUDITOR)


@dataclass(frozen=True)
class Decision:
    """One line of the register."""

    number: int  # Of the audit entry.
    at: datetime
    action: str
    case_id: UUID
    title: str
    unit: str
    by: str  # Name of the person; empty for the node itself.
    rev: int | None
    grounds: str
    digest: str  # That the chain holds the entry by.


@dataclass(frozen=True)
class Part:
    """Some lines, newest first, and where the next begin; None at the end."""

    decisions: Sequence[Decision]
    before: int | None


def register(
    actor: Actor,
    *,
    before: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = PAGE,
) -> Part:
    """Return what was decided about the cases of the actor's units; of all for whoever audits.

    :param before: number of the line that the last part ended with.
    """
    decisions: list[Decision] = []
    while len(decisions) < limit:
        entries = _entries(before, since, until)
        for entry in _visible(entries, actor):
            if len(decisions) == limit:
                return Part(decisions, decisions[-1].number)
            decisions.append(entry)
        if len(entries) < LOOKED_AT:
            return Part(decisions, None)
        before = entries[-1].seq
    return Part(decisions, decisions[-1].number)


def whole_register(
    actor: Actor, *, since: datetime | None = None, until: datetime | None = None
) -> Iterator[Decision]:
    """Yield all lines, newest first, a part at a time."""
    part = register(actor, since=since, until=until, limit=LOOKED_AT)
    yield from part.decisions
    while part.before is not None:
        part = register(actor, before=part.before, since=since, until=until, limit=LOOKED_AT)
        yield from part.decisions


def _entries(
    before: int | None, since: datetime | None, until: datetime | None
) -> Sequence[AuditEntry]:
    statement = select(AuditEntry).where(AuditEntry.action.in_(DECISIONS))
    if before is not None:
        statement = statement.where(AuditEntry.seq < before)
    if since is not None:
        statement = statement.where(AuditEntry.at >= since)
    if until is not None:
        statement = statement.where(AuditEntry.at < until)
    return db.session.scalars(statement.order_by(AuditEntry.seq.desc()).limit(LOOKED_AT)).all()


def _visible(entries: Sequence[AuditEntry], actor: Actor) -> Iterator[Decision]:
    """Yield those of some entries that the actor may see, with what their numbers stand for."""
    ids = {entry.subject: _uuid(entry.subject) for entry in entries}
    cases = _cases({id_ for id_ in ids.values() if id_}, actor)
    people = _names({entry.actor_id for entry in entries if entry.actor_id})
    for entry in entries:
        id_ = ids[entry.subject]
        if id_ in cases:
            yield _decision(entry, cases[id_], people)


def _decision(entry: AuditEntry, about: Any, people: Mapping[UUID, str]) -> Decision:
    detail = entry.detail
    grounds = detail.get("grounds") or detail.get("note") or detail.get("reason") or ""
    return Decision(
        number=entry.seq,
        at=entry.at,
        action=entry.action,
        case_id=about.id,
        title=about.title,
        unit=about.name,
        by=people.get(entry.actor_id, "") if entry.actor_id else "",
        rev=detail.get("rev"),
        grounds=str(grounds or detail.get("found") or ""),
        digest=entry.digest,
    )


def _cases(ids: set[UUID], actor: Actor) -> dict[UUID | None, Any]:
    """Return title and unit of those of some cases whose register the actor may read."""
    statement = (
        select(Case.id, Revision.title, Organisation.name)
        .join(Revision, (Revision.case_id == Case.id) & (Revision.number == Case.rev))
        .join(Organisation, Organisation.id == Case.unit_id)
        .where(Case.id.in_(ids))
    )
    if not any(map(actor.holds, SEEING_ALL)):
        paths = {grant.path for grant in actor.grants if grant.role in REVIEWING}
        under = [Organisation.path.startswith(path, autoescape=True) for path in sorted(paths)]
        statement = statement.where(or_(False, *under))
    return {row.id: row for row in db.session.execute(statement)}


def _names(ids: set[UUID]) -> dict[UUID, str]:
    rows = db.session.execute(select(Person.id, Person.name).where(Person.id.in_(ids)))
    return {row.id: row.name for row in rows}


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
