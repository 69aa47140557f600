"""People and the roles that they hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, or_, select

from hub import clock
from hub.audit.service import record
from hub.database import db
from hub.errors import InvalidError, NotFoundError, mark
from hub.identity.errors import SeparateDutiesError, UsernameTakenError, WrongCredentialsError
from hub.identity.models import SEPARATE_DUTIES, ApiToken, Organisation, Person, Role, RoleGrant
from hub.identity.service.passwords import check_strength, hash_password, matches
from hub.identity.service.secret import new_secret
from hub.identity.service.sessions import end_sessions
from hub.identity.service.usernames import fold_username, is_username

NAME_LENGTH = 100


@dataclass(frozen=True)
class People:
    """One page of a list of people, each with the name of their organisation."""

    rows: Sequence[tuple[Person, str]]
    total: int


def add_person(
    username: str,
    name: str,
    password: str,
    organisation: Organisation,
    *,
    by: UUID | None = None,
) -> Person:
    """Open an account, with no role yet.

    :raises UsernameTakenError: when somebody has, or had, this username.
    """
    folded, name = fold_username(username), " ".join(name.split())
    if not is_username(folded):
        raise InvalidError("username", mark("1 to 100 letters, digits, dots, hyphens or @"))
    if not 0 < len(name) <= NAME_LENGTH or not name.isprintable():
        raise InvalidError("name", mark("1 to 100 characters"))
    check_strength(password, folded)
    if db.session.scalar(select(Person.id).where(Person.username == folded)):
        raise UsernameTakenError(username=folded)
    person = Person(
        username=folded,
        name=name,
        password_hash=hash_password(password),
        organisation_id=organisation.id,
        created_at=clock.now(),
    )
    db.session.add(person)
    db.session.flush()
    record("person.added", actor_id=by, subject=str(person.id), organisation=organisation.id)
    return person


def grant(
    person: Person, role: Role, organisation: Organisation, *, by: UUID | None = None
) -> None:
    """Let somebody hold a role at an organisation and in all below it.

    Their sessions end, so that no session is older than the rights it carries.

    :raises SeparateDutiesError: when they hold another of the three separated duties.
    """
    held = set(db.session.scalars(select(RoleGrant.role).filter_by(person_id=person.id)))
    if role in SEPARATE_DUTIES and held & SEPARATE_DUTIES - {role}:
        raise SeparateDutiesError(name=person.name)
    key = (person.id, Role(role).value, organisation.id)
    if db.session.get(RoleGrant, key) is not None:
        return
    db.session.add(RoleGrant(person_id=key[0], role=key[1], organisation_id=key[2]))
    end_sessions(person.id)
    record(
        "role.granted", actor_id=by, subject=str(person.id), role=role, organisation=organisation.id
    )


def revoke(
    person: Person, role: Role, organisation: Organisation, *, by: UUID | None = None
) -> None:
    """Take a role away; nothing happens if it is not held."""
    found = db.session.get(RoleGrant, (person.id, Role(role).value, organisation.id))
    if found is None:
        return
    db.session.delete(found)
    end_sessions(person.id)
    record(
        "role.revoked", actor_id=by, subject=str(person.id), role=role, organisation=organisation.id
    )


def change_password(person_id: UUID, present: str, new: str) -> None:
    """Let somebody choose a new password; all their sessions end.

    :raises WrongCredentialsError: when the present password is wrong.
    """
    person = find_person(person_id)
    if not matches(present, person.password_hash):
        raise WrongCredentialsError
    _set_password(person, new, by=person_id)


def reset_password(person: Person, *, by: UUID | None = None) -> str:
    """Give somebody a random password and return it, to be shown once; their sessions end."""
    password = new_secret()[:16]
    _set_password(person, password, by=by)
    return password


def _set_password(person: Person, password: str, *, by: UUID | None) -> None:
    check_strength(password, person.username)
    person.password_hash = hash_password(password)
    end_sessions(person.id)
    record("password.changed", actor_id=by, subject=str(person.id))


def end_account(person: Person, *, by: UUID | None = None) -> None:
    """Close an account: its sessions and tokens end, and what it decided stays on record."""
    if person.left_at is not None:
        return
    person.left_at = clock.now()
    end_sessions(person.id)
    for token in db.session.scalars(
        select(ApiToken).filter_by(person_id=person.id, revoked_at=None)
    ):
        token.revoked_at = person.left_at
    record("person.left", actor_id=by, subject=str(person.id))


def find_person(person_id: UUID) -> Person:
    """Return somebody by their id, whether or not the account has ended."""
    found = db.session.get(Person, person_id)
    if found is None:
        raise NotFoundError
    return found


def person_called(username: str) -> Person:
    """Return the person with a username and an open account, for the command line."""
    folded = fold_username(username)
    found = db.session.scalar(select(Person).filter_by(username=folded, left_at=None))
    if found is None:
        raise InvalidError("username", mark("unknown"))
    return found


def grants_of(person: Person) -> Sequence[tuple[Role, Organisation]]:
    """Return the roles that somebody holds, and where."""
    rows = db.session.execute(
        select(RoleGrant.role, Organisation)
        .join(Organisation, Organisation.id == RoleGrant.organisation_id)
        .where(RoleGrant.person_id == person.id)
        .order_by(Organisation.path, RoleGrant.role)
    )
    return [(Role(role), organisation) for role, organisation in rows]


def people_under(
    paths: Sequence[str], *, like: str = "", page: int = 1, per_page: int = 25
) -> People:
    """Return the people with open accounts at and below these paths, by name.

    :param like: part of a name, username or organisation.
    """
    below = or_(*(Organisation.path.startswith(path) for path in paths))
    found = (
        select(Person, Organisation.name)
        .join(Organisation, Organisation.id == Person.organisation_id)
        .where(Person.left_at.is_(None), below)
    )
    if like:
        columns = (Person.name, Person.username, Organisation.name)
        words = (column.icontains(like.strip(), autoescape=True) for column in columns)
        found = found.where(or_(*words))
    total = db.session.scalar(select(func.count()).select_from(found.subquery())) or 0
    rows = db.session.execute(
        found.order_by(Person.name, Person.username).limit(per_page).offset((page - 1) * per_page)
    )
    return People([(person, name) for person, name in rows], total)
