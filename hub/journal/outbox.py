"""Entries on their way to their parent's origin, node by node, until the next one has them.

A spoke has one neighbour, its headquarters, to which it sends. Headquarters sends to those of
partners; its own spokes can't be dialled, so each fetches what waits for it here.
"""

import secrets
from collections.abc import Collection, Sequence
from hashlib import sha256
from typing import Any

from sqlalchemy import Row, delete, func, select, update

from hub import clock
from hub.config import settings
from hub.database import db, insert_missing
from hub.journal.log import lock_heads
from hub.journal.models import Head, Outgoing
from hub.journal.signing import Signed
from hub.registry import service as registry


def next_node(origin: str) -> str | None:
    """Return the origin of the next node on the way to another one; None if there is no way."""
    config, anchors = settings(), registry.anchors()
    enterprise = registry.enterprise_of(origin)
    if not config.is_headquarters:
        return anchors.get(config.enterprise)
    if enterprise == config.enterprise:
        return origin
    return anchors.get(enterprise or "")


def put(addressee: str, entries: Sequence[Signed]) -> None:
    """Let entries wait for a node, in this order; what waits already is not put twice.

    Whoever puts for several nodes in one transaction does so in the order of their origins.
    """
    name = box_of(addressee)
    head = lock_heads([name])[name]
    waiting = select(Outgoing.digest).where(
        Outgoing.addressee == addressee, Outgoing.digest.in_([entry.digest for entry in entries])
    )
    known = set(db.session.scalars(waiting))
    rows = []
    for entry in {entry.digest: entry for entry in entries if entry.digest not in known}.values():
        head.seq += 1
        rows.append(_row(addressee, head.seq, entry))
    insert_missing(Outgoing, rows)
    db.session.flush()


def box_of(addressee: str) -> str:
    """Return the name of the head that counts what was put for a node."""
    return f"to {sha256(addressee.encode()).hexdigest()[:32]}"


def rename() -> None:
    """Count what waits under another name, so that whoever saw more of it begins again.

    The caller owns the transaction and holds the lock of the journal.
    """
    boxes = update(Head).where(Head.name.startswith("to ")).values(epoch=secrets.token_hex(4))
    db.session.execute(boxes.execution_options(synchronize_session=False))


def head_of(addressee: str) -> tuple[str, int] | None:
    """Return epoch and number of what was put last for a node; None before the first."""
    row = db.session.execute(
        select(Head.epoch, Head.seq).where(Head.name == box_of(addressee))
    ).first()
    return (row.epoch, row.seq) if row else None


def addressees() -> Sequence[str]:
    """Return the origins of the nodes for which something waits."""
    return db.session.scalars(select(Outgoing.addressee).distinct()).all()


def is_waiting(addressee: str) -> bool:
    """Say whether something waits for a node."""
    statement = select(func.count()).where(Outgoing.addressee == addressee)
    return bool(db.session.scalar(statement))


def waiting(addressee: str, *, limit: int = 100) -> Sequence[Row[Any]]:
    """Return what waits for a node, oldest first: number, digest, header, payload, signature."""
    columns = Outgoing.__table__.c
    statement = (
        select(*(columns[n] for n in ("number", "digest", "header", "payload", "signature")))
        .where(columns.addressee == addressee)
        .order_by(columns.number)
        .limit(limit)
    )
    return db.session.execute(statement).all()


def drop_upto(addressee: str, number: int) -> None:
    """Forget what a node has said that it has, up to a number."""
    db.session.execute(
        delete(Outgoing).where(Outgoing.addressee == addressee, Outgoing.number <= number)
    )


def drop(addressee: str, digests: Collection[str]) -> None:
    """Forget what a node has taken in, or has refused for good."""
    db.session.execute(
        delete(Outgoing).where(Outgoing.addressee == addressee, Outgoing.digest.in_(digests))
    )


def _row(addressee: str, number: int, entry: Signed) -> dict[str, Any]:
    return {
        "addressee": addressee,
        "number": number,
        "digest": entry.digest,
        "header": entry.header,
        "payload": entry.payload,
        "signature": entry.signature,
        "queued_at": clock.now(),
    }
