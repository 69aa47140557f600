"""How search grows: the engine alone and the whole request, over more and more documents."""

import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

from sqlalchemy import insert

from bench.documents import SEED, documents, words
from bench.load import Target, latencies, percentile
from bench.measure import Measure, folder
from bench.memory import pss_megabytes
from hub.cases.fields import CATEGORIES
from hub.cases.models import Document
from hub.config import settings
from hub.database import db, transaction
from hub.demo.nodes import DemoNode
from hub.identity.models import EVERYBODY, MEMBERS
from hub.search import engine as engines
from hub.search.building import build
from hub.search.coordination import Coordination
from hub.search.engine import Request
from hub.search.folder import Folder
from hub.search.queries import LONGEST, understand
from hub.search.shelves import shelf_of
from tests.live import LiveNode, federation
from tests.search.hostile import QUERIES

AT_ONCE = 2_000  # Rows of one insertion.
ASKED = 400  # Queries, no two alike; every second one with a filter.
UNITS = 300
NEWEST = datetime(2026, 11, 1, tzinfo=UTC)
BIG, HUGE = 100_000, 1_000_000
READERS = frozenset({EVERYBODY, MEMBERS})


@dataclass(frozen=True)
class Timed:
    """Milliseconds that the same queries took."""

    engine: list[float]
    api: list[float]


def growth(sizes: tuple[int, ...], engine: str = "") -> Iterator[Measure]:
    """Measure each size in a node of its own, then how one grew from another."""
    p95: dict[int, float] = {}
    for size in sizes:
        with folder() as place, federation(place, ["headquarters"], search_engine=engine) as live:
            timed = yield from _one(live["headquarters"], size, engine)
        p95[size] = percentile(timed.api, 0.95)
    if {10_000, BIG} <= p95.keys():
        yield Measure("search_growth", p95[BIG] / p95[10_000], "times the p95 of 10,000", 3)


def _one(node: LiveNode, size: int, engine: str) -> Iterator[Measure]:
    name = f"{size // 1000}k"
    with node.served.node.opened():
        _fill(size)
        yield from _rebuild(name, engine)
    node.served.process.kill()
    node.served.process.wait()
    node.served.start()
    timed = Timed(_alone(node.served.node), _by_api(node))
    for part, values in vars(timed).items():
        yield Measure(f"{part}_p50_{name}", percentile(values, 0.5), "ms")
    yield Measure(f"engine_p95_{name}", percentile(timed.engine, 0.95), "ms")
    goal = {BIG: 25, HUGE: 150}.get(size)
    api = percentile(timed.api, 0.95)
    yield Measure(f"api_p95_{name}", api, "ms", goal)
    share = api / percentile(timed.engine, 0.95)
    yield Measure(f"api_times_engine_{name}", share, "times", 3 if size == BIG else None)
    if size == 10_000:
        yield from _beside_hostile(node)
    memory = pss_megabytes(node.served.process.pid)
    yield Measure(f"memory_{name}", memory, "MB of the whole node", 300 if size == BIG else None)
    return timed


def _fill(count: int) -> None:
    """Put documents where readers see them, without the journal: search is what is measured."""
    rows = _rows(count, random.Random(SEED))
    while page := list(islice(rows, AT_ONCE)):
        with transaction():
            db.session.execute(insert(Document), page)


def _rows(count: int, chance: random.Random) -> Iterator[dict[str, Any]]:
    for number, text in enumerate(documents(count)):
        entry_id = str(uuid4())
        yield {
            "id": UUID(int=chance.getrandbits(128), version=4),
            "position": 0,
            "origin": f"https://node{number % 40}.example",
            "entry_id": entry_id,
            "digest": entry_id.replace("-", "") * 2,
            "rev": 1,
            "audience": EVERYBODY if number % 3 else MEMBERS,
            "kind": "pilot_lesson" if number % 5 == 0 else "case",
            "title": text["title"],
            "summary": text["body"][:120],
            "category": chance.choice(list(CATEGORIES)),
            "unit": f"示范第{chance.randrange(UNITS)}党支部",
            "enterprise": "acme",
            "body": text["body"],
            "fields": {},
            "attachments": [],
            "published_at": NEWEST - timedelta(minutes=number),
            "synced_at": NEWEST,
            "is_harvested": False,
        }


def _rebuild(name: str, engine: str) -> Iterator[Measure]:
    done = 0

    def progress(now: int, total: int) -> None:
        nonlocal done
        done = now

    shelf, cpu = Folder(settings().home, engines.choose(engine)), time.process_time()
    index = build(shelf, Coordination(settings().home), progress)
    taken = time.process_time() - cpu
    size = sum(file.stat().st_size for file in (shelf.path / index.name).iterdir())
    yield Measure(
        f"rebuild_{name}", done / taken, "documents for each second of a core", 2500, is_least=True
    )
    yield Measure(f"index_{name}", size / 1e6, "MB")


def _queries() -> list[tuple[str, str]]:
    """Return words and, for every second of them, a category."""
    codes = list(CATEGORIES)
    found = dict.fromkeys(words(ASKED * 4))
    return [
        (word, codes[number % len(codes)] if number % 2 else "")
        for number, word in enumerate(islice(found, ASKED))
    ]


def _alone(node: DemoNode) -> list[float]:
    """Ask the engine in this process: best ten, with all counts."""
    found = []
    with node.opened():
        index = shelf_of(settings()).current()
        assert index is not None
        reader = index.open_reader()
        for word, category in _queries():
            filters = (("category", category),) if category else ()
            asked = Request(understand(word).exact, READERS, filters)
            start = time.perf_counter()
            reader.search(asked)
            found.append(1000 * (time.perf_counter() - start))
        reader.close()
    return found


def _by_api(node: LiveNode) -> list[float]:
    targets = [_target(node, q=word, category=category) for word, category in _queries()]
    latencies(targets[:20])  # Each process opens its index at its first search.
    return [1000 * seconds for seconds in latencies(targets[20:])]


def _target(node: LiveNode, **asked: str) -> Target:
    token = (("Authorization", f"Bearer {node.accounts['reader'].token}"),)
    return Target(f"{node.url}/api/v1/search?{urlencode(asked)}", token)


def _beside_hostile(node: LiveNode) -> Iterator[Measure]:
    """Ask hostile queries one after another, and ordinary ones beside them."""
    ordinary = [_target(node, q=word) for word, _ in _queries()[:200]]
    answered = [text for text in QUERIES if len(text) <= LONGEST and text.isprintable()]
    bad = [_target(node, q=text) for text in answered]  # The others are refused.
    alone = percentile(latencies(ordinary), 0.95)
    stop, found = threading.Event(), []

    def go_on() -> None:
        while not stop.is_set():
            found.extend(latencies(bad))

    attacker = threading.Thread(target=go_on)
    attacker.start()
    beside = percentile(latencies(ordinary), 0.95)
    stop.set()
    attacker.join()
    yield Measure("hostile_slowest", max(found), "s", 2)
    yield Measure("beside_hostile", beside / alone, "times the p95 of ordinary queries alone", 2)
