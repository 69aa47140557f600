"""Joining by a snapshot while the publisher goes on publishing; prints JSON.

Usage: python -m bench.snapshot [ITEMS]
"""

import json
import sys
import tempfile
import threading
import time
from pathlib import Path

import click
from sqlalchemy import select

from bench.loading import load, wait_until_indexed
from bench.measures import Measure
from hub.database import db
from hub.demo import joining, nodes, running
from hub.demo.nodes import DemoNode
from hub.journal.models import GROUP, PUT, Live
from tests.live import LiveNode, federation, publish, wait_for
from tests.ports import free_port

LONGEST = 600.0  # Seconds that the join may take, of 100,000 items.


@click.command()
@click.argument("items", default=2_000)
def main(items: int) -> None:
    """Join a node to a headquarters with ITEMS cases that publishes more all the time."""
    found: dict[str, object] = {"items": items}
    with tempfile.TemporaryDirectory(prefix="jingwei-bench-") as name:
        folder = Path(name)
        with federation(folder, ["headquarters"]) as live:
            load(live["headquarters"], folder, items)
            found |= _join(live["headquarters"], folder, items)
    print(json.dumps(found, indent=2))


def _join(publisher: LiveNode, folder: Path, items: int) -> dict[str, object]:
    plan = next(plan for plan in nodes.PLANS if plan.key == "subsidiary-1")
    reader = nodes.found(plan, folder / "new", free_port())
    stop, published = threading.Event(), []

    def go_on() -> None:
        while not stop.is_set():
            published.append(publish(publisher, f"加入时发布 {len(published)}"))

    with running.running([reader]):
        author = threading.Thread(target=go_on)
        author.start()
        start = time.perf_counter()
        joining.join(reader, publisher.served.node)
        wait_until_indexed(reader, items)
        taken = time.perf_counter() - start
        stop.set()
        author.join()
        wait_for(lambda: _live(reader) == _live(publisher.served.node), "equal sets")
    measure = Measure("snapshot_join", taken, "s", LONGEST)
    print(measure.name, measure.as_json(), file=sys.stderr)
    return {
        "measures": {measure.name: measure.as_json()},
        "published_meanwhile": len(published),
        "sets_equal": True,
    }


def _live(node: DemoNode) -> set[tuple[str, str, int]]:
    with node.opened():
        rows = db.session.execute(
            select(Live.iss, Live.entry_id, Live.seq).where(Live.channel == GROUP, Live.op == PUT)
        )
        return {(iss, entry_id, seq) for iss, entry_id, seq in rows}


if __name__ == "__main__":
    main()
