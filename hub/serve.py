"""`hub serve`: the processes of one node, and the parent that keeps them alive.

The parent loads the application once and forks, so that its children share that memory:

    web     gunicorn with its workers
    index   follows the journal into the search index
    sync    exchanges with other nodes

Each may be killed at any time: what it had committed stays, and it is started again at once. All of
them die with the parent.
"""

import ctypes
import fcntl
import gc
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask
from gunicorn.app.base import BaseApplication

from hub import schema
from hub.cases import follower as cases_follower
from hub.config import Settings
from hub.database import db
from hub.errors import HubError, mark
from hub.federation.follower import Follower
from hub.journal import log
from hub.search import follower as search_follower

logger = logging.getLogger("hub.serve")

PAUSE = 0.05  # Seconds between two looks at the journal: a publication is found within these.
PATIENCE = 4.0  # Seconds that children get to stop by themselves.
GRACE = 2.0  # Seconds that the children of a killed parent get to be gone.
STEADY = 10.0  # Seconds after which a child counts as healthy again.
LONGEST_DELAY = 15.0  # Seconds between two starts of a child that keeps failing.
SIGNALS = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}
PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15  # linux/prctl.h


class AddressTakenError(HubError):
    """Another program listens where this node should."""

    status = 409
    code = "address_taken"
    message = mark("%(address)s is in use by another program.")


class RunningError(HubError):
    """The node is being served already."""

    status = 409
    code = "running"
    message = mark("This node is running already: %(home)s")


def serve(app: Flask) -> None:
    """Serve a node until SIGTERM or SIGINT; then stop within five seconds.

    :raises OutdatedError: when the database needs `hub db upgrade`.
    :raises AddressTakenError: when something else listens at its address.
    :raises RunningError: when the node is being served already.
    """
    config: Settings = app.extensions["hub.settings"]
    lock = _lock(config.home)
    listener = _listen(config)
    with app.app_context():
        schema.require_newest()
        db.engine.dispose()  # A connection must not be shared between processes.
    gc.collect()
    gc.freeze()  # Else each child's collector would touch, and so copy, every page.
    children = [
        Child("web", lambda: _Web(app, listener, config).run()),
        Child("index", lambda: _follow(lambda stop: _keep_index(app, stop))),
        Child("sync", lambda: _follow(lambda stop: Follower(app, stop).run())),
    ]
    logger.warning("%s: %s", config.name, config.origin)
    try:
        Supervisor(children).run()
    finally:
        listener.close()
        os.close(lock)


def _lock(home: Path) -> int:
    """Take the node's lock; the children hold it too, so it is free once all of them are gone."""
    lock = os.open(home / "serve.lock", os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + GRACE
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(lock)
                raise RunningError(home=home) from None
            time.sleep(PAUSE)


def _listen(config: Settings) -> socket.socket:
    """Open the port in the parent: while workers restart, callers wait instead of failing."""
    parts = urlsplit(f"//{config.bind}" if config.bind else config.origin)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    try:
        return socket.create_server((host, port), backlog=512)
    except OSError as error:
        raise AddressTakenError(address=f"{host}:{port}") from error


class _Web(BaseApplication):  # type: ignore[misc]  # gunicorn has no types.
    """Gunicorn, serving an application that is loaded already."""

    def __init__(self, app: Flask, listener: socket.socket, config: Settings) -> None:
        self.app, self.listener, self.config = app, listener, config
        super().__init__()

    def load_config(self) -> None:
        memory = Path("/dev/shm")  # noqa: S108  # Heartbeats must not wait for a disk.
        for name, value in {
            "bind": f"fd://{os.dup(self.listener.fileno())}",
            "workers": self.config.workers,
            "threads": self.config.threads,
            "worker_class": "gthread",
            "worker_tmp_dir": str(memory) if memory.is_dir() else None,
            "preload_app": True,
            "control_socket_disable": True,
            "graceful_timeout": int(PATIENCE) - 2,
            "keepalive": 30,
            "loglevel": "warning",
            "post_fork": lambda arbiter, worker: settle("web", arbiter.pid),
        }.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return self.app


def _follow(work: Callable[[threading.Event], None]) -> None:
    """Run a follower until SIGTERM."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches everybody; the parent decides.
    work(stop)


def _keep_index(app: Flask, stop: threading.Event) -> None:
    """Bring what is new in the journal into the index, and render it, until told to stop."""
    with app.app_context():
        while not stop.is_set():
            done = log.position()
            while search_follower.follow_once() or cases_follower.render_missing():
                if stop.is_set():
                    return
            _wait_for_more(done, stop)


def _wait_for_more(done: int, stop: threading.Event) -> None:
    """Wait until the journal moves on; at most a second, for the index may need a look too."""
    end = time.monotonic() + 1
    while time.monotonic() < end and not stop.wait(PAUSE):
        position = log.position()
        db.session.rollback()  # An open read would keep the database from tidying up.
        if position != done:
            return


@dataclass
class Child:
    """A process of the node."""

    name: str
    work: Callable[[], None]
    pid: int = 0
    started_at: float = 0.0
    failures: int = 0
    due_at: float = field(default_factory=time.monotonic)

    def start(self) -> None:
        """Fork; the new process does its work and ends without returning here."""
        parent = os.getpid()
        self.started_at = time.monotonic()
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                settle(self.name, parent)
                signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
                self.work()
                status = 0
            except SystemExit as end:
                status = end.code if isinstance(end.code, int) else 1
            except Exception:
                logger.exception("%s failed", self.name)
            finally:
                logging.shutdown()
                os._exit(status)

    def ended(self, status: int) -> None:
        """Note that the process is gone, and when to start the next: the first time at once."""
        now = time.monotonic()
        self.failures = 0 if now - self.started_at > STEADY else self.failures + 1
        delay = min(0.25 * 2**self.failures, LONGEST_DELAY) if self.failures > 1 else 0.0
        self.pid, self.due_at = 0, now + delay
        code = os.waitstatus_to_exitcode(status)
        logger.warning("%s ended (%d); starting it again in %.1f s", self.name, code, delay)


class Supervisor:
    """Starts children, starts them again when they end, and stops them."""

    def __init__(self, children: Sequence[Child]) -> None:
        self.children = children

    def run(self) -> None:
        """Keep all children alive until SIGTERM or SIGINT."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            while True:
                self._start_due()
                received = signal.sigtimedwait(SIGNALS, self._patience())
                if received and received.si_signo != signal.SIGCHLD:
                    return
                self._reap()
        finally:
            self._stop()
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _start_due(self) -> None:
        for child in self.children:
            if not child.pid and child.due_at <= time.monotonic():
                child.start()

    def _patience(self) -> float:
        waiting = [child.due_at - time.monotonic() for child in self.children if not child.pid]
        return max(min([60.0, *waiting]), 0.0)

    def _reap(self, *, note: bool = True) -> None:
        for child in self.children:
            if child.pid:
                pid, status = os.waitpid(child.pid, os.WNOHANG)
                if pid and note:
                    child.ended(status)
                elif pid:
                    child.pid = 0

    def _stop(self) -> None:
        deadline = time.monotonic() + PATIENCE
        self._signal(signal.SIGTERM)
        while self._alive() and (left := deadline - time.monotonic()) > 0:
            signal.sigtimedwait({signal.SIGCHLD}, left)
            self._reap(note=False)
        self._signal(signal.SIGKILL)
        while self._alive():
            signal.sigtimedwait({signal.SIGCHLD}, 1.0)
            self._reap(note=False)

    def _signal(self, number: signal.Signals) -> None:
        for child in self.children:
            if child.pid:
                os.kill(child.pid, number)

    def _alive(self) -> bool:
        return any(child.pid for child in self.children)


def settle(name: str, parent: int) -> None:
    """Name this process and let the kernel end it when its parent does.

    :param parent: id of the process that has just forked this one.
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(PR_SET_NAME, f"hub-{name}".encode())
        libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent:  # It ended before the kernel knew.
        os._exit(1)
