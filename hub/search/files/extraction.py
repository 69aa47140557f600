"""The text of a file, read in a child process that can do no harm and is ended when it tries."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

from hub import bounded
from hub.bounded import Limits
from hub.media.errors import UnknownKindError
from hub.media.kinds import kind_of
from hub.search.files.child import MOST

# After its time what the child has read until then is all.
LIMITS = Limits(memory=512 * 1024 * 1024, seconds=15, output=1024 * 1024, patience=60.0)
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
        code = bounded.run(CHILD, [kind], LIMITS, source, output, is_wanted)
        if code == 0:
            return _answer(output)
    if code is None and not is_wanted():
        return None
    return Extract(Reason.TIME if code is None else Reason.DIED)


def _answer(output: BinaryIO) -> Extract:
    output.seek(0)
    reason, end, text = output.read(LIMITS.output).decode(errors="ignore").partition("\n")
    if not end or reason not in set(Reason):
        return Extract(Reason.DIED)
    return Extract(Reason(reason), text[:MOST])
