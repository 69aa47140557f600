"""`make bench`: measures and prints JSON."""

import json
import os
import platform
import sys

import click

from bench import measures


@click.command()
@click.option("--documents", default=10_000, show_default=True)
@click.option("--publications", default=100, show_default=True)
def main(documents: int, publications: int) -> None:
    """Measure the targets of this version; progress goes to standard error."""
    found = {}
    for part in (
        measures.propagation(publications),
        measures.reading(documents),
        measures.reading_on_postgresql(documents),
    ):
        for measure in part:
            found[measure.name] = measure.as_json()
            print(measure.name, measure.as_json(), file=sys.stderr)
    machine = {"cores": os.cpu_count(), "python": platform.python_version()}
    print(json.dumps({"machine": machine, "measures": found}, indent=2))


if __name__ == "__main__":
    main()
