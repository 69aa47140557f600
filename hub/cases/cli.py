"""The command that brings texts in."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import click
from flask_babel import force_locale, gettext
from rich.console import Console
from rich.progress import Progress
from sqlalchemy import select

from hub.cases.exporting.folder import export_all
from hub.cases.fields import CATEGORIES, VISIBILITIES
from hub.cases.follower import render_missing
from hub.cases.importing import bringing, texts
from hub.cases.importing.bringing import Brought, Terms
from hub.cases.importing.notes import Note
from hub.cases.service import Hands, check_hands
from hub.config import settings
from hub.database import db
from hub.errors import InvalidError, mark
from hub.identity import service as identity
from hub.identity.models import Actor, Person, Role, RoleGrant

BATCH = 200  # Texts to a transaction.
SHOWN = 40  # Lines of remarks; the rest is counted.


@click.command("import")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--publish", is_flag=True, help="Publish in bulk instead of leaving drafts.")
@click.option("--cleared-by", metavar="TOKEN", help="Of a secrecy reviewer, with scope review.")
@click.option("--signed-by", metavar="TOKEN", help="Of a signatory, with scope publish.")
@click.option("--grounds", help="Why they may be published; goes into the register.")
@click.option("--visibility", type=click.Choice(list(VISIBILITIES)), help="[default: node]")
@click.option("--partner", "partners", multiple=True, help="Enterprise, for partners; repeatable.")
@click.option("--unit", help="Submitting unit, by name.  [default: that of the text, or author]")
@click.option("--author", help="Username.  [default: the author who has been here longest]")
@click.option("--category", type=click.Choice(list(CATEGORIES)), help="Where a text names none.")
def import_command(
    path: Path,
    publish: bool,
    cleared_by: str | None,
    signed_by: str | None,
    grounds: str | None,
    author: str | None,
    **given: str | None,
) -> None:
    """Make drafts of the texts in PATH: a .md, .txt or .jsonl, or a folder of them.

    With --publish they are cleared, signed and published in the name of two people other than the
    author; whoever signs also approves the content. A text that is here already is left as it is.
    """
    hands = _hands(cleared_by, signed_by, grounds) if publish else None
    by = _author(author, {hands.clearing.person_id, hands.signing.person_id} if hands else set())
    if hands:
        check_hands(by, hands)
    terms = Terms(author=by, hands=hands, **given)  # type: ignore[arg-type]
    with force_locale(settings().locale):
        _tell(_bring_all(path, terms))


@click.command("export")
@click.argument("folder", type=click.Path(path_type=Path))
def export_command(folder: Path) -> None:
    """Write all cases and lessons of this node with their files into FOLDER, as Markdown.

    `hub import FOLDER` reads it back. The newest revision of each counts; what is withdrawn is
    left out.
    """
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(folder.name, total=None)
        done = 0
        for name in export_all(folder):
            done += 1
            progress.update(task, advance=1, description=name)
    click.echo(f"{folder}: {done}")


def _bring_all(path: Path, terms: Terms) -> Brought:
    """Bring texts in, so many to a transaction, and show how far it got."""
    total = Brought()
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(path.name, total=None)
        for batch in _batches(texts.read(path)):
            total += bringing.bring(batch, terms)
            render_missing(len(batch))
            progress.update(task, advance=len(batch), description=f"{path.name}: {total.count}")
    return total


def _batches(found: Iterator[texts.Found]) -> Iterator[list[texts.Found]]:
    while batch := list(islice(found, BATCH)):
        yield batch


def _tell(brought: Brought) -> None:
    for name, note in brought.remarks[:SHOWN]:
        click.echo(f"{name}: {said(note)}")
    if len(brought.remarks) > SHOWN:
        click.echo(f"… {len(brought.remarks) - SHOWN} more remarks; each draft shows its own.")
    for name, note in brought.failed[:SHOWN]:
        click.echo(f"{name}: NOT BROUGHT IN: {said(note)}", err=True)
    click.echo(
        f"{brought.made} made, {brought.published} published, {brought.known} already here, "
        f"{len(brought.failed)} could not be read."
    )


def said(note: Note) -> str:
    """Return a remark in the node's language."""
    words = str(gettext(note.message, **note.values))
    return f"{note.where}: {words}" if note.where else words


def _hands(cleared_by: str | None, signed_by: str | None, grounds: str | None) -> Hands:
    if not (cleared_by and signed_by and grounds):
        raise InvalidError("--publish", mark("needs --cleared-by, --signed-by and --grounds"))
    return Hands(_holder("--cleared-by", cleared_by), _holder("--signed-by", signed_by), grounds)


def _holder(option: str, token: str) -> Actor:
    actor = identity.actor_of_token(token)
    if not actor.is_signed_in:
        raise InvalidError(option, mark("not a valid token"))
    return actor


def _author(username: str | None, others: set[object]) -> Actor:
    """Return who brings the texts in: the one named, or the author who has been here longest."""
    if username:
        return identity.actor_of(identity.person_called(username).id)
    authors = (
        select(Person.id)
        .join(RoleGrant, RoleGrant.person_id == Person.id)
        .where(RoleGrant.role == Role.AUTHOR, Person.left_at.is_(None))
        .order_by(Person.created_at, Person.username)
    )
    for person_id in db.session.scalars(authors):
        if person_id not in others:
            return identity.actor_of(person_id)
    raise InvalidError("--author", mark("nobody else here is an author"))
