"""What holds for every answer of a node, on pages and in the API."""

import json
import re
from html import unescape
from threading import Thread

import pytest
from flask import Flask, abort, redirect, request, url_for
from flask.testing import FlaskClient
from marshmallow import RAISE, Schema, fields
from werkzeug.test import TestResponse

from hub import create_app, schema
from hub.api import Blueprint
from hub.application import Turns
from hub.config import Settings
from hub.database import transaction
from hub.errors import NotFoundError
from hub.identity import access
from tests.factories import make_person
from tests.pages import csrf_token, sign_in

PAGES = ["/", "/search", "/sign-in", "/nowhere", "/api/v1/openapi.json", "/healthz", "/me"]
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self'; font-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)


@pytest.fixture
def client(alpha: Flask) -> FlaskClient:
    """Return a stranger's browser."""
    return alpha.test_client()


@pytest.mark.parametrize("address", PAGES)
def test_every_answer_carries_the_headers_that_protect_its_reader(
    client: FlaskClient, address: str
) -> None:
    headers = client.get(address).headers
    assert headers["Content-Security-Policy"] == POLICY
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Strict-Transport-Security"].startswith("max-age=")
    assert "private" in headers["Cache-Control"]
    assert re.fullmatch("[0-9a-f]{8}", headers["X-Request-Id"])


def test_a_failure_carries_the_headers_too_and_no_trace(alpha: Flask) -> None:
    @alpha.get("/broken")
    @access.anyone
    def broken() -> str:
        raise RuntimeError("the secret plan")

    alpha.testing = False
    page = alpha.test_client().get("/broken")
    assert page.status_code == 500
    assert page.headers["Content-Security-Policy"] == POLICY
    assert page.headers["X-Request-Id"] in page.text
    assert "secret plan" not in page.text
    assert "Traceback" not in page.text


def test_pages_hold_nothing_that_their_policy_forbids(alpha: Flask, client: FlaskClient) -> None:
    for address in ("/", "/search", "/sign-in", "/nowhere"):
        text = client.get(address).text
        assert not re.search(r"\sstyle=|<style|\son[a-z]+=|<script(?![^>]*\ssrc=)", text), address
        assert not re.search(r'(?:src|href|action)="(?:https?:)?//', text), address


def test_what_is_seen_when_signed_in_is_not_kept_by_browsers_or_caches(alpha: Flask) -> None:
    with alpha.app_context(), transaction():
        make_person("li.na")
    page = sign_in(alpha, "li.na").get("/me")
    assert page.headers["Cache-Control"] == "private, no-store"
    assert "Cookie" in page.headers["Vary"]


def test_over_plain_http_nothing_demands_tls(tmp_path) -> None:
    app = create_app(
        Settings(home=tmp_path, origin="http://127.0.0.1:5001", secret_key="only for tests")
    )
    page = app.test_client().get("/sign-in")
    assert "Strict-Transport-Security" not in page.headers
    assert "Secure" not in page.headers["Set-Cookie"]


@pytest.mark.parametrize("header", ["Host", "X-Forwarded-Host", "X-Host", "Forwarded"])
def test_no_header_changes_an_address_that_we_build(alpha: Flask, header: str) -> None:
    @alpha.get("/where")
    @access.anyone
    def where() -> str:
        return f"{request.url} {url_for('identity.sign_in', _external=True)}"

    @alpha.get("/moved/")
    @access.anyone
    def moved() -> object:
        return redirect(url_for("identity.sign_in", _external=True))

    client, evil = alpha.test_client(), {header: "evil.test"}
    assert client.get("/where", headers=evil).text == (
        "https://alpha.test/where https://alpha.test/sign-in"
    )
    assert client.get("/moved/", headers=evil).location == "https://alpha.test/sign-in"
    for address in ("/moved", "//moved", "/sign-in/", "/me", "/.well-known/jingwei", "/sign-in"):
        answer = client.get(address, headers=evil)
        assert "evil.test" not in f"{answer.headers} {answer.text}"


def test_a_node_is_alive_even_without_its_tables_and_ready_only_with_them(alpha: Flask) -> None:
    client = alpha.test_client()
    assert client.get("/healthz").json == {"status": "ok"}
    unready = client.get("/readyz")
    assert (unready.status_code, unready.json) == (503, {"status": "database_outdated"})


def test_a_node_with_the_newest_tables_is_ready(tmp_path) -> None:
    app = create_app(Settings(home=tmp_path, secret_key="only for tests"))
    with app.app_context():
        schema.upgrade()
    ready = app.test_client().get("/readyz")
    assert (ready.status_code, ready.json) == (200, {"status": "ok"})


def test_a_node_whose_database_can_not_be_opened_is_alive_and_not_ready(tmp_path) -> None:
    app = create_app(Settings(home=tmp_path, secret_key="only for tests"))
    (tmp_path / "hub.db").unlink(missing_ok=True)
    (tmp_path / "hub.db").mkdir()
    client = app.test_client()
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").json == {"status": "database_unreachable"}
    assert client.get("/readyz").status_code == 503


def test_the_reader_chooses_language_and_type_and_the_browser_remembers(
    client: FlaskClient,
) -> None:
    assert '<html lang="en">' in client.get("/sign-in").text
    moved = client.get("/display?lang=zh_CN&large=1&next=/sign-in")
    assert moved.location == "/sign-in"
    page = client.get("/sign-in").text
    assert '<html lang="zh-CN" class="large">' in page
    client.get("/display?lang=en&large=0")
    assert '<html lang="en">' in client.get("/sign-in").text


def test_a_language_that_we_do_not_speak_changes_nothing(client: FlaskClient) -> None:
    client.get("/display?lang=../../etc&large=yes")
    assert client.get_cookie("lang") is None
    client.set_cookie("lang", "xx")
    assert '<html lang="en">' in client.get("/sign-in").text


def test_switching_comes_back_to_the_same_page(client: FlaskClient) -> None:
    text = client.get("/search?q=%E5%85%9A%E5%BB%BA&kind=case").text
    link = unescape(re.search(r'href="(/display\?large=1[^"]*)"', text)[1])
    assert client.get(link).location in {
        "/search?q=%E5%85%9A%E5%BB%BA&kind=case",
        "/search?q=党建&kind=case",
    }


def test_styles_are_kept_for_good_under_an_address_that_names_their_version(
    client: FlaskClient,
) -> None:
    text = client.get("/sign-in").text
    styles = [unescape(found) for found in re.findall(r'stylesheet" href="([^"]+)"', text)]
    assert len(styles) == 2
    for address in styles:
        answer = client.get(address, headers={"Accept-Encoding": "gzip"}, buffered=True)
        assert answer.status_code == 200
        assert answer.headers["Content-Encoding"] == "gzip"
        assert "immutable" in answer.headers["Cache-Control"]
        assert "Set-Cookie" not in answer.headers
        plain = client.get(address, buffered=True)
        assert "Content-Encoding" not in plain.headers
        assert len(plain.data) > len(answer.data)
        stale = client.get(address.split("?")[0] + "?v=0", buffered=True)
        assert "immutable" not in stale.headers["Cache-Control"]


@pytest.mark.parametrize(
    "address",
    ["/.git/config", "/.env", "/hub.db", "/console", "/static/../web.py", "/static/%2e%2e/web.py"],
)
def test_files_that_are_not_for_readers_are_not_there(client: FlaskClient, address: str) -> None:
    assert client.get(address).status_code == 404


@pytest.mark.parametrize("address", ["/sign-in?next=%00", "/search?q=%00", "/?a=%00"])
def test_a_query_with_a_character_that_no_text_has_is_refused(
    client: FlaskClient, address: str
) -> None:
    assert client.get(address).status_code == 400


@pytest.mark.parametrize(
    ("field", "status"),
    [("a" * 600_000, 413), ("a\0b", 400), ("\ud800".encode("utf-8", "surrogatepass"), 403)],
)
def test_a_form_that_is_too_large_or_holds_no_text_is_refused(
    client: FlaskClient, field: str | bytes, status: int
) -> None:
    token = csrf_token(client.get("/sign-in"))
    data = {"csrf_token": token, "username": field, "password": "a good one"}
    refused = client.post("/sign-in", data=data)
    assert refused.status_code in {status, 400}


def test_a_form_of_very_many_parts_is_refused(client: FlaskClient) -> None:
    token = csrf_token(client.get("/sign-in"))
    data = {"csrf_token": token, **{f"x{n}": "" for n in range(600)}}
    refused = client.post("/sign-in", data=data, content_type="multipart/form-data")
    assert refused.status_code == 413


def test_a_stranger_costs_no_query(alpha: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise AssertionError("asked the database")

    monkeypatch.setattr("hub.identity.service.actor_of_session", refuse)
    monkeypatch.setattr("hub.database.db.session.execute", refuse)
    for address in ("/sign-in", "/nowhere", "/healthz"):
        assert alpha.test_client().get(address).status_code in {200, 404}


# The API


class ProbeSchema(Schema):
    """A body with something of each kind."""

    class Meta:
        unknown = RAISE

    title = fields.String(required=True)
    outcomes = fields.List(fields.Nested(Schema.from_dict({"value": fields.Integer()})))
    extra = fields.Dict()


@pytest.fixture
def api(tmp_path) -> FlaskClient:
    """Return a program that talks to a node with a route that takes anything."""
    app = create_app(
        Settings(home=tmp_path, origin="https://alpha.test", secret_key="test", locale="en")
    )
    blueprint = Blueprint("probe", __name__, url_prefix="/api/v1")

    @blueprint.post("/probe")
    @access.anyone
    @blueprint.arguments(ProbeSchema)
    @blueprint.response(200)
    def probe(body: dict[str, object]) -> dict[str, object]:
        return {"title": body["title"]}

    @blueprint.get("/missing")
    @access.anyone
    def missing() -> str:
        raise NotFoundError

    @blueprint.get("/teapot")
    @access.anyone
    def teapot() -> str:
        abort(418)

    app.register_blueprint(blueprint)
    app.testing = True
    return app.test_client()


def send(api: FlaskClient, body: bytes, kind: str = "application/json") -> TestResponse:
    return api.post("/api/v1/probe", data=body, content_type=kind)


def test_a_good_body_is_taken(api: FlaskClient) -> None:
    assert send(api, '{"title": "清单", "outcomes": [{"value": 1}]}'.encode()).json == {
        "title": "清单"
    }


DEEP = b'{"title": "x", "extra": ' + b'{"a":' * 20 + b"1" + b"}" * 20 + b"}"
MALFORMED = {
    "cut": b'{"title": "x"',
    "not JSON": b"title=x",
    "a doubled key": b'{"title": "x", "title": "y"}',
    "a doubled key below": b'{"title": "x", "extra": {"a": 1, "a": 2}}',
    "NaN": b'{"title": "x", "extra": {"a": NaN}}',
    "infinity": b'{"title": "x", "extra": {"a": -Infinity}}',
    "a number beyond all": b'{"title": "x", "extra": {"a": 1e999}}',
    "an endless integer": b'{"title": "x", "extra": {"a": ' + b"9" * 5000 + b"}}",
    "half a character": b'{"title": "\\ud800"}',
    "half a character in a key": b'{"title": "x", "extra": {"\\udfff": 1}}',
    "half a character, raw": b'{"title": "\xed\xa0\x80"}',
    "NUL": b'{"title": "a\\u0000b"}',
    "not UTF-8": b'{"title": "\xff"}',
    "UTF-16": '{"title": "x"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"title": "x"}',
    "too deep": DEEP,
    "far too deep": b"[" * 100_000,
    "far too deep and closed": b"[" * 100_000 + b"]" * 100_000,
    "two documents": b'{"title": "x"} {"title": "y"}',
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_body_that_can_be_read_in_two_ways_is_refused(api: FlaskClient, body: bytes) -> None:
    refused = send(api, body)
    assert refused.status_code == 400
    assert refused.content_type == "application/problem+json"
    assert refused.json["code"] == "malformed"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "title"),
        ({"title": 1}, "title"),
        ({"title": "x", "owner_id": "me"}, "owner_id"),
        ({"title": "x", "outcomes": [{"value": 1}, {"value": "many"}]}, "outcomes.1.value"),
        ({"title": "x", "outcomes": [{"value": 1, "x": 2}]}, "outcomes.0.x"),
        ([], "body"),
        ("x", "body"),
    ],
)
def test_a_body_that_does_not_fit_names_the_field_at_fault(
    api: FlaskClient, body: object, field: str
) -> None:
    refused = send(api, json.dumps(body).encode())
    assert refused.status_code == 400
    assert refused.json["code"] == "invalid"
    assert refused.json["field"] == field


def test_an_empty_body_is_refused(api: FlaskClient) -> None:
    assert send(api, b"").status_code == 400


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_body_of_another_type_is_refused(api: FlaskClient, kind: str) -> None:
    refused = send(api, b'{"title": "x"}', kind)
    assert (refused.status_code, refused.json["code"]) == (415, "wrong_type")


def test_a_body_that_is_too_large_is_refused(api: FlaskClient) -> None:
    refused = send(api, b'{"title": "' + b"x" * 3_000_000 + b'"}')
    assert (refused.status_code, refused.json["code"]) == (413, "too_large")


def test_errors_of_the_api_are_problems_in_the_language_of_the_caller(api: FlaskClient) -> None:
    missing = api.get("/api/v1/missing")
    nowhere = api.get("/api/v1/nowhere")
    assert missing.json == nowhere.json
    assert missing.json["code"] == "not_found"
    assert api.get("/api/v1/teapot").status_code == 418
    assert api.delete("/api/v1/probe").json["code"] == "method_not_allowed"


@pytest.mark.parametrize("wanted", ["zh-CN,zh;q=0.9,en;q=0.8", "zh", "zh-Hans-CN, en;q=0.5"])
def test_a_program_says_in_which_language_it_wants_its_errors(
    api: FlaskClient, wanted: str
) -> None:
    told = api.get("/api/v1/missing", headers={"Accept-Language": wanted}).json
    other = api.get("/api/v1/missing", headers={"Accept-Language": "en"}).json
    assert told["code"] == other["code"]
    assert told["detail"] != other["detail"]
    assert api.get("/api/v1/missing", headers={"Accept-Language": "fr"}).json == other


def test_the_api_describes_itself(client: FlaskClient) -> None:
    document = client.get("/api/v1/openapi.json").json
    assert document["openapi"].startswith("3.1")
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    for path, operations in document["paths"].items():
        assert path.startswith("/api/v1/")
        for method, operation in operations.items():
            assert method == "parameters" or "422" not in operation["responses"], path


def test_no_page_of_the_api_takes_a_cookie(alpha: Flask) -> None:
    with alpha.app_context(), transaction():
        make_person("li.na")
    client = sign_in(alpha, "li.na")
    refused = client.post("/api/v1/cases", json={"kind": "case"})
    assert refused.status_code == 401


def test_whoever_waits_for_news_leaves_its_turn_to_others():
    said = []

    def answer(environ: dict[str, str], start_response: object) -> list[bytes]:
        said.append(environ["who"])
        if environ["who"] == "waits":
            with turns.left():
                turns({"who": "works"}, None)
        return []

    def ask() -> None:
        turns({"who": "waits"}, None)
        turns({"who": "comes later"}, None)

    turns = Turns(answer, 1)
    asking = Thread(target=ask, daemon=True)
    asking.start()
    asking.join(5)
    assert said == ["waits", "works", "comes later"]
