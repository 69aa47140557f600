"""Questions and answers on the node that they are about: who may ask, decide and see."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from hub.audit.models import AuditEntry
from hub.cases import service
from hub.cases.errors import (
    GroundsMissingError,
    NoReadersError,
    SelfReviewError,
    WrongStateError,
)
from hub.cases.models import Feedback, State
from hub.cases.service import remarks
from hub.database import db, transaction
from hub.errors import ForbiddenError, NotFoundError
from hub.identity import service as identity
from hub.identity.models import (
    ANONYMOUS,
    EVERYBODY,
    MEMBERS,
    Actor,
    Level,
    Organisation,
    Role,
    Scope,
)
from hub.identity.service import audiences
from hub.journal.models import Entry
from tests.factories import (
    make_actor,
    make_case,
    make_organisation,
    make_person,
    make_token,
    root_organisation,
)
from tests.pages import bearer, sign_in, submit

TEXT = "Who books the crane?"


@dataclass
class Office:
    """A published case of the dock branch, and the people around it."""

    case_id: UUID
    author: Actor
    secretary: Actor
    asker: Actor
    stranger: Actor


@pytest.fixture
def office(alpha: Flask) -> Iterator[Office]:
    with alpha.app_context(), transaction():
        root = root_organisation()
        dock, hall = (make_organisation(name, parent=root) for name in ("Dock", "Hall"))
        author = make_actor(Role.AUTHOR, organisation=dock)
        case = make_case(State.PUBLISHED, author=author, visibility="public")
        yield Office(
            case.id,
            author,
            make_actor(Role.BRANCH_SECRETARY, organisation=dock),
            make_actor(Role.AUTHOR, organisation=hall),
            make_actor(Role.BRANCH_SECRETARY, organisation=hall),
        )


def clear(remark_id: UUID) -> UUID:
    """Let a remark pass secrecy review; returns its id."""
    reviewer = make_actor(Role.SECRECY_REVIEWER)
    service.review_remark(reviewer, remark_id, "cleared", "Nothing secret.")
    return remark_id


def asked(office: Office, text: str = TEXT) -> UUID:
    """Return a question of the hall that was cleared there."""
    return clear(service.ask(office.asker, office.case_id, text))


def seen(office: Office, actor: Actor) -> list[tuple[str, str, list[str]]]:
    return [
        (said["text"], said["state"], [answer["text"] for answer in said["answers"]])
        for said in service.beside(office.case_id, audiences(actor), actor)
    ]


def test_a_question_names_a_unit_and_a_post_and_no_person(office: Office) -> None:
    question = asked(office)
    service.accept(office.author, question)
    said = db.session.get_one(Feedback, question)
    assert (said.unit, said.post) == ("Hall", "author")
    payload = db.session.scalars(select(Entry.payload).where(Entry.type == "question")).one()
    assert payload is not None
    assert office.asker.name not in payload
    assert str(office.asker.person_id) not in payload


def test_only_who_has_a_post_asks(office: Office) -> None:
    with pytest.raises(ForbiddenError):
        service.ask(make_actor(Role.READER), office.case_id, TEXT)
    with pytest.raises(ForbiddenError):
        service.ask(make_actor(Role.ADMINISTRATOR), office.case_id, TEXT)


def test_nobody_asks_about_what_they_may_not_read(office: Office) -> None:
    hidden = make_case(State.PUBLISHED, author=office.author, visibility="unit")
    with pytest.raises(NotFoundError):
        service.ask(office.asker, hidden.id, TEXT)


@pytest.mark.on_both
def test_nobody_clears_what_they_said_and_no_reviewer_of_other_units_does(office: Office) -> None:
    hall = db.session.get_one(Organisation, office.asker.organisation_id)
    both = make_actor(Role.AUTHOR, Role.SECRECY_REVIEWER, organisation=hall)
    elsewhere = make_actor(Role.SECRECY_REVIEWER, organisation=make_organisation("Yard"))
    question = service.ask(both, office.case_id, TEXT)

    with pytest.raises(SelfReviewError):
        service.review_remark(both, question, "cleared", "Fine.")
    for somebody in (elsewhere, office.author, office.secretary, office.asker, ANONYMOUS):
        with pytest.raises(NotFoundError):
            service.review_remark(somebody, question, "cleared", "Fine.")
        assert service.to_clear(somebody) == []
    assert service.to_clear(both) == service.undecided(office.author) == []

    colleague = make_actor(Role.SECRECY_REVIEWER, organisation=hall)
    assert [row.id for row in service.to_clear(colleague)] == [question]
    with pytest.raises(GroundsMissingError):
        service.review_remark(colleague, question, "cleared", " ")
    service.review_remark(colleague, question, "cleared", "Nothing secret.")
    told = select(AuditEntry.detail).where(AuditEntry.action == "feedback.cleared")
    assert db.session.scalars(told).one()["grounds"] == "Nothing secret."
    with pytest.raises(WrongStateError):
        service.review_remark(colleague, question, "refused", "Too late.")


def test_until_it_is_accepted_only_the_askers_unit_sees_a_question(office: Office) -> None:
    question = asked(office)
    assert seen(office, office.asker) == [(TEXT, "received", [])]
    assert seen(office, ANONYMOUS) == seen(office, office.author) == []
    service.accept(office.secretary, question)
    assert seen(office, ANONYMOUS) == seen(office, office.author) == [(TEXT, "accepted", [])]


@pytest.mark.on_both
def test_the_author_and_the_secretary_of_its_unit_decide_and_nobody_else(office: Office) -> None:
    question = asked(office)
    for somebody in (office.asker, office.stranger, make_actor(Role.SIGNATORY), ANONYMOUS):
        for decide in (service.accept, service.decline, service.answer):
            with pytest.raises(NotFoundError):
                decide(somebody, question, *([] if decide is service.accept else ["No."]))
        assert service.undecided(somebody) == []
    assert [row.id for row in service.undecided(office.author)] == [question]
    assert [row.id for row in service.undecided(office.secretary)] == [question]


def test_what_is_decided_stays_decided(office: Office) -> None:
    question = asked(office)
    service.decline(office.author, question, "Asked before.")
    for decide in (service.accept, service.decline):
        with pytest.raises(WrongStateError):
            decide(office.author, question, *([] if decide is service.accept else ["No."]))
    assert seen(office, office.asker) == seen(office, office.author) == []
    told = select(AuditEntry.detail).where(AuditEntry.action == "feedback.declined")
    assert db.session.scalars(told).one() == {"reason": "Asked before."}


def test_an_answer_stands_beneath_its_question(office: Office) -> None:
    first = asked(office)
    second = asked(office, "And at night?")
    for question in (first, second):
        service.accept(office.author, question)
    clear(service.answer(office.secretary, second, "Nobody."))
    clear(service.answer(office.secretary, first, "The foreman."))
    assert seen(office, ANONYMOUS) == [
        (TEXT, "accepted", ["The foreman."]),
        ("And at night?", "accepted", ["Nobody."]),
    ]


def test_only_a_published_question_is_answered(office: Office) -> None:
    question = asked(office)
    with pytest.raises(WrongStateError):
        service.answer(office.author, question, "Me.")
    service.accept(office.author, question)
    answer = clear(service.answer(office.author, question, "Me."))
    with pytest.raises(NotFoundError):
        service.answer(office.author, answer, "Me again.")


@pytest.mark.on_both
def test_a_withdrawn_case_leaves_no_text_of_what_was_said_of_it(office: Office) -> None:
    accepted = asked(office)
    service.accept(office.author, accepted)
    clear(service.answer(office.author, accepted, "The foreman."))
    asked(office, "And at night?")
    service.withdraw(office.secretary, office.case_id, "Wrong figures.")
    db.session.expire_all()
    assert set(db.session.scalars(select(Feedback.text))) == {""}
    said = select(Entry.payload).where(Entry.parent_id.is_not(None))
    assert set(db.session.scalars(said)) == {None}
    assert service.undecided(office.author) == []


def test_a_question_goes_with_the_readers_that_its_case_loses(office: Office) -> None:
    question = asked(office)
    service.accept(office.author, question)
    service.set_visibility(office.secretary, office.case_id, "group")
    assert seen(office, ANONYMOUS) == []
    assert seen(office, office.author) == [(TEXT, "accepted", [])]
    service.set_visibility(office.secretary, office.case_id, "node")
    assert seen(office, office.author) == []


def test_what_was_said_among_readers_who_are_gone_is_not_published(office: Office) -> None:
    question = asked(office)
    service.set_visibility(office.secretary, office.case_id, "node")
    with pytest.raises(NoReadersError):
        service.accept(office.author, question)


def test_a_new_revision_keeps_what_was_said(office: Office) -> None:
    question = asked(office)
    service.accept(office.author, question)
    service.edit(office.author, office.case_id, {"title": "Dry docking by day"})
    others = make_actor(Role.SECRECY_REVIEWER, Role.BRANCH_SECRETARY, Role.SIGNATORY)
    service.submit(office.author, office.case_id)
    service.review_secrecy(others, office.case_id, decision="cleared", grounds="Fine.")
    service.approve(others, office.case_id, decision="approved")
    service.sign(others, office.case_id)
    service.publish(others, office.case_id)
    assert seen(office, ANONYMOUS) == [(TEXT, "accepted", [])]


def test_only_the_newest_questions_are_shown(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remarks, "SHOWN", 2)
    for number in range(3):
        service.accept(office.author, asked(office, f"No. {number}?"))
    assert len(seen(office, ANONYMOUS)) == 2


# At the URL.


@pytest.fixture
def tokens(alpha: Flask) -> dict[str, str]:
    with alpha.app_context(), transaction():
        root = root_organisation()
        unit = make_organisation("Hall", Level.BRANCH, root)
        people = {
            "author": make_person("author", Role.AUTHOR, organisation=root),
            "asker": make_person("asker", Role.ADOPTION_LIAISON, organisation=unit),
            "reader": make_person("reader", Role.READER, organisation=unit),
        }
        make_person("reviewer", Role.SECRECY_REVIEWER, organisation=root)
        found = {name: make_token(person) for name, person in people.items()}
        found["asker:read"] = make_token(people["asker"], Scope.READ)
        return found


@pytest.fixture
def case_id(alpha: Flask, tokens: dict[str, str]) -> str:
    with alpha.app_context(), transaction():
        author = identity.actor_of(identity.person_called("author").id)
        return str(make_case(State.PUBLISHED, author=author, visibility="public").id)


def call(node: Flask, token: str | None, method: str, path: str, body: Any = None) -> TestResponse:
    headers = bearer(token) if token else {}
    return node.test_client().open(f"/api/v1{path}", method=method, json=body, headers=headers)


def test_questions_and_answers_by_api(alpha: Flask, tokens: dict[str, str], case_id: str) -> None:
    path = f"/cases/{case_id}/questions"
    asked = call(alpha, tokens["asker"], "POST", path, {"text": TEXT})
    assert asked.status_code == 201
    assert call(alpha, None, "GET", path).json == {"questions": []}
    with alpha.app_context(), transaction():
        author = identity.actor_of(identity.person_called("author").id)
        service.accept(author, clear(UUID(asked.json["id"])))
    answers = f"/questions/{asked.json['id']}/answers"
    assert call(alpha, tokens["asker"], "POST", answers, {"text": "Me."}).status_code == 404
    answered = call(alpha, tokens["author"], "POST", answers, {"text": "Me."})
    assert answered.status_code == 201
    assert call(alpha, None, "GET", path).json["questions"][0]["answers"] == []
    with alpha.app_context(), transaction():
        clear(UUID(answered.json["id"]))
    [question] = call(alpha, None, "GET", path).json["questions"]
    assert (question["text"], question["unit"], question["post"]) == (
        TEXT,
        "Hall",
        "adoption_liaison",
    )
    assert [answer["text"] for answer in question["answers"]] == ["Me."]
    assert "unit_id" not in question


@pytest.mark.parametrize(
    ("who", "body", "status", "code"),
    [
        ("asker", {}, 400, "invalid"),
        ("asker", {"text": ""}, 400, "incomplete"),
        ("asker", {"text": "x" * 2001}, 400, "too_long"),
        ("asker", {"text": "Call 13812345678."}, 400, "personal_data"),
        ("asker", {"text": "a\u202eb"}, 400, "unreadable_text"),
        ("asker", {"text": TEXT, "unit": "Another"}, 400, "invalid"),
        ("asker:read", {"text": TEXT}, 403, "scope"),
        ("reader", {"text": TEXT}, 403, "forbidden"),
        (None, {"text": TEXT}, 401, "unauthenticated"),
    ],
)
def test_bad_questions_are_refused_by_the_api(
    alpha: Flask,
    tokens: dict[str, str],
    case_id: str,
    who: str | None,
    body: dict[str, Any],
    status: int,
    code: str,
) -> None:
    token = tokens[who] if who else None
    answer = call(alpha, token, "POST", f"/cases/{case_id}/questions", body)
    assert (answer.status_code, answer.json["code"]) == (status, code)


def test_questions_about_a_hidden_case_are_not_there(
    alpha: Flask, tokens: dict[str, str], case_id: str
) -> None:
    with alpha.app_context(), transaction():
        author = identity.actor_of(identity.person_called("author").id)
        hidden = make_case(State.PUBLISHED, author=author, visibility="group").id
    for missing in (hidden, uuid4()):
        assert call(alpha, None, "GET", f"/cases/{missing}/questions").status_code == 404


@pytest.mark.on_both
def test_a_question_goes_its_whole_road_by_pages(
    alpha: Flask, tokens: dict[str, str], case_id: str
) -> None:
    asker, author, reviewer = (sign_in(alpha, who) for who in ("asker", "author", "reviewer"))
    page = f"/cases/{case_id}"
    assert submit(asker, page, f"{page}/questions", text="x" * 2001).status_code == 400
    assert submit(asker, page, f"{page}/questions", text="<b>Who</b> books?").status_code == 303
    assert "waits for secrecy review" in asker.get(page).text
    assert "books?" not in alpha.test_client().get(page).text
    assert "books?" not in author.get("/workbench").text
    assert "&lt;b&gt;Who&lt;/b&gt; books?" in reviewer.get("/workbench").text
    with alpha.app_context():
        question = db.session.scalars(select(Feedback.id)).one()
    road = f"/questions/{question}"
    review = f"{road}/secrecy-review"
    assert submit(asker, page, review, clear="1", grounds="Fine.").status_code == 403
    blank = submit(reviewer, "/workbench", review, clear="1")
    assert (blank.status_code, "Say on what grounds" in blank.text) == (400, True)
    assert submit(reviewer, "/workbench", review, clear="1", grounds="Fine.").status_code == 303
    assert "waits for the unit" in asker.get(page).text
    assert "&lt;b&gt;Who&lt;/b&gt; books?" in author.get("/workbench").text
    assert submit(asker, page, f"{road}/acceptance").status_code == 404
    assert submit(author, "/workbench", f"{road}/acceptance").status_code == 303
    personal = submit(author, page, f"{road}/answers", text="Call 13812345678.")
    assert personal.status_code == 400
    assert "Call 13812345678.</textarea>" in personal.text, "nobody types it twice"
    assert "Name a post instead" in personal.text
    assert submit(author, page, f"{road}/answers", text="The foreman.").status_code == 303
    assert "The foreman." not in alpha.test_client().get(page).text
    with alpha.app_context(), transaction():
        answers = select(Feedback.id).where(Feedback.type == "answer")
        clear(db.session.scalars(answers).one())
    shown = alpha.test_client().get(page).text
    assert "&lt;b&gt;Who&lt;/b&gt; books?" in shown
    assert "The foreman." in shown
    assert "Ask the unit" not in shown


def test_a_reader_without_a_post_is_shown_no_form(
    alpha: Flask, tokens: dict[str, str], case_id: str
) -> None:
    reader = sign_in(alpha, "reader")
    assert "Ask the unit" not in reader.get(f"/cases/{case_id}").text


def test_a_declined_question_is_gone_from_the_pages(
    alpha: Flask, tokens: dict[str, str], case_id: str
) -> None:
    asker, author = sign_in(alpha, "asker"), sign_in(alpha, "author")
    submit(asker, f"/cases/{case_id}", f"/cases/{case_id}/questions", text=TEXT)
    with alpha.app_context(), transaction():
        question = clear(db.session.scalars(select(Feedback.id)).one())
    road = f"/questions/{question}/refusal"
    blank = submit(author, "/workbench", road)
    assert blank.status_code == 400, "a reason is needed"
    assert "Say on what grounds" in blank.text
    assert submit(author, "/workbench", road, reason="Asked before.").status_code == 303
    for page in ("/workbench", f"/cases/{case_id}"):
        assert TEXT not in author.get(page).text
        assert TEXT not in asker.get(page).text


def test_audiences_of_children_are_never_wider_than_their_document(office: Office) -> None:
    question = asked(office)
    service.accept(office.author, question)
    assert db.session.get_one(Feedback, question).audience == EVERYBODY
    service.set_visibility(office.secretary, office.case_id, "group")
    db.session.expire_all()
    assert db.session.get_one(Feedback, question).audience == MEMBERS
