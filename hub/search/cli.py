"""Commands about the index."""

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hub.config import of_this_node, settings
from hub.journal import log
from hub.search import engine as engines
from hub.search.engine import BrokenIndexError
from hub.search.folder import Folder, is_up_to_date
from hub.search.follower import build
from hub.search.reading import OpenIndex


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
            Folder(config.home),
            engines.choose(config.search_engine),
            lambda done, total: progress.update(task, completed=done, total=total),
        )
    _tell()


@search.command("status")
def status() -> None:
    """Say which index is searched and how far it is."""
    _tell()


def _tell() -> None:
    folder = Folder(settings().home)
    path = folder.current()
    try:
        reader = of_this_node(OpenIndex).newest()
    except BrokenIndexError:
        reader = None
    if path is None or reader is None:
        click.echo("There is no usable index. The running node builds one, or: hub search rebuild")
        return
    wanted = engines.choose(settings().search_engine)
    state = "up to date" if is_up_to_date(path, wanted) else "of another version; it is replaced"
    click.echo(f"{path.name}: {state}")
    click.echo(f"{reader.count} documents, position {reader.position} of {log.position()}")
