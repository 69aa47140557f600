"""The HTML of bodies: made once for each text, and kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from hub.cases.models import Document, Rendering, Revision
from hub.database import db, insert_missing
from hub.journal.log import move_cursor, position, read_cursor

CURSOR = "rendering"


@dataclass(frozen=True)
class Waiting:
    """Bodies by document and entry digest that have no HTML yet, up to a place of the journal."""

    bodies: Mapping[tuple[UUID, str], str]
    upto: int


def unrendered(*, limit: int) -> Waiting | None:
    """Return what came in since the last time and has no HTML yet; None if nothing came in.

    :param limit: most documents to look at.
    """
    after, last = int(read_cursor(CURSOR) or 0), position()
    if after >= last:
        return None
    statement = (
        select(Document.position, Document.id, Document.digest, Document.body, Rendering.digest)
        .outerjoin(Rendering, Rendering.digest == Document.digest)
        .where(Document.position > after, Document.audience.is_not(None))
        .order_by(Document.position)
        .limit(limit)
    )
    rows = db.session.execute(statement).all()
    upto = rows[-1][0] if len(rows) == limit else last
    bodies = {(id_, digest): body for _, id_, digest, body, done in rows if done is None}
    return Waiting(bodies, upto)


def keep_renderings(rendered: Mapping[tuple[UUID, str], str], upto: int) -> None:
    """Keep the HTML of texts that readers still see, and where to go on."""
    shown = select(Document.id, Document.digest).where(
        Document.id.in_([id_ for id_, _ in rendered]), Document.audience.is_not(None)
    )
    html = {digest: rendered.get((id_, digest)) for id_, digest in db.session.execute(shown)}
    insert_missing(Rendering, [{"digest": d, "html": h} for d, h in html.items() if h is not None])
    move_cursor(CURSOR, upto)


def html_of(digest: str) -> str | None:
    """Return the raw HTML of an entry's body; None while it is not made yet."""
    return db.session.scalar(select(Rendering.html).where(Rendering.digest == digest))


def keep_preview(case_id: UUID, number: int, body: str, html: str) -> None:
    """Keep the HTML of a draft, unless its text was changed while it was made."""
    revision = db.session.get(Revision, (case_id, number))
    if revision is not None and revision.body == body:
        revision.html = html
        db.session.flush()
