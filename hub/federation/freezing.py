"""Two signed things of which only one can be true: their node is frozen until a person looked.

Both releases are kept as they came. Each is signed by the accused, so neither can be the work of
the node that handed it over; that node is named all the same.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, and_, or_, select, update

from hub import clock
from hub.audit import service as audit
from hub.config import settings
from hub.database import db
from hub.errors import NotFoundError
from hub.federation.models import Frozen, Quarantined
from hub.federation.protocol import Item, claim
from hub.journal.errors import VerificationError
from hub.journal.models import Entry, Release
from hub.journal.signing import Signed
from hub.journal.verification import FindKey, VerifiedRelease, verify_entry
from hub.registry.service import LATEST

CODES = frozenset({"fork", "equivocation"})
TWO_LOGS = "two_logs"  # Of a headquarters that signed what its logs can't both hold.
HELD = "frozen_origin"  # The code of what waits until a person has looked.
IS_FROZEN = and_(Frozen.resolved_at.is_(None), Frozen.code.in_(CODES))
SHOWN = 100

logger = structlog.get_logger()


class NotFrozenError(NotFoundError):
    """Nothing of this node is held back because of what it signed."""


@dataclass(frozen=True)
class Version:
    """One of two releases that can't both be true."""

    statement: dict[str, Any]
    signed_at: datetime  # As it claims.
    title: str  # Empty when the text is not here.


class Bench:
    """Who is frozen among the issuers of a page, and who becomes so while it is taken in."""

    def __init__(self, served_by: str, find_key: FindKey, items: Sequence[Item]) -> None:
        self._served_by, self._find_key = served_by, find_key
        claims = [claim(item.release, "iss") for item in items if item.release]
        issuers = {iss for iss in claims if isinstance(iss, str) and iss.isprintable()}
        open_cases = select(Frozen.origin).where(Frozen.origin.in_(issuers), IS_FROZEN)
        self._frozen = set(db.session.scalars(open_cases))

    @contextmanager
    def judging(
        self, item: Item, release: VerifiedRelease, store: Callable[[], None]
    ) -> Iterator[None]:
        """Freeze the issuer when what is checked inside proves that it contradicts itself.

        :param store: keeps what was accepted before: the other version may stand in the same page.
        :raises VerificationError: what the check raised; frozen_origin for what follows.
        """
        iss = release.statement["iss"]
        try:
            yield
        except VerificationError as error:
            if error.code in CODES and iss not in self._frozen:
                store()
                if self._proves(item, release, error.code):
                    self._frozen.add(iss)
                raise
            if error.code in CODES or iss not in self._frozen:
                raise
        if iss in self._frozen:
            raise VerificationError(HELD, "its issuer contradicted itself before")

    def _proves(self, item: Item, release: VerifiedRelease, code: str) -> bool:
        if code == "equivocation" and not self._is_by_issuer(item, release):
            return False
        return freeze(release, code, served_by=self._served_by)

    def _is_by_issuer(self, item: Item, release: VerifiedRelease) -> bool:
        """Say whether the issuer wrote what it released: others' feedback has ids of theirs."""
        try:
            entry = verify_entry(item.entry, self._find_key)
        except VerificationError:
            return False
        is_released = entry.signed.digest == release.statement["digest"]
        return is_released and bool(entry.document["origin"] == release.statement["iss"])


def freeze(release: VerifiedRelease, code: str, *, served_by: str) -> bool:
    """Freeze the issuer of a release that contradicts another one of its own; say if that is so.

    What can't be proven by two signed releases freezes nobody, nor does what a person has already
    looked at. We ourselves are never frozen: whoever was restored from a backup finds releases of
    its own that it does not know. The caller owns the transaction and the locks of the journal.
    """
    statement = release.statement
    known = _contradicted(statement, release.signed.digest)
    if known is None or statement["iss"] == settings().origin or _was_seen(release):
        return False
    before = Signed(known.header, known.payload, known.signature)
    place = (statement["iss"], statement["ch"], code)
    _raise_alarm(*place, served_by=served_by, known=before, other=release.signed)
    return True


def accuse(
    headquarters: str, channel: str, *, served_by: str, known: Signed, other: Signed
) -> None:
    """Tell people that a headquarters signed something of its log that another signed thing denies.

    It freezes nobody: no release is in doubt, and `dir` must go on, which says whose key was lost.
    Told once, until a person has looked, and the same never again. The caller owns the transaction.
    """
    is_told = or_(
        Frozen.resolved_at.is_(None),
        Frozen.known == _as_text(known),
        Frozen.digest == other.digest,
    )
    same = and_(Frozen.origin == headquarters, Frozen.channel == channel, Frozen.code == TWO_LOGS)
    if db.session.scalar(select(Frozen.id).where(same, is_told).limit(1)) is None:
        place = (headquarters, channel, TWO_LOGS)
        _raise_alarm(*place, served_by=served_by, known=known, other=other)


def _raise_alarm(
    origin: str, channel: str, code: str, *, served_by: str, known: Signed, other: Signed
) -> None:
    row = Frozen(
        origin=origin,
        channel=channel,
        code=code,
        served_by=served_by,
        known=_as_text(known),
        other=_as_text(other),
        digest=other.digest,
        frozen_at=clock.now(),
    )
    db.session.add(row)
    db.session.flush()
    audit.record(
        "origin.frozen" if code in CODES else "origin.contradicted",
        actor_id=None,
        subject=origin,
        channel=channel,
        code=code,
        served_by=served_by,
        known=known.digest,
        other=other.digest,
    )
    logger.error("contradiction", origin=origin, code=code, served_by=served_by)


def alarms(*, limit: int = SHOWN) -> Sequence[Frozen]:
    """Return who contradicted itself and how, newest first; see `accuse` for who is not frozen."""
    statement = select(Frozen).where(Frozen.resolved_at.is_(None)).order_by(Frozen.id.desc())
    return db.session.scalars(statement.limit(limit)).all()


def frozen() -> set[str]:
    """Return the nodes of which nothing more is taken in for now."""
    return set(db.session.scalars(select(Frozen.origin).where(IS_FROZEN)))


def find(frozen_id: int) -> Frozen:
    """Return an alarm that nobody has resolved yet.

    :raises NotFrozenError: when there is none.
    """
    row = db.session.get(Frozen, frozen_id)
    if row is None or row.resolved_at is not None:
        raise NotFrozenError
    return row


def versions_of(frozen: Frozen) -> list[Version]:
    """Return the two signed things: the one that we had, and the other."""
    found = [json.loads(json.loads(text)["p"]) for text in (frozen.known, frozen.other)]
    return [Version(statement, *_told(statement)) for statement in found]


def _told(statement: dict[str, Any]) -> tuple[datetime, str]:
    named = select(Entry.payload).where(Entry.digest == statement.get("digest"))
    payload = db.session.scalar(named)
    title = json.loads(payload)["title"] if payload else ""
    return datetime.fromtimestamp(min(statement["iat"], LATEST - 1), UTC), title


def unfreeze(origin: str, *, reason: str, actor_id: UUID | None = None) -> None:
    """Trust a node again: what waits may be tried again, and the evidence stays.

    The caller owns the transaction, and tries again what waits.

    :raises NotFrozenError: when it is not frozen.
    """
    statement = select(Frozen).where(Frozen.origin == origin, Frozen.resolved_at.is_(None))
    rows = db.session.scalars(statement).all()
    if not rows:
        raise NotFrozenError
    for row in rows:
        row.resolved_at = clock.now()
    again = update(Quarantined).where(Quarantined.iss == origin, Quarantined.code == "equivocation")
    db.session.execute(again.values(is_parked=True))
    db.session.flush()
    audit.record("origin.unfrozen", actor_id=actor_id, subject=origin, reason=reason)


def is_lifted(release: VerifiedRelease) -> bool:
    """Say whether a person has looked at this very release and trusts its issuer again."""
    return _was_seen(release, Frozen.resolved_at.is_not(None))


def _contradicted(statement: dict[str, Any], digest: str) -> Release | None:
    """Return a release of the same issuer that can't be true together with this one."""
    mine = and_(Release.iss == statement["iss"], ~Release.is_held)
    same_chain = select(Release).where(
        mine, Release.channel == statement["ch"], Release.epoch == statement["epoch"]
    )
    same_revision = select(Release).where(
        mine,
        Release.origin == statement["iss"],
        Release.entry_id == statement["id"],
        Release.rev == statement["rev"],
        Release.entry_digest != statement["digest"],
    )
    for rivals in (
        same_chain.where(Release.seq == statement["seq"], Release.digest != digest),
        same_chain.where(
            Release.seq == statement["seq"] - 1, Release.digest != (statement["prev"] or "")
        ),
        same_revision,
    ):
        if found := db.session.scalar(rivals.limit(1)):
            return found
    return None


def _was_seen(release: VerifiedRelease, *more: ColumnElement[bool]) -> bool:
    statement = select(Frozen.id).where(
        Frozen.origin == release.statement["iss"], Frozen.digest == release.signed.digest, *more
    )
    return db.session.scalar(statement.limit(1)) is not None


def _as_text(signed: Signed) -> str:
    return json.dumps(signed.as_wire())
