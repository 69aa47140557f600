"""A parent that keeps its children alive, and children that die with it."""

import ctypes
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

logger = logging.getLogger("hub.serve")

PATIENCE = 4.0  # Seconds that children get to stop by themselves.
STEADY = 10.0  # Seconds after which a child counts as healthy again.
LONGEST_DELAY = 15.0  # Seconds between two starts of a child that keeps failing.
SIGNALS = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}
PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15  # linux/prctl.h
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # malloc.h of glibc
LARGE = 256 * 1024  # Bytes; blocks from here on go back to the system as soon as they are free.


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


def spare_memory() -> None:
    """Give freed memory back to the system, in this process and all that it forks.

    Left alone, glibc learns from the first large block (a password's 19 MiB, a page of 4 MiB) to
    keep such blocks for good, and does so once for every few threads (mallopt(3)).
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):  # Other C libraries have none, nor the habit.
        for name, value in ((M_TRIM_THRESHOLD, LARGE), (M_MMAP_THRESHOLD, LARGE), (M_ARENA_MAX, 2)):
            libc.mallopt(name, value)


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
