"""The feeds never read through all that was ever public to find a page."""

import pytest
from flask import Flask
from sqlalchemy import Select, select

from hub.database import db
from hub.federation.feeds import keeping, reading
from hub.federation.feeds.models import PublicRecord
from hub.federation.feeds.reading import Window

PAGES = [
    reading._within(reading._records(), window).order_by(reading._record.place).limit(101)
    for window in (
        Window(5),
        Window(5, 500),
        Window(5, 500, kind="case"),
        Window(5, category="rules"),
    )
]
UNSTAMPED = select(PublicRecord.place).where(PublicRecord.stamped_at.is_(None)).limit(1)


@pytest.mark.parametrize("statement", [*PAGES, UNSTAMPED], ids=str)
def test_every_page_is_found_by_an_index_and_in_order(alpha: Flask, statement: Select[int]) -> None:
    with alpha.app_context():
        text = statement.compile(db.engine, compile_kwargs={"literal_binds": True})
        plan = db.session.execute(db.text(f"EXPLAIN QUERY PLAN {text}")).all()
    steps = [row.detail for row in plan]
    assert not any("SCAN" in step or "TEMP B-TREE" in step for step in steps), steps


def test_a_node_at_rest_opens_no_transaction(alpha: Flask) -> None:
    with alpha.app_context():
        assert not keeping.is_due()
