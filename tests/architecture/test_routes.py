"""Every route says who may call it, and none is open to the world by oversight."""

from uuid import uuid4

import pytest
from flask import Flask
from werkzeug.routing import Rule

from hub.identity import access

# What strangers may call; the views behind these decide what each of them sees.
OPEN = {
    "static",
    "bootstrap.static",
    "healthz",
    "readyz",
    "api-docs.openapi_json",
    "identity.sign_in",
    "identity.begin_session",
    "identity.sign_out",
    "identity.display",
    "cases.home",
    "cases.show",
    "cases.export",
    "cases.compare",
    "related.show",
    "search.find",
    "cases_api.show",
    "cases_api.files",
    "cases_api.export",
    "cases_api.questions",
    "cases_api.adoptions",
    "search_api.find",
    "search_api.list_related",
    "search_api.suggestions",
    "personal.suggestions",
    "feeds.public",
    "feeds.archive",
    "feeds.harvest",
    "files.download",
    "files.picture",
}


def rules(app: Flask) -> list[Rule]:
    return [rule for rule in app.url_map.iter_rules() if rule.endpoint in app.view_functions]


def filled(app: Flask, rule: Rule) -> str:
    values = {name: uuid4() for name in rule.arguments}
    for name, converter in rule._converters.items():
        if type(converter).__name__ != "UUIDConverter":
            values[name] = "1" if "Integer" in type(converter).__name__ else "x"
    with app.test_request_context():
        return app.url_for(rule.endpoint, **values)


def test_every_route_declares_who_may_call_it(alpha: Flask) -> None:
    silent = [
        rule.rule
        for rule in rules(alpha)
        if access.label_of(alpha.view_functions[rule.endpoint]) is None
    ]
    assert silent == []


def test_no_route_is_open_to_strangers_but_those_named_here(alpha: Flask) -> None:
    found = {
        rule.endpoint
        for rule in rules(alpha)
        if access.label_of(alpha.view_functions[rule.endpoint]) == "anyone"
        and not rule.rule.startswith(("/fed/", "/oauth/", "/.well-known/"))
    }
    assert found <= OPEN


def test_strangers_are_turned_away_at_every_other_route(alpha: Flask) -> None:
    client = alpha.test_client()
    alpha.config["WTF_CSRF_ENABLED"] = False  # Or every POST would fail for another reason.
    for rule in rules(alpha):
        if rule.endpoint in OPEN or rule.rule.startswith(("/fed/", "/oauth/", "/.well-known/")):
            continue
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            answer = client.open(filled(alpha, rule), method=method)
            if rule.endpoint == "metrics.show":
                assert answer.status_code == 404  # Closed until somebody sets a token.
            elif rule.rule.startswith("/api/"):
                assert answer.status_code == 401, (method, rule.rule)
            else:
                assert answer.status_code == 302, (method, rule.rule)
                assert answer.location.startswith("/sign-in"), (method, rule.rule)


def test_every_form_sent_without_proof_is_refused(alpha: Flask) -> None:
    client = alpha.test_client()
    forms = [
        rule
        for rule in rules(alpha)
        if "POST" in (rule.methods or set())
        and not rule.rule.startswith(("/api/", "/fed/", "/oauth/", "/oai"))
    ]
    assert len(forms) > 10
    for rule in forms:
        for headers in ({}, {"Origin": "https://evil.test"}):
            refused = client.post(filled(alpha, rule), data={"a": "b"}, headers=headers)
            assert refused.status_code == 403, rule.rule


def test_a_route_that_forgets_to_declare_is_closed(alpha: Flask) -> None:
    @alpha.get("/forgotten")
    def forgotten() -> str:
        return "never shown"

    assert alpha.test_client().get("/forgotten").status_code == 403


@pytest.mark.parametrize("prefix", ["/fed/", "/oauth/"])
def test_routes_of_peers_take_no_cookie(alpha: Flask, prefix: str) -> None:
    client = alpha.test_client()
    for rule in rules(alpha):
        if rule.rule.startswith(prefix):
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                answer = client.open(filled(alpha, rule), method=method)
                assert answer.status_code in {400, 401, 403, 404, 415}, (method, rule.rule)
                assert "Set-Cookie" not in answer.headers
