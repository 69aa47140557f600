"""What a partner can read here now, as it would see it."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, or_, select

from hub.cases.models import Document, public_id
from hub.cases.service.reading import KINDS
from hub.database import db
from hub.errors import NotFoundError
from hub.federation import standing
from hub.journal.models import PUBLIC, PUT, Entry, Live
from hub.registry.models import Peer, PeerKind

PER_PAGE = 50


@dataclass(frozen=True)
class Readable:
    """A case that lies open to the partner."""

    id: UUID
    title: str
    unit: str
    origin: str
    is_public: bool


def partners() -> list[Peer]:
    """Return the partner enterprises' headquarters, by name."""
    statement = select(Peer).where(Peer.kind == PeerKind.PARTNER).order_by(Peer.name)
    return list(db.session.scalars(statement.limit(500)))


def find_partner(enterprise: str) -> Peer:
    """Return the headquarters of a partner enterprise.

    :raises NotFoundError: when it is no partner of ours.
    """
    wanted = select(Peer).where(Peer.kind == PeerKind.PARTNER, Peer.enterprise == enterprise)
    peer = db.session.scalar(wanted.limit(1))
    if peer is None:
        raise NotFoundError
    return peer


def readable_by(partner: Peer, page: int) -> tuple[list[Readable], int]:
    """Return one page of what a partner can read now, by node and newest first, and how much it is.

    Nothing, while the connection is not live or its agreement has ended.
    """
    total = db.session.scalar(_open(partner, func.count())) or 0
    columns = (Live.channel, Live.origin, Live.entry_id, Entry.payload)
    rows = db.session.execute(
        _open(partner, *columns)
        .order_by(Live.iss, Live.seq.desc(), Live.channel)
        .limit(PER_PAGE)
        .offset((page - 1) * PER_PAGE)
    )
    return [_shown(*row) for row in rows], total


def _open(partner: Peer, *columns: Any) -> Select[Any]:
    statement = (
        select(*columns)
        .select_from(Live)
        .join(Entry, Entry.digest == Live.entry_digest)
        .where(
            Live.channel.in_(standing.reads(partner)),
            Live.op == PUT,
            Entry.payload.is_not(None),
            Entry.type.in_(KINDS),
        )
    )
    if not partner.categories:
        return statement
    agreed = select(Document.digest).where(Document.category.in_(partner.categories))
    return statement.where(or_(Live.channel == PUBLIC, Entry.digest.in_(agreed)))


def _shown(channel: str, origin: str, entry_id: str, payload: str) -> Readable:
    document = json.loads(payload)
    unit = document["fields"].get("submitting_unit")
    return Readable(
        id=public_id(origin, entry_id),
        title=document["title"],
        unit=unit if isinstance(unit, str) else "",
        origin=origin,
        is_public=channel == PUBLIC,
    )
