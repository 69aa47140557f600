"""The rules of the audit trail."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import delete, update
from sqlalchemy.exc import IntegrityError

from hub.audit import service
from hub.audit.models import AuditEntry, AuditHead
from hub.database import db, transaction


def fill(count: int = 5) -> None:
    for number in range(count):
        service.record(
            "case.approved", actor_id=uuid4(), subject=f"case {number}", grounds="公开报道过"
        )


def _record_and_fail() -> None:
    with transaction():
        fill()
        service.record("case.approved", actor_id=None, subject=None)  # type: ignore[arg-type]


def test_a_chain_that_nobody_touched_is_whole(alpha: Flask) -> None:
    with alpha.app_context(), transaction():
        assert service.check() is None
        fill()
        assert service.check() is None


@pytest.mark.parametrize(
    "change",
    [
        {"detail": {"grounds": "other"}},
        {"actor_id": None},
        {"subject": "case 9"},
        {"action": "case.returned"},
        {"prev": "0" * 64},
    ],
)
def test_an_altered_row_is_named(alpha: Flask, change: dict[str, object]) -> None:
    with alpha.app_context():
        with transaction():
            fill()
        with transaction():
            db.session.execute(update(AuditEntry).where(AuditEntry.seq == 3).values(**change))
        assert service.check() == 3


@pytest.mark.parametrize("seq", [1, 3, 5])
def test_a_missing_row_is_named(alpha: Flask, seq: int) -> None:
    with alpha.app_context():
        with transaction():
            fill()
        with transaction():
            db.session.execute(delete(AuditEntry).where(AuditEntry.seq == seq))
        assert service.check() == seq


def test_an_emptied_trail_is_noticed(alpha: Flask) -> None:
    with alpha.app_context():
        with transaction():
            fill()
        with transaction():
            db.session.execute(delete(AuditHead))
        assert service.check() == 6


def test_a_decision_that_was_not_kept_is_not_on_record(alpha: Flask) -> None:
    with alpha.app_context():
        with pytest.raises(IntegrityError):
            _record_and_fail()
        assert service.entries() == []
        with transaction():
            fill(1)
        assert service.check() is None


def test_decisions_taken_at_once_stand_in_one_chain(alpha: Flask) -> None:
    def decide(_: int) -> None:
        with alpha.app_context():
            with transaction():
                fill(3)
            db.session.remove()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(decide, range(8)))
    with alpha.app_context():
        assert service.check() is None
        assert len(service.entries()) == 24


def test_entries_about_one_subject_come_newest_first(alpha: Flask) -> None:
    with alpha.app_context(), transaction():
        service.record("case.approved", actor_id=None, subject="one", count=1, id=uuid4())
        service.record("case.approved", actor_id=None, subject="two")
        service.record("case.published", actor_id=None, subject="one")
        found = service.entries(subject="one")
        assert [entry.action for entry in found] == ["case.published", "case.approved"]
        assert len(service.entries(limit=2)) == 2
