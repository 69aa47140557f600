"""How far a new index is: noted, so that whoever builds it after a stop goes on there."""

import json
import os
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from hub import clock
from hub.journal import log
from hub.search.shelf import Index, Shelf

NOTE = "index.building.json"  # In the home folder, wherever the index is.
OLDEST = timedelta(days=1)  # An older one has more to catch up than to spare.


@dataclass(frozen=True)
class Place:
    """Where building an index has come to."""

    position: int  # Of the journal when it began: what changed since comes again.
    started_at: datetime
    last: UUID | None = None  # The document that was added and committed last.
    done: int = 0  # Documents until there.

    def after(self, last: UUID, count: int) -> "Place":
        """Return the place after so many more documents."""
        return replace(self, last=last, done=self.done + count)


def begin() -> Place:
    """Return the place where nothing is done."""
    return Place(log.position(), clock.now())


class Progress:
    """The note of how far a new index is, which lies beside the folder `index`."""

    def __init__(self, home: Path) -> None:
        self.file = home / NOTE

    def keep(self, index: Index, place: Place) -> None:
        """Note how far an index is, once that much of it is committed."""
        values = asdict(place) | {"started_at": place.started_at.isoformat(), "index": index.name}
        draft = self.file.with_suffix(".draft")
        with draft.open("w") as file:
            json.dump(values | {"last": str(place.last) if place.last else None}, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.file)

    def finish(self) -> None:
        """Forget the place of an index that is complete."""
        self.file.unlink(missing_ok=True)

    def unfinished(self, shelf: Shelf) -> tuple[Index, Place] | None:
        """Return an index that somebody began to build and that may be gone on with.

        It is whole as far as it goes, of this version and engine, and not ahead of the journal,
        which a backup may have put back.
        """
        noted = self._read()
        if noted is None:
            return None
        index, current = shelf.named(noted[0]), shelf.current()
        is_new = current is None or index.name != current.name
        if is_new and shelf.is_up_to_date(index) and _fits(noted[1]) and index.is_sound():
            return index, noted[1]
        return None

    def _read(self) -> tuple[str, Place] | None:
        try:
            values = json.loads(self.file.read_text())
            last = UUID(values["last"]) if values["last"] else None
            started_at = datetime.fromisoformat(values["started_at"])
            place = Place(int(values["position"]), started_at, last, int(values["done"]))
            return str(values["index"]), place
        except (OSError, ValueError, KeyError, TypeError):
            return None


def _fits(place: Place) -> bool:
    return place.position <= log.position() and clock.now() - place.started_at < OLDEST
