"""Commands about the index."""

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hub.config import settings
from hub.search import standing
from hub.search.building import build
from hub.search.coordination import Coordination
from hub.search.files.extraction import State
from hub.search.shelves import shelf_of


@click.group()
def search() -> None:
    """Look after the search index."""


@search.command("rebuild")
def rebuild() -> None:
    """Build the index anew beside the old one; searches go on meanwhile. Stopped, it goes on where
    it was when it is called again."""
    config = settings()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("Indexing", total=None)
        build(
            shelf_of(config),
            Coordination(config.home),
            lambda done, total: progress.update(task, completed=done, total=total),
        )
    _tell()


@search.command("status")
def status() -> None:
    """Say which index is searched, how far it is, and how long what is new has waited."""
    _tell()


def _tell() -> None:
    index, files = standing.standing(), standing.files_by_state()
    if index is None:
        click.echo("There is no usable index. The running node builds one, or: hub search rebuild")
        return
    state = "up to date" if index.is_up_to_date else "of another version; it is replaced"
    click.echo(f"{index.name}: {state}")
    click.echo(f"{index.documents} documents, position {index.position} of {index.last}")
    if index.behind:
        waits = index.waits.total_seconds()
        click.echo(f"{index.behind} changes are not indexed yet, the oldest for {waits:.1f} s")
    failed = sum(files.values()) - files.get(State.OK, 0)
    click.echo(f"{files.get(State.OK, 0)} files read, {failed} without a text")
