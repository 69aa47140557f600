"""What an administrator does on pages, and what no administrator may do."""

import re
from uuid import UUID, uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient

from hub.database import transaction
from hub.identity import service
from hub.identity.models import Level, Profile, Role
from tests.factories import make_organisation, make_person
from tests.pages import csrf_token, sign_in, submit


@pytest.fixture
def places(alpha: Flask) -> dict[str, UUID]:
    """Return a tree of organisations, one of them beside it, with an administrator over it."""
    with alpha.app_context(), transaction():
        root = make_organisation("Root", Level.GENERAL_BRANCH)
        below = make_organisation("Below", parent=root)
        beside = make_organisation("Beside")
        boss = make_person("boss", Role.ADMINISTRATOR, organisation=root)
        li_na = make_person("li.na", organisation=below, name="Li <b>Na</b>")
        stranger = make_person("stranger", organisation=beside)
        return {
            "root": root.id,
            "below": below.id,
            "beside": beside.id,
            "boss": boss.id,
            "li.na": li_na.id,
            "stranger": stranger.id,
        }


@pytest.fixture
def boss(alpha: Flask, places: dict[str, UUID]) -> FlaskClient:
    """Return the administrator's browser."""
    return sign_in(alpha, "boss")


def roles_of(app: Flask, person_id: UUID) -> list[Role]:
    with app.app_context():
        return [role for role, _ in service.grants_of(service.find_person(person_id))]


def secret_on(page: str) -> str:
    found = re.search(r'class="secret">([^<]+)<', page)
    assert found
    return found[1]


def test_a_new_person_signs_in_with_the_password_shown_once(
    alpha: Flask, boss: FlaskClient, places: dict[str, UUID]
) -> None:
    made = submit(
        boss,
        "/admin/people/new",
        "/admin/people",
        name="王强",
        username="Wang.Qiang",
        organisation=str(places["below"]),
        roles=["author", "reader"],
    )
    assert made.status_code == 201
    page = sign_in(alpha, "wang.qiang", secret_on(made.text)).get("/me")
    assert "王强" in page.text
    assert "Author" in page.text


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"username": "li.na"}, 409),
        ({"username": "<b>"}, 400),
        ({"roles": ["administrator", "auditor"]}, 409),
        ({"roles": ["emperor"]}, 400),
        ({"organisation": "beside"}, 400),
        ({"organisation": "nowhere"}, 400),
        ({"name": ""}, 400),
        ({"name": "a\0b"}, 400),
    ],
)
def test_a_person_who_can_not_be_added_leaves_no_trace(
    alpha: Flask,
    boss: FlaskClient,
    places: dict[str, UUID],
    fields: dict[str, object],
    status: int,
) -> None:
    values: dict[str, object] = {"name": "New", "username": "new", "organisation": "below"}
    values |= fields
    values["organisation"] = str(places.get(str(values["organisation"]), uuid4()))
    answer = submit(boss, "/admin/people/new", "/admin/people", **values)
    assert answer.status_code == status
    assert "New" not in boss.get("/admin/people").text


def test_roles_are_given_and_taken_away(
    alpha: Flask, boss: FlaskClient, places: dict[str, UUID]
) -> None:
    page, where = f"/admin/people/{places['li.na']}", str(places["below"])
    given = submit(boss, page, f"{page}/roles", role="author", organisation=where)
    assert given.status_code == 303
    assert roles_of(alpha, places["li.na"]) == [Role.AUTHOR]
    assert submit(boss, page, f"{page}/roles/author/{where}/revocation").status_code == 303
    assert roles_of(alpha, places["li.na"]) == []


def test_a_second_separated_duty_is_refused(
    alpha: Flask, boss: FlaskClient, places: dict[str, UUID]
) -> None:
    page, where = f"/admin/people/{places['li.na']}", str(places["below"])
    submit(boss, page, f"{page}/roles", role="auditor", organisation=where)
    second = submit(boss, page, f"{page}/roles", role="security_officer", organisation=where)
    assert second.status_code == 409
    assert 'id="role-error"' in second.text, "said beside the role"
    assert roles_of(alpha, places["li.na"]) == [Role.AUDITOR]


def test_a_role_beyond_one_s_own_subtree_is_not_given(
    alpha: Flask, boss: FlaskClient, places: dict[str, UUID]
) -> None:
    page = f"/admin/people/{places['li.na']}"
    submit(boss, page, f"{page}/roles", role="author", organisation=str(places["beside"]))
    assert roles_of(alpha, places["li.na"]) == []


def test_a_person_elsewhere_and_nobody_look_the_same(
    boss: FlaskClient, places: dict[str, UUID]
) -> None:
    token = csrf_token(boss.get("/admin/people/new"))
    where = places["below"]
    for person_id in (places["stranger"], uuid4()):
        page = f"/admin/people/{person_id}"
        assert boss.get(page).status_code == 404
        for action in ("roles", f"roles/author/{where}/revocation", "password", "end"):
            data = {"csrf_token": token, "role": "author", "organisation": str(where)}
            assert boss.post(f"{page}/{action}", data=data).status_code == 404


@pytest.mark.parametrize("action", ["roles", "password", "end"])
def test_an_administrator_does_not_decide_about_their_own_account(
    alpha: Flask, boss: FlaskClient, places: dict[str, UUID], action: str
) -> None:
    token = csrf_token(boss.get("/admin/people/new"))
    data = {"csrf_token": token, "role": "signatory", "organisation": str(places["root"])}
    assert boss.post(f"/admin/people/{places['boss']}/{action}", data=data).status_code == 403
    assert roles_of(alpha, places["boss"]) == [Role.ADMINISTRATOR]
    assert boss.get("/admin").status_code == 200


def test_a_forgotten_password_is_replaced_and_the_sessions_end(
    alpha: Flask, boss: FlaskClient, places: dict[str, UUID]
) -> None:
    before = sign_in(alpha, "li.na")
    page = f"/admin/people/{places['li.na']}"
    shown = submit(boss, page, f"{page}/password")
    assert before.get("/me").status_code == 302
    assert sign_in(alpha, "li.na", secret_on(shown.text)).get("/me").status_code == 200
    assert 'class="secret"' not in boss.get(page).text


def test_a_closed_account_is_no_longer_listed_nor_let_in(
    alpha: Flask, boss: FlaskClient, places: dict[str, UUID]
) -> None:
    before = sign_in(alpha, "li.na")
    page = f"/admin/people/{places['li.na']}"
    assert submit(boss, page, f"{page}/end").status_code == 303
    assert before.get("/me").status_code == 302
    assert "li.na" not in boss.get("/admin/people").text
    assert submit(boss, "/admin/people/new", f"{page}/end").status_code == 404


def test_a_name_with_markup_is_shown_as_it_was_typed(
    boss: FlaskClient, places: dict[str, UUID]
) -> None:
    for page in ("/admin/people", f"/admin/people/{places['li.na']}"):
        text = boss.get(page).text
        assert "Li &lt;b&gt;Na&lt;/b&gt;" in text
        assert "<b>Na" not in text


@pytest.mark.parametrize("page", ["0", "-1", "10001", "1" + "0" * 30])
def test_a_page_of_people_that_can_not_be_is_not_found(boss: FlaskClient, page: str) -> None:
    assert boss.get(f"/admin/people?page={page}").status_code == 404


def test_a_page_beyond_the_last_is_empty(boss: FlaskClient) -> None:
    assert boss.get("/admin/people?page=10000").status_code == 200


def test_an_organisation_is_put_into_the_tree(boss: FlaskClient, places: dict[str, UUID]) -> None:
    page = "/admin/organisations"
    parent = str(places["root"])
    added = submit(boss, page, name="Shift two", level="branch", parent=parent)
    assert added.status_code == 303
    assert "Shift two" in boss.get(page).text
    assert submit(boss, page, name="Shift two", level="branch", parent=parent).status_code == 409
    above = submit(boss, page, name="Top", level="group_committee", parent=parent)
    assert above.status_code == 400
    beside = submit(boss, page, name="X", level="branch", parent=str(places["beside"]))
    assert beside.status_code == 400


def test_an_administrator_says_what_an_organisation_is_like(
    alpha: Flask, boss: FlaskClient, places: dict[str, UUID]
) -> None:
    assert "nothing else known yet" in boss.get("/admin/organisations").text
    page = f"/admin/organisations/{places['below']}"
    said = {"size": "15_to_50", "layout": "dispersed", "sector": "power"}
    assert submit(boss, page, f"{page}/profile", **said).status_code == 303
    with alpha.app_context():
        assert service.profile_of(service.find_organisation(places["below"])) == Profile(
            "branch", **said
        )
    shown = boss.get("/admin/organisations").text
    assert "15 to 50 Party members · dispersed or on the move · Power" in shown
    assert re.search(r'<option selected value="power">', boss.get(page).text)

    assert submit(boss, page, f"{page}/profile", size="", layout="", sector="").status_code == 303
    with alpha.app_context():
        assert not service.profile_of(service.find_organisation(places["below"])).is_described


@pytest.mark.parametrize("said", [{"sector": "gold"}, {"size": "15"}, {"layout": "Zhang San"}])
def test_what_an_organisation_is_like_is_said_in_codes_of_the_list(
    boss: FlaskClient, places: dict[str, UUID], said: dict[str, str]
) -> None:
    page = f"/admin/organisations/{places['below']}"
    known = {"size": "", "layout": "", "sector": ""}
    assert submit(boss, page, f"{page}/profile", **(known | said)).status_code == 400


def test_nobody_describes_an_organisation_that_is_not_theirs(
    alpha: Flask, boss: FlaskClient, places: dict[str, UUID]
) -> None:
    mine = f"/admin/organisations/{places['below']}"
    beside = f"/admin/organisations/{places['beside']}"
    assert boss.get(beside).status_code == 404
    said = {"size": "", "layout": "", "sector": "power"}
    assert submit(boss, mine, f"{beside}/profile", **said).status_code == 404
    somebody = sign_in(alpha, "li.na")
    assert somebody.get(mine).status_code == 403
    assert submit(somebody, "/me", f"{mine}/profile", **said).status_code == 403


def test_an_actor_brings_the_profile_of_their_organisation(
    alpha: Flask, boss: FlaskClient, places: dict[str, UUID]
) -> None:
    page = f"/admin/organisations/{places['below']}"
    submit(boss, page, f"{page}/profile", size="under_15", layout="", sector="power")
    with alpha.app_context():
        told = service.actor_of(places["li.na"]).profile
    assert told == Profile("branch", "under_15", "", "power")
