"""The commands about people, organisations and tokens."""

import pytest
from click import Command
from click.testing import CliRunner, Result
from flask import Flask

from hub.errors import HubError
from hub.identity import cli, service
from hub.identity.models import Role


def call(app: Flask, command: Command, *words: str, typed: str = "") -> Result:
    with app.app_context():
        result = CliRunner().invoke(command, words, input=typed)
    if isinstance(result.exception, HubError):
        raise result.exception
    return result


@pytest.fixture(autouse=True)
def root(alpha: Flask) -> None:
    assert "Root" in call(alpha, cli.organisation, "create", "Root", "--level", "branch").output


def add_li_na(app: Flask, *more: str) -> Result:
    words = ("create", "Li.Na", "--name", "李娜", "--organisation", "Root", *more)
    return call(app, cli.person, *words, typed="a sentence of her own\n")


def test_a_person_is_made_with_roles_and_a_password_from_standard_input(alpha: Flask) -> None:
    made = add_li_na(alpha, "--password-stdin", "--role", "author", "--role", "reader")
    assert "li.na can sign in at https://alpha.test" in made.output
    with alpha.app_context():
        person = service.authenticate("li.na", "a sentence of her own")
        held = {role for role, _ in service.grants_of(person)}
    assert held == {Role.AUTHOR, Role.READER}


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--password", "short"),
        ("--password-stdin", "--role", "administrator", "--role", "auditor"),
        ("--password-stdin", "--organisation", "Nowhere"),
    ],
)
def test_a_person_who_can_not_be_made_is_not_made(alpha: Flask, words: tuple[str, ...]) -> None:
    with pytest.raises(HubError):
        add_li_na(alpha, *words)
    with alpha.app_context(), pytest.raises(HubError):
        service.person_called("li.na")


def test_an_organisation_goes_below_another(alpha: Flask) -> None:
    call(alpha, cli.organisation, "create", "Below", "--level", "party_group", "--parent", "Root")
    with alpha.app_context():
        assert len(service.organisation_named("Below").lineage) == 2


def test_a_token_is_printed_once(alpha: Flask) -> None:
    add_li_na(alpha, "--password-stdin")
    words = ("create", "LI.NA", "--scope", "read", "--scope", "write", "--days", "7")
    token = call(alpha, cli.token, *words).output.strip()
    with alpha.app_context():
        actor = service.actor_of_token(token)
        assert actor.name == "李娜"
        assert actor.scopes == {"read", "write"}


def test_a_token_longer_than_a_year_is_refused(alpha: Flask) -> None:
    add_li_na(alpha, "--password-stdin")
    refused = call(alpha, cli.token, "create", "li.na", "--scope", "read", "--days", "366")
    assert refused.exit_code == 2


def test_an_organisation_is_described_when_it_is_made(alpha: Flask) -> None:
    words = ("--size", "under_15", "--layout", "dispersed", "--sector", "power")
    call(alpha, cli.organisation, "create", "Wind", "--level", "branch", "--parent", "Root", *words)
    with alpha.app_context():
        told = service.profile_of(service.organisation_named("Wind"))
    assert told == ("branch", "under_15", "dispersed", "power")
    refused = call(alpha, cli.organisation, "create", "X", "--level", "branch", "--sector", "gold")
    assert refused.exit_code == 2
