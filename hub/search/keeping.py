"""What somebody searched for lately: kept on this node, for their own suggestions and nothing else.

Nobody else sees it, nothing is counted, and whoever wants none kept says so once.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from sqlalchemy import delete, exists, select, update
from sqlalchemy.exc import DatabaseError

from hub import clock
from hub.database import connection, db, insert_into, note
from hub.search.models import PastSearch, UnkeptSearches
from hub.search.parts import LONGEST

MOST_KEPT = 20


def kept(person_id: UUID) -> Sequence[str]:
    """Return what somebody searched for lately, the newest first."""
    found = (
        select(PastSearch.text)
        .where(PastSearch.person_id == person_id)
        .order_by(PastSearch.asked_at.desc())
        .limit(MOST_KEPT)
    )
    return connection().scalars(found).all()


def is_keeping(person_id: UUID) -> bool:
    """Say whether somebody's searches are kept: until they say otherwise, they are."""
    unkept = exists().where(UnkeptSearches.person_id == person_id)
    return not connection().scalar(select(unkept))


def keep(person_id: UUID, text: str) -> None:
    """Keep what somebody searched for, in place of the oldest when there are enough.

    It is written beside the request; while others write it is not worth waiting for.
    """
    text = " ".join(text.encode(errors="ignore").decode().replace("\0", "").split())[:LONGEST]
    known = kept(person_id)
    if not text or text in known[:1] or not is_keeping(person_id):
        return
    with suppress(DatabaseError):  # Another writer, or the same search in another window.
        note(_written(person_id, text, known))


def _written(person_id: UUID, text: str, known: Sequence[str]) -> Any:
    new = {"text": text, "asked_at": clock.now()}
    if len(known) >= MOST_KEPT and text not in known:
        oldest = (PastSearch.person_id == person_id) & (PastSearch.text == known[-1])
        return update(PastSearch.__table__).where(oldest).values(new)  # type: ignore[arg-type]
    statement = insert_into(PastSearch).values(person_id=person_id, **new)
    return statement.on_conflict_do_update(
        index_elements=["person_id", "text"], set_={"asked_at": statement.excluded.asked_at}
    )


def forget(person_id: UUID, text: str | None = None) -> None:
    """Delete one of somebody's searches, or all of them."""
    gone = delete(PastSearch).where(PastSearch.person_id == person_id)
    db.session.execute(gone if text is None else gone.where(PastSearch.text == text))


def choose(person_id: UUID, *, is_kept: bool) -> None:
    """Keep somebody's searches from now on, or keep none and delete those there are."""
    db.session.execute(delete(UnkeptSearches).where(UnkeptSearches.person_id == person_id))
    if not is_kept:
        db.session.add(UnkeptSearches(person_id=person_id))
        forget(person_id)
