"""Makers of what tests need, as plain functions; call them inside a transaction."""

from itertools import count

from hub.identity import service as identity
from hub.identity.models import Level, Organisation, Person, Role, Scope

PASSWORD = "correct horse battery staple"

_numbers = count(1)


def make_organisation(
    name: str = "", level: Level = Level.BRANCH, parent: Organisation | None = None
) -> Organisation:
    """Put an organisation into the tree."""
    return identity.add_organisation(name or f"Organisation {next(_numbers)}", level, parent)


def make_person(
    username: str = "",
    *roles: Role,
    organisation: Organisation | None = None,
    name: str = "",
    password: str = PASSWORD,
) -> Person:
    """Open an account with these roles at its organisation."""
    username = username or f"person{next(_numbers)}"
    organisation = organisation or make_organisation()
    person = identity.add_person(username, name or username.title(), password, organisation)
    for role in roles:
        identity.grant(person, role, organisation)
    return person


def make_token(person: Person, *scopes: Scope) -> str:
    """Make a personal token, with all scopes if none is named."""
    return identity.issue_token(person.id, "test", scopes or tuple(Scope), 30)
