"""What is measured, each against its target."""

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import requests

from bench.documents import words
from bench.federation import wire
from bench.load import Target, latencies, percentile, rate
from bench.loading import load, wait_until_indexed
from bench.measure import Measure, folder, time_freshness, time_publication
from bench.memory import pss_megabytes
from hub.config import settings
from hub.demo import joining, nodes, running
from hub.federation import puller
from hub.search.follower import Follower
from tests.live import GROUP, LiveNode, federation, release, write
from tests.ports import free_port
from tests.servers import postgresql_programs, postgresql_server

SERVER = (sys.executable, "-m", "bench.server")
ROUNDS, SECONDS = 15, 1.0  # Of each request in turn, so that all share the machine's moods.


def propagation(times: int) -> Iterator[Measure]:
    """Publish on one subsidiary until the API of the other finds it, through headquarters."""
    with folder() as place, federation(place, GROUP) as live:
        yield Measure("idle_memory", _idle_memory(live["subsidiary-1"]), "MB", 200)
        yield Measure("restart_to_ready", _restart(live["subsidiary-1"]), "s", 5)
        author, reader = live["subsidiary-2"], live["subsidiary-1"]
        taken = [time_publication(author, reader, f"wkq{number:05}z") for number in range(times)]
    yield Measure("propagation_p50", statistics.median(taken), "s", 0.5)
    yield Measure("propagation_p99", percentile(taken, 0.99), "s", 1.5)


def _idle_memory(node: LiveNode) -> float:
    time.sleep(5)  # Nothing is asked of it meanwhile.
    return pss_megabytes(node.served.process.pid)


def _restart(node: LiveNode) -> float:
    node.served.process.kill()
    node.served.process.wait()
    start = time.perf_counter()
    node.served.start()
    return time.perf_counter() - start


def freshness(times: int) -> Iterator[Measure]:
    """Publish on a node until its own search API finds it; then many at once, for the last."""
    with folder() as place, federation(place, ["headquarters"]) as live:
        node = live["headquarters"]
        taken = [time_freshness(node, f"wkq{number:05}z") for number in range(times)]
        burst = _burst(node, times)
    yield Measure("freshness_p50", statistics.median(taken), "s", 0.15)
    yield Measure("freshness_p99", percentile(taken, 0.99), "s", 0.3)
    yield Measure("freshness_of_the_last_of_a_burst", burst, "s", 0.3)


def _burst(node: LiveNode, times: int) -> float:
    """Publish one after another without a pause; return how long the last was not found."""
    ids = [write(node, f"连续 wkb{number:05}z") for number in range(times)]
    for case_id in ids:
        release(node, case_id)
    start = time.perf_counter()
    while not node.finds(f"wkb{times - 1:05}z"):
        time.sleep(0.005)
    return time.perf_counter() - start


def reading(count: int) -> Iterator[Measure]:
    """Search and case pages over imported documents, on SQLite; then a first pull of them all."""
    with folder() as place, federation(place, ["headquarters"], SERVER) as live:
        node = live["headquarters"]
        ids = load(node, place, count)
        found = latencies(_searches(node, 500))
        yield Measure("search_p95", 1000 * percentile(found, 0.95), "ms", 30)
        shares = _shares(node, {"search": _searches(node, 2000), "case": _pages(node, ids)})
        yield Measure("search_share", shares["search"], "of an empty route", 0.15, is_least=True)
        yield Measure("case_share", shares["case"], "of an empty route", 0.22, is_least=True)
        yield wire(node)
        yield from _first_pull(node, place, count)


def reading_on_postgresql(count: int) -> Iterator[Measure]:
    """Case pages on PostgreSQL, if its programs are here."""
    programs = postgresql_programs()
    if programs is None:
        return
    with folder() as place, postgresql_server(programs) as url:
        database = f"{url}/postgres"
        with federation(place, ["headquarters"], SERVER, database_url=database) as live:
            node = live["headquarters"]
            shares = _shares(node, {"case": _pages(node, load(node, place, count))})
            yield Measure(
                "case_share_postgresql", shares["case"], "of an empty route", 0.17, is_least=True
            )


def _searches(node: LiveNode, count: int) -> list[Target]:
    token = (("Authorization", f"Bearer {node.accounts['reader'].token}"),)
    return [Target(f"{node.url}/api/v1/search?q={quote(word)}", token) for word in words(count)]


def _pages(node: LiveNode, ids: list[str]) -> list[Target]:
    """Return the pages of cases, as somebody sees them who is signed in."""
    session, account = requests.Session(), node.accounts["reader"]
    form = session.get(f"{node.url}/sign-in").text
    session.post(
        f"{node.url}/sign-in",
        data={
            "csrf_token": form.split('name="csrf_token"')[1].split('value="')[1].split('"')[0],
            "username": account.username,
            "password": account.password,
        },
    ).raise_for_status()
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in session.cookies)
    return [Target(f"{node.url}/cases/{case_id}", (("Cookie", cookies),)) for case_id in ids[:200]]


def _shares(node: LiveNode, loads: dict[str, list[Target]]) -> dict[str, float]:
    """Return how often each is answered, as a share of an empty route, in turns; medians."""
    empty = [Target(f"{node.url}/empty/")]
    found: dict[str, list[float]] = {name: [] for name in loads}
    for _ in range(ROUNDS):
        base = rate(empty, seconds=SECONDS)
        for name, targets in loads.items():
            found[name].append(rate(targets, seconds=SECONDS) / base)
    return {name: statistics.median(shares) for name, shares in found.items()}


def _first_pull(headquarters: LiveNode, place: Path, count: int) -> Iterator[Measure]:
    """Join a new node, then do the same work in one process that does nothing else."""
    plan = next(plan for plan in nodes.PLANS if plan.key == "subsidiary-1")
    node = nodes.found(plan, place / "new", free_port())
    with running.running([node]):
        start = time.perf_counter()
        joining.join(node, headquarters.served.node)
        wait_until_indexed(node, count)
        pulled = count / (time.perf_counter() - start)
    yield Measure("first_pull", pulled, "entries/s", 1000, is_least=True)
    alone = nodes.found(plan, place / "alone", free_port())
    joining.join(alone, headquarters.served.node)
    with alone.opened():
        stored = count / _cpu(lambda: puller.pull(headquarters.url))
        indexed = count / _cpu(lambda: Follower(settings()).follow())
    yield Measure("stored_alone", stored, "entries for each second of one core")
    yield Measure("indexed_alone", indexed, "entries for each second of one core")
    limit = 1 / (1 / stored + 1 / indexed)
    yield Measure("first_pull_share", pulled / limit, "of what one core can verify, store, index")


def _cpu(work: Callable[[], object]) -> float:
    """Return the seconds of processor time of all threads that some work takes."""
    start = time.process_time()
    work()
    return time.process_time() - start
