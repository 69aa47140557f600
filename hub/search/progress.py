"""How far a new index is: kept beside it, so that whoever builds it after a stop goes on there."""

import json
import os
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from hub import clock
from hub.journal import log
from hub.search.engine import Engine
from hub.search.folder import Folder, is_up_to_date

NOTE = "building.json"  # In the folder of an index that is not finished.
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


def keep(path: Path, place: Place) -> None:
    """Note how far an index is, once that much of it is committed."""
    values = asdict(place) | {"started_at": place.started_at.isoformat()}
    draft = path / f".{NOTE}"
    with draft.open("w") as file:
        json.dump(values | {"last": str(place.last) if place.last else None}, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path / NOTE)


def finish(path: Path) -> None:
    """Forget the place of an index that is complete."""
    (path / NOTE).unlink(missing_ok=True)


def unfinished(folder: Folder, engine: Engine) -> tuple[Path, Place] | None:
    """Return an index that somebody began to build and that may be gone on with.

    It is whole as far as it goes, of this version and engine, and not ahead of the journal, which
    a backup may have put back.
    """
    if not folder.path.is_dir():
        return None
    for path in folder.path.iterdir():
        if path != folder.current() and is_up_to_date(path, engine):
            place = _read(path / NOTE)
            if place and _fits(place) and engine.is_sound(path):
                return path, place
    return None


def _fits(place: Place) -> bool:
    return place.position <= log.position() and clock.now() - place.started_at < OLDEST


def _read(file: Path) -> Place | None:
    try:
        values = json.loads(file.read_text())
        last = UUID(values["last"]) if values["last"] else None
        started_at = datetime.fromisoformat(values["started_at"])
        return Place(int(values["position"]), started_at, last, int(values["done"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
