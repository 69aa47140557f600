"""Whom a request speaks for, and what they may read.

Every request with a session or a token asks this first, so it is one statement of plain columns.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, or_, select
from sqlalchemy.orm import aliased

from hub import clock
from hub.database import db
from hub.identity.models import (
    ANONYMOUS,
    EVERYBODY,
    MEMBERS,
    REVIEWING,
    Actor,
    ApiToken,
    Grant,
    Organisation,
    Person,
    Role,
    RoleGrant,
    Scope,
    SignIn,
    lineage,
    unit_audience,
)
from hub.identity.service.secret import digest_of

_Own = aliased(Organisation)
_At = aliased(Organisation)


def _rows(*more: Any) -> Select[Any]:
    """Select one row for each role that a person holds, or one with None."""
    return (
        select(
            Person.id,
            Person.name,
            Person.organisation_id,
            _Own.path,
            RoleGrant.role,
            _At.path,
            *more,
        )
        .join(_Own, _Own.id == Person.organisation_id)
        .outerjoin(RoleGrant, RoleGrant.person_id == Person.id)
        .outerjoin(_At, _At.id == RoleGrant.organisation_id)
        .where(Person.left_at.is_(None))
    )


_BY_PERSON = _rows().where(Person.id == bindparam("person_id"))
_BY_SESSION = (
    _rows()
    .join(SignIn, SignIn.person_id == Person.id)
    .where(SignIn.digest == bindparam("digest"), SignIn.expires_at > bindparam("now"))
)
_BY_TOKEN = (
    _rows(ApiToken.scopes)
    .join(ApiToken, ApiToken.person_id == Person.id)
    .where(
        ApiToken.digest == bindparam("digest"),
        ApiToken.expires_at > bindparam("now"),
        ApiToken.revoked_at.is_(None),
    )
)


def actor_of(person_id: UUID, scopes: frozenset[Scope] | None = None) -> Actor:
    """Return somebody with the rights they have now; nobody if the account has ended."""
    rows = db.session.execute(_BY_PERSON, {"person_id": person_id}).all()
    return _actor(rows, scopes)


def actor_of_session(secret: str) -> Actor:
    """Return whom a session secret speaks for; nobody once it has ended."""
    values = {"digest": digest_of(secret), "now": clock.now()}
    return _actor(db.session.execute(_BY_SESSION, values).all())


def actor_of_token(token: str) -> Actor:
    """Return whom a personal token speaks for, with its scopes; nobody once it has ended."""
    values = {"digest": digest_of(token), "now": clock.now()}
    rows = db.session.execute(_BY_TOKEN, values).all()
    return _actor(rows, frozenset(Scope(word) for word in rows[0][6].split()) if rows else None)


def _actor(rows: Sequence[Any], scopes: frozenset[Scope] | None = None) -> Actor:
    if not rows:
        return ANONYMOUS
    grants = tuple(Grant(Role(row[4]), row[5]) for row in rows if row[4] is not None)
    person_id, name, organisation_id, path = rows[0][:4]
    return Actor(person_id, name, organisation_id, path, grants, scopes)


def audiences(actor: Actor) -> frozenset[str]:
    """Return the audiences that somebody belongs to (docs/product.md, Who sees what).

    What a unit keeps to itself is read by its own people and those below it, and by those who
    review over it.
    """
    if not actor.is_signed_in:
        return frozenset({EVERYBODY})
    units = set(lineage(actor.path))
    over = {grant.path for grant in actor.grants if grant.role in REVIEWING}
    if over:
        below = or_(*(Organisation.path.startswith(path) for path in sorted(over)))
        units.update(db.session.scalars(select(Organisation.id).where(below)))
    return frozenset({EVERYBODY, MEMBERS, *map(unit_audience, units)})
