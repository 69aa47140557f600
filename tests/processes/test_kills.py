"""Any process of any node is killed at any time: nothing is lost, doubled or left for a person."""

import os
import random
import signal
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests
from sqlalchemy import select, text

from bench.memory import family
from hub.audit import service as audit
from hub.cases.models import Document
from hub.database import db
from hub.journal.models import LogItem, Release
from tests.live import ALL, GROUP, LiveNode, release, wait_for, write

pytestmark = pytest.mark.processes

KILLS = int(os.environ.get("HUB_TEST_KILLS", "5"))
PUBLICATIONS = 25 * KILLS
SEED = 20261123
AUDIENCES: tuple[tuple[str, tuple[str, ...]], ...] = (  # Visibility, and the nodes that may see it.
    ("group", GROUP),
    ("partners", ALL),
    ("node", ()),
    ("public", ALL),
)


@dataclass
class History:
    """What the publishers were told: a title is here once its publication was asked for."""

    left: list[int]
    audience: dict[str, tuple[str, ...]] = field(default_factory=dict)
    accepted: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next(self) -> int | None:
        with self.lock:
            return self.left.pop() if self.left else None


def _publish_until_done(nodes: dict[str, LiveNode], key: str, history: History) -> None:
    """Publish until no number is left; what was cut off half-way is never asked for again."""
    node = LiveNode(nodes[key].served, nodes[key].accounts)  # With connections of its own.
    while (number := history.next()) is not None:
        visibility, readers = AUDIENCES[number % len(AUDIENCES)]
        title = f"第{number}号责任区 {visibility}"
        partners = {"partners": ["haiyun"]} if visibility == "partners" else {}
        try:
            case_id = write(node, title, visibility, **partners)
        except requests.RequestException:
            history.left.insert(0, number + PUBLICATIONS)  # Another one in its place.
            continue
        history.audience[title] = (key, *readers)
        try:
            release(node, case_id)
            history.accepted.add(title)
        except requests.RequestException:
            pass  # Published or not: whichever, it must be so everywhere.


def _kill_somebody(nodes: dict[str, LiveNode], chance: random.Random) -> None:
    node = chance.choice(list(nodes.values()))
    victim = chance.choice(family(node.served.process.pid))
    os.kill(victim, signal.SIGKILL)


def _titles(node: LiveNode) -> Counter[str]:
    """Return the titles that readers of a node see, and how often."""
    with node.served.node.opened():
        return Counter(
            db.session.scalars(select(Document.title).where(Document.audience.is_not(None)))
        )


def _differences(nodes: dict[str, LiveNode], history: History) -> list[str]:
    """Return what is lost, doubled or where it must not be."""
    shown = {key: _titles(node) for key, node in nodes.items()}
    found = []
    for title, readers in history.audience.items():
        counts = {key: shown[key][title] for key in nodes}
        expected = 1 if title in history.accepted else max(counts.values())
        for key, count in counts.items():
            if count != (min(expected, 1) if key in readers else 0):
                found.append(f"{title}: {count} on {key}")
    return found


def test_random_kills_under_load_lose_and_double_nothing(
    nodes: dict[str, LiveNode],
) -> None:
    chance, history = random.Random(SEED), History(list(range(PUBLICATIONS)))
    threads = [
        threading.Thread(target=_publish_until_done, args=(nodes, key, history))
        for key in ("subsidiary-1", "subsidiary-2", "headquarters", "subsidiary-1")
    ]
    for thread in threads:
        thread.start()
    kills = 0
    while alive := [thread for thread in threads if thread.is_alive()]:
        if kills < KILLS and len(history.audience) >= PUBLICATIONS * kills // (KILLS + 1):
            _kill_somebody(nodes, chance)
            kills += 1
        for node in nodes.values():
            node.served.restart_if_killed()
        alive[0].join(0.05)
    for node in nodes.values():
        node.served.restart_if_killed()
        node.served.wait_until_ready()

    wait_for(lambda: not _differences(nodes, history), "all nodes to agree", 60 + KILLS)

    assert kills == KILLS
    assert len(history.accepted) > PUBLICATIONS // 2
    for node in nodes.values():
        _check_journal(node)
        _check_index(node, history)


def _check_journal(node: LiveNode) -> None:
    """Numbers have no gap and none is given out twice; no decision was lost from the trail."""
    with node.served.node.opened():
        assert db.session.scalar(text("PRAGMA integrity_check")) == "ok"
        positions = db.session.scalars(select(Release.position).order_by(Release.position)).all()
        assert list(positions) == list(range(1, len(positions) + 1))
        offered: dict[str, list[int]] = {}
        for channel, seq in db.session.execute(
            select(LogItem.channel, LogItem.seq).order_by(LogItem.seq)
        ):
            offered.setdefault(channel, []).append(seq)
        assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in offered.values())
        assert audit.check() is None


def _check_index(node: LiveNode, history: History) -> None:
    """Search counts exactly the documents that the database shows."""
    shown = sum(count for title, count in _titles(node).items() if title in history.audience)

    wait_for(
        lambda: node.ask("GET", "/search", params={"q": "号责任区"})["total"] == shown,
        "the index to follow",
    )


def test_a_node_whose_parent_was_killed_starts_again_at_once(
    nodes: dict[str, LiveNode],
) -> None:
    node = nodes["subsidiary-2"]
    before = family(node.served.process.pid)
    os.kill(before[0], signal.SIGKILL)
    node.served.process.wait()

    node.served.restart_if_killed()
    # First: one of them may still answer while it is on its way out.
    wait_for(lambda: not any(map(_is_running, before)), "the old processes to be gone")
    wait_for(lambda: requests.get(f"{node.url}/readyz", timeout=5).ok, "the node")


def test_a_node_stops_when_asked_and_leaves_no_process(
    nodes: dict[str, LiveNode],
) -> None:
    node = nodes["subsidiary-2"]
    processes = family(node.served.process.pid)

    node.served.process.terminate()
    assert node.served.process.wait(timeout=15) == 0
    assert not any(_is_running(pid) for pid in processes)
    node.served.start()


def test_nothing_that_a_fork_would_break_is_begun_before_it(nodes: dict[str, LiveNode]) -> None:
    parent = nodes["headquarters"].served.process.pid

    assert len(list(Path(f"/proc/{parent}/task").iterdir())) == 1
    opened = {os.path.basename(link.readlink()) for link in Path(f"/proc/{parent}/fd").iterdir()}
    assert not {name for name in opened if name.startswith("hub.db")}


def _is_running(pid: int) -> bool:
    """Say whether a process runs; one that ended may still be listed until somebody asks."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
