"""Cases of ours whose rows are behind what we published, since a backup was restored."""

import json
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import select

from hub import clock
from hub.cases import content as contents
from hub.cases.models import Case, Revision, State, Visibility, public_id
from hub.cases.service.drafting import touch
from hub.cases.service.publication import ABOUT_UNIT
from hub.config import settings
from hub.database import db
from hub.journal.models import GROUP, PARTNER, PUBLIC, PUT, Change, Entry, Live


def catch_up(changes: Sequence[Change]) -> None:
    """Bring the rows of our own cases up to releases of ours that came back.

    The caller owns the transaction. A revision that readers have becomes the newest one of its
    case, in place of any draft with its number; a case that nobody may read any longer is
    withdrawn. Who decided it is known to the journal no more: those fields stay empty. A case
    without a row stays without one.
    """
    ids = {public_id(change.origin, change.entry_id) for change in changes}
    if not ids:
        return
    cases = db.session.scalars(select(Case).where(Case.id.in_(ids))).all()
    said = _last_said({case.entry_id for case in cases})
    for case in cases:
        _catch_up(case, said.get(case.entry_id, []))


def _last_said(entry_ids: Collection[str]) -> dict[str, list[Any]]:
    """Return what we last said of entries of ours in each channel, oldest revision first."""
    here = settings().origin
    statement = (
        select(Live.entry_id, Live.channel, Live.op, Live.rev, Entry.payload)
        .join(Entry, Entry.digest == Live.entry_digest, isouter=True)
        .where(Live.iss == here, Live.origin == here, Live.entry_id.in_(entry_ids))
        .order_by(Live.rev)
    )
    said: dict[str, list[Any]] = {}
    for row in db.session.execute(statement):
        said.setdefault(row.entry_id, []).append(row)
    return said


def _catch_up(case: Case, said: Sequence[Any]) -> None:
    live = [row for row in said if row.op == PUT]
    if not live:
        case.published_rev = case.published_rev or case.rev
        case.withdrawn_at = case.withdrawn_at or clock.now()
        _end_widening(case)
        touch(case, State.WITHDRAWN)
        return
    newest = live[-1]
    if newest.payload is None:
        return  # What dropped its text has yet to come back.
    _set_audience(case, {row.channel for row in live})
    if newest.rev > (case.published_rev or 0):
        _keep_revision(case, newest.rev, json.loads(newest.payload))
        case.rev = case.published_rev = newest.rev
        touch(case, State.PUBLISHED)


def _set_audience(case: Case, channels: Collection[str]) -> None:
    partners = sorted(c.removeprefix(PARTNER) for c in channels if c.startswith(PARTNER))
    before = (case.visibility, case.partners)
    if PUBLIC in channels:
        case.visibility, case.partners = Visibility.PUBLIC, []
    elif partners:
        case.visibility, case.partners = Visibility.PARTNERS, partners
    elif GROUP in channels:
        case.visibility, case.partners = Visibility.GROUP, []
    if (case.visibility, case.partners) != before:
        was_considered = case.state == State.WIDEN_REVIEW
        _end_widening(case)
        touch(case, State.PUBLISHED if was_considered else None)


def _end_widening(case: Case) -> None:
    case.wider, case.wider_partners, case.wider_cleared_by = None, [], None


def _keep_revision(case: Case, number: int, entry: dict[str, Any]) -> None:
    """Put a published text in the place of its revision, signed as it was."""
    fields = {name: value for name, value in entry["fields"].items() if name not in ABOUT_UNIT}
    revision = db.session.get(Revision, (case.id, number))
    if revision is None:
        revision = Revision(case_id=case.id, number=number, note="")
        db.session.add(revision)
    revision.title, revision.body, revision.fields = entry["title"], entry["body"], fields
    revision.html = revision.refused_digest = None
    content = {"title": entry["title"], "body": entry["body"], **fields}
    revision.digest = contents.digest({k: v for k, v in content.items() if v != ""})
    revision.published_at = clock.now()
