"""The command that brings texts in."""

from pathlib import Path

import click


@click.command("import")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
def import_command(path: Path) -> None:
    """Make drafts of the texts in a file or folder."""
