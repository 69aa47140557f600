"""Two people act at once: one is first, the other is told."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import UUID

import pytest
from flask import Flask

from hub.audit import service as audit
from hub.cases import service
from hub.cases.models import Case, State
from hub.database import db, transaction
from hub.errors import HubError
from hub.identity.models import Actor, Role
from hub.journal import log
from tests.factories import make_actor, make_case

Step = Callable[[Actor, UUID], object]


def at_once(app: Flask, *steps: Callable[[], object]) -> list[str]:
    """Take steps at the same moment, in transactions of their own; return what became of them."""
    barrier = Barrier(len(steps))

    def take(step: Callable[[], object]) -> str:
        with app.app_context():
            barrier.wait()
            try:
                with transaction():
                    step()
            except HubError as error:
                return error.code
            return "done"

    with ThreadPoolExecutor(len(steps)) as pool:
        return sorted(pool.map(take, steps))


@pytest.mark.parametrize(
    ("state", "role", "step"),
    [
        (
            State.SECRECY_REVIEW,
            Role.SECRECY_REVIEWER,
            lambda actor, id_: service.review_secrecy(
                actor, id_, decision="cleared", grounds="Fine."
            ),
        ),
        (State.SIGNED, Role.SIGNATORY, service.publish),
        (
            State.PUBLISHED,
            Role.SIGNATORY,
            lambda actor, id_: service.withdraw(actor, id_, "Wrong."),
        ),
    ],
)
def test_a_step_is_taken_once_however_many_take_it(
    alpha: Flask, state: State, role: Role, step: Step
) -> None:
    with alpha.app_context(), transaction():
        case_id = make_case(state).id
        actors = [make_actor(role) for _ in range(4)]
        before = log.position()
    answers = at_once(alpha, *(lambda actor=actor: step(actor, case_id) for actor in actors))
    assert answers == ["done", *["wrong_state"] * 3]
    with alpha.app_context():
        assert log.position() - before <= 1
        assert audit.check() is None


def test_an_edit_and_a_clearance_at_once_never_clear_what_was_not_seen(alpha: Flask) -> None:
    with alpha.app_context(), transaction():
        author, reviewer = make_actor(Role.AUTHOR), make_actor(Role.SECRECY_REVIEWER)
        case = make_case(State.SECRECY_REVIEW, author=author)
        case_id, version = case.id, case.version
    answers = at_once(
        alpha,
        lambda: service.edit(author, case_id, {"title": "Now with the plan of the site"}),
        lambda: service.review_secrecy(
            reviewer, case_id, decision="cleared", grounds="Fine.", version=version
        ),
    )
    assert answers in (["done", "done"], ["changed_meanwhile", "done"])
    with alpha.app_context():
        assert db.session.get_one(Case, case_id).state == State.SECRECY_REVIEW


def test_many_cases_published_at_once_are_all_there_once(alpha: Flask) -> None:
    with alpha.app_context(), transaction():
        ids = [make_case(State.SIGNED, visibility="group").id for _ in range(6)]
        signatory = make_actor(Role.SIGNATORY)
    answers = at_once(alpha, *(lambda id_=id_: service.publish(signatory, id_) for id_ in ids))
    assert answers == ["done"] * 6
    with alpha.app_context():
        released = log.released_after(0)
        assert [release.position for release in released] == list(range(1, 7))
        assert [release.seq for release in released] == list(range(1, 7))
