"""Narrowing and widening who may read a case."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from hub.audit.service import record
from hub.cases.errors import WrongStateError
from hub.cases.models import Case, Revision, State, Visibility
from hub.cases.service.audience import channels_of, check_agreed, check_audience, is_wider
from hub.cases.service.drafting import touch
from hub.cases.service.finding import KEEPERS, Work, work_for
from hub.cases.service.reading import receive
from hub.database import db
from hub.identity.models import Actor
from hub.journal import log

CHANGEABLE = frozenset(State) - {State.DRAFT, State.WITHDRAWN}


def set_visibility(
    actor: Actor,
    case_id: UUID,
    visibility: str,
    partners: Sequence[str] = (),
    *,
    version: int | None = None,
) -> Case:
    """Narrow who may read a case at once, or ask for a wider audience.

    By a branch secretary or signatory over the unit. A wider one is reviewed for secrecy again and
    then by a group editor; readers of now keep it meanwhile. Narrowing ends such a review.
    """
    work = work_for(case_id, actor, KEEPERS, CHANGEABLE | {State.DRAFT}, version=version)
    case = work.case
    if case.state == State.DRAFT and case.published_rev is None:
        raise WrongStateError(case.state)  # Until it is handed in, its author alone decides.
    wanted, named = check_audience(visibility, partners)
    before = [case.visibility, *case.partners]
    if is_wider(wanted, named, case.visibility, case.partners):
        _ask_for(work, wanted, named)
    else:
        _narrow(case, wanted, named)
    record(
        "case.visibility",
        actor_id=actor.person_id,
        subject=str(case.id),
        before=before,
        wanted=[wanted, *named],
        state=case.state,
    )
    return case


def drop_partner(entry_id: str, enterprise: str) -> None:
    """Take a case back from a partner whose agreement does not cover it, as headquarters says.

    The others keep it. The caller owns the transaction; nothing happens to what is no case of ours.
    """
    case = db.session.scalar(select(Case).where(Case.entry_id == entry_id))
    if case is None or not case.is_out or enterprise not in case.partners:
        return
    left = [name for name in case.partners if name != enterprise]
    _narrow(case, Visibility.PARTNERS if left else Visibility.GROUP, left)
    record("case.not_agreed", actor_id=None, subject=str(case.id), partner=enterprise, left=left)


def widen(case: Case) -> None:
    """Put the wider audience that was reviewed into force."""
    assert case.wider is not None  # The state says so.
    if case.published_rev is not None:
        revision = db.session.get_one(Revision, (case.id, case.published_rev))
        check_agreed(case.wider_partners, revision.fields)
    case.visibility, case.partners = case.wider, case.wider_partners
    drop_widening(case)
    _readdress(case)


def drop_widening(case: Case) -> None:
    """End the review of a wider audience; who reads the case stays as it is."""
    case.wider, case.wider_partners, case.wider_cleared_by = None, [], None
    touch(case, State.PUBLISHED)


def _ask_for(work: Work, wanted: Visibility, partners: list[str]) -> None:
    case = work.case
    if case.published_rev is None:
        # Nobody reads it yet, so there is one review to go through, not two.
        case.visibility, case.partners = wanted, partners
        touch(case, State.SECRECY_REVIEW)
        return
    if case.state not in {State.PUBLISHED, State.WIDEN_REVIEW}:
        raise WrongStateError(case.state)  # First the revision under way, then its audience.
    case.wider, case.wider_partners, case.wider_cleared_by = wanted, partners, None
    touch(case, State.WIDEN_REVIEW)


def _narrow(case: Case, wanted: Visibility, partners: list[str]) -> None:
    case.visibility, case.partners = wanted, partners
    if case.state == State.WIDEN_REVIEW:
        drop_widening(case)
    else:
        touch(case)
    if case.is_out:
        _readdress(case)


def _readdress(case: Case) -> None:
    db.session.flush()  # What is shown at home follows from the case.
    receive(log.readdress(case.entry_id, channels_of(case.visibility, case.partners)))
