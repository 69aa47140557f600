"""A proxy that loses, delays and repeats one request in five."""

import random
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

import requests

PASSED_ON = ("Authorization", "Content-Type", "Accept", "DPoP")


class FaultyProxy:
    """Stands before a node; `url` is where to send requests while the block runs."""

    def __init__(self, target: str, seed: int = 1, share: float = 0.2) -> None:
        self.target, self.share = target, share
        self._chance = random.Random(seed)
        self._lock = threading.Lock()
        self.faults: dict[str, int] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "FaultyProxy":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def fault(self) -> str:
        """Return what happens to the next request: mostly nothing."""
        with self._lock:
            if self._chance.random() >= self.share:
                return ""
            kind = self._chance.choice(["lost", "answer lost", "delayed", "repeated"])
            self.faults[kind] = self.faults.get(kind, 0) + 1
            return kind

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def _pass_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                kind = proxy.fault()
                if kind == "lost":
                    return self.connection.close()
                if kind == "delayed":
                    time.sleep(0.3)  # The fault itself.
                answer = self._ask(body)
                if kind == "repeated":
                    answer = self._ask(body)
                if kind == "answer lost":
                    return self.connection.close()
                self.send_response(answer.status_code)
                for name in ("Content-Type", "Retry-After"):
                    if name in answer.headers:
                        self.send_header(name, answer.headers[name])
                self.send_header("Content-Length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)
                return None

            def _ask(self, body: bytes) -> requests.Response:
                headers = {n: self.headers[n] for n in PASSED_ON if n in self.headers}
                return requests.request(
                    self.command, proxy.target + self.path, data=body, headers=headers, timeout=40
                )

            do_GET = do_POST = _pass_on  # noqa: N815 - the names that the library calls.

            def log_message(self, format: str, *values: object) -> None:  # noqa: A002
                """Say nothing."""

        return Handler
