"""A client that costs little: ready-made requests over kept connections."""

import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Target:
    """A request to send again and again."""

    url: str
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def wire(self) -> bytes:
        """Return the request as it travels."""
        parts = urlsplit(self.url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        lines = [f"GET {path} HTTP/1.1", f"Host: {parts.netloc}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


class Connection:
    """One kept connection."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.address = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._open()

    def _open(self) -> None:
        self.socket = socket.create_connection(self.address, timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def get(self, wire: bytes) -> bytes:
        """Send a request and return the body of its answer.

        :raises RuntimeError: when the answer is not 200.
        """
        self.socket.sendall(wire)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._receive()
        head, _, body = answer.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(head.decode() + body.decode()[:300])
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        while len(body) < length:
            body += self._receive()
        if b"connection: close" in head.lower():
            self.close()
            self._open()
        return body

    def _receive(self) -> bytes:
        data = self.socket.recv(65536)
        if not data:
            raise RuntimeError("the server hung up")
        return data

    def close(self) -> None:
        """End the connection."""
        self.socket.close()


def latencies(targets: Sequence[Target]) -> list[float]:
    """Send requests one at a time over one connection; return seconds for each."""
    connection, found = Connection(targets[0].url), []
    for target in targets:
        wire, start = target.wire, time.perf_counter()
        connection.get(wire)
        found.append(time.perf_counter() - start)
    connection.close()
    return found


def rate(targets: Sequence[Target], *, seconds: float, connections: int = 8) -> float:
    """Send requests over several connections at once; return answers per second."""
    wires = [target.wire for target in targets]
    end = time.perf_counter() + seconds
    counts = [0] * connections

    def work(index: int) -> None:
        connection, turn = Connection(targets[0].url), index
        while time.perf_counter() < end:
            connection.get(wires[turn % len(wires)])
            counts[index] += 1
            turn += connections
        connection.close()

    threads = [threading.Thread(target=work, args=(index,)) for index in range(connections)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - start)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of the values lies (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]
