"""Drawing pictures anew as they are attached, so that nothing is kept but what is seen.

What a camera writes beside it, the place, the time, the owner, goes, and so does whatever else
hides in a file; a picture that unpacks to a thousand times its size harms a child only.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from threading import BoundedSemaphore
from typing import BinaryIO

from hub import bounded
from hub.config import Settings, of_this_node, settings
from hub.media.child import PIXELS, TOO_MANY
from hub.media.errors import BrokenPictureError, LargePictureError, PicturesBusyError
from hub.media.service import PART, Received, receive

CHILD = Path(__file__).with_name("child.py")
LIMITS = bounded.Limits(memory=1_000_000_000, seconds=15, output=200_000_000, patience=30.0)
AT_ONCE = 2  # In one process.
WAIT = 30.0  # Seconds.


@contextmanager
def redrawn(received: Received, type_: str) -> Iterator[Received]:
    """Draw a picture anew, in a process of its own; what is not `put` is gone at the end.

    :param type_: what it is, one of the pictures in `kinds`.
    :raises BrokenPictureError, LargePictureError: when it can't be opened, or is not to be.
    :raises PicturesBusyError: when too many others are in the way.
    :raises HubError: as `receive`.
    """
    with TemporaryFile() as output:
        _draw(received.path, type_, output)
        parts = iter(partial(output.read, PART), b"")
        with receive(parts, most=settings().largest_attachment) as drawn:
            yield drawn


def _draw(path: Path, type_: str, output: BinaryIO) -> None:
    places = of_this_node(_places)
    if not places.acquire(timeout=WAIT):
        raise PicturesBusyError
    try:
        with path.open("rb") as source:
            status = bounded.run(CHILD, [type_], LIMITS, source, output)
    finally:
        places.release()
    if status == TOO_MANY:
        raise LargePictureError(PIXELS)
    if status != 0:
        raise BrokenPictureError
    output.seek(0)


def _places(config: Settings) -> BoundedSemaphore:
    return BoundedSemaphore(AT_ONCE)
