"""Secrecy review of what somebody here asks or answers, before it leaves its unit.

What was cleared goes on by itself: a question to the document's origin, an answer to its readers.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Row, or_, select

from hub.audit.service import record
from hub.cases.errors import NoReadersError, NoWayError, SelfReviewError, WrongStateError
from hub.cases.models import Document, Feedback, Remark, Standing
from hub.cases.service import remarks
from hub.cases.service.finding import load_work
from hub.cases.service.review import check_grounds
from hub.config import settings
from hub.database import db
from hub.errors import NotFoundError
from hub.identity.models import Actor, Organisation, Role
from hub.journal import children, log, outbox

SHOWN = 50


class Clearance(StrEnum):
    """What a secrecy reviewer decides about a remark."""

    CLEARED = "cleared"
    REFUSED = "refused"


def to_clear(actor: Actor, *, limit: int = SHOWN) -> Sequence[Row[Any]]:
    """Return what waits for this actor's secrecy review, oldest first, with the documents' titles.

    What they said themselves is left to a colleague.
    """
    paths = [grant.path for grant in actor.grants if grant.role == Role.SECRECY_REVIEWER]
    statement: Any = (
        select(*remarks.SAID, Document.title)
        .join(Document, Document.id == Feedback.document_id)
        .join(Organisation, Organisation.id == Feedback.unit_id)
        .where(
            Feedback.state == Standing.TO_CLEAR,
            Feedback.person_id != actor.person_id,
            or_(False, *map(Organisation.path.startswith, paths)),
        )
        .order_by(Feedback.said_at)
        .limit(limit)
    )
    found: Sequence[Row[Any]] = db.session.execute(statement).all()
    return found


def review_remark(actor: Actor, remark_id: UUID, decision: str, grounds: str) -> None:
    """Let a remark leave its unit, or keep it there for good and forget its text.

    :raises NotFoundError: for everybody but the secrecy reviewers of its unit.
    :raises SelfReviewError: when the actor said it.
    :raises NoReadersError, NoWayError: when those whom it was for are gone meanwhile.
    """
    remark = _locked(actor, remark_id)
    decision, grounds = Clearance(decision), check_grounds(grounds, "grounds")
    subject, unit = str(remark_id), str(remark.unit_id)
    if decision == Clearance.CLEARED:
        _let_go(remark)
    else:
        remark.state, remark.text, remark.reason = Standing.DECLINED, "", grounds
        children.drop([remark.digest])
    record(
        f"feedback.{decision}",
        actor_id=actor.person_id,
        subject=subject,
        unit=unit,
        grounds=grounds,
    )


def _locked(actor: Actor, remark_id: UUID) -> Feedback:
    """Lock a remark, and first the case that it is about if that is ours, as all others do."""
    about = db.session.scalar(select(Feedback.document_id).where(Feedback.id == remark_id))
    if about is not None:
        load_work(about, is_locked=True)
    statement = select(Feedback).where(Feedback.id == remark_id).with_for_update()
    remark = db.session.scalar(statement.execution_options(populate_existing=True))
    if remark is None or remark.unit_id is None or not actor.is_signed_in:
        raise NotFoundError
    unit = db.session.get_one(Organisation, remark.unit_id)
    if not actor.holds(Role.SECRECY_REVIEWER, unit.path):
        raise NotFoundError
    if remark.person_id == actor.person_id:
        raise SelfReviewError
    if remark.state != Standing.TO_CLEAR:
        raise WrongStateError(remark.state)
    return remark


def _let_go(remark: Feedback) -> None:
    document = db.session.get_one(Document, remark.document_id)
    if remark.type == Remark.ANSWER:
        _publish(remark, document)
    elif document.origin == settings().origin:
        remark.state = Standing.RECEIVED
        remark.channels = sorted(log.held_channels(document.entry_id))
    else:
        addressee = outbox.next_node(document.origin)
        if addressee is None:
            raise NoWayError
        remark.state = Standing.SENT
        outbox.put(addressee, [children.find(remark.digest)])
    db.session.flush()


def _publish(answer: Feedback, document: Document) -> None:
    """Release an answer to those who see its question and its case."""
    question = db.session.get_one(Feedback, answer.question_id)
    seen = log.held_channels(question.entry_id, question.origin)
    channels = seen & log.held_channels(document.entry_id)
    if not channels:
        raise NoReadersError
    remarks.receive(children.release(answer.origin, answer.entry_id, channels))
    db.session.expire(answer)
