"""One figure, and what more than one benchmark needs."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.live import LiveNode, release, write


@dataclass(frozen=True)
class Measure:
    """One figure and what it should be."""

    name: str
    value: float
    unit: str
    target: float | None = None  # None where it is told and not judged.
    is_least: bool = False  # Whether the target is the least allowed, not the most.

    def as_json(self) -> dict[str, object]:
        """Return the figure, its target and whether it was met."""
        found: dict[str, object] = {"value": round(self.value, 4), "unit": self.unit}
        if self.target is None:
            return found
        met = self.value >= self.target if self.is_least else self.value <= self.target
        bound = "at_least" if self.is_least else "at_most"
        return found | {bound: self.target, "met": met}


def time_publication(author: LiveNode, reader: LiveNode, word: str) -> float:
    """Return the seconds from the request to publish on one node until another finds it."""
    case_id = write(author, f"计时 {word}")
    start = time.perf_counter()
    release(author, case_id)
    while not reader.finds(word):
        time.sleep(0.005)
    return time.perf_counter() - start


def time_freshness(node: LiveNode, word: str) -> float:
    """Return the seconds from the answer that a case is published until its node finds it."""
    case_id = write(node, f"计时 {word}")
    release(node, case_id)
    start = time.perf_counter()
    while not node.finds(word):
        time.sleep(0.005)
    return time.perf_counter() - start


@contextmanager
def folder() -> Iterator[Path]:
    """Make a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="jingwei-bench-") as name:
        yield Path(name)
