"""Nothing is found by reading through all that an issuer or a channel ever had.

SQLite knows nothing about how many rows have the same value, and takes any index that fits.
"""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from flask import Flask
from sqlalchemy import event, select

from hub.cases.models import Document
from hub.cases.service import rendering
from hub.cases.service.offered import offered, words_of
from hub.database import db, transaction
from hub.journal import repair, storage

# An issuer and a channel have most of all rows: an index of these alone is a walk through all.
WALKS = ("(iss=?)", "(channel=?)", "(iss=? AND channel=?)", "(iss=? AND channel=? AND epoch=?)")


def walks(app: Flask, ask: Callable[[], object]) -> list[str]:
    """Return the steps of the queries sent meanwhile that read through whole tables or chains."""
    steps: list[str] = []

    def explain(connection: Any, cursor: Any, statement: str, parameters: Any, *_: object) -> None:
        raw = connection.connection.driver_connection
        steps.extend(row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}", parameters))

    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", explain)
        try:
            ask()
        finally:
            event.remove(db.engine, "before_cursor_execute", explain)
    assert steps, "nothing was asked"
    return [step for step in steps if step.startswith("SCAN") or step.endswith(WALKS)]


def test_the_channels_that_offer_a_document_are_found_by_the_document(alpha: Flask) -> None:
    assert not walks(alpha, lambda: words_of([uuid4(), uuid4()]))


def test_whether_a_peer_may_read_a_document_is_found_by_the_document(alpha: Flask) -> None:
    is_open = offered({"channel:group"}, "acme")
    statement = select(Document.id).where(Document.id.in_([uuid4()]), is_open)

    assert not walks(alpha, lambda: db.session.execute(statement))


def test_what_was_rendered_is_kept_without_reading_all_documents(alpha: Flask) -> None:
    rendered = {(uuid4(), "0" * 64): "<p>", (uuid4(), "1" * 64): "<p>"}

    def keep() -> None:
        with transaction():
            rendering.keep_renderings(rendered, 2)

    assert not walks(alpha, keep)


def test_the_releases_at_some_places_are_found_by_these(alpha: Flask) -> None:
    places = [("https://a.test", "e1", 1), ("https://a.test", "e1", 5), ("https://b.test", "e2", 3)]

    assert not walks(alpha, lambda: repair.releases_at("group", places))


def test_the_children_of_entries_are_found_by_their_parents(alpha: Flask) -> None:
    assert not walks(alpha, lambda: storage.live_children("https://a.test", ["one", "two"]))
