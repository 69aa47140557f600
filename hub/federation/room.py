"""Whether there is room to take in more. Where there is not, pulling pauses and its cursors stay.

It goes on by itself once there is room again: nothing is lost, the peers keep what they offer.
"""

import shutil
from pathlib import Path

from hub.config import settings
from hub.errors import HubError, mark
from hub.journal import log

LEAST_FREE = 200_000_000  # Bytes on the disk of the home folder.
MOST_BEHIND = 20_000  # Positions of the journal that the index may lack.
INDEX = "search"  # Name of the cursor of the follower that fills the index.


class NoRoomError(HubError):
    """This node takes in nothing more for now; `fix` says what a person can do."""

    status = 503
    code = "no_room"
    fix = ""


class DiskFullError(NoRoomError):
    """What is pulled would fill the disk."""

    code = "disk_full"
    message = mark("The disk of this node is almost full: nothing more is fetched.")
    fix = mark("Free or add space on the disk of the home folder. It goes on by itself.")


class IndexBehindError(NoRoomError):
    """Readers would not find what is pulled for a long time."""

    code = "index_behind"
    message = mark("The search index is far behind: nothing more is fetched until it catches up.")
    fix = mark("It goes on by itself. If the number does not fall, see that “hub serve” runs.")


def free_bytes(folder: Path) -> int:
    """Return what is free on the disk of a folder."""
    return shutil.disk_usage(folder).free


def index_position() -> int:
    """Return the position of the journal up to which the index is complete."""
    return int(log.read_cursor(INDEX) or 0)


def obstacle() -> NoRoomError | None:
    """Return why nothing more may be pulled now; None when there is room."""
    if free_bytes(settings().home) < LEAST_FREE:
        return DiskFullError()
    if log.position() - index_position() > MOST_BEHIND:
        return IndexBehindError()
    return None


def check() -> None:
    """Let a pull go on.

    :raises NoRoomError: when there is no room for what it would bring.
    """
    found = obstacle()
    if found:
        raise found
