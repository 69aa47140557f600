"""What the federation costs: over a distance, on the wire, and with many spokes."""

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import requests

from bench.load import percentile
from bench.measure import Measure, folder, time_publication
from bench.memory import cpu_seconds, pss_megabytes
from hub.database import transaction
from hub.federation import joining
from hub.registry.models import PeerKind
from tests.conformance.peer import Peer
from tests.live import GROUP, LiveNode, federation, release, write
from tests.ports import free_port

ROUND_TRIP = 50.0  # Milliseconds to headquarters and back.
IDLE = 60.0  # Seconds over which the idle headquarters is watched.


def distance(times: int) -> Iterator[Measure]:
    """Publish on one subsidiary until another finds it, headquarters being far from both."""
    ports = free_port(), free_port()
    with folder() as place, _wire(*ports), federation(place, GROUP, through=ports) as live:
        author, reader = live["subsidiary-2"], live["subsidiary-1"]
        found = [time_publication(author, reader, f"wkf{n:05}z") for n in range(times)]
    yield Measure("distant_p50", statistics.median(found), "s", 0.3)
    yield Measure("distant_p99", percentile(found, 0.99), "s", 1.0)


@contextmanager
def _wire(port: int, target: int) -> Iterator[None]:
    command = [sys.executable, "-m", "bench.delay", str(port), str(target), str(ROUND_TRIP / 2)]
    with subprocess.Popen(command) as process:
        try:
            yield
        finally:
            process.terminate()


def spokes(count: int) -> Iterator[Measure]:
    """Let many spokes hold a request each, watch headquarters, then publish to all of them."""
    with folder() as place, federation(place, ["headquarters"]) as live:
        node = live["headquarters"]
        with _spokes(node, count) as process:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            start, busy = time.monotonic(), cpu_seconds(node.served.process.pid)
            time.sleep(IDLE)
            busy = cpu_seconds(node.served.process.pid) - busy
            share = 100 * busy / (time.monotonic() - start)
            memory = pss_megabytes(node.served.process.pid)
            case_id = write(node, "到达每一个节点")
            start = time.monotonic()
            release(node, case_id)
            arrived = [float(process.stdout.readline().split()[0]) for _ in range(count)]
    yield Measure("spokes_cpu", share, "% of one core", 20)
    yield Measure("spokes_memory", memory, "MB", 400)
    yield Measure("spokes_reached", max(arrived) - start, "s until the last has it", 5)


@contextmanager
def _spokes(node: LiveNode, count: int) -> Iterator["subprocess.Popen[str]"]:
    enterprise = node.served.node.plan.enterprise
    with node.served.node.opened(), transaction():
        codes = [
            joining.invite(f"http://127.0.0.1:{20000 + n}", enterprise, PeerKind.SUBSIDIARY)
            for n in range(count)
        ]
    command = [sys.executable, "-m", "bench.spokes", node.url, enterprise]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            assert process.stdin
            process.stdin.write("\n".join(codes))
            process.stdin.close()
            yield process
        finally:
            process.kill()


def wire(headquarters: LiveNode, count: int = 100) -> Measure:
    """Read documents of about 4 KB one by one: in a page, sentences that repeat would flatter."""
    node = headquarters.served.node
    peer = Peer(node.url, "http://127.0.0.1:19999", node.plan.enterprise)
    with node.opened(), transaction():
        code = joining.invite(peer.origin, peer.enterprise, PeerKind.SUBSIDIARY)
    peer.join(code)
    page = peer.get("/fed/v1/channels/group/items", limit=500)
    wanted = [i["seq"] for i in page["items"] if 3800 < len(i["entry"]["p"].encode()) < 4400]
    sizes = []
    for seq in wanted[:count]:
        after = f"{page['epoch']}:{seq - 1}" if seq > 1 else "0"
        headers = {"Authorization": f"Bearer {peer.token()}", "Accept-Encoding": "gzip"}
        path = f"{node.url}/fed/v1/channels/group/items"
        answer = requests.get(
            path, params={"after": after, "limit": "1"}, headers=headers, stream=True, timeout=30
        )
        answer.raise_for_status()
        sizes.append(len(answer.raw.read(decode_content=False)))
    return Measure("wire_bytes", statistics.mean(sizes), "bytes for an item, with gzip", 2500)
