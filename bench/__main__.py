"""`make bench`: measures and prints JSON."""

import json
import os
import platform
import sys

import click

from bench import federation, measures

PARTS = "propagation, reading, postgresql, freshness, distance, spokes"


@click.command()
@click.option("--documents", default=10_000, show_default=True)
@click.option("--publications", default=100, show_default=True)
@click.option("--spokes", default=300, show_default=True)
@click.option(
    "--only", help="One part: propagation, reading, postgresql, freshness, distance, spokes."
)
def main(documents: int, publications: int, spokes: int, only: str | None) -> None:
    """Measure the targets of this version; progress goes to standard error."""
    parts = {
        "propagation": measures.propagation(publications),
        "reading": measures.reading(documents),
        "postgresql": measures.reading_on_postgresql(documents),
        "freshness": measures.freshness(publications),
        "distance": federation.distance(publications),
        "spokes": federation.spokes(spokes),
    }
    found = {}
    for name, part in parts.items():
        for measure in part if only in {None, name} else ():
            found[measure.name] = measure.as_json()
            print(measure.name, measure.as_json(), file=sys.stderr)
    machine = {"cores": os.cpu_count(), "python": platform.python_version()}
    print(json.dumps({"machine": machine, "measures": found}, indent=2))


if __name__ == "__main__":
    main()
