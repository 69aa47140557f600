"""Personal tokens for the API: shown once, kept as digests, good for a year at most."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, select

from hub import clock
from hub.audit.service import record
from hub.database import db
from hub.errors import InvalidError, NotFoundError, mark
from hub.identity.models import ApiToken, Scope
from hub.identity.service.secret import digest_of, new_secret

PREFIX = "jw_"  # So that scanners recognise a leaked one.
LONGEST_DAYS = 365
MOST = 50  # Live tokens of one person.
NAME_LENGTH = 100


def issue_token(person_id: UUID, name: str, scopes: Iterable[Scope], days: int) -> str:
    """Make a token and return it; nobody can show it again.

    Its rights are never more than what its person may do at the time of each request.

    :param days: days until it expires, 1 to 365.
    """
    name, words = " ".join(name.split()), sorted({Scope(scope).value for scope in scopes})
    if not 0 < len(name) <= NAME_LENGTH or not name.isprintable():
        raise InvalidError("name", mark("1 to 100 characters"))
    if not words:
        raise InvalidError("scopes", mark("choose at least one"))
    if not 1 <= days <= LONGEST_DAYS:
        raise InvalidError("days", mark("1 to 365"))
    if _live(person_id) >= MOST:
        raise InvalidError("name", mark("you have 50 tokens; revoke one first"))
    secret, now = PREFIX + new_secret(), clock.now()
    token = ApiToken(
        digest=digest_of(secret),
        person_id=person_id,
        name=name,
        scopes=" ".join(words),
        created_at=now,
        expires_at=now + timedelta(days=days),
    )
    db.session.add(token)
    db.session.flush()
    record("token.issued", actor_id=person_id, subject=str(person_id), token=token.id, scopes=words)
    return secret


def _live(person_id: UUID) -> int:
    live = (
        select(func.count())
        .select_from(ApiToken)
        .where(
            ApiToken.person_id == person_id,
            ApiToken.revoked_at.is_(None),
            ApiToken.expires_at > clock.now(),
        )
    )
    return db.session.scalar(live) or 0


def revoke_token(person_id: UUID, token_id: UUID) -> None:
    """End one of somebody's own tokens at once; a stranger's token is not found."""
    token = db.session.get(ApiToken, token_id)
    if token is None or token.person_id != person_id:
        raise NotFoundError
    if token.revoked_at is None:
        token.revoked_at = clock.now()
        record("token.revoked", actor_id=person_id, subject=str(person_id), token=token.id)


def tokens_of(person_id: UUID) -> Sequence[ApiToken]:
    """Return somebody's tokens that still work, newest first."""
    return db.session.scalars(
        select(ApiToken)
        .where(
            ApiToken.person_id == person_id,
            ApiToken.revoked_at.is_(None),
            ApiToken.expires_at > clock.now(),
        )
        .order_by(ApiToken.created_at.desc())
    ).all()
