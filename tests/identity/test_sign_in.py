"""Signing in and out at the URL, and what must not get through."""

import re
from html import unescape

import pytest
from flask import Flask
from sqlalchemy import func, select

from hub import clock
from hub.database import db, transaction
from hub.identity import service, throttle
from hub.identity.models import Person, Role, SignIn
from tests.factories import PASSWORD, make_organisation, make_person
from tests.pages import csrf_token, sign_in, submit

WRONG = "Username or password is wrong."


@pytest.fixture(autouse=True)
def li_na(alpha: Flask) -> None:
    with alpha.app_context(), transaction():
        make_person("li.na")


def session_cookie(client) -> str | None:
    cookie = client.get_cookie(client.application.config["SESSION_COOKIE_NAME"])
    return cookie.value if cookie else None


def count(app: Flask, table: type) -> int:
    with app.app_context():
        return db.session.scalar(select(func.count()).select_from(table)) or 0


def test_who_signs_in_arrives_where_they_wanted_to_go(alpha: Flask) -> None:
    client = alpha.test_client()
    asked = client.get("/me/password")
    assert asked.status_code == 302
    assert asked.location == "/sign-in?next=/me/password"
    page = client.get(asked.location)
    wanted = unescape(re.search(r'name="next"[^>]*value="([^"]*)"', page.text)[1])
    arrived = submit(client, asked.location, username="Li.Na", password=PASSWORD, next=wanted)
    assert arrived.status_code == 303
    assert arrived.location == "/me/password"
    assert client.get("/me/password").status_code == 200


def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(alpha: Flask) -> None:
    answers = []
    for username in ("li.na", "nobody"):
        client = alpha.test_client()
        page = submit(client, "/sign-in", username=username, password="wrong")
        answers.append((page.status_code, WRONG in page.text, len(page.text) - len(username)))
    assert answers[0] == answers[1]
    assert answers[0][:2] == (403, True)


OFF_SITE = [
    "https://evil.test/",
    "//evil.test",
    "///evil.test",
    "/\\evil.test",
    "\\\\evil.test",
    "/\t/evil.test",
    "/\n/evil.test",
    "\x01//evil.test",
    " //evil.test",
    "javascript:alert(1)",
    "data:text/html,x",
    "evil.test",
    "@evil.test",
    "https:evil.test",
    "/%09/evil.test\r\nSet-Cookie: a=b",
    "http:///evil.test",
    "/" + "a" * 3000,
]


@pytest.mark.parametrize("target", OFF_SITE)
def test_nobody_is_sent_off_this_site(alpha: Flask, target: str) -> None:
    client = alpha.test_client()
    arrived = submit(client, "/sign-in", username="li.na", password=PASSWORD, next=target)
    assert arrived.location == "/"
    assert client.get("/sign-in", query_string={"next": target}).location == "/"
    changed = client.get("/display", query_string={"large": "1", "next": target})
    assert changed.location == "/"


def test_a_session_is_a_new_one_after_signing_in(alpha: Flask) -> None:
    client = alpha.test_client()
    client.get("/sign-in")
    before = session_cookie(client)
    submit(client, "/sign-in", username="li.na", password=PASSWORD)
    first = session_cookie(client)
    assert first != before
    stale = alpha.test_client()
    stale.set_cookie(alpha.config["SESSION_COOKIE_NAME"], before)
    assert stale.get("/me").status_code == 302


def test_a_form_from_before_the_sign_in_is_worthless_after_it(alpha: Flask) -> None:
    client = alpha.test_client()
    token = csrf_token(client.get("/sign-in"))
    submit(client, "/sign-in", username="li.na", password=PASSWORD)
    assert client.post("/sign-out", data={"csrf_token": token}).status_code == 403


def test_the_cookie_of_before_is_worthless_after_signing_out(alpha: Flask) -> None:
    client = sign_in(alpha, "li.na")
    old = session_cookie(client)
    assert submit(client, "/me", "/sign-out").status_code == 303
    client.set_cookie(alpha.config["SESSION_COOKIE_NAME"], old)
    assert client.get("/me").status_code == 302
    assert count(alpha, SignIn) == 0


def test_every_cookie_of_before_is_worthless_after_a_change_of_password(alpha: Flask) -> None:
    here, elsewhere = sign_in(alpha, "li.na"), sign_in(alpha, "li.na")
    old = session_cookie(here)
    new = "a sentence of my own"
    changed = submit(here, "/me/password", present=PASSWORD, new=new, again=new)
    assert changed.status_code == 303
    here.set_cookie(alpha.config["SESSION_COOKIE_NAME"], old)
    assert here.get("/me").status_code == 302
    assert elsewhere.get("/me").status_code == 302
    assert sign_in(alpha, "li.na", new).get("/me").status_code == 200


def test_a_role_given_ends_the_sessions_from_before(alpha: Flask) -> None:
    client = sign_in(alpha, "li.na")
    with alpha.app_context(), transaction():
        person = db.session.scalars(select(Person)).one()
        service.grant(person, Role.AUTHOR, make_organisation())
    assert client.get("/me").status_code == 302


def test_the_cookie_names_its_node_and_is_out_of_reach_of_scripts(
    alpha: Flask, beta: Flask
) -> None:
    assert alpha.config["SESSION_COOKIE_NAME"] != beta.config["SESSION_COOKIE_NAME"]
    answer = submit(alpha.test_client(), "/sign-in", username="li.na", password=PASSWORD)
    cookie = answer.headers["Set-Cookie"]
    assert re.match(r"hub_[0-9a-f]{10}=", cookie)
    assert {"Secure", "HttpOnly", "SameSite=Lax"} <= set(cookie.split("; "))


def test_a_session_of_one_node_means_nothing_at_another(alpha: Flask, beta: Flask) -> None:
    value = session_cookie(sign_in(alpha, "li.na"))
    stranger = beta.test_client()
    stranger.set_cookie(beta.config["SESSION_COOKIE_NAME"], value)
    assert stranger.get("/me").status_code == 302


def test_who_guesses_is_slowed_down_and_the_owner_elsewhere_is_not(alpha: Flask) -> None:
    guesser = alpha.test_client()
    token = csrf_token(guesser.get("/sign-in"))

    def attempt(password: str, address: str, forwarded: str = "") -> int:
        data = {"csrf_token": token, "username": "li.na", "password": password}
        return guesser.post(
            "/sign-in",
            data=data,
            environ_base={"REMOTE_ADDR": address},
            headers={"X-Forwarded-For": forwarded},
        ).status_code

    tried = [attempt("wrong", "192.0.2.1", f"198.51.100.{n}") for n in range(12)]
    assert tried == [403] * 10 + [429] * 2
    assert attempt(PASSWORD, "192.0.2.1") == 429
    assert attempt(PASSWORD, "192.0.2.2") == 303


def test_an_account_is_guarded_against_many_addresses_and_opens_again_by_itself(
    alpha: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with alpha.app_context():
        guard = throttle.throttle(alpha.extensions["hub.settings"])
        for number in range(50):
            guard.check("li.na", f"192.0.2.{number}")
            guard.count_failure("LI.NA", f"192.0.2.{number}")
        with pytest.raises(throttle.TooManyAttemptsError):
            guard.check("li.na", "203.0.113.1")
        guard.check("other", "203.0.113.1")
        later = clock.timestamp() + throttle.MINUTES * 60 + 1
        monkeypatch.setattr("limits.strategies.time.time", lambda: later, raising=False)
        monkeypatch.setattr("limits.storage.memory.time.time", lambda: later)
        guard.check("li.na", "203.0.113.1")


def test_one_address_can_not_try_many_accounts(alpha: Flask) -> None:
    guard = throttle.throttle(alpha.extensions["hub.settings"])
    for number in range(100):
        guard.check(f"person{number}", f"2001:db8::{number:x}")
        guard.count_failure(f"person{number}", f"2001:db8::{number:x}")
    with pytest.raises(throttle.TooManyAttemptsError):
        guard.check("li.na", "2001:db8::ffff")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
        {"Origin": "https://alpha.test.evil.test"},
        {"Origin": "https://alpha.test:444"},
    ],
)
def test_a_form_sent_from_another_site_is_refused(alpha: Flask, headers: dict[str, str]) -> None:
    client = alpha.test_client()
    data = {
        "csrf_token": csrf_token(client.get("/sign-in")),
        "username": "li.na",
        "password": PASSWORD,
    }
    assert client.post("/sign-in", data=data, headers=headers).status_code == 403
    assert count(alpha, SignIn) == 0
    own = {"Origin": "https://alpha.test"}
    assert client.post("/sign-in", data=data, headers=own).status_code == 303


def test_a_sign_in_form_without_proof_is_refused(alpha: Flask) -> None:
    data = {"username": "li.na", "password": PASSWORD}
    refused = alpha.test_client().post("/sign-in", data=data)
    assert refused.status_code == 403
    assert "stale_form" in refused.text
    assert count(alpha, SignIn) == 0
