"""The command that proves that the audit trail was not altered."""

import click

from hub.audit import service


@click.group()
def audit() -> None:
    """Look after the record of who decided what."""


@audit.command("verify")
def verify() -> None:
    """Check the whole chain; names the first entry that was altered or is missing.

    Keep the last digest somewhere else: a chain that was rewritten from some entry on to its end
    looks whole, and no longer ends with it.
    """
    broken = service.check()
    if broken is not None:
        raise click.ClickException(f"Entry {broken} was altered or is missing.")
    last = service.entries(limit=1)
    end = f" Entry {last[0].seq} has the digest {last[0].digest}." if last else ""
    click.echo(f"The audit trail is whole.{end}")
