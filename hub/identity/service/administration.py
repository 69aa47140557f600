"""What an administrator does for the people and organisations below theirs.

Outside of the subtree that they administer nothing exists for them, and nobody decides about
their own roles or account.
"""

from collections.abc import Iterable, Sequence
from uuid import UUID

from hub.errors import NotFoundError
from hub.identity.errors import OwnRolesError
from hub.identity.models import Actor, Level, Organisation, Person, Role
from hub.identity.service import organisations, people
from hub.identity.service.secret import new_secret


def organisations_of(by: Actor) -> Sequence[Organisation]:
    """Return what an administrator administers, each organisation before those below it."""
    return organisations.organisations_under(*_paths(by))


def people_of(by: Actor, *, like: str = "", page: int = 1) -> people.People:
    """Return a page of the people whom an administrator looks after."""
    return people.people_under(_paths(by), like=like, page=page)


def find(person_id: UUID, *, by: Actor) -> tuple[Person, Organisation]:
    """Return somebody whom an administrator looks after, and where they belong."""
    person = people.find_person(person_id)
    return person, _place(person.organisation_id, by)


def enrol(
    name: str, username: str, organisation_id: UUID, roles: Iterable[Role], *, by: Actor
) -> tuple[Person, str]:
    """Open an account with roles; return it and its first password, to be shown once."""
    organisation = _place(organisation_id, by)
    password = new_secret()[:16]
    person = people.add_person(username, name, password, organisation, by=by.person_id)
    for role in roles:
        people.grant(person, role, organisation, by=by.person_id)
    return person, password


def grant(person_id: UUID, role: Role, organisation_id: UUID, *, by: Actor) -> None:
    """Give somebody else a role at an organisation."""
    person = _other(person_id, by)
    people.grant(person, role, _place(organisation_id, by), by=by.person_id)


def revoke(person_id: UUID, role: Role, organisation_id: UUID, *, by: Actor) -> None:
    """Take a role from somebody else."""
    person = _other(person_id, by)
    people.revoke(person, role, _place(organisation_id, by), by=by.person_id)


def reset_password(person_id: UUID, *, by: Actor) -> str:
    """Give somebody else a random password and return it, to be shown once."""
    return people.reset_password(_other(person_id, by), by=by.person_id)


def end_account(person_id: UUID, *, by: Actor) -> None:
    """Close somebody else's account."""
    people.end_account(_other(person_id, by), by=by.person_id)


def add_organisation(name: str, level: Level, parent_id: UUID, *, by: Actor) -> Organisation:
    """Put an organisation below one that is administered."""
    return organisations.add_organisation(name, level, _place(parent_id, by), by=by.person_id)


def find_organisation(organisation_id: UUID, *, by: Actor) -> Organisation:
    """Return an organisation that is administered."""
    return _place(organisation_id, by)


def set_profile(organisation_id: UUID, *, by: Actor, **said: str) -> None:
    """Say what an organisation that is administered is like."""
    organisations.set_profile(_place(organisation_id, by), **said, by=by.person_id)


def _paths(by: Actor) -> tuple[str, ...]:
    return tuple(grant.path for grant in by.grants if grant.role == Role.ADMINISTRATOR)


def _place(organisation_id: UUID, by: Actor) -> Organisation:
    found = organisations.find_organisation(organisation_id)
    if not by.holds(Role.ADMINISTRATOR, found.path):
        raise NotFoundError
    return found


def _other(person_id: UUID, by: Actor) -> Person:
    person, _ = find(person_id, by=by)
    if person.id == by.person_id:
        raise OwnRolesError
    if person.left_at is not None:
        raise NotFoundError
    return person
