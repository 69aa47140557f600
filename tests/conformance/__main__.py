"""Try a headquarters from outside: `python -m tests.conformance --help`."""

import sys

import click
import requests

from tests.conformance import checks
from tests.conformance.peer import Peer
from tests.conformance.suite import World, run


@click.command()
@click.argument("headquarters")
@click.option("--writer", nargs=2, required=True, metavar="ORIGIN CODE", help="A node that writes.")
@click.option("--reader", nargs=2, required=True, metavar="ORIGIN CODE", help="A node that reads.")
@click.option("--spare", nargs=2, required=True, metavar="ORIGIN CODE", help="One that is let in.")
def main(
    headquarters: str,
    writer: tuple[str, str],
    reader: tuple[str, str],
    spare: tuple[str, str],
) -> None:
    """Try the node at the URL HEADQUARTERS, which has invited three nodes of its enterprise.

    What is published stays there: use a node that is for trials.
    """
    assert checks.__all__  # Importing them is what adds them.
    told = requests.get(f"{headquarters}/.well-known/jingwei", timeout=20).json()
    peers = {
        name: Peer(headquarters, origin, told["enterprise"])
        for name, (origin, _) in (("writer", writer), ("reader", reader), ("spare", spare))
    }
    peers["writer"].join(writer[1])
    peers["reader"].join(reader[1])
    world = World(
        hub=headquarters,
        enterprise=told["enterprise"],
        writer=peers["writer"],
        reader=peers["reader"],
        spare_code=spare[1],
        spare=peers["spare"],
    )
    sys.exit(1 if run(world, click.echo) else 0)


if __name__ == "__main__":
    main()
