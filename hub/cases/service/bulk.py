"""Publishing many texts at once, in the name of two people other than their author.

Clearing is one person's and signing the other's; whoever signs answers for the content too, so the
approval of the branch secretary is part of the signature here. The register marks each as bulk.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from hub import clock
from hub.audit.service import record
from hub.cases.errors import BulkHandsError, IncompleteError
from hub.cases.models import Case, State
from hub.cases.service.drafting import missing_of
from hub.cases.service.finding import Work, load_work
from hub.cases.service.publication import freeze, release
from hub.cases.service.reading import receive
from hub.cases.service.review import check_grounds
from hub.database import db
from hub.errors import ForbiddenError, HubError
from hub.identity.models import Actor, Role, Scope
from hub.journal import log


@dataclass(frozen=True)
class Hands:
    """The two people in whose name texts are published in bulk, and on what grounds."""

    clearing: Actor
    signing: Actor
    grounds: str


def check_hands(author: Actor, hands: Hands) -> None:
    """Make sure that three different people stand behind a bulk publication, with their roles.

    :raises BulkHandsError: when two of them are the same.
    :raises ForbiddenError: when a role, or the scope of a token, is missing.
    """
    people = {author.person_id, hands.clearing.person_id, hands.signing.person_id}
    if len(people - {None}) < 3:
        raise BulkHandsError
    may_clear = hands.clearing.holds(Role.SECRECY_REVIEWER)
    may_sign = hands.signing.holds(Role.SIGNATORY)
    scopes = hands.clearing.has_scope(Scope.REVIEW) and hands.signing.has_scope(Scope.PUBLISH)
    if not (may_clear and may_sign and scopes):
        raise ForbiddenError
    check_grounds(hands.grounds, "grounds")


def find_import(source_digest: str) -> Case | None:
    """Return the case that was made of a text before, if there is one."""
    return db.session.scalar(select(Case).where(Case.source_digest == source_digest))


def publish_in_bulk(case_ids: Iterable[UUID], hands: Hands) -> dict[UUID, HubError]:
    """Clear, sign and publish drafts in the caller's transaction.

    :returns: what had to stay a draft, and why: incomplete, or of a unit that is not theirs.
    """
    publications: list[log.Publication] = []
    held_back: dict[UUID, HubError] = {}
    for case_id in case_ids:
        work = load_work(case_id, is_locked=True)
        if work is None or work.case.state != State.DRAFT:
            continue
        try:
            _check(work, hands)
        except HubError as error:
            held_back[case_id] = error
            continue
        _decide(work, hands)
        publications.append(release(work, hands.signing))
        _record(work, hands)
    db.session.flush()  # What is shown at home follows from the cases.
    receive(log.publish_all(publications))
    return held_back


def _check(work: Work, hands: Hands) -> None:
    """Make sure that a draft is complete, and both may act for its unit."""
    if names := missing_of(work):
        raise IncompleteError(names)
    if work.case.author_id in {hands.clearing.person_id, hands.signing.person_id}:
        raise BulkHandsError
    path = work.unit.path
    if not hands.clearing.holds(Role.SECRECY_REVIEWER, path):
        raise ForbiddenError
    if not hands.signing.holds(Role.SIGNATORY, path):
        raise ForbiddenError


def _decide(work: Work, hands: Hands) -> None:
    revision, now = work.revision, clock.now()
    revision.note = ""
    revision.submitted_at = revision.cleared_at = revision.approved_at = now
    revision.cleared_by = hands.clearing.person_id
    revision.approved_by = hands.signing.person_id
    freeze(work, hands.signing)


def _record(work: Work, hands: Hands) -> None:
    record(
        "case.published",
        actor_id=hands.signing.person_id,
        subject=str(work.case.id),
        bulk=True,
        rev=work.case.rev,
        cleared_by=hands.clearing.person_id,
        approved_by=hands.signing.person_id,
        signed_by=hands.signing.person_id,
        grounds=hands.grounds,
        visibility=work.case.visibility,
        partners=work.case.partners,
    )
