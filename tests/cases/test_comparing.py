"""Two cases side by side: the same question on the same line, and what is closed stays closed."""

from uuid import uuid4

import pytest
from flask import Flask

from hub.cases.comparing import aligned, chosen
from hub.database import transaction
from hub.identity.models import Role
from tests.factories import case_fields, make_case, make_person, pilot_fields, root_organisation
from tests.pages import sign_in
from tests.search.published import id_of, publish


def test_both_answer_the_same_question_on_the_same_line():
    lines = aligned("case", case_fields(), "case", case_fields(problem="Too few cranes."))

    assert all(line.left and line.right for line in lines)
    assert [line.left.field.name for line in lines][:6] == [
        "summary",
        "category",
        "period",
        "problem",
        "practice",
        "outcomes",
    ]
    [problem] = [line for line in lines if line.left.field.name == "problem"]
    assert problem.right.value == "Too few cranes."
    assert problem.labels == {"problem": "Problem"}


def test_a_case_and_a_lesson_meet_where_they_ask_the_same_by_other_names():
    lines = aligned("case", case_fields(), "pilot_lesson", pilot_fields())
    pairs = {
        line.left.field.name: line.right and line.right.field.name for line in lines if line.left
    }

    assert pairs["practice"] == "stages"
    assert pairs["preconditions"] == "copy_conditions"
    assert pairs["contact_post"] == "contact_post"
    assert pairs["insight"] is None
    assert [line.right.field.name for line in lines if not line.left] == [
        "verdict",
        "scope",
        "not_suitable_for",
        "how_chosen",
    ]
    [practice] = [line for line in lines if line.left and line.left.field.name == "practice"]
    assert practice.labels == {"practice": "Practice", "stages": "Stages"}


def test_turned_around_the_same_lines_are_there():
    there = aligned("case", case_fields(), "pilot_lesson", pilot_fields())
    back = aligned("pilot_lesson", pilot_fields(), "case", case_fields())

    assert {(line.left, line.right) for line in map(_named, there)} == {
        (line.right, line.left) for line in map(_named, back)
    }


def _named(line):
    return line._replace(
        left=line.left and line.left.field.name, right=line.right and line.right.field.name
    )


def test_what_neither_answers_is_left_out():
    assert aligned("case", {}, "pilot_lesson", {}) == []


@pytest.mark.parametrize(
    "word",
    ["", "x", "123e4567-e89b", "https://a.test/cases/", "-" * 600, "0" * 600],
)
def test_what_names_no_case_chooses_none(word):
    assert chosen([word]) == []


def test_an_address_chooses_its_case_once():
    case_id = uuid4()

    assert chosen([str(case_id), f"https://a.test/cases/{case_id}?x=1", f" {case_id} "]) == [
        case_id
    ]


@pytest.fixture
def node(alpha: Flask) -> Flask:
    with alpha.app_context(), transaction():
        make_person("mei", Role.READER, organisation=root_organisation())
    return alpha


@pytest.fixture
def ids(node: Flask) -> tuple[str, str, str]:
    """Return a public case, a public lesson and a case of the group."""
    with node.app_context():
        one = publish("党员责任区", **_without(case_fields()))
        two = publish("积分屏", kind="pilot_lesson", **_without(pilot_fields()))
        three = publish("内部做法", visibility="group", **_without(case_fields()))
        return str(id_of(one)), str(id_of(two)), str(id_of(three))


OWN = {"title", "body", "category"}


def _without(fields):
    return {name: value for name, value in fields.items() if name not in OWN}


def test_two_ticked_hits_lead_to_an_address_that_can_be_passed_on(node, ids):
    client = node.test_client()

    answer = client.get("/cases/compare", query_string={"case": ids[:2]})

    assert answer.location == f"/cases/compare?a={ids[0]}&b={ids[1]}"
    page = client.get(answer.location).text
    assert page.index("党员责任区") < page.index("积分屏")
    assert "Its template does not ask this." in page
    assert "Ask the crews." in page
    assert "Rules were written." in page


def test_for_whom_cases_are_is_said_in_words(node):
    suits = {"suits_levels": ["branch", "party_group"], "suits_layouts": ["dispersed"]}
    with node.app_context():
        ids = [id_of(publish(title, **_without(case_fields(**suits)))) for title in ("一", "二")]

    page = node.test_client().get("/cases/compare", query_string={"a": ids[0], "b": ids[1]}).text

    assert page.count("Branch, Party group") == 2


def test_with_one_chosen_the_other_is_asked_for_and_may_be_an_address(node, ids):
    client = node.test_client()
    page = client.get(f"/cases/compare?a={ids[0]}")
    assert page.status_code == 200
    assert 'name="b"' in page.text

    address = f"https://alpha.test/cases/{ids[1]}"
    found = client.get("/cases/compare", query_string={"a": ids[0], "b": address})

    assert "积分屏" in found.text
    wrong = client.get("/cases/compare", query_string={"a": ids[0], "b": "nonsense"})
    assert "This is not the address of another case." in wrong.text
    assert client.get("/cases/compare").status_code == 200


def test_of_more_than_two_it_is_said_that_two_can_be_compared(node, ids):
    page = sign_in(node, "mei").get("/cases/compare", query_string={"case": ids})

    assert "More than two were chosen." in page.text


def test_a_closed_case_and_one_that_is_not_there_look_the_same(node, ids):
    client = node.test_client()
    answers = [
        client.get("/cases/compare", query_string=asked)
        for other in (ids[2], str(uuid4()))
        for asked in ({"a": ids[0], "b": other}, {"a": other, "b": ids[0]}, {"a": other})
    ]

    assert {answer.status_code for answer in answers} == {404}
    assert all("内部做法" not in answer.text for answer in answers)
    assert sign_in(node, "mei").get(f"/cases/compare?a={ids[0]}&b={ids[2]}").status_code == 200


def test_a_draft_can_not_be_compared(node, ids):
    with node.app_context(), transaction():
        draft = make_case().id

    assert sign_in(node, "mei").get(f"/cases/compare?a={ids[0]}&b={draft}").status_code == 404
