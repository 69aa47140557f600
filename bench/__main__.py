"""`make bench`: measures and prints JSON."""

import json
import os
import platform
import sys

import click

from bench import federation, measures, search

PARTS = ("propagation", "reading", "postgresql", "freshness", "distance", "spokes", "search")
SIZES = (10_000, 100_000, 1_000_000)


@click.command()
@click.option("--documents", default=10_000, show_default=True)
@click.option("--publications", default=100, show_default=True)
@click.option("--spokes", default=300, show_default=True)
@click.option("--size", "sizes", multiple=True, default=SIZES, show_default=True)
@click.option("--engine", default="", help="That search is measured with; the best if not given.")
@click.option("--only", help=f"One part: {', '.join(PARTS)}.")
def main(
    documents: int,
    publications: int,
    spokes: int,
    sizes: tuple[int, ...],
    engine: str,
    only: str | None,
) -> None:
    """Measure the targets of this version; progress goes to standard error."""
    parts = {
        "propagation": measures.propagation(publications),
        "reading": measures.reading(documents),
        "postgresql": measures.reading_on_postgresql(documents),
        "freshness": measures.freshness(publications),
        "distance": federation.distance(publications),
        "spokes": federation.spokes(spokes),
        "search": search.growth(sizes, engine),
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
