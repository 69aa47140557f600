"""What readers see of questions and answers: as the live releases in the journal make them."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, and_, bindparam, or_, select, update

from hub.cases import remarks
from hub.cases.models import Feedback, Remark, Standing, public_id
from hub.cases.service import adoptions
from hub.database import connection, db, upsert
from hub.errors import HubError
from hub.identity.models import EVERYBODY, MEMBERS, Actor
from hub.identity.profile import PARTS, parse
from hub.journal import children
from hub.journal.models import PUBLIC, PUT, Change, Entry, Live
from hub.journal.shapes import CHILDREN
from hub.registry.hidden import hidden_origins

SHOWN = 50  # Questions and comments beside one document.
ANSWERS = 200

_WAITING = (Standing.TO_CLEAR, Standing.SENT, Standing.RECEIVED, Standing.REFUSED)

SAID = (  # What is shown of a remark to who decides about it.
    Feedback.id,
    Feedback.type,
    Feedback.text,
    Feedback.unit,
    Feedback.post,
    Feedback.outcome,
    Feedback.is_confirmed,
    Feedback.said_at,
    Feedback.document_id,
)
_remark = Feedback.__table__.c


def _beside() -> Any:
    """Return the statement for all that is shown beside a document, made once for all pages."""
    about = _remark.document_id == bindparam("id")
    told = _remark.audience.in_(bindparam("audiences", expanding=True))
    waiting = and_(
        _remark.unit_id == bindparam("unit"),
        _remark.state.in_(_WAITING),
    )
    first = (
        select(_remark.id)
        .where(about, or_(told, waiting), _remark.type != Remark.ANSWER)
        .order_by(_remark.said_at.desc())
        .limit(bindparam("shown"))
        .subquery()
    )
    ids = select(first.c.id)
    return (
        select(*_remark)
        .where(or_(_remark.id.in_(ids), and_(about, told, _remark.question_id.in_(ids))))
        .order_by(_remark.type.desc(), _remark.said_at)
        .limit(bindparam("most"))
    )


_BESIDE = _beside()
_OF_ADOPTION = ("written", "outcome", "is_confirmed", *PARTS)
_CHANGING = ("digest", "text", "unit", "post", "audience", "state", *_OF_ADOPTION)


def receive(changes: Sequence[Change]) -> None:
    """Show or hide the remarks that these releases are about.

    Called in the transaction that appends them, for changes that are about no document.
    """
    newest = {public_id(change.origin, change.entry_id): change for change in changes}
    live = _live({change.entry_id for change in changes})
    rows = [
        row
        for remark_id, change in newest.items()
        if remark_id in live and (row := _shown(remark_id, live[remark_id], change))
    ]
    hidden = hidden_origins({row["origin"] for row in rows})
    for row in rows:
        if row["origin"] in hidden:
            row["audience"] = None  # Its text stays, for when it may be shown again.
    upsert(Feedback, rows, keys=("id",), changing=_CHANGING)
    _end(newest.keys() - live.keys())
    adoptions.recount(_adopted(newest))


def _adopted(changed: Mapping[UUID, Change]) -> dict[UUID, int]:
    """Return the documents that changed adoptions are about, with the positions of the changes."""
    statement = select(Feedback.id, Feedback.document_id).where(
        Feedback.id.in_(changed), Feedback.type == Remark.ADOPTION
    )
    positions: dict[UUID, int] = {}
    for remark_id, document_id in db.session.execute(statement):
        position = changed[remark_id].position
        positions[document_id] = max(position, positions.get(document_id, 0))
    return positions


def beside(document_id: UUID, audiences: Collection[str], actor: Actor) -> list[dict[str, Any]]:
    """Return what was said of a document: the newest remarks, questions with their answers.

    Its readers see what was released to them; the asker's unit also what still waits.
    """
    values = {
        "id": document_id,
        "audiences": list(audiences),
        "unit": actor.organisation_id,
        "shown": SHOWN,
        "most": SHOWN + ANSWERS,
    }
    return _threads(connection().execute(_BESIDE, values).all())


def drop_undecided(document_id: UUID) -> None:
    """Forget what waits for a decision about a document that is withdrawn."""
    undecided = Feedback.state.in_((Standing.TO_CLEAR, Standing.RECEIVED))
    waiting = and_(Feedback.document_id == document_id, undecided)
    digests = db.session.scalars(select(Feedback.digest).where(waiting)).all()
    if digests:
        children.drop(digests)
        db.session.execute(
            update(Feedback)
            .where(waiting)
            .values(state=Standing.ENDED, text="")
            .execution_options(synchronize_session=False)
        )


def _threads(rows: Sequence[Row[Any]]) -> list[dict[str, Any]]:
    answers: dict[UUID, list[dict[str, Any]]] = {}
    for row in rows:
        if row.type == Remark.ANSWER:
            answers.setdefault(row.question_id, []).append(dict(row._mapping))
    return [
        dict(row._mapping) | {"answers": answers.get(row.id, [])}
        for row in rows
        if row.type != Remark.ANSWER
    ]


def _live(entry_ids: Collection[str]) -> dict[UUID, list[Row[Any]]]:
    """Return the live releases of children that have a text, by public id."""
    statement: Any = (
        select(Live.origin, Live.entry_id, Live.channel, Entry.payload, Entry.digest)
        .join(Entry, Entry.digest == Live.entry_digest)
        .where(
            Live.entry_id.in_(entry_ids),
            Live.op == PUT,
            Live.origin == Entry.origin,
            Live.iss == Entry.parent_origin,  # Only the parent's origin publishes beside it.
            Entry.payload.is_not(None),
            Entry.type.in_(CHILDREN),
        )
        .order_by(Live.rev)
    )
    live: dict[UUID, list[Row[Any]]] = {}
    for row in db.session.execute(statement):
        live.setdefault(public_id(row.origin, row.entry_id), []).append(row)
    return live


def _shown(remark_id: UUID, live: Sequence[Row[Any]], put: Change) -> dict[str, Any] | None:
    """Return the row of a remark; None when another node let through what it must not hold."""
    document = json.loads(live[-1].payload)
    try:
        remarks.check(document)
    except HubError:
        return None
    is_public = any(row.channel == PUBLIC for row in live)
    said = min(put.iat, int(put.received_at.timestamp()))
    return row_of(document, live[-1].digest) | {
        "id": remark_id,
        "state": Standing.ACCEPTED,
        "audience": EVERYBODY if is_public else MEMBERS,
        "said_at": datetime.fromtimestamp(said, UTC),
    }


def row_of(document: dict[str, Any], digest: str) -> dict[str, Any]:
    """Return what the row of a remark takes from its entry, and nothing of where it stands."""
    fields, parent = document["fields"], document["parent"]
    question = fields.get("question")
    return {
        "origin": document["origin"],
        "entry_id": document["id"],
        "digest": digest,
        "type": document["type"],
        "document_id": public_id(parent["origin"], parent["id"]),
        "question_id": UUID(question) if question else None,
        "text": fields["text"],
        "unit": fields["unit"],
        "post": fields.get("post") or "",
        "written": document["created"],
        "outcome": fields.get("outcome") or "",
        "is_confirmed": fields.get("confirmed", False),
        **parse(fields)._asdict(),
        "unit_id": None,
        "person_id": None,
        "channels": [],
        "reason": "",
    }


def _end(remark_ids: Collection[UUID]) -> None:
    """Hide what is no longer released, and forget its text."""
    if remark_ids:
        db.session.execute(
            update(Feedback)
            .where(
                Feedback.id.in_(remark_ids), Feedback.state.in_((Standing.ACCEPTED, Standing.SENT))
            )
            .values(audience=None, text="", state=Standing.ENDED)
            .execution_options(synchronize_session=False)
        )
