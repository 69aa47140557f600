"""Appending, and following with a cursor."""

import threading
from time import monotonic
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import insert, select

from hub import clock
from hub.database import db, for_writing, transaction
from hub.journal import log
from hub.journal.models import (
    GROUP,
    JOURNAL,
    LOCAL,
    Chain,
    Cursor,
    Entry,
    Head,
    Live,
    LogItem,
    Release,
)


def publish(*channels: str, entry_id: str | None = None, rev: int = 1) -> str:
    entry_id = entry_id or str(uuid4())
    log.publish(
        type="case",
        entry_id=entry_id,
        rev=rev,
        title="标题",
        body=f"第{rev}版",
        fields={},
        channels=channels,
    )
    return entry_id


@pytest.fixture
def node(alpha: Flask):
    with alpha.app_context():
        yield alpha


def test_positions_and_chains_are_dense(node: Flask) -> None:
    with transaction():
        for _ in range(3):
            publish(GROUP, "partner:globex")
    assert [r.position for r in log.released_after(0)] == [1, 2, 3, 4, 5, 6]
    group = db.session.scalars(
        select(Release).where(Release.channel == GROUP).order_by(Release.seq)
    ).all()
    assert [release.seq for release in group] == [1, 2, 3]


def test_each_release_names_the_one_before_it(node: Flask) -> None:
    with transaction():
        publish(GROUP)
        publish(GROUP)
    first, second = log.released_after(0)
    assert f'"prev":"{first.digest}"' in second.payload
    assert '"prev":null' in first.payload


def test_what_stays_at_home_is_journaled_and_never_offered(node: Flask) -> None:
    with transaction():
        publish(LOCAL)
    assert log.position() == 1
    assert db.session.scalars(select(LogItem)).all() == []


def test_a_new_revision_names_the_old_and_drops_its_text(node: Flask) -> None:
    with transaction():
        entry_id = publish(GROUP)
    with transaction():
        publish(GROUP, entry_id=entry_id, rev=2)
    old, new = db.session.scalars(select(Entry).order_by(Entry.rev)).all()
    assert old.payload is None
    assert new.payload
    assert old.digest in new.payload


def test_withdrawing_retracts_from_every_channel_and_drops_the_text(node: Flask) -> None:
    with transaction():
        entry_id = publish(GROUP, "partner:globex")
    with transaction():
        changes = log.readdress(entry_id, ())
    assert [(change.channel, change.op) for change in changes] == [
        (GROUP, "retract"),
        ("partner:globex", "retract"),
    ]
    assert db.session.scalars(select(Entry.payload)).all() == [None]
    assert {live.op for live in db.session.scalars(select(Live))} == {"retract"}


def test_narrowing_keeps_the_text_for_those_who_stay(node: Flask) -> None:
    with transaction():
        entry_id = publish(GROUP, "partner:globex")
    with transaction():
        changes = log.readdress(entry_id, {GROUP})
    assert [(change.channel, change.op) for change in changes] == [("partner:globex", "retract")]
    assert db.session.scalars(select(Entry.payload)).one()


def test_releasing_to_the_same_channels_tells_followers_to_look_again(node: Flask) -> None:
    with transaction():
        entry_id = publish(LOCAL)
    with transaction():
        changes = log.readdress(entry_id, {LOCAL})
    assert [(change.channel, change.op) for change in changes] == [(LOCAL, "put")]


def test_nothing_is_kept_of_a_transaction_that_fails(node: Flask) -> None:
    def fail() -> None:
        with transaction():
            publish(GROUP)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert log.position() == 0
    assert db.session.scalars(select(Entry)).all() == []
    with transaction():
        publish(GROUP)
    assert log.position() == 1


def test_a_cursor_moves_with_the_transaction_that_it_belongs_to(node: Flask) -> None:
    with transaction():
        log.move_cursor("search", 5)

    def fail() -> None:
        with transaction():
            log.move_cursor("search", 9)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert log.read_cursor("search") == "5"


def test_a_transaction_that_is_held_open_elsewhere_delays_nobody(node: Flask) -> None:
    """One that writes on PostgreSQL; on SQLite, where there is one writer, one that reads."""
    with db.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN")
            connection.execute(select(Release)).all()
        else:
            connection = connection.execution_options(**for_writing())
            row = {"name": "elsewhere", "value": "1", "moved_at": clock.now()}
            connection.execute(insert(Cursor).values(row))
        started = monotonic()
        with transaction():
            publish(GROUP)
        assert [release.position for release in log.released_after(0)] == [1]
        assert monotonic() - started < 1


def test_concurrent_publishers_lose_nothing_at_a_reader_with_a_cursor(node: Flask) -> None:
    """A serial id loses what commits late; numbers given out under the lock do not."""
    done = threading.Event()
    seen: list[int] = []

    def write() -> None:
        with node.app_context():
            for _ in range(8):
                with transaction():
                    publish(GROUP)

    def read() -> None:
        with node.app_context():
            while True:
                finished = done.is_set()
                rows = log.released_after(seen[-1] if seen else 0)
                seen.extend(release.position for release in rows)
                db.session.rollback()
                if finished and not rows:
                    return

    writers = [threading.Thread(target=write) for _ in range(6)]
    reader = threading.Thread(target=read)
    for thread in [reader, *writers]:
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()
    assert seen == list(range(1, 49))
    head = db.session.get_one(Head, JOURNAL)
    chain = db.session.scalars(select(Chain)).one()
    assert (head.seq, chain.seq) == (48, 48)
