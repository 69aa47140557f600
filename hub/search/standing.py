"""How the index of this node stands: which it is, how far, and what became of files."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select

from hub import clock
from hub.config import of_this_node
from hub.database import db
from hub.journal import log
from hub.journal.models import Release
from hub.search.engine import BrokenIndexError, SearchDownError
from hub.search.models import FileText
from hub.search.reading import OpenIndex


@dataclass(frozen=True)
class Standing:
    """What is searched at this moment."""

    name: str  # Of the index.
    engine: str
    is_up_to_date: bool  # Whether this version would make it as it is.
    documents: int
    position: int
    last: int  # Position of the journal.
    waits: timedelta  # Since the oldest release came that is not in the index.

    @property
    def behind(self) -> int:
        """Return how many releases are not in the index yet."""
        return max(self.last - self.position, 0)


def standing() -> Standing | None:
    """Return how the index stands; None while there is none that can be used."""
    shelf = of_this_node(OpenIndex).shelf
    try:
        index, reader = shelf.current(), of_this_node(OpenIndex).newest()
    except (BrokenIndexError, SearchDownError):
        return None
    if index is None or reader is None:
        return None
    return Standing(
        name=index.name,
        engine=index.engine_name,
        is_up_to_date=shelf.is_up_to_date(index),
        documents=reader.count,
        position=reader.position,
        last=log.position(),
        waits=_waits(reader.position),
    )


def files_by_state() -> Mapping[str, int]:
    """Return how many files were read, and how many could not be, by `extraction.State`."""
    rows = db.session.execute(
        select(FileText.state, func.count().label("number")).group_by(FileText.state)
    )
    return {row.state: row.number for row in rows}


def _waits(position: int) -> timedelta:
    oldest = db.session.scalar(
        select(Release.received_at)
        .where(Release.position > position)
        .order_by(Release.position)
        .limit(1)
    )
    return clock.now() - oldest if oldest else timedelta()
