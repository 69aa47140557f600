"""What a node offers is found without reading through all that an issuer or a channel ever had."""

from uuid import uuid4

from flask import Flask
from sqlalchemy import ClauseElement, select, text

from hub.cases.models import Document
from hub.cases.service.offered import offered, offers_of
from hub.database import db

BY_ONE_COLUMN = ("(iss=?)", "(channel=?)", "(iss=? AND channel=?)")


def plan_of(app: Flask, statement: ClauseElement) -> list[str]:
    """Return how SQLite would answer a statement on a node that it knows nothing about."""
    with app.app_context():
        compiled = statement.compile(db.engine, compile_kwargs={"literal_binds": True})
        rows = db.session.execute(text(f"EXPLAIN QUERY PLAN {compiled}"))
        return [row.detail for row in rows]


def test_the_channels_that_offer_a_document_are_found_by_the_document(alpha: Flask) -> None:
    steps = plan_of(alpha, offers_of([uuid4(), uuid4()]))

    assert steps
    assert not [step for step in steps if step.endswith(BY_ONE_COLUMN) or "SCAN" in step], steps


def test_whether_a_peer_may_read_a_document_is_found_by_the_document(alpha: Flask) -> None:
    is_open = offered({"channel:group"}, "acme")

    steps = plan_of(alpha, select(Document.id).where(Document.id.in_([uuid4()]), is_open))

    assert steps
    assert not [step for step in steps if step.endswith(BY_ONE_COLUMN) or "SCAN" in step], steps
