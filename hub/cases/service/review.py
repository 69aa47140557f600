"""Clearing and approving: never by the author, always on record with the grounds."""

from enum import StrEnum
from uuid import UUID

from hub import clock
from hub.audit.service import record
from hub.cases import content as contents
from hub.cases.errors import GroundsMissingError, UnknownChoiceError, WrongStateError
from hub.cases.models import Case, State
from hub.cases.service.drafting import touch
from hub.cases.service.finding import Work, check_not_author, work_for
from hub.cases.service.visibility import drop_widening, widen
from hub.identity.models import Actor, Role

GROUNDS_LENGTH = 1_000


class Secrecy(StrEnum):
    """What a secrecy review may decide."""

    CLEARED = "cleared"
    REDACT = "redact"  # Something has to go; the author takes it out.
    ESCALATED = "escalated"  # Somebody above has to say; the case waits where it is.
    REFUSED = "refused"  # Not in this text.


class Approval(StrEnum):
    """What a review of the content may decide."""

    APPROVED = "approved"
    RETURNED = "returned"


def review_secrecy(
    actor: Actor, case_id: UUID, *, decision: str, grounds: str, version: int | None = None
) -> Case:
    """Decide whether a text holds anything that must not leave the unit, or a wider audience.

    :raises GroundsMissingError: without grounds; the register keeps them.
    :raises SelfReviewError: for the author, whatever roles they hold.
    """
    states = {State.SECRECY_REVIEW, State.WIDEN_REVIEW}
    work = work_for(case_id, actor, {Role.SECRECY_REVIEWER}, states, version=version)
    check_not_author(work.case, actor)
    if decision not in list(Secrecy):
        raise UnknownChoiceError(field="decision", choices=", ".join(Secrecy))
    grounds = check_grounds(grounds, "grounds")
    if work.case.state == State.WIDEN_REVIEW:
        _decide_widening(work.case, actor, Secrecy(decision))
    else:
        _decide_secrecy(work, actor, Secrecy(decision), grounds)
    _record(f"case.{decision}", work.case, actor, grounds=grounds)
    return work.case


def approve(
    actor: Actor, case_id: UUID, *, decision: str, note: str = "", version: int | None = None
) -> Case:
    """Decide on the content, or, as a group editor, on a wider audience.

    :param note: what the author should know; required when a case is returned.
    :raises SelfReviewError: for the author, whatever roles they hold.
    """
    roles = {Role.BRANCH_SECRETARY, Role.GROUP_EDITOR}
    states = {State.UNIT_REVIEW, State.WIDEN_REVIEW}
    work = work_for(case_id, actor, roles, states, version=version)
    case = work.case
    is_wider = case.state == State.WIDEN_REVIEW
    # Each of the two roles has a step of its own here, so ask again for exactly that one.
    work_for(case_id, actor, {Role.GROUP_EDITOR if is_wider else Role.BRANCH_SECRETARY}, states)
    if is_wider and case.wider_cleared_by is None:
        raise WrongStateError(case.state)
    check_not_author(case, actor)
    if decision not in list(Approval):
        raise UnknownChoiceError(field="decision", choices=", ".join(Approval))
    if decision == Approval.RETURNED or note:
        note = check_grounds(note, "note")
    if is_wider:
        widen(case) if decision == Approval.APPROVED else drop_widening(case)
    else:
        _decide_approval(work, actor, Approval(decision), note)
    _record(f"case.{decision}", case, actor, note=note)
    return case


def check_grounds(text: str, field: str) -> str:
    """Return grounds without the space around them.

    :raises GroundsMissingError: when nothing is left.
    """
    cleaned = contents.clean_text(text, field, GROUNDS_LENGTH)
    if not cleaned:
        raise GroundsMissingError(field=field)
    return cleaned


def _decide_secrecy(work: Work, actor: Actor, decision: Secrecy, grounds: str) -> None:
    revision, now = work.revision, clock.now()
    revision.note = grounds
    match decision:
        case Secrecy.CLEARED:
            revision.note = ""
            revision.cleared_by, revision.cleared_at = actor.person_id, now
            touch(work.case, State.UNIT_REVIEW)
        case Secrecy.ESCALATED:
            revision.escalated_at = now
            touch(work.case)
        case Secrecy.REDACT | Secrecy.REFUSED:
            if decision == Secrecy.REFUSED:
                revision.refused_digest = work.digest
            touch(work.case, State.DRAFT)


def _decide_widening(case: Case, actor: Actor, decision: Secrecy) -> None:
    if case.wider_cleared_by is not None:
        raise WrongStateError(case.state)
    if decision == Secrecy.CLEARED:
        case.wider_cleared_by = actor.person_id
        touch(case)
    elif decision == Secrecy.ESCALATED:
        touch(case)
    else:
        drop_widening(case)


def _decide_approval(work: Work, actor: Actor, decision: Approval, note: str) -> None:
    work.revision.note = note
    if decision == Approval.APPROVED:
        work.revision.approved_by, work.revision.approved_at = actor.person_id, clock.now()
        touch(work.case, State.APPROVED)
    else:
        touch(work.case, State.DRAFT)


def _record(action: str, case: Case, actor: Actor, **detail: str) -> None:
    record(
        action,
        actor_id=actor.person_id,
        subject=str(case.id),
        rev=case.rev,
        state=case.state,
        **detail,
    )
