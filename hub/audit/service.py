"""Recording decisions, and proving that the record was not altered."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import rfc8785
from sqlalchemy import select

from hub import clock
from hub.audit.models import AuditEntry, AuditHead
from hub.database import db, insert_missing

CHAIN = "audit"
START = "0" * 64


def record(action: str, *, actor_id: UUID | None, subject: str, **detail: Any) -> None:
    """Write down who decided what, in the caller's transaction: kept with the decision or not.

    Call it after what goes into the journal: both stay locked until the transaction ends, and two
    that locked them in different order would wait for each other.

    :param action: a noun and what became of it, e.g. `case.approved`.
    :param actor_id: the person; None for the node itself and its command line.
    :param subject: id of what was decided about.
    :param detail: grounds and the like, never a secret; ids and times become text.
    """
    head = _locked_head()
    entry = AuditEntry(
        seq=head.seq + 1,
        at=clock.now(),
        actor_id=actor_id,
        action=action,
        subject=subject,
        detail=json.loads(json.dumps(detail, default=str)),
        prev=head.digest,
    )
    entry.digest = head.digest = digest_of(entry)
    head.seq = entry.seq
    db.session.add(entry)
    db.session.flush()


def digest_of(entry: AuditEntry) -> str:
    """Return the SHA-256 of an entry's canonical JSON (RFC 8785), which names the one before."""
    content: dict[str, Any] = {
        "seq": entry.seq,
        "at": entry.at.isoformat(timespec="microseconds"),
        "actor": str(entry.actor_id) if entry.actor_id else None,
        "action": entry.action,
        "subject": entry.subject,
        "detail": entry.detail,
        "prev": entry.prev,
    }
    return hashlib.sha256(rfc8785.dumps(content)).hexdigest()


def check() -> int | None:
    """Return the number of the first entry that was altered or is missing; None when all is well.

    A chain whose end and head were both rewritten looks whole: that is what a copy of the last
    digest, kept elsewhere, is for.
    """
    seq, prev = 0, START
    rows = db.session.scalars(select(AuditEntry).order_by(AuditEntry.seq)).yield_per(1000)
    for entry in rows:
        seq += 1
        if (entry.seq, entry.prev, entry.digest) != (seq, prev, digest_of(entry)):
            return seq
        prev = entry.digest
    head = db.session.get(AuditHead, CHAIN)
    end = (head.seq, head.digest) if head else (0, START)
    return None if end == (seq, prev) else seq + 1


def entries(*, subject: str | None = None, limit: int = 100) -> Sequence[AuditEntry]:
    """Return what was recorded, newest first, about one subject or about all."""
    found = select(AuditEntry).order_by(AuditEntry.seq.desc()).limit(limit)
    if subject is not None:
        found = found.where(AuditEntry.subject == subject)
    return db.session.scalars(found).all()


def _locked_head() -> AuditHead:
    """Return the head with its row locked, so that whoever records next waits for us."""
    locked = select(AuditHead).where(AuditHead.name == CHAIN).with_for_update()
    locked = locked.execution_options(populate_existing=True)
    head = db.session.scalar(locked)
    if head is None:
        # Two may arrive here at once: the second must find the first one's row, not fail.
        insert_missing(AuditHead, [{"name": CHAIN, "seq": 0, "digest": START}])
        head = db.session.scalars(locked).one()
    return head
