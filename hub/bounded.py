"""Programs that read what nobody trusts, in processes that can do no harm.

This file is both sides. `run` starts it by its path, so that nothing of the program is loaded; it
limits itself for good and only then runs the script that it was given.
"""

import logging
import os
import resource
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

BUSY = 10  # How nice such a process is to those that serve readers.
GRACE = 2.0  # Seconds in which it may hand over what it has, once its time is up.
LOOK = 0.2  # Seconds between two looks whether to stop.


@dataclass(frozen=True)
class Limits:
    """What one such process may use."""

    memory: int  # Bytes of address space.
    seconds: int  # Of processor time; then it gets SIGXCPU.
    output: int  # Bytes that it may write.
    patience: float  # Seconds on the clock.


def run(
    script: Path,
    arguments: Sequence[str],
    limits: Limits,
    source: BinaryIO,
    output: BinaryIO,
    is_wanted: Callable[[], bool] = lambda: True,
) -> int | None:
    """Run a script; return its status, None when it was ended by us.

    :param source: its standard input; `output` is its standard output.
    :param is_wanted: asked now and then; once it says no the process is ended.
    """
    numbers = map(str, (limits.memory, limits.seconds, limits.output))
    child = subprocess.Popen(  # noqa: S603 - our own files, no shell.
        [sys.executable, "-I", __file__, *numbers, str(script), *arguments],
        stdin=source,
        stdout=output,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env={},  # No secret of the node is there to be read.
    )
    end = time.monotonic() + limits.patience
    try:
        while time.monotonic() < end and is_wanted():
            try:
                return child.wait(LOOK)
            except subprocess.TimeoutExpired:
                continue
        return _hand_over(child) if is_wanted() else None
    finally:
        child.kill()
        child.wait()


def _hand_over(child: subprocess.Popen[bytes]) -> int | None:
    """Tell the child that its time is up; return 0 if it gave what it has, else None."""
    child.send_signal(signal.SIGXCPU)
    try:
        return 0 if child.wait(GRACE) == 0 else None
    except subprocess.TimeoutExpired:
        return None


def _limit(memory: int, seconds: int, output: int) -> None:
    logging.disable()
    os.nice(BUSY)
    for name, most in {
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_FSIZE: output,
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_CORE: 0,
    }.items():
        resource.setrlimit(name, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 3))


if __name__ == "__main__":
    _limit(*map(int, sys.argv[1:4]))
    sys.argv = sys.argv[4:]
    runpy.run_path(sys.argv[0], run_name="__main__")
