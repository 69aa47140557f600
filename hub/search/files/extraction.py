"""The text of a file, read in a child process that can do no harm and is ended when it tries."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

from hub.media.errors import UnknownKindError
from hub.media.kinds import kind_of
from hub.search.files.child import MOST, OUTPUT, SECONDS

PATIENCE = 4 * SECONDS  # Seconds on the clock for one file, on a busy machine.
GRACE = 2.0  # Seconds in which the child may then hand over what it has.
LOOK = 0.2  # Seconds between two looks whether to stop.
LARGEST = 200_000_000  # Bytes of a file that is opened at all.
CHILD = Path(__file__).with_name("child.py")
KINDS = frozenset({"pdf", "docx", "xlsx", "pptx", "txt", "md", "csv"})


class State(StrEnum):
    """Whether a file has a text."""

    OK = "ok"
    FAILED = "failed"
    TOO_LARGE = "too_large"


class Reason(StrEnum):
    """What was wrong with a file."""

    NONE = ""
    CUT = "cut"  # Only its beginning is kept.
    KIND = "kind"  # It holds no text that we read.
    SIZE = "size"
    ENCRYPTED = "encrypted"
    BROKEN = "broken"
    TIME = "time"
    MEMORY = "memory"
    DIED = "died"  # The child was ended by the system.


@dataclass(frozen=True)
class Extract:
    """What a file says, at most 200,000 characters, or why that can't be known."""

    reason: Reason
    text: str = ""

    @property
    def state(self) -> State:
        """Return what is remembered of the file."""
        if self.reason == Reason.SIZE:
            return State.TOO_LARGE
        return State.OK if self.reason in {Reason.NONE, Reason.CUT} else State.FAILED


def extract(path: Path, name: str, is_wanted: Callable[[], bool] = lambda: True) -> Extract | None:
    """Read a file. Whatever is in it, this ends within about a minute and raises nothing.

    :param name: what the file is called; it tells the plain texts apart and nothing else.
    :param is_wanted: asked now and then; once it says no the child is ended and None is returned.
    """
    if path.stat().st_size > LARGEST:
        return Extract(Reason.SIZE)
    try:
        kind = kind_of(path, name)
    except UnknownKindError:
        return Extract(Reason.KIND)
    if kind not in KINDS:
        return Extract(Reason.KIND)
    with path.open("rb") as source, TemporaryFile() as output:
        code = _run(kind, source, output, is_wanted)
        if code == 0:
            return _answer(output)
    if code is None and not is_wanted():
        return None
    return Extract(Reason.TIME if code is None else Reason.DIED)


def _run(
    kind: str, source: BinaryIO, output: BinaryIO, is_wanted: Callable[[], bool]
) -> int | None:
    """Run the child; return its status, None when it was ended by us."""
    child = subprocess.Popen(  # noqa: S603 - our own file, no shell.
        [sys.executable, "-I", str(CHILD), kind],
        stdin=source,
        stdout=output,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env={},  # No secret of the node is there to be read.
    )
    end = time.monotonic() + PATIENCE
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


def _answer(output: BinaryIO) -> Extract:
    output.seek(0)
    reason, end, text = output.read(OUTPUT).decode(errors="ignore").partition("\n")
    if not end or reason not in set(Reason):
        return Extract(Reason.DIED)
    return Extract(Reason(reason), text[:MOST])
