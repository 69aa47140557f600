"""`hub serve`: the processes of one node, and the parent that keeps them alive.

The parent loads the application once and forks, so that its children share that memory:

    web     gunicorn with its workers
    index   follows the journal into the search index, and reads files for it
    sync    exchanges with other nodes

Each may be killed at any time: what it had committed stays, and it is started again at once. All of
them die with the parent.
"""

import fcntl
import gc
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask
from gunicorn.app.base import BaseApplication

from hub import schema
from hub.cases import follower as cases_follower
from hub.config import Settings
from hub.database import Commits, clear_log, db, transaction
from hub.errors import HubError, mark
from hub.federation.follower import Follower
from hub.journal import log
from hub.search import analysis, saved
from hub.search import follower as search_follower
from hub.search.files import follower as files
from hub.supervision import PATIENCE, Child, Supervisor, settle, spare_memory

logger = logging.getLogger("hub.serve")

PAUSE = 0.05  # Seconds between two looks at the journal: a publication is found within these.
LOOK = 1.0  # Seconds between two looks for files that were not read.
STILL = 1.0  # Seconds after which a journal that does not move counts as standing still.
LONGEST_PLAIN = 10.0  # Seconds that a body waits for its rendering while the journal moves.
WARM = ("/healthz", "/readyz", "/", "/sign-in", "/.well-known/jingwei", "/api/v1/openapi.json")
GARBAGE = 20_000  # New objects after which cycles are looked for; a page leaves hardly any.
SLICES = ("cases/", "federation/", "feeds/", "identity/", "search/")
GRACE = 2.0  # Seconds that the children of a killed parent get to be gone.


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
    spare_memory()
    with app.app_context():
        schema.require_newest()
    _warm_up(app)
    gc.collect()
    gc.freeze()  # Else each child's collector would touch, and so copy, every page.
    gc.set_threshold(GARBAGE)
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


def _warm_up(app: Flask) -> None:
    """Do once what each child would else do, and keep, for itself: it halves what a page adds.

    Opens no index: its threads would not survive the fork.
    """
    for name in app.jinja_env.list_templates(filter_func=_is_ours):
        app.jinja_env.get_template(name)
    analysis.fold("責任")
    client = app.test_client()
    for path in WARM:
        client.get(path, base_url=app.extensions["hub.settings"].origin)
    with app.app_context():
        db.engine.dispose()  # A connection must not be shared between processes.


def _is_ours(template: str) -> bool:
    return template.startswith(SLICES)


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
            "threads": self.config.threads + self.config.held_requests,
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
    """Bring what is new in the journal into the index until told to stop; beside, render it and
    read its files."""
    with ThreadPoolExecutor(max_workers=2) as beside:
        others = [beside.submit(work, app, stop) for work in (_keep_rendered, _keep_read)]
        try:
            with app.app_context(), closing(Commits()) as commits:
                while not stop.is_set() and not any(other.done() for other in others):
                    done = log.position()
                    while search_follower.follow_once() and not stop.is_set():
                        pass
                    _moves_on(done, stop, commits)
        finally:
            stop.set()
        for other in others:
            other.result()  # Raises what ended it.


def _keep_rendered(app: Flask, stop: threading.Event) -> None:
    """Render what is new in the journal, and tidy up behind it, until told to stop.

    Rendering costs more than indexing, and pages show plain text until then; so it waits until the
    journal stands still, yet not for ever.
    """
    rendered_at = time.monotonic()
    with app.app_context(), closing(Commits()) as commits:
        while not stop.is_set():
            done = log.position()
            moves = _moves_on(done, stop, commits, STILL / 4)
            if not moves or time.monotonic() - rendered_at > LONGEST_PLAIN:
                while cases_follower.render_missing() and log.position() == done:
                    if stop.is_set():
                        return
                rendered_at = time.monotonic()
            if not moves:
                clear_log()  # Each time: others write without moving the journal, too.


def _keep_read(app: Flask, stop: threading.Event) -> None:
    """Read the files that came in, and forget what people kept who left, until told to stop."""
    with app.app_context():
        while not stop.wait(LOOK):
            try:
                while files.read_next(lambda: not stop.is_set()):
                    pass
                if saved.somebody_left():
                    with transaction():
                        saved.forget_those_who_left()
                db.session.rollback()
            except (HubError, OSError) as error:  # A bucket that does not answer.
                logger.warning("files not read: %s", error)


def _moves_on(done: int, stop: threading.Event, commits: Commits, pause: float = PAUSE) -> bool:
    """Wait until the journal moves on from a position; False if it stands still for a second."""
    end = time.monotonic() + STILL
    while time.monotonic() < end and not stop.wait(pause):
        if commits.may_have_come() and log.position() != done:
            return True
    return False
