"""Who may read a case: the visibilities, their order, and the channels that they mean."""

import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from hub import clock
from hub.cases.errors import (
    NoPartnersError,
    NotAgreedError,
    TooManyError,
    UnknownChoiceError,
    WrongTypeError,
)
from hub.cases.models import Visibility
from hub.config import settings
from hub.database import db
from hub.journal.models import GROUP, LOCAL, PUBLIC, partner_channel
from hub.registry.models import Node, Peer, PeerKind, PeerState

MOST_PARTNERS = 20
_ORDER = list(Visibility)
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def partner_enterprises() -> list[str]:
    """Return the slugs of the other enterprises that this node knows, sorted."""
    own = settings().enterprise
    statement = select(Node.enterprise).where(Node.enterprise != own).distinct()
    return sorted(db.session.scalars(statement))


def check_audience(visibility: object, partners: object) -> tuple[Visibility, list[str]]:
    """Return a visibility and the enterprises that it names, sorted.

    :raises ContentError: naming the field that is unknown or missing.
    :raises NoPartnersError: when this node knows no partner at all.
    """
    if not isinstance(visibility, str) or visibility not in _ORDER:
        raise UnknownChoiceError(field="visibility", choices=", ".join(_ORDER))
    if not isinstance(partners, list | tuple) or not all(isinstance(p, str) for p in partners):
        raise WrongTypeError(field="partners")
    if len(partners) > MOST_PARTNERS:
        raise TooManyError(field="partners", limit=MOST_PARTNERS, length=len(partners))
    if visibility != Visibility.PARTNERS:
        return Visibility(visibility), []
    known = partner_enterprises()
    if not known:
        raise NoPartnersError
    named = sorted(set(partners))
    if not named or any(not _SLUG.fullmatch(name) or name not in known for name in named):
        raise UnknownChoiceError(field="partners", choices=", ".join(known))
    return Visibility.PARTNERS, named


def check_agreed(partners: Sequence[str], fields: dict[str, Any]) -> None:
    """Let a case go to partners whose agreements are in force and cover its category.

    Only headquarters knows the agreements; the other nodes are told when they publish.

    :raises NotAgreedError: naming the first whose agreement does not.
    """
    statement = select(Peer).where(Peer.kind == PeerKind.PARTNER, Peer.enterprise.in_(partners))
    for peer in db.session.scalars(statement):
        is_over = peer.agreement_ends_at is not None and peer.agreement_ends_at <= clock.now()
        is_foreign = peer.categories and fields.get("category") not in peer.categories
        if is_over or is_foreign or peer.state == PeerState.CLOSED:
            raise NotAgreedError(peer.name)


def is_wider(
    visibility: str, partners: Sequence[str], than: str, than_partners: Sequence[str]
) -> bool:
    """Say whether an audience has readers that the other one has not."""
    here, there = _ORDER.index(Visibility(visibility)), _ORDER.index(Visibility(than))
    if here == there == _ORDER.index(Visibility.PARTNERS):
        return bool(set(partners) - set(than_partners))
    return here > there


def channels_of(visibility: str, partners: Sequence[str]) -> set[str]:
    """Return the channels that carry a case of this visibility (docs/federation.md, Channel)."""
    match Visibility(visibility):
        case Visibility.UNIT | Visibility.NODE:
            return {LOCAL}
        case Visibility.GROUP:
            return {GROUP}
        case Visibility.PARTNERS:
            return {GROUP, *map(partner_channel, partners)}
        case Visibility.PUBLIC:
            return {GROUP, PUBLIC}
