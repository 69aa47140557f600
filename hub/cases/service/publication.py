"""Signing, publishing and withdrawing."""

from typing import Any
from uuid import UUID

from hub import clock
from hub.audit.service import record
from hub.cases.errors import AlteredError, WrongStateError
from hub.cases.models import Case, Document, Rendering, State
from hub.cases.service.adoptions import UNIT
from hub.cases.service.audience import channels_of, check_agreed
from hub.cases.service.drafting import touch
from hub.cases.service.finding import KEEPERS, Work, work_for
from hub.cases.service.reading import receive
from hub.cases.service.remarks import drop_undecided
from hub.cases.service.review import check_grounds
from hub.database import db, insert_missing
from hub.identity.models import Actor, Role
from hub.identity.profile import PARTS
from hub.identity.service import names_down_to, profile_of
from hub.journal import log
from hub.journal.attachments import Attachment

# What an entry says of its unit, beside the fields that its author filled in.
ABOUT_UNIT = frozenset({"submitting_unit", "unit_path", *(UNIT + part for part in PARTS)})


def sign(actor: Actor, case_id: UUID, *, version: int | None = None) -> Case:
    """Freeze an approved revision under the signatory's name."""
    work = work_for(case_id, actor, {Role.SIGNATORY}, {State.APPROVED}, version=version)
    freeze(work, actor)
    record(
        "case.signed",
        actor_id=actor.person_id,
        subject=str(case_id),
        rev=work.case.rev,
        text=work.revision.digest,
    )
    return work.case


def freeze(work: Work, actor: Actor) -> None:
    """Keep the digest of a revision, so that any later change would show."""
    work.revision.digest = work.digest
    work.revision.signed_by, work.revision.signed_at = actor.person_id, clock.now()
    touch(work.case, State.SIGNED)


def publish(actor: Actor, case_id: UUID, *, version: int | None = None) -> Case:
    """Release a signed revision to its audience, signed, through the journal.

    :raises AlteredError: when the text is no longer the one that was signed.
    """
    work = work_for(case_id, actor, {Role.SIGNATORY}, {State.SIGNED}, version=version)
    if work.digest != work.revision.digest:
        raise AlteredError
    receive(log.publish_all([release(work, actor)]))
    keep_rendering(work)
    record(
        "case.published",
        actor_id=actor.person_id,
        subject=str(case_id),
        rev=work.case.rev,
        visibility=work.case.visibility,
        partners=work.case.partners,
    )
    return work.case


def release(work: Work, actor: Actor) -> log.Publication:
    """Note that a signed revision is published, and return it as the journal takes it."""
    case, revision = work.case, work.revision
    check_agreed(case.partners, revision.fields)
    case.published_rev = case.rev
    revision.published_by, revision.published_at = actor.person_id, clock.now()
    touch(case, State.PUBLISHED)
    return log.Publication(
        type=case.kind,
        entry_id=case.entry_id,
        rev=case.rev,
        title=revision.title,
        body=revision.body,
        fields=entry_fields(work),
        channels=channels_of(case.visibility, case.partners),
        attachments=[Attachment(f.sha256, f.size, f.type, f.name) for f in work.files],
    )


def entry_fields(work: Work) -> dict[str, Any]:
    """Return what the entry says beside title and body: the fields, and of what unit it is."""
    if work.revision.fields.get("hide_unit_name", False):
        return work.revision.fields | {"submitting_unit": ""}
    profile = profile_of(work.unit)._asdict()
    return work.revision.fields | {
        "submitting_unit": work.unit.name,
        "unit_path": names_down_to(work.unit),
        **{UNIT + part: code for part, code in profile.items() if code},
    }


def keep_rendering(work: Work) -> None:
    """Give readers the HTML that was made for the draft, if it was."""
    document = db.session.get(Document, work.case.id)
    if document is not None and work.revision.html is not None:
        row = {"digest": document.digest, "html": work.revision.html}
        insert_missing(Rendering, [row])


def withdraw(actor: Actor, case_id: UUID, reason: str, *, version: int | None = None) -> Case:
    """Take a published case back everywhere; a tombstone without content stays.

    By a branch secretary or signatory over its unit, whatever is being done to it meanwhile.
    """
    states = frozenset(State) - {State.WITHDRAWN}
    work = work_for(case_id, actor, KEEPERS, states, version=version)
    case = work.case
    if not case.is_out:
        raise WrongStateError(case.state)
    reason = check_grounds(reason, "reason")
    case.withdrawn_at, case.withdrawal_reason = clock.now(), reason
    case.wider, case.wider_partners, case.wider_cleared_by = None, [], None
    touch(case, State.WITHDRAWN)
    receive(log.readdress(case.entry_id, ()))
    drop_undecided(case.id)
    record("case.withdrawn", actor_id=actor.person_id, subject=str(case.id), reason=reason)
    return case
