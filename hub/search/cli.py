"""Commands about the index."""

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hub.config import of_this_node, settings
from hub.journal import log
from hub.search.coordination import Coordination
from hub.search.engine import BrokenIndexError
from hub.search.follower import build
from hub.search.reading import OpenIndex
from hub.search.shelves import shelf_of


@click.group()
def search() -> None:
    """Look after the search index."""


@search.command("rebuild")
def rebuild() -> None:
    """Build the index anew beside the old one; searches go on meanwhile."""
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
    """Say which index is searched and how far it is."""
    _tell()


def _tell() -> None:
    opened = of_this_node(OpenIndex)
    index = opened.shelf.current()
    try:
        reader = opened.newest()
    except BrokenIndexError:
        reader = None
    if index is None or reader is None:
        click.echo("There is no usable index. The running node builds one, or: hub search rebuild")
        return
    is_right = opened.shelf.is_up_to_date(index)
    state = "up to date" if is_right else "of another version; it is replaced"
    click.echo(f"{index.name}: {state}")
    click.echo(f"{reader.count} documents, position {reader.position} of {log.position()}")
