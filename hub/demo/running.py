"""Running the nodes of the demo: one `hub serve` each."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import requests

from hub.demo.nodes import DemoNode
from hub.errors import HubError, mark
from hub.serve import settle

SLOWEST_START = 30.0  # Seconds.
PAUSE = 0.1


class NotReadyError(HubError):
    """A node did not start; its log says why."""

    status = 503
    code = "not_ready"
    message = mark("%(url)s did not start. See %(log)s")


class Served:
    """One node and the process that serves it."""

    def __init__(self, node: DemoNode) -> None:
        self.node = node
        self.log = node.home / "serve.log"
        self.process = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        command = [str(Path(sys.executable).with_name("hub")), "serve"]
        environ = {**os.environ, "HUB_HOME": str(self.node.home)}
        parent = os.getpid()
        with self.log.open("ab") as log:
            # A session of its own: Ctrl-C reaches the demo alone, which then stops the nodes.
            return subprocess.Popen(  # noqa: S603
                command,
                env=environ,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=lambda: settle("serve", parent),  # noqa: PLW1509  # No threads here.
            )

    def wait_until_ready(self) -> None:
        """Wait until the node answers.

        :raises NotReadyError: when it ended, or took too long.
        """
        deadline = time.monotonic() + SLOWEST_START
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if requests.get(f"{self.node.url}/readyz", timeout=5).ok:
                    return
            except requests.ConnectionError:
                pass  # Not listening yet.
            time.sleep(PAUSE)
        raise NotReadyError(url=self.node.url, log=self.log)

    def restart_if_killed(self) -> None:
        """Start the node again if it was killed; one that was stopped stays so."""
        status = self.process.poll()
        if status is not None and status < 0:
            self.process = self._start()


@contextmanager
def running(nodes: Iterable[DemoNode]) -> Iterator[list[Served]]:
    """Serve nodes, each ready, for as long as the block runs."""
    served: list[Served] = []
    try:
        for node in nodes:
            served.append(Served(node))
        for one in served:
            one.wait_until_ready()
        yield served
    finally:
        for one in served:
            one.process.terminate()
        for one in served:
            one.process.wait()


def stay(served: Sequence[Served]) -> None:
    """Keep nodes running until Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        while True:
            time.sleep(1)
            for one in served:
                one.restart_if_killed()
    except KeyboardInterrupt:
        return
