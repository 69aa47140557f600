"""Who may call what, at the URL: sessions on pages, tokens on the API, neither elsewhere."""

import pytest
from flask import Flask, g

from hub.database import transaction
from hub.identity import access, service
from hub.identity.models import Role, Scope
from tests.factories import make_organisation, make_person, make_token
from tests.pages import bearer, sign_in, submit


@pytest.fixture
def node(alpha: Flask) -> Flask:
    """Return a node with a few routes that only tests know."""

    @alpha.get("/api/v1/probe")
    @access.scope(Scope.READ)
    def probe() -> str:
        return g.actor.name

    @alpha.get("/api/v1/probe/admin")
    @access.role(Role.ADMINISTRATOR, scope=Scope.ADMIN)
    def admin_probe() -> str:
        return g.actor.name

    @alpha.get("/fed/v1/probe")
    @access.anyone
    def peers_probe() -> str:
        return str(g.actor.is_signed_in)

    @alpha.get("/forgotten")
    def forgotten() -> str:
        return "never shown"

    return alpha


def token_of(node: Flask, *roles: Role, scopes: tuple[Scope, ...] = ()) -> str:
    with node.app_context(), transaction():
        return make_token(make_person("li.na", *roles, name="Li Na"), *scopes)


def test_a_route_that_declares_nothing_is_closed(node: Flask) -> None:
    assert node.test_client().get("/forgotten").status_code == 403


def test_a_token_speaks_for_its_person_on_the_api(node: Flask) -> None:
    answer = node.test_client().get("/api/v1/probe", headers=bearer(token_of(node)))
    assert (answer.status_code, answer.text) == (200, "Li Na")


def test_without_a_token_the_api_asks_for_one(node: Flask) -> None:
    answer = node.test_client().get("/api/v1/probe")
    assert answer.status_code == 401
    assert answer.content_type == "application/problem+json"
    assert answer.json["code"] == "unauthenticated"
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "change",
    [
        lambda token: f"Bearer {token}!!!!",
        lambda token: f"Bearer {token}=",
        lambda token: f"Bearer {token}\t",
        lambda token: f"Bearer  {token}",
        lambda token: f"Bearer {token[:-1]}",
        lambda token: f"Bearer {token[:-1]}A" if token[-1] != "A" else f"Bearer {token[:-1]}B",
        lambda token: f"Bearer {token.swapcase()}",
        lambda token: f"Basic {token}",
        lambda token: token,
        lambda token: "Bearer",
        lambda token: "",
        lambda token: "Bearer " + "a" * 100_000,
        lambda token: "Bearer eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJpc3MiOiJ4In0.AAAA",
    ],
)
def test_what_is_not_exactly_a_token_is_refused_even_where_anyone_may_read(
    node: Flask, change
) -> None:
    headers = {"Authorization": change(token_of(node))}
    for address in ("/api/v1/probe", "/api/v1/openapi.json"):
        assert node.test_client().get(address, headers=headers).status_code == 401


def test_a_token_without_the_scope_is_refused(node: Flask) -> None:
    headers = bearer(token_of(node, scopes=(Scope.WRITE,)))
    answer = node.test_client().get("/api/v1/probe", headers=headers)
    assert (answer.status_code, answer.json["code"]) == (403, "scope")


@pytest.mark.parametrize(
    ("roles", "scopes", "status"),
    [
        ((Role.ADMINISTRATOR,), (Scope.ADMIN,), 200),
        ((Role.ADMINISTRATOR,), (Scope.READ,), 403),
        ((Role.AUTHOR,), (Scope.ADMIN,), 403),
    ],
)
def test_rights_are_the_scope_and_the_role_together(
    node: Flask, roles: tuple[Role, ...], scopes: tuple[Scope, ...], status: int
) -> None:
    headers = bearer(token_of(node, *roles, scopes=scopes))
    assert node.test_client().get("/api/v1/probe/admin", headers=headers).status_code == status


def test_a_session_means_nothing_on_the_api(node: Flask) -> None:
    token_of(node)
    assert sign_in(node, "li.na").get("/api/v1/probe").status_code == 401


def test_a_token_means_nothing_on_pages(node: Flask) -> None:
    headers = bearer(token_of(node))
    assert node.test_client().get("/me", headers=headers).status_code == 302


def test_a_token_makes_no_token_and_changes_no_password(node: Flask) -> None:
    token = token_of(node)
    for address in ("/me/tokens", "/me/password"):
        answer = node.test_client().post(address, headers=bearer(token), data={"name": "x"})
        assert answer.status_code == 403
    with node.app_context():
        person = service.person_called("li.na")
        assert len(service.tokens_of(person.id)) == 1


def test_a_token_names_nobody_among_peers(node: Flask) -> None:
    answer = node.test_client().get("/fed/v1/probe", headers=bearer(token_of(node)))
    assert answer.text == "False"


def test_a_revoked_token_is_refused_at_once(node: Flask) -> None:
    token = token_of(node)
    client = sign_in(node, "li.na")
    with node.app_context():
        (kept,) = service.tokens_of(service.person_called("li.na").id)
    assert submit(client, "/me", f"/me/tokens/{kept.id}/revocation").status_code == 303
    assert node.test_client().get("/api/v1/probe", headers=bearer(token)).status_code == 401


def test_a_stranger_s_token_is_not_found(node: Flask) -> None:
    token_of(node)
    with node.app_context(), transaction():
        make_person("wang")
        (kept,) = service.tokens_of(service.person_called("li.na").id)
        kept_id = kept.id
    stranger = sign_in(node, "wang")
    assert submit(stranger, "/me", f"/me/tokens/{kept_id}/revocation").status_code == 404


def test_a_new_token_is_shown_once(node: Flask) -> None:
    with node.app_context(), transaction():
        make_person("li.na")
    client = sign_in(node, "li.na")
    made = submit(client, "/me", "/me/tokens", name="WPS", scopes="read", days="30")
    assert made.status_code == 201
    token = made.text.split('class="secret">')[1].split("<")[0]
    assert node.test_client().get("/api/v1/probe", headers=bearer(token)).status_code == 200
    assert token not in client.get("/me").text


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "", "scopes": "read", "days": "30"},
        {"name": "x", "days": "30"},
        {"name": "x", "scopes": "everything", "days": "30"},
        {"name": "x", "scopes": "read", "days": "366"},
        {"name": "x" * 101, "scopes": "read", "days": "30"},
    ],
)
def test_a_token_form_that_is_not_right_makes_nothing(node: Flask, fields: dict[str, str]) -> None:
    with node.app_context(), transaction():
        make_person("li.na")
    client = sign_in(node, "li.na")
    assert submit(client, "/me", "/me/tokens", **fields).status_code == 400
    with node.app_context():
        assert service.tokens_of(service.person_called("li.na").id) == []


def test_fields_that_a_form_does_not_have_change_nothing(node: Flask) -> None:
    with node.app_context(), transaction():
        root = make_organisation()
        make_person("boss", Role.ADMINISTRATOR, organisation=root)
        root_id = root.id
    boss = sign_in(node, "boss")
    answer = submit(
        boss,
        "/admin/people/new",
        "/admin/people",
        name="Li Na",
        username="li.na",
        organisation=str(root_id),
        left_at="2020-01-01",
        password_hash="x",
        id=str(root_id),
    )
    assert answer.status_code == 201
    with node.app_context():
        person = service.person_called("li.na")
        assert person.id != root_id
        assert person.password_hash != "x"


ADMIN_PAGES = ["/admin", "/admin/people", "/admin/people/new", "/admin/organisations"]


@pytest.mark.parametrize("address", ADMIN_PAGES)
def test_administration_is_for_administrators(node: Flask, address: str) -> None:
    with node.app_context(), transaction():
        make_person("reader", Role.AUTHOR, Role.SIGNATORY, Role.SECURITY_OFFICER)
        make_person("boss", Role.ADMINISTRATOR)
    assert node.test_client().get(address).location.startswith("/sign-in?next=/admin")
    assert sign_in(node, "reader").get(address).status_code == 403
    assert sign_in(node, "boss").get(address).status_code == 200
