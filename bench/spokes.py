"""Simulated spokes of a headquarters: each holds one request there and fetches what is new.

Usage: python -m bench.spokes URL ENTERPRISE < codes (one invitation in a line). Says `ready` once
all have joined and caught up; then, for each spoke and publication, when it arrived
(CLOCK_MONOTONIC).
"""

import random
import sys
import threading
import time

import requests

from tests.conformance.peer import Peer

WAIT = 25  # Seconds.
LIFE = 540.0  # Seconds after which a token is asked for again, before its ten minutes are over.
LOWEST_PORT = 20000

writing = threading.Lock()


def main(url: str, enterprise: str, codes: list[str]) -> None:
    """Join with each code, then read until killed."""
    peers = [
        Peer(url, f"http://127.0.0.1:{LOWEST_PORT + number}", enterprise)
        for number in range(len(codes))
    ]
    for peer, code in zip(peers, codes, strict=True):
        peer.join(code)
    start = threading.Barrier(len(peers) + 1)
    for peer in peers:
        threading.Thread(target=_read, args=(peer, start), daemon=True).start()
    start.wait()
    print("ready", flush=True)
    threading.Event().wait()


def _read(peer: Peer, start: threading.Barrier) -> None:
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {peer.token()}"
    renewed_at = time.monotonic() - random.uniform(0, LIFE)
    seen = _ask(session, peer, {}, 0)
    start.wait()
    while True:
        if time.monotonic() - renewed_at > LIFE:
            session.headers["Authorization"] = f"Bearer {peer.renew()}"
            renewed_at = time.monotonic()
        heads = _ask(session, peer, seen, WAIT)
        for channel, head in heads.items():
            if head != seen[channel]:
                path = f"{peer.hub}/fed/v1/channels/{channel}/items"
                answer = session.get(path, params={"after": seen[channel]}, timeout=60)
                answer.raise_for_status()
                for item in answer.json()["items"] if channel == "group" else ():
                    with writing:
                        print(time.monotonic(), peer.origin, item["seq"], flush=True)
        seen = heads


def _ask(session: requests.Session, peer: Peer, seen: dict[str, str], wait: int) -> dict[str, str]:
    params = {"seen": ",".join(f"{c}:{h}" for c, h in seen.items() if h != "0"), "wait": str(wait)}
    answer = session.get(f"{peer.hub}/fed/v1/channels", params=params, timeout=WAIT + 60)
    answer.raise_for_status()
    return {row["ch"]: row["head"] for row in answer.json()["channels"]}


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.stdin.read().split())
