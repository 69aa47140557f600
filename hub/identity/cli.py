"""Commands about people, organisations and tokens."""

import sys

import click
from flask import current_app

from hub.database import transaction
from hub.errors import InvalidError, mark
from hub.identity import service
from hub.identity.models import Level, Role, Scope
from hub.identity.profile import PARTS


@click.group()
def person() -> None:
    """Look after accounts."""


@person.command("create")
@click.argument("username")
@click.option("--name", required=True, help="What people call them.")
@click.option("--password", help="Visible in the list of processes; better --password-stdin.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--organisation", required=True, help="Name of the organisation they belong to.")
@click.option("--role", "roles", multiple=True, type=click.Choice([role.value for role in Role]))
def create_person(
    username: str,
    name: str,
    password: str | None,
    password_stdin: bool,
    organisation: str,
    roles: tuple[str, ...],
) -> None:
    """Open an account, with roles at its organisation and below."""
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise InvalidError("password", mark("give --password-stdin or --password"))
    with transaction():
        place = service.organisation_named(organisation)
        added = service.add_person(username, name, password, place)
        for role in roles:
            service.grant(added, Role(role), place)
        folded = added.username
    click.echo(f"{folded} can sign in at {current_app.extensions['hub.settings'].origin}")


@click.group()
def organisation() -> None:
    """Look after the tree of organisations."""


@organisation.command("create")
@click.argument("name")
@click.option("--level", required=True, type=click.Choice([level.value for level in Level]))
@click.option("--parent", help="Name of the organisation above it.")
@click.option("--size", default="", type=click.Choice(["", *PARTS["size"]]))
@click.option("--layout", default="", type=click.Choice(["", *PARTS["layout"]]))
@click.option("--sector", default="", type=click.Choice(["", *PARTS["sector"]]))
def create_organisation(
    name: str, level: str, parent: str | None, size: str, layout: str, sector: str
) -> None:
    """Put an organisation into the tree."""
    with transaction():
        above = service.organisation_named(parent) if parent else None
        added = service.add_organisation(name, Level(level), above)
        if size or layout or sector:
            service.set_profile(added, size=size, layout=layout, sector=sector)
        called = added.name
    click.echo(f"{called} is in the tree.")


@click.group()
def token() -> None:
    """Look after personal tokens for the API."""


@token.command("create")
@click.argument("username")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice([word.value for word in Scope]),
)
@click.option("--days", type=click.IntRange(1, 365), default=90, show_default=True)
@click.option("--name", default="command line", show_default=True, help="What it is for.")
def create_token(username: str, scopes: tuple[str, ...], days: int, name: str) -> None:
    """Make a token for somebody and print it, this once."""
    with transaction():
        owner = service.person_called(username)
        made = service.issue_token(owner.id, name, map(Scope, scopes), days)
    click.echo(made)
