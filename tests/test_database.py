"""The connection for plain statements, and how commits are noticed."""

from contextlib import closing

from sqlalchemy import event, text

from hub.database import Commits, connection, db, note, transaction
from tests.factories import make_organisation

COUNT = text("SELECT count(*) FROM organisation")


def test_plain_statements_see_what_their_own_transaction_has_written(alpha):
    with alpha.app_context(), transaction():
        make_organisation()

        assert connection().scalar(COUNT) == 1


def test_plain_statements_outside_see_only_what_was_committed(alpha):
    with alpha.app_context():
        reading = connection()
        with transaction():
            make_organisation()
            assert reading.scalar(COUNT) == 0

        assert connection() is reading
        assert reading.scalar(COUNT) == 1


def test_a_connection_is_given_back_with_its_request(alpha):
    with alpha.app_context():
        reading = connection()
        assert db.engine.pool.checkedout() == 1

    assert reading.closed
    with alpha.app_context():
        assert db.engine.pool.checkedout() == 0


def test_what_is_noted_waits_for_no_second_connection(alpha):
    with alpha.app_context():
        connection().scalar(COUNT)
        db.session.scalar(COUNT)
        assert db.engine.pool.checkedout() == 2
        taken = []
        event.listen(db.engine, "checkout", lambda *_: taken.append(db.engine.pool.checkedout()))
        note(text("UPDATE organisation SET name = name"))

        assert taken == [1]
        assert connection().scalar(COUNT) == 0


def test_whoever_watches_hears_of_each_commit_and_of_nothing_else(alpha):
    with alpha.app_context(), closing(Commits()) as commits:
        assert commits.may_have_come(), "what was there before"
        assert not commits.may_have_come()

        with transaction():
            make_organisation()
            assert not commits.may_have_come()

        assert commits.may_have_come()
        assert not commits.may_have_come()
    with alpha.app_context():
        assert db.engine.pool.checkedout() == 0
