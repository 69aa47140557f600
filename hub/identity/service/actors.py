"""Whom a request speaks for, and what they may read.

Every request with a session or a token asks this first, so it is one statement of plain columns.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, or_, select

from hub import clock
from hub.database import connection, db
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
    Profile,
    Role,
    RoleGrant,
    Scope,
    SignIn,
    lineage,
    unit_audience,
)
from hub.identity.service.secret import digest_of

# Plain tables, and the connection: through the ORM the same statement takes three times as long.
_person, _role = Person.__table__.c, RoleGrant.__table__.c
_session, _token = SignIn.__table__.c, ApiToken.__table__.c
_own = Organisation.__table__.alias("own").c
_at = Organisation.__table__.alias("at").c


def _rows(*more: Any) -> Select[Any]:
    """Select one row for each role that a person holds, or one with None."""
    columns = (_person.id, _person.name, _person.organisation_id, _own.path, _role.role, _at.path)
    profile = (_own.level, _own.size, _own.layout, _own.sector)
    return (
        select(*columns, *more, *profile)
        .join(_own.id.table, _own.id == _person.organisation_id)
        .outerjoin(_role.role.table, _role.person_id == _person.id)
        .outerjoin(_at.id.table, _at.id == _role.organisation_id)
        .where(_person.left_at.is_(None))
    )


_BY_PERSON = _rows().where(_person.id == bindparam("person_id"))
_BY_SESSION = (
    _rows()
    .join(_session.digest.table, _session.person_id == _person.id)
    .where(_session.digest == bindparam("digest"), _session.expires_at > bindparam("now"))
)
_BY_TOKEN = (
    _rows(_token.scopes)
    .join(_token.digest.table, _token.person_id == _person.id)
    .where(
        _token.digest == bindparam("digest"),
        _token.expires_at > bindparam("now"),
        _token.revoked_at.is_(None),
    )
)


def _read(statement: Select[Any], **values: Any) -> Sequence[Any]:
    return connection().execute(statement, values).all()


def actor_of(person_id: UUID, scopes: frozenset[Scope] | None = None) -> Actor:
    """Return somebody with the rights they have now; nobody if the account has ended."""
    db.session.flush()  # The connection knows nothing of what the session has yet to write.
    return _actor(_read(_BY_PERSON, person_id=person_id), scopes)


def actor_of_session(secret: str) -> Actor:
    """Return whom a session secret speaks for; nobody once it has ended."""
    return _actor(_read(_BY_SESSION, digest=digest_of(secret), now=clock.now()))


def actor_of_token(token: str) -> Actor:
    """Return whom a personal token speaks for, with its scopes; nobody once it has ended."""
    rows = _read(_BY_TOKEN, digest=digest_of(token), now=clock.now())
    return _actor(rows, frozenset(Scope(word) for word in rows[0][6].split()) if rows else None)


def _actor(rows: Sequence[Any], scopes: frozenset[Scope] | None = None) -> Actor:
    if not rows:
        return ANONYMOUS
    grants = tuple(Grant(Role(row[4]), row[5]) for row in rows if row[4] is not None)
    person_id, name, organisation_id, path = rows[0][:4]
    profile = Profile(*rows[0][-len(Profile._fields) :])
    return Actor(person_id, name, organisation_id, path, grants, scopes, profile)


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
