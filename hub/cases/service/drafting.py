"""Writing a case, changing it, and handing it in."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select

from hub import clock
from hub.audit.service import record
from hub.cases import content as contents
from hub.cases.errors import (
    AudienceElsewhereError,
    IncompleteError,
    UnchangedError,
    UnknownUnitError,
    WrongStateError,
    WrongTypeError,
)
from hub.cases.models import Case, CaseFile, Revision, State, public_id
from hub.cases.service.audience import check_audience
from hub.cases.service.finding import Work, own_work
from hub.config import settings
from hub.database import db
from hub.errors import ForbiddenError
from hub.identity.models import Actor, Organisation, Role

AROUND = ("unit", "visibility", "partners")  # What a case has beside its content.


def create(
    actor: Actor,
    kind: str,
    values: Mapping[str, Any],
    *,
    is_long_form: bool = False,
    source_digest: str | None = None,
    note: str = "",
) -> Case:
    """Begin a case as a draft of this actor.

    :param values: fields of `fields.fields_of(kind)`, and `unit` (id or name; the actor's own if
        absent), `visibility` (`node` if absent) and `partners`.
    :param note: what the author should look at, from an import.
    :raises ForbiddenError: when the actor is no author anywhere.
    """
    if actor.person_id is None or not actor.holds(Role.AUTHOR):
        raise ForbiddenError
    around, given = _divide(values)
    content = contents.clean(kind, given, is_long_form=is_long_form)
    if not content.get("title"):
        raise IncompleteError(["title"])
    visibility, partners = check_audience(
        around.get("visibility") or "node", around.get("partners") or []
    )
    entry_id, now = str(uuid4()), clock.now()
    case = Case(
        id=public_id(settings().origin, entry_id),
        entry_id=entry_id,
        kind=kind,
        state=State.DRAFT,
        rev=1,
        version=1,
        author_id=actor.person_id,
        unit_id=_unit(around.get("unit"), actor).id,
        visibility=visibility,
        partners=partners,
        wider_partners=[],
        is_long_form=is_long_form,
        source_digest=source_digest,
        created_at=now,
        changed_at=now,
    )
    db.session.add(case)
    db.session.flush()  # The revision refers to it.
    revision = _revision(case, content)
    revision.note = note
    db.session.add(revision)
    record("case.created", actor_id=actor.person_id, subject=str(case.id), kind=kind)
    return case


def edit(
    actor: Actor, case_id: UUID, changes: Mapping[str, Any], *, version: int | None = None
) -> Case:
    """Change some fields of one's own case; None or nothing empties a field.

    What was handed in goes back to secrecy review; of what is signed or published, the next
    revision opens, and readers go on seeing the old one.

    :raises WrongStateError: when it is withdrawn, or being considered for a wider audience.
    """
    work = own_work(case_id, actor, version=version)
    case = work.case
    if case.state in {State.WIDEN_REVIEW, State.WITHDRAWN}:
        raise WrongStateError(case.state)
    around, given = _divide(changes)
    merged = {k: v for k, v in {**work.content, **given}.items() if v is not None}
    content = contents.clean(case.kind, merged, is_long_form=case.is_long_form)
    is_moved = _change_around(work, around, actor)
    if not is_moved and contents.digest(content) == contents.digest(work.kept):
        return case
    if case.state != State.DRAFT or not content.get("title"):
        _check_complete(case, content)
    rewrite(work, content)
    record("case.edited", actor_id=actor.person_id, subject=str(case.id), rev=case.rev)
    return case


def submit(actor: Actor, case_id: UUID, *, version: int | None = None) -> Case:
    """Hand one's own draft in for secrecy review.

    :raises IncompleteError: naming every field that is missing.
    :raises UnchangedError: when exactly this text was refused before.
    """
    work = own_work(case_id, actor, version=version)
    case, revision = work.case, work.revision
    if case.state != State.DRAFT:
        raise WrongStateError(case.state)
    _check_complete(case, work.content)
    digest = work.digest
    if revision.refused_digest == digest:
        raise UnchangedError
    revision.submitted_at = clock.now()
    touch(case, State.SECRECY_REVIEW)
    record(
        "case.submitted", actor_id=actor.person_id, subject=str(case.id), rev=case.rev, text=digest
    )
    return case


def touch(case: Case, state: State | None = None) -> None:
    """Note that a case changed, and where it stands now."""
    if state is not None:
        case.state = state
    case.version += 1
    case.changed_at = clock.now()


def units_of(actor: Actor) -> Sequence[Organisation]:
    """Return the organisations for which somebody may write, by name."""
    paths = {grant.path for grant in actor.grants if grant.role == Role.AUTHOR}
    rows = db.session.scalars(select(Organisation).order_by(Organisation.name))
    return [row for row in rows if row.path.startswith(tuple(paths))]


def missing_of(work: Work) -> list[str]:
    """Return the names of the fields that are missing for a submission."""
    return contents.missing(work.case.kind, work.content, is_long_form=work.case.is_long_form)


def _divide(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    around = {name: values[name] for name in AROUND if name in values}
    return around, {name: value for name, value in values.items() if name not in around}


def _revision(case: Case, content: Mapping[str, Any]) -> Revision:
    return Revision(
        case_id=case.id,
        number=case.rev,
        title=content.get("title", ""),
        body=content.get("body", ""),
        fields={k: v for k, v in content.items() if k not in {"title", "body"}},
        note="",
    )


def _carried(work: Work) -> list[CaseFile]:
    """Return the files of a frozen revision for the next one."""
    kept = ("sha256", "size", "type", "name")
    return [
        CaseFile(
            case_id=work.case.id,
            number=work.case.rev,
            **{name: getattr(file, name) for name in kept},
        )
        for file in work.files
    ]


def _unit(given: object, actor: Actor) -> Organisation:
    """Return the organisation for which the actor writes.

    :raises UnknownUnitError: when there is none, or the actor is not its author.
    """
    if not given:
        given = str(actor.organisation_id)
    if not isinstance(given, str):
        raise WrongTypeError(field="unit")
    try:
        which = Organisation.id == UUID(given)
    except ValueError:
        which = Organisation.name == given.strip()
    for unit in db.session.scalars(select(Organisation).where(which).order_by(Organisation.path)):
        if actor.holds(Role.AUTHOR, unit.path):
            return unit
    raise UnknownUnitError


def _change_around(work: Work, around: Mapping[str, Any], actor: Actor) -> bool:
    """Change unit and audience, as long as no reader has seen the case."""
    case = work.case
    unit = _unit(around["unit"], actor) if around.get("unit") else work.unit
    visibility, partners = check_audience(
        around.get("visibility") or case.visibility,
        case.partners if around.get("partners") is None else around["partners"],
    )
    before = (case.unit_id, case.visibility, case.partners)
    if before == (unit.id, visibility, partners):
        return False
    if case.published_rev is not None:
        raise AudienceElsewhereError
    case.unit_id, case.visibility, case.partners = unit.id, visibility, partners
    return True


def _check_complete(case: Case, content: Mapping[str, Any]) -> None:
    names = contents.missing(case.kind, content, is_long_form=case.is_long_form)
    if names:
        raise IncompleteError(names)


def rewrite(work: Work, content: Mapping[str, Any]) -> None:
    """Put the new text into the revision, or into the next one if this one is frozen."""
    case, revision = work.case, work.revision
    fresh = _revision(case, content)
    if revision.digest is not None:
        case.rev = fresh.number = revision.number + 1
        db.session.add(fresh)
        db.session.add_all(_carried(work))
    else:
        if revision.body != fresh.body:
            revision.html = None
        revision.title, revision.body, revision.fields = fresh.title, fresh.body, fresh.fields
        revision.cleared_by = revision.cleared_at = None
        revision.approved_by = revision.approved_at = revision.escalated_at = None
    stays = case.state in {State.DRAFT, State.PUBLISHED}
    touch(case, State.DRAFT if stays else State.SECRECY_REVIEW)
