"""Finding a case that is being worked on, and whose step it is."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select

from hub.cases import content as contents
from hub.cases.errors import ChangedMeanwhileError, SelfReviewError, WrongStateError
from hub.cases.models import Case, CaseFile, Document, Revision, State
from hub.cases.service.reading import readable
from hub.database import db
from hub.errors import ForbiddenError, NotFoundError
from hub.identity.models import Actor, Organisation, Role
from hub.identity.service import audiences

# Whose step it is. Widening has two: first secrecy, then the group editor.
STEPS = {
    State.SECRECY_REVIEW: frozenset({Role.SECRECY_REVIEWER}),
    State.UNIT_REVIEW: frozenset({Role.BRANCH_SECRETARY}),
    State.APPROVED: frozenset({Role.SIGNATORY}),
    State.SIGNED: frozenset({Role.SIGNATORY}),
}
KEEPERS = (Role.BRANCH_SECRETARY, Role.SIGNATORY)  # They narrow and withdraw.


@dataclass(frozen=True)
class Work:
    """A case with its newest revision and its unit, as they were read together."""

    case: Case
    revision: Revision
    unit: Organisation
    files: Sequence[CaseFile]  # By their names.

    @property
    def content(self) -> dict[str, Any]:
        """Return all fields of the newest revision by their names."""
        revision = self.revision
        return {"title": revision.title, "body": revision.body, **revision.fields}

    @property
    def kept(self) -> dict[str, Any]:
        """Return the fields that hold something, as `content.clean` left them."""
        return {name: value for name, value in self.content.items() if value != ""}

    @property
    def digest(self) -> str:
        """Return what names exactly this text with exactly these files."""
        hashes = sorted(file.sha256 + " " + file.name for file in self.files)
        return contents.digest(self.kept | ({"attachments": hashes} if hashes else {}))


def load_work(case_id: UUID, *, is_locked: bool = False) -> Work | None:
    """Return a case with its newest revision and its unit, whoever asks.

    :param is_locked: whether others have to wait until the transaction ends.
    """
    statement = select(Case).where(Case.id == case_id)
    if is_locked:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    case = db.session.scalar(statement)
    if case is None:
        return None
    revision = db.session.get_one(
        Revision, (case.id, case.rev), populate_existing=is_locked and not db.session.dirty
    )
    files = select(CaseFile).where(CaseFile.case_id == case.id, CaseFile.number == case.rev)
    rows = db.session.scalars(files.order_by(CaseFile.name, CaseFile.sha256)).all()
    return Work(case, revision, db.session.get_one(Organisation, case.unit_id), rows)


def find_work(case_id: UUID, actor: Actor) -> Work:
    """Return a case with its newest revision, for its author or those whose step it is.

    :raises NotFoundError: when there is none, or none that the actor may see at work.
    """
    work = load_work(case_id)
    if work is None or not is_concerned(work, actor):
        raise NotFoundError
    return work


def standing_of(case_id: UUID, actor: Actor) -> Work | None:
    """Return a case for those who may act on it in any way, its keepers included; else None."""
    if not actor.is_signed_in:
        return None
    work = load_work(case_id)
    if work is None:
        return None
    keeps = work.case.is_out and any(actor.holds(role, work.unit.path) for role in KEEPERS)
    return work if keeps or is_concerned(work, actor) else None


def authors_work(case_id: UUID, actor: Actor) -> Work:
    """Return one's own case, to be shown in a form.

    :raises NotFoundError: for everybody else.
    """
    work = load_work(case_id)
    if work is None or not actor.is_signed_in or work.case.author_id != actor.person_id:
        raise NotFoundError
    return work


def is_kept_by(case_id: UUID, actor: Actor) -> bool:
    """Say whether somebody may narrow or withdraw a case of ours."""
    if not any(map(actor.holds, KEEPERS)):
        return False
    work = load_work(case_id)
    return work is not None and any(actor.holds(role, work.unit.path) for role in KEEPERS)


def kept_work(case_id: UUID, actor: Actor) -> Work:
    """Return a case for those who may narrow or withdraw it.

    :raises NotFoundError: for everybody else.
    """
    work = load_work(case_id)
    if work is None or not any(actor.holds(role, work.unit.path) for role in KEEPERS):
        raise NotFoundError
    return work


def own_work(case_id: UUID, actor: Actor, *, version: int | None = None) -> Work:
    """Lock a case for a change by its author, who must still hold that role over its unit.

    :param version: the one that the actor saw; None when they do not say.
    :raises NotFoundError: for everybody else.
    """
    work = load_work(case_id, is_locked=True)
    if work is None or not actor.is_signed_in or work.case.author_id != actor.person_id:
        raise _refusal(work, actor)
    if not actor.holds(Role.AUTHOR, work.unit.path):
        raise ForbiddenError
    _check_version(work.case, version)
    return work


def work_for(
    case_id: UUID,
    actor: Actor,
    roles: Collection[Role],
    states: Collection[State],
    *,
    version: int | None = None,
) -> Work:
    """Lock a case for a decision by somebody with one of the roles over its unit.

    :param states: where the case must stand.
    :param version: the one that the actor saw; None when they do not say.
    :raises WrongStateError: when it stands elsewhere.
    """
    work = load_work(case_id, is_locked=True)
    if work is None or not any(actor.holds(role, work.unit.path) for role in roles):
        raise _refusal(work, actor)
    if work.case.state not in states:
        raise WrongStateError(work.case.state)
    _check_version(work.case, version)
    return work


def is_concerned(work: Work, actor: Actor) -> bool:
    """Say whether somebody sees the newest revision: its author, and those whose step it is."""
    if not actor.is_signed_in:
        return False
    if work.case.author_id == actor.person_id:
        return True
    return any(actor.holds(role, work.unit.path) for role in steps_of(work.case))


def check_not_author(case: Case, actor: Actor) -> None:
    """Make sure that nobody clears or approves what they wrote, whatever roles they hold."""
    if case.author_id == actor.person_id:
        raise SelfReviewError


def steps_of(case: Case) -> frozenset[Role]:
    """Return the roles that have to act on a case next."""
    if case.state == State.WIDEN_REVIEW:
        return frozenset({Role.GROUP_EDITOR if case.wider_cleared_by else Role.SECRECY_REVIEWER})
    return STEPS.get(State(case.state), frozenset())


def works_of(actor: Actor, *, limit: int = 100) -> Sequence[tuple[Case, str]]:
    """Return the cases that somebody wrote, with their titles, last changed first."""
    return _titled(Case.author_id == actor.person_id, limit)


def queue_of(actor: Actor, *, limit: int = 100) -> Sequence[tuple[Case, str]]:
    """Return the cases that wait for a decision of this actor, with their titles."""
    conditions = [
        condition
        for grant in actor.grants
        for condition in _waiting_for(grant.role, Organisation.path.startswith(grant.path))
    ]
    if not conditions:
        return []
    # Signing is the one step that an author with the role may take for their own case.
    own = or_(Case.author_id != actor.person_id, Case.state.in_((State.APPROVED, State.SIGNED)))
    return _titled(and_(or_(*conditions), own), limit)


def _waiting_for(role: Role, where: ColumnElement[bool]) -> list[ColumnElement[bool]]:
    states = [state for state, roles in STEPS.items() if role in roles]
    waiting = [and_(Case.state.in_(states), where)] if states else []
    if role in {Role.SECRECY_REVIEWER, Role.GROUP_EDITOR}:
        cleared = Case.wider_cleared_by.is_not(None)
        step = cleared if role == Role.GROUP_EDITOR else ~cleared
        waiting.append(and_(Case.state == State.WIDEN_REVIEW, step, where))
    return waiting


def _titled(condition: ColumnElement[bool], limit: int) -> Sequence[tuple[Case, str]]:
    statement = (
        select(Case, Revision.title)
        .join(Revision, and_(Revision.case_id == Case.id, Revision.number == Case.rev))
        .join(Organisation, Organisation.id == Case.unit_id)
        .where(condition)
        .order_by(Case.changed_at.desc())
        .limit(limit)
    )
    return [(case, title) for case, title in db.session.execute(statement)]


def _refusal(work: Work | None, actor: Actor) -> ForbiddenError | NotFoundError:
    """Say no, and whether anything is there only to those who know it already."""
    if work is None:
        return NotFoundError()
    is_open = readable(audiences(actor))
    seen = db.session.scalar(select(Document.id).where(Document.id == work.case.id, is_open))
    return ForbiddenError() if seen or is_concerned(work, actor) else NotFoundError()


def _check_version(case: Case, version: int | None) -> None:
    if version is not None and version != case.version:
        raise ChangedMeanwhileError
