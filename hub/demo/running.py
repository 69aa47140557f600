"""Running the demo: one `hub serve` for each node."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import requests

from hub.demo.joining import join_all
from hub.demo.loading import add_organisations, load, samples
from hub.demo.nodes import DemoNode, found_all
from hub.demo.people import add_accounts
from hub.errors import HubError, mark
from hub.supervision import settle

SLOWEST_START = 30.0  # Seconds.
PAUSE = 0.1


class NotReadyError(HubError):
    """A node did not start; its log says why."""

    status = 503
    code = "not_ready"
    message = mark("%(url)s did not start: %(reason)s (%(log)s)")


class Served:
    """One node and the process that serves it."""

    def __init__(self, node: DemoNode, command: Sequence[str] = ()) -> None:
        self.node = node
        self.command = list(command) or [str(Path(sys.executable).with_name("hub")), "serve"]
        self.log = node.home / "serve.log"
        self.process = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        environ = {**os.environ, "HUB_HOME": str(self.node.home)}
        parent = os.getpid()
        with self.log.open("ab") as log:
            # A session of its own: Ctrl-C reaches the demo alone, which then stops the nodes.
            return subprocess.Popen(  # noqa: S603
                self.command,
                env=environ,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=lambda: settle("serve", parent),
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
            except (requests.ConnectionError, requests.Timeout):
                pass  # Not listening yet, or busy with its start.
            time.sleep(PAUSE)
        lines = self.log.read_text(errors="replace").strip().splitlines()
        reason = lines[-1] if lines else "?"
        raise NotReadyError(url=self.node.url, reason=reason, log=self.log)

    def start(self) -> None:
        """Start a node that has ended."""
        self.process = self._start()
        self.wait_until_ready()

    def stop(self) -> None:
        """Ask the node to stop, and wait until it has."""
        self.process.terminate()
        self.process.wait()

    def restart_if_killed(self) -> None:
        """Start the node again if it was killed; one that was stopped stays so."""
        status = self.process.poll()
        if status is not None and status < 0:
            self.process = self._start()


@contextmanager
def running(nodes: Iterable[DemoNode], command: Sequence[str] = ()) -> Iterator[list[Served]]:
    """Serve nodes, each ready, for as long as the block runs.

    :param command: what serves a node, if not `hub serve`.
    """
    served: list[Served] = []
    try:
        for node in nodes:
            served.append(Served(node, command))
        for one in served:
            one.wait_until_ready()
        yield served
    finally:
        for one in served:
            one.process.terminate()
        for one in served:
            one.process.wait()


def run(home: Path, port: int) -> None:
    """Make the four nodes and run them until Ctrl-C; what is there already is kept.

    Each step begins where it was interrupted before. `nodes.json` appears once all is ready.
    """
    for number in (signal.SIGINT, signal.SIGTERM):  # Also when a script started it with “&”.
        signal.signal(number, signal.default_int_handler)
    listing = home / "nodes.json"
    listing.unlink(missing_ok=True)
    click.echo("Making four nodes …")
    nodes = found_all(home, port)
    for node in nodes:
        add_organisations(node)
    described = [_describe(node) for node in nodes]
    try:
        with running(nodes) as served:
            click.echo("Joining them, and publishing what content/ holds …")
            join_all(nodes)
            texts = samples()
            count = sum(load(node, texts) for node in nodes)
            click.echo(f"{count} texts published.")
            _write(listing, described)
            _show(described, listing)
            _stay(served)
    except KeyboardInterrupt:
        pass
    click.echo("\nStopped.")


def _describe(node: DemoNode) -> dict[str, Any]:
    return {
        "name": node.plan.name,
        "url": node.url,
        "enterprise": node.plan.enterprise,
        "role": node.plan.role,
        "home": str(node.home),
        "accounts": [asdict(account) for account in add_accounts(node)],
    }


def _write(path: Path, described: list[dict[str, Any]]) -> None:
    draft = path.with_suffix(".draft")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(described, ensure_ascii=False, indent=2))
    draft.rename(path)


def _show(described: list[dict[str, Any]], listing: Path) -> None:
    for node in described:
        click.echo(f"\n{node['url']}  {node['name']} ({node['enterprise']}, {node['role']})")
        for account in node["accounts"]:
            click.echo(f"    {account['username']:18} {account['password']}")
    click.echo(f"\nTokens and folders: {listing}. Ctrl-C stops all.")


def _stay(served: Sequence[Served]) -> None:
    while True:
        time.sleep(1)
        for one in served:
            one.restart_if_killed()
