"""Asking about a case of any node, and answering, accepting or declining at its origin."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, or_, select, update

from hub import clock
from hub.audit.service import record
from hub.cases.errors import (
    NoReadersError,
    NoWayError,
    OwnCaseError,
    UnknownChoiceError,
    WrongStateError,
)
from hub.cases.models import Case, Document, Feedback, Remark, Standing, State, public_id
from hub.cases.remarks import POSTS, check, clean_remark, clean_unit
from hub.cases.scales import OUTCOMES
from hub.cases.service import remarks
from hub.cases.service.finding import Work, load_work
from hub.cases.service.reading import find_document
from hub.cases.service.review import check_grounds
from hub.config import settings
from hub.database import db, insert_missing
from hub.errors import ForbiddenError, NotFoundError
from hub.identity.models import Actor, Organisation, Role
from hub.identity.service import audiences, profile_of
from hub.journal import children, log, outbox
from hub.journal.errors import VerificationError
from hub.journal.models import GROUP, partner_channel
from hub.journal.signing import Signed
from hub.journal.verification import VerifiedEntry
from hub.registry import service as registry

SHOWN = 50


def may_ask(actor: Actor) -> bool:
    """Say whether somebody may ask in the name of their unit: whoever has one of the posts."""
    return _post(actor) is not None


def ask(actor: Actor, document_id: UUID, text: str) -> UUID:
    """Ask the unit of a document that the actor may read; return the id of the question.

    It names the actor's unit and post, never the actor. It leaves once a secrecy reviewer of the
    actor's unit has cleared it (see `clearing`), and waits then until that unit accepts it.

    :raises ForbiddenError: when the actor has none of the posts.
    :raises NoWayError: when no node is known that leads to the document's.
    """
    document = find_document(document_id, audiences(actor))
    post = _post(actor)
    if post is None:
        raise ForbiddenError
    _check_way(document)
    unit = db.session.get_one(Organisation, actor.organisation_id)
    said = {"text": clean_remark(text), "unit": clean_unit(unit.name), "post": post}
    parent = (document.origin, document.entry_id)
    asked = _say(Remark.QUESTION, parent, said, unit.id, actor)
    record("question.asked", actor_id=actor.person_id, subject=str(asked), case=str(document_id))
    return asked


def may_report(actor: Actor, document: Any) -> bool:
    """Say whether somebody may report for their unit how it fared with this document.

    :param document: its `id`, `origin`, `unit` and `is_harvested`.
    """
    return (
        not document.is_harvested
        and _reporting_post(actor) is not None
        and not _is_own(actor, document)
    )


def report(actor: Actor, document_id: UUID, text: str, outcome: str) -> UUID:
    """Report what came of a document in the actor's unit, which took it over; return its id.

    It leaves like a question. What a branch secretary says of their own unit counts as confirmed.

    :raises ForbiddenError: for everybody but the branch secretary and the adoption liaison.
    :raises OwnCaseError: when it is their unit's own.
    :raises NoWayError: when no node is known that leads to the document's.
    """
    document = find_document(document_id, audiences(actor))
    post = _reporting_post(actor)
    if post is None:
        raise ForbiddenError
    if _is_own(actor, document):
        raise OwnCaseError
    _check_way(document)
    if outcome not in OUTCOMES:
        raise UnknownChoiceError(field="outcome", choices=", ".join(OUTCOMES))
    unit = db.session.get_one(Organisation, actor.organisation_id)
    said: dict[str, Any] = {"text": clean_remark(text), "unit": clean_unit(unit.name)}
    said |= {"post": post, "outcome": outcome, "confirmed": post == Role.BRANCH_SECRETARY}
    said |= {part: code for part, code in profile_of(unit)._asdict().items() if code}
    parent = (document.origin, document.entry_id)
    reported = _say(Remark.ADOPTION, parent, said, unit.id, actor)
    subject, case = str(reported), str(document_id)
    record("adoption.reported", actor_id=actor.person_id, subject=subject, case=case)
    return reported


def take_in(entry: VerifiedEntry) -> None:
    """Keep what another node says of a document of ours until the document's unit has decided.

    The caller has made sure that its author may see the document. A second time changes nothing.

    :raises VerificationError: equivocation, when it said something else under the same id.
    """
    remark_id = public_id(entry.document["origin"], entry.document["id"])
    known = db.session.get(Feedback, remark_id)
    if known is None:
        children.keep(entry.signed, entry.document)
        channels = sorted(log.held_channels(entry.document["parent"]["id"]))
        _note(entry.signed, entry.document, Standing.RECEIVED, channels=channels)
    elif known.digest != entry.signed.digest:
        raise VerificationError("equivocation", "the same id with another content")


def undecided(actor: Actor, *, limit: int = SHOWN) -> Sequence[Row[Any]]:
    """Return what waits for this actor's decision, oldest first, with the titles of the cases."""
    paths = [grant.path for grant in actor.grants if grant.role == Role.BRANCH_SECRETARY]
    own = [Case.author_id == actor.person_id, *map(Organisation.path.startswith, paths)]
    statement: Any = (
        select(*remarks.SAID, Document.title)
        .join(Document, Document.id == Feedback.document_id)
        .join(Case, Case.id == Feedback.document_id)
        .join(Organisation, Organisation.id == Case.unit_id)
        .where(
            Feedback.state == Standing.RECEIVED,
            Feedback.type != Remark.ANSWER,
            Document.audience.is_not(None),
            or_(*own),
        )
        .order_by(Feedback.said_at)
        .limit(limit)
    )
    found: Sequence[Row[Any]] = db.session.execute(statement).all()
    return found


def accept(actor: Actor, remark_id: UUID) -> UUID:
    """Publish a remark beside its document, as its author's node signed it; return that one's id.

    To the channels of the document, but to none that it has gained since: what somebody said
    among some readers is not shown to more. Another enterprise's goes to the group and to it.

    :raises NoReadersError: when none of those channels is left.
    """
    remark, work = _decided(actor, remark_id, Standing.RECEIVED)
    channels = set(remark.channels) & log.held_channels(work.case.entry_id)
    enterprise = registry.enterprise_of(remark.origin) or settings().enterprise
    if enterprise != settings().enterprise:
        channels &= {GROUP, partner_channel(enterprise)}
    if not channels:
        raise NoReadersError
    remarks.receive(children.release(remark.origin, remark.entry_id, channels))
    db.session.expire(remark)
    record("feedback.accepted", actor_id=actor.person_id, subject=str(remark_id))
    return work.case.id


def decline(actor: Actor, remark_id: UUID, reason: str) -> UUID:
    """Let nobody see a remark, and forget its text; return the id of its document."""
    remark, work = _decided(actor, remark_id, Standing.RECEIVED)
    remark.reason = check_grounds(reason, "reason")
    remark.state, remark.text = Standing.DECLINED, ""
    children.drop([remark.digest])
    record(
        "feedback.declined",
        actor_id=actor.person_id,
        subject=str(remark_id),
        reason=remark.reason,
    )
    return work.case.id


def answer(actor: Actor, question_id: UUID, text: str) -> UUID:
    """Answer a published question to all who see it, once it is cleared; return the answer's id."""
    question, work = _decided(actor, question_id, Standing.ACCEPTED)
    if question.type != Remark.QUESTION:
        raise NotFoundError
    document = db.session.get_one(Document, work.case.id)
    said = {
        "text": clean_remark(text),
        "unit": clean_unit(document.unit),
        "post": _post(actor) or "",
        "question": str(question.id),
    }
    parent = (settings().origin, work.case.entry_id)
    answered = _say(Remark.ANSWER, parent, said, work.unit.id, actor)
    record("question.answered", actor_id=actor.person_id, subject=str(question_id))
    return answered


def subject_of(remark_id: UUID) -> UUID:
    """Return the document that a remark is about.

    :raises NotFoundError: when there is no such remark.
    """
    found = db.session.scalar(select(Feedback.document_id).where(Feedback.id == remark_id))
    if found is None:
        raise NotFoundError
    return found


def note_refused(digest: str, code: str) -> None:
    """Note that a node on the way refused for good what somebody here said."""
    db.session.execute(
        update(Feedback)
        .where(Feedback.digest == digest, Feedback.state == Standing.SENT)
        .values(state=Standing.REFUSED, reason=code)
        .execution_options(synchronize_session=False)
    )


def _post(actor: Actor) -> Role | None:
    return next((role for role in POSTS if actor.holds(role)), None)


def _reporting_post(actor: Actor) -> Role | None:
    posts = (Role.BRANCH_SECRETARY, Role.ADOPTION_LIAISON)
    return next((role for role in posts if actor.path and actor.holds(role, actor.path)), None)


def _is_own(actor: Actor, document: Any) -> bool:
    """Say whether a document comes from the actor's unit, which may have withheld its name."""
    if document.origin != settings().origin:
        return False
    unit_id = db.session.scalar(select(Case.unit_id).where(Case.id == document.id))
    return unit_id is not None and unit_id == actor.organisation_id


def _check_way(document: Document) -> None:
    """Make sure that what is said of a document can reach its node."""
    if document.is_harvested:
        raise NoWayError  # Nobody there has a node.
    if document.origin != settings().origin and outbox.next_node(document.origin) is None:
        raise NoWayError


def _decided(actor: Actor, remark_id: UUID, state: Standing) -> tuple[Feedback, Work]:
    """Lock a remark and the case that it is about, for the case's author or branch secretary.

    The case is locked first, as by all else that changes who reads it.
    """
    about = select(Feedback.document_id).where(Feedback.id == remark_id)
    document_id = db.session.scalar(about)
    work = load_work(document_id, is_locked=True) if document_id else None
    if work is None or not _is_theirs(work, actor):
        raise NotFoundError
    statement = select(Feedback).where(Feedback.id == remark_id).with_for_update()
    options = statement.execution_options(populate_existing=True)
    remark = db.session.scalars(options).one()
    if remark.state != state or work.case.state == State.WITHDRAWN:
        raise WrongStateError(remark.state)
    return remark, work


def _is_theirs(work: Work, actor: Actor) -> bool:
    if not actor.is_signed_in:
        return False
    is_author = work.case.author_id == actor.person_id
    return is_author or actor.holds(Role.BRANCH_SECRETARY, work.unit.path)


def _say(
    kind: Remark, parent: tuple[str, str], fields: dict[str, Any], unit_id: UUID, actor: Actor
) -> UUID:
    """Sign what somebody here says and keep it until it is cleared; return its id."""
    entry, written = children.sign(type=kind, parent=parent, fields=fields)
    check(written)
    children.keep(entry, written)
    _note(entry, written, Standing.TO_CLEAR, unit_id=unit_id, person_id=actor.person_id)
    return public_id(settings().origin, written["id"])


def _note(entry: Signed, document: dict[str, Any], state: Standing, **more: Any) -> None:
    row = remarks.row_of(document, entry.digest) | {
        "id": public_id(document["origin"], document["id"]),
        "state": state,
        "audience": None,
        "said_at": clock.now(),
    }
    insert_missing(Feedback, [row | more])
