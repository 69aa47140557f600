"""Every refusal about cases, at its URL."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from hub.cases.models import State
from hub.cases.views.blueprint import opening
from hub.database import transaction
from hub.identity import service as identity
from hub.identity.models import Role, Scope
from tests.factories import (
    case_fields,
    make_case,
    make_organisation,
    make_person,
    make_token,
    pilot_fields,
    root_organisation,
)
from tests.pages import bearer, sign_in, submit

Call = Callable[..., TestResponse]

STEPS = {
    "submission": {},
    "secrecy-review": {"decision": "cleared", "grounds": "Fine."},
    "approval": {"decision": "approved"},
    "signature": {},
    "publication": {},
    "withdrawal": {"reason": "Wrong."},
}
ROLES = {
    "author": Role.AUTHOR,
    "reviewer": Role.SECRECY_REVIEWER,
    "secretary": Role.BRANCH_SECRETARY,
    "signatory": Role.SIGNATORY,
    "editor": Role.GROUP_EDITOR,
    "reader": Role.READER,
}


@dataclass
class Office:
    """A node with one person for each role, and their tokens."""

    app: Flask
    tokens: dict[str, str]

    def call(self, who: str, method: str, path: str = "", body: Any = None) -> TestResponse:
        headers = bearer(self.tokens[who]) if who in self.tokens else {}
        client = self.app.test_client()
        return client.open(f"/api/v1/cases{path}", method=method, json=body, headers=headers)

    def case(self, state: State = State.DRAFT, **changes: Any) -> str:
        """Return the id of a case of the author that stands somewhere."""
        with self.app.app_context(), transaction():
            author = identity.actor_of(identity.person_called("author").id)
            return str(make_case(state, author=author, **changes).id)


@pytest.fixture
def office(alpha: Flask) -> Office:
    with alpha.app_context(), transaction():
        root = root_organisation()
        tokens = {
            name: make_token(make_person(name, role, organisation=root))
            for name, role in ROLES.items()
        }
        author = identity.person_called("author")
        for scope in Scope:
            tokens[f"author:{scope.value}"] = make_token(author, scope)
    return Office(alpha, tokens)


@pytest.fixture
def as_author(office: Office) -> Call:
    return partial(office.call, "author")


def browser(office: Office, who: str) -> FlaskClient:
    return sign_in(office.app, who)


# The whole road by API


@pytest.mark.parametrize(
    ("kind", "fields"), [("case", case_fields()), ("pilot_lesson", pilot_fields())]
)
def test_a_case_goes_its_whole_road_by_api(office, kind, fields):
    made = office.call("author", "POST", body={"kind": kind, **fields, "visibility": "public"})
    assert made.status_code == 201
    case_id = made.json["id"]
    assert made.json == {"id": case_id, "state": "draft"}
    steps = [
        ("author", "submission", "secrecy_review"),
        ("reviewer", "secrecy-review", "unit_review"),
        ("secretary", "approval", "approved"),
        ("signatory", "signature", "signed"),
        ("signatory", "publication", "published"),
    ]
    for who, step, state in steps:
        answer = office.call(who, "POST", f"/{case_id}/{step}", STEPS[step])
        assert (answer.status_code, answer.json) == (200, {"id": case_id, "state": state})
    seen = office.call("nobody", "GET", f"/{case_id}")
    assert seen.status_code == 200
    for name, value in fields.items():
        assert seen.json[name] == value
    assert seen.json["origin"] == "https://alpha.test"
    assert seen.json["unit"] == "Committee"
    assert {"published_at", "synced_at"} <= seen.json.keys()
    assert (seen.json["state"], seen.json["rev"]) == ("published", 1)


def test_a_step_without_a_choice_needs_no_body(office):
    case_id = office.case()
    answer = office.app.test_client().post(
        f"/api/v1/cases/{case_id}/submission", headers=bearer(office.tokens["author"])
    )
    assert answer.json["state"] == "secrecy_review"


def test_a_worklist_shows_what_is_mine_and_what_waits_for_me(office):
    case_id = office.case(State.SECRECY_REVIEW)
    mine = office.call("author", "GET").json
    assert ([row["id"] for row in mine["mine"]], mine["queue"]) == ([case_id], [])
    theirs = office.call("reviewer", "GET").json
    assert (theirs["mine"], [row["id"] for row in theirs["queue"]]) == ([], [case_id])


# Who


def test_strangers_are_asked_for_a_token(office):
    case_id = office.case()
    assert office.call("nobody", "POST", body={"kind": "case"}).status_code == 401
    assert office.call("nobody", "PATCH", f"/{case_id}", {}).status_code == 401
    for step, body in STEPS.items():
        assert office.call("nobody", "POST", f"/{case_id}/{step}", body).status_code == 401
    assert office.call("nobody", "PUT", f"/{case_id}/visibility", {}).status_code == 401
    assert office.call("nobody", "GET").status_code == 401


@pytest.mark.parametrize(
    ("needed", "method", "path"),
    [
        ("write", "POST", ""),
        ("write", "PATCH", "/{id}"),
        ("write", "POST", "/{id}/submission"),
        ("review", "POST", "/{id}/secrecy-review"),
        ("review", "POST", "/{id}/approval"),
        ("publish", "POST", "/{id}/signature"),
        ("publish", "POST", "/{id}/publication"),
        ("publish", "PUT", "/{id}/visibility"),
        ("publish", "POST", "/{id}/withdrawal"),
        ("read", "GET", "/{id}"),
        ("read", "GET", ""),
    ],
)
def test_a_token_without_the_scope_is_refused(office, needed, method, path):
    case_id = office.case()
    for scope in Scope:
        if scope.value != needed:
            body = None if method == "GET" else {}
            who = f"author:{scope.value}"
            answer = office.call(who, method, path.format(id=case_id), body)
            assert (answer.status_code, answer.json["code"]) == (403, "scope")


def test_who_is_no_author_begins_nothing(office):
    answer = office.call("reader", "POST", body={"kind": "case", **case_fields()})
    assert (answer.status_code, answer.json["code"]) == (403, "forbidden")


def test_an_author_does_not_review_their_own(office):
    with office.app.app_context(), transaction():
        everything = make_person(
            "everything",
            Role.AUTHOR,
            Role.SECRECY_REVIEWER,
            Role.BRANCH_SECRETARY,
            organisation=root_organisation(),
        )
        office.tokens["everything"] = make_token(everything)
    case_id = office.call("everything", "POST", body={"kind": "case", **case_fields()}).json["id"]
    office.call("everything", "POST", f"/{case_id}/submission", {})
    path = f"/{case_id}/secrecy-review"
    answer = office.call("everything", "POST", path, STEPS["secrecy-review"])
    assert (answer.status_code, answer.json["code"]) == (403, "self_review")
    office.call("reviewer", "POST", path, STEPS["secrecy-review"])
    answer = office.call("everything", "POST", f"/{case_id}/approval", STEPS["approval"])
    assert (answer.status_code, answer.json["code"]) == (403, "self_review")


# What is there and what is not


def test_unknown_and_forbidden_look_the_same(office):
    hidden, unknown = office.case(), str(uuid4())
    for who in ("nobody", "reader", "secretary", "reviewer"):
        answers = [office.call(who, "GET", f"/{case_id}") for case_id in (hidden, unknown)]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].data == answers[1].data


@pytest.mark.parametrize("step", STEPS)
def test_no_step_tells_an_outsider_that_a_case_is_there(office, step):
    hidden, unknown = office.case(), str(uuid4())
    answers = [
        office.call("reader", "POST", f"/{case_id}/{step}", STEPS[step])
        for case_id in (hidden, unknown)
    ]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].data == answers[1].data


def test_a_member_reads_what_is_for_the_node_and_a_stranger_does_not(office):
    case_id = office.case(State.PUBLISHED, visibility="node")
    assert office.call("reader", "GET", f"/{case_id}").status_code == 200
    assert office.call("nobody", "GET", f"/{case_id}").status_code == 404


def test_readers_see_the_published_revision_while_the_author_writes_the_next(office, as_author):
    case_id = office.case(State.PUBLISHED, visibility="public")
    as_author("PATCH", f"/{case_id}", {"title": "Next year"})
    mine, theirs = as_author("GET", f"/{case_id}"), office.call("reader", "GET", f"/{case_id}")
    assert (mine.json["title"], mine.json["state"]) == ("Next year", "draft")
    assert (theirs.json["title"], theirs.json["state"]) == (case_fields()["title"], "published")
    assert "version" not in theirs.json


def test_a_withdrawn_case_is_410_to_those_who_could_read_it_and_404_to_others(office):
    case_id = office.case(State.PUBLISHED, visibility="node")
    office.call("secretary", "POST", f"/{case_id}/withdrawal", {"reason": "Wrong figures."})
    seen = office.call("reader", "GET", f"/{case_id}")
    assert (seen.status_code, seen.json["code"]) == (410, "withdrawn")
    assert seen.content_type == "application/problem+json"
    assert seen.json["tombstone"]["id"] == case_id
    assert seen.json["tombstone"]["origin"] == "https://alpha.test"
    assert seen.json["tombstone"]["withdrawn_at"]
    assert case_fields()["title"] not in seen.text
    hidden, unknown = office.call("nobody", "GET", f"/{case_id}"), uuid4()
    assert hidden.status_code == 404
    assert hidden.data == office.call("nobody", "GET", f"/{unknown}").data


# What is sent


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"title": "x"}, "kind"),
        ({"kind": "case"}, "title"),
        ({"kind": "poem", "title": "x"}, "kind"),
        ({"kind": "case", "title": 1}, "title"),
        ({"kind": "case", "title": "字" * 41}, "title"),
        ({"kind": "case", "title": "x", "colour": "red"}, "colour"),
        ({"kind": "case", "title": "x", "state": "published"}, "state"),
        ({"kind": "case", "title": "x", "author_id": "y"}, "author_id"),
        ({"kind": "case", "title": "x", "verdict": "stop"}, "verdict"),
        ({"kind": "case", "title": "x", "category": "gossip"}, "category"),
        ({"kind": "case", "title": "x", "period": "2026"}, "period"),
        ({"kind": "case", "title": "x", "period": "2026-09/2026-01"}, "period"),
        ({"kind": "case", "title": "x", "summary": "字" * 301}, "summary"),
        ({"kind": "case", "title": "x", "body": "字" * 3001}, "body"),
        ({"kind": "case", "title": "x", "practice": "one"}, "practice"),
        ({"kind": "case", "title": "x", "practice": [1]}, "practice.0"),
        ({"kind": "case", "title": "x", "practice": ["x"] * 21}, "practice"),
        ({"kind": "case", "title": "x", "tags": [str(n) for n in range(11)]}, "tags"),
        (
            {"kind": "case", "title": "x", "outcomes": [{"metric": "a", "more": "b"}]},
            "outcomes.0.more",
        ),
        ({"kind": "case", "title": "x", "outcomes": [{"value": 14.5}]}, "outcomes.0.value"),
        ({"kind": "case", "title": "x", "outcomes": [[]]}, "outcomes.0"),
        ({"kind": "case", "title": "x", "contact_post": "张三 138 0013 8000"}, "contact_post"),
        ({"kind": "case", "title": "x", "contact_post": "11010519491231002X"}, "contact_post"),
        ({"kind": "case", "title": "a\u0007b"}, "title"),
        ({"kind": "case", "title": "a\u202eb"}, "title"),
        ({"kind": "case", "title": "x", "visibility": "secret"}, "visibility"),
        ({"kind": "case", "title": "x", "visibility": "partners"}, "partners"),
        ({"kind": "case", "title": "x", "partners": "globex"}, "partners"),
        ({"kind": "case", "title": "x", "unit": "Nowhere"}, "unit"),
        ({"kind": "case", "title": "x", "parent_case": "7"}, "parent_case"),
        (
            {"kind": "pilot_lesson", "title": "x", "problems": [{"resolved": "no"}]},
            "problems.0.resolved",
        ),
        ({"kind": "pilot_lesson", "title": "x", "how_chosen": "drawn"}, "how_chosen"),
        ([], "body"),
    ],
)
def test_a_body_that_does_not_fit_is_refused_with_its_field(as_author, body, field):
    answer = as_author("POST", body=body)
    assert answer.status_code == 400
    assert answer.content_type == "application/problem+json"
    assert answer.json["code"]
    assert answer.json["field"].startswith(field.split(".")[0])


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"\xff",
        b'{"kind": "case", "kind": "case", "title": "x"}',
        b'{"kind": "case", "title": NaN}',
        b'{"kind": "case", "title": "\\ud800"}',
        b'{"kind": "case", "title": "\\u0000"}',
        b'{"a":' * 40 + b"1" + b"}" * 40,
    ],
)
def test_malformed_json_is_refused(office, data):
    answer = office.app.test_client().post(
        "/api/v1/cases",
        data=data,
        content_type="application/json",
        headers=bearer(office.tokens["author"]),
    )
    assert answer.status_code == 400
    assert answer.json["code"]


def test_an_oversized_body_is_refused(office):
    answer = office.call("author", "POST", body={"kind": "case", "title": "x" * 3_000_000})
    assert answer.status_code == 413


def test_what_is_typed_comes_back_as_it_was(office, as_author):
    title = "𠮷野 é{{7*7}} {0.__class__} <b>"
    case_id = as_author("POST", body={"kind": "case", "title": title}).json["id"]
    assert as_author("GET", f"/{case_id}").json["title"] == title


def test_a_submission_that_lacks_fields_names_each(office, as_author):
    case_id = as_author("POST", body={"kind": "case", "title": "x", "category": "rules"}).json["id"]
    answer = as_author("POST", f"/{case_id}/submission", {})
    assert (answer.status_code, answer.json["code"]) == (400, "incomplete")
    assert answer.json["field"] == "period"
    assert {"summary", "practice", "contact_post"} <= set(answer.json["missing"])


@pytest.mark.parametrize(
    ("who", "step"),
    [
        ("reviewer", "secrecy-review"),
        ("secretary", "approval"),
        ("signatory", "signature"),
        ("signatory", "publication"),
        ("secretary", "withdrawal"),
    ],
)
def test_a_step_in_the_wrong_state_is_refused(office, who, step):
    answer = office.call(who, "POST", f"/{office.case()}/{step}", STEPS[step])
    assert (answer.status_code, answer.json["code"]) == (409, "wrong_state")


def test_an_outdated_version_is_refused(office, as_author):
    case_id = office.case()
    assert as_author("PATCH", f"/{case_id}", {"title": "a", "version": 1}).status_code == 200
    answer = as_author("PATCH", f"/{case_id}", {"title": "b", "version": 1})
    assert (answer.status_code, answer.json["code"]) == (409, "changed_meanwhile")


def test_decisions_without_grounds_or_reason_are_refused(office):
    reviewed, out = office.case(State.SECRECY_REVIEW), office.case(State.PUBLISHED)
    calls = [
        ("reviewer", f"/{reviewed}/secrecy-review", {"decision": "cleared", "grounds": " "}),
        ("reviewer", f"/{reviewed}/secrecy-review", {"decision": "cleared"}),
        ("reviewer", f"/{reviewed}/secrecy-review", {"decision": "fine", "grounds": "x"}),
        ("secretary", f"/{out}/withdrawal", {"reason": ""}),
    ]
    for who, path, body in calls:
        answer = office.call(who, "POST", path, body)
        assert answer.status_code == 400
        assert answer.json["field"] in {"grounds", "decision", "reason"}


def test_narrowing_counts_at_once_and_widening_is_reviewed(office):
    case_id = office.case(State.PUBLISHED, visibility="public")
    path = f"/{case_id}/visibility"
    answer = office.call("secretary", "PUT", path, {"visibility": "group"})
    assert answer.json["state"] == "published"
    assert office.call("nobody", "GET", f"/{case_id}").status_code == 404
    answer = office.call("signatory", "PUT", path, {"visibility": "public"})
    assert answer.json["state"] == "widen_review"
    assert office.call("nobody", "GET", f"/{case_id}").status_code == 404
    office.call("reviewer", "POST", f"/{case_id}/secrecy-review", STEPS["secrecy-review"])
    office.call("editor", "POST", f"/{case_id}/approval", STEPS["approval"])
    assert office.call("nobody", "GET", f"/{case_id}").status_code == 200


# Pages


def test_the_first_page_shows_strangers_only_what_is_public(office):
    office.case(State.PUBLISHED, title="For everybody", visibility="public")
    office.case(State.PUBLISHED, title="For members", visibility="group")
    page = office.app.test_client().get("/")
    assert "For everybody" in page.text
    assert "For members" not in page.text
    assert "For members" in browser(office, "reader").get("/").text


def test_pages_hide_what_the_api_hides(office):
    hidden, unknown = office.case(), uuid4()
    client = browser(office, "reader")
    for page in ("/cases/{}", "/workbench/{}", "/workbench/{}/edit", "/cases/{}/withdrawal"):
        answers = [client.get(page.format(case_id)) for case_id in (hidden, unknown)]
        assert [answer.status_code for answer in answers] == [404, 404], page


def test_a_page_escapes_everything_that_people_typed(office):
    evil = '"><script>alert(1)</script>'
    case_id = office.case(
        State.PUBLISHED,
        title=evil,
        visibility="public",
        summary=evil,
        practice=[evil],
        outcomes=[{"metric": evil, "value": evil}],
        tags=[evil[:20]],
        body=evil,
    )
    page = office.app.test_client().get(f"/cases/{case_id}")
    assert page.status_code == 200
    assert "<script>" not in page.text


def test_the_tombstone_says_what_happened_and_shows_nothing(office):
    case_id = office.case(State.PUBLISHED, visibility="public")
    client = browser(office, "secretary")
    answer = submit(client, f"/cases/{case_id}/withdrawal", reason="Wrong figures.")
    assert answer.status_code == 303
    page = office.app.test_client().get(f"/cases/{case_id}")
    assert page.status_code == 410
    assert case_fields()["title"] not in page.text
    assert "Wrong figures" not in page.text


def test_a_case_is_written_and_reviewed_on_pages(office):
    author = browser(office, "author")
    typed = {
        **{k: v for k, v in case_fields().items() if isinstance(v, str) and k != "period"},
        "period-begins": "2026-01",
        "period-ends": "2026-09",
        "practice": "First.\r\nThen.",
        "outcomes-0-metric": "Overtime",
        "outcomes-0-value": "20 h",
        "outcomes-1-metric": "",
        "visibility": "node",
    }
    answer = submit(author, "/workbench/new?kind=case", **typed)
    assert answer.status_code == 303, answer.text
    case_page = answer.location
    assert submit(author, case_page, f"{case_page}/submission").status_code == 303
    reviewer = browser(office, "reviewer")
    review = f"{case_page}/secrecy-review"
    refused = submit(reviewer, case_page, review, decision="cleared", grounds="")
    assert refused.status_code == 400
    assert "Say on what grounds" in refused.text
    answer = submit(reviewer, case_page, review, decision="cleared", grounds="Fine.")
    assert answer.status_code == 303
    secretary = browser(office, "secretary")
    submit(secretary, case_page, f"{case_page}/approval", decision="approved")
    signatory = browser(office, "signatory")
    submit(signatory, case_page, f"{case_page}/signature")
    published = submit(signatory, case_page, f"{case_page}/publication")
    assert published.status_code == 303
    page = browser(office, "reader").get(published.location)
    assert "Then." in page.text
    assert "2026-1 to 2026-9" in page.text


def test_a_form_that_is_refused_keeps_what_was_typed_and_says_where(office):
    author = browser(office, "author")
    answer = submit(author, "/workbench/new?kind=case", title="字" * 41, insight="Keep me.")
    assert answer.status_code == 400
    assert "At most 40 characters" in answer.text
    assert "Keep me." in answer.text


def test_a_form_that_saw_an_older_version_is_refused(office):
    case_id = office.case()
    author = browser(office, "author")
    office.call("author", "PATCH", f"/{case_id}", {"title": "By API"})
    answer = submit(author, f"/workbench/{case_id}/edit", title="By form", version=1)
    assert answer.status_code == 409
    assert office.call("author", "GET", f"/{case_id}").json["title"] == "By API"


def test_a_form_without_proof_changes_nothing(office):
    case_id = office.case()
    author = browser(office, "author")
    assert author.post(f"/workbench/{case_id}/submission").status_code == 403
    assert office.call("author", "GET", f"/{case_id}").json["state"] == "draft"


def test_the_workbench_asks_strangers_to_sign_in(office):
    client = office.app.test_client()
    for page in ("/workbench", "/workbench/new", f"/workbench/{uuid4()}"):
        answer = client.get(page)
        assert answer.status_code == 302
        assert "/sign-in" in answer.location


def test_a_unit_keeps_its_own_to_itself_on_pages_too(office):
    with office.app.app_context(), transaction():
        make_organisation("Dock", parent=root_organisation())
        make_person("docker", Role.READER, organisation=identity.organisation_named("Dock"))
    case_id = office.case(State.PUBLISHED, unit="Dock", visibility="unit")
    assert browser(office, "docker").get(f"/cases/{case_id}").status_code == 200
    assert browser(office, "reader").get(f"/cases/{case_id}").status_code == 404
    assert browser(office, "secretary").get(f"/cases/{case_id}").status_code == 200


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("短。", "短。"),
        ("甲" * 50 + "，由11.5小时降到4.8小时" + "乙" * 50, "甲" * 50 + "…"),
        ("丙" * 200, "丙" * 89 + "…"),
    ],
)
def test_the_beginning_of_a_summary_ends_where_a_clause_does(text: str, shown: str) -> None:
    assert opening(text) == shown
