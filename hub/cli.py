"""The `hub` command, gathered from the slices. It speaks for the node whose home is `HUB_HOME`."""

import logging
import sys
from pathlib import Path
from typing import Any

import click
from flask_babel import gettext
from sqlalchemy.exc import OperationalError, ProgrammingError

from hub import create_app, founding, schema
from hub import serve as serving
from hub.audit import cli as audit_cli
from hub.cases import cli as cases_cli
from hub.demo import running
from hub.errors import HubError
from hub.federation import cli as federation_cli
from hub.identity import cli as identity_cli
from hub.search import cli as search_cli

WITHOUT_NODE = {"node", "demo", "serve"}  # These need none, or load it themselves.


class Friendly(click.Group):
    """Says in one line what was wrong, instead of where in the program."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except HubError as error:
            raise click.ClickException(_words(error)) from error
        except (OperationalError, ProgrammingError) as error:
            hint = "" if "no such table" not in str(error) else " Run: hub db upgrade"
            raise click.ClickException(f"{error.orig}.{hint}") from error


def _words(error: HubError) -> str:
    return str(gettext(error.message, **error.values) if error.values else gettext(error.message))


@click.group(cls=Friendly)
@click.pass_context
def main(context: click.Context) -> None:
    """Run and look after one node; HUB_HOME names its folder."""
    logging.basicConfig(format="%(asctime)s %(name)s: %(message)s", level=logging.WARNING)
    asks_for_help = not {"-h", "--help"}.isdisjoint(sys.argv)
    if context.invoked_subcommand not in WITHOUT_NODE and not asks_for_help:
        context.with_resource(create_app(founding.load()).app_context())


@main.command()
def serve() -> None:
    """Serve this node: web workers and followers, until Ctrl-C."""
    # Outside of its context, or what is opened for a moment would stay open across the fork.
    serving.serve(create_app(founding.load()))


@main.group("db")
def database() -> None:
    """Look after the database."""


@database.command("upgrade")
def upgrade() -> None:
    """Bring the database to what this version needs."""
    schema.upgrade()
    click.echo(f"The database is at {schema.present()}.")


@main.group()
def node() -> None:
    """Make a node."""


@node.command("create")
@click.option("--home", type=click.Path(path_type=Path), envvar="HUB_HOME", required=True)
@click.option("--origin", required=True, help="https://host[:port], as the others will see it.")
@click.option("--name", required=True, help="What people call this node.")
@click.option("--enterprise", required=True, help="Slug of its enterprise, such as acme.")
@click.option("--role", type=click.Choice(["headquarters", "subsidiary"]), required=True)
@click.option("--organisation", default="", help="Its Party organisation, if called otherwise.")
@click.option("--database-url", help="postgresql://…; SQLite in the home folder if not given.")
def create(home: Path, organisation: str, **values: str | None) -> None:
    """Make a node in a folder: settings, keys, database, first organisation."""
    given = {name: value for name, value in values.items() if value}
    founding.found(home, given, organisation)
    click.echo(f"{given['origin']} lives in {home}. Start it: HUB_HOME={home} hub serve")


@main.command("demo")
@click.option("--home", type=click.Path(path_type=Path), default=Path("var/demo"))
@click.option("--port", type=click.IntRange(1, 65532), default=5001, show_default=True)
def run_demo(home: Path, port: int) -> None:
    """Run four joined nodes with content on this machine, until Ctrl-C."""
    running.run(home, port)


main.add_command(audit_cli.audit)
main.add_command(identity_cli.person)
main.add_command(identity_cli.organisation)
main.add_command(identity_cli.token)
main.add_command(federation_cli.federation)
main.add_command(search_cli.search)
main.add_command(cases_cli.import_command)
main.add_command(cases_cli.export_command)


if __name__ == "__main__":
    main()
