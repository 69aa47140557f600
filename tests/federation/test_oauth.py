"""The token endpoint and the tokens it gives, tried at the URL (docs/federation.md, Trust)."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from time import process_time
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask
from joserfc import jws
from joserfc.jwk import ECKey
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from hub import clock
from hub.config import settings
from hub.database import db, for_writing, transaction
from hub.federation import peering
from hub.federation.client import ASSERTION_TYPE, PeerClient
from hub.federation.errors import RefusedError
from hub.identity.models import Role
from hub.journal.signing import ENTRY, node_keys
from hub.registry import keys, tokens
from hub.registry import service as registry
from hub.registry.models import Peer, UsedAssertion
from tests.factories import make_person, make_token
from tests.in_process import join, origin_of, pair

CHANNELS = "/fed/v1/channels"


@dataclass
class Door:
    """Headquarters, and a peer that knocks: what it sends can be bent at will."""

    headquarters: Flask
    alpha: Flask
    client_id: str
    key: ECKey
    kid: str

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = clock.timestamp()
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": origin_of(self.headquarters),
            "iat": now,
            "exp": now + 60,
            "jti": str(uuid4()),
        } | changes
        return {name: value for name, value in claims.items() if value is not None}

    def assertion(self, header: dict[str, Any] | None = None, **changes: Any) -> str:
        """Return an assertion signed with the right key, whatever its header says."""
        header = {"alg": "ES256", "kid": self.kid} | (header or {})
        return compact(header, json.dumps(self.claims(**changes)), self.sign)

    def sign(self, text: bytes) -> bytes:
        algorithm = jws.JWSRegistry(algorithms=["ES256"]).get_alg("ES256")
        signature: bytes = algorithm.sign(text, self.key)
        return signature

    def ask(self, assertion: object = None, **form: object) -> TestResponse:
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self.assertion() if assertion is None else assertion,
        } | form
        return self.headquarters.test_client().post("/oauth/token", data=form)

    def token(self) -> str:
        answer = self.ask()
        assert answer.status_code == 200, answer.text
        assert answer.json
        return str(answer.json["access_token"])

    def read(self, token: str, path: str = CHANNELS) -> TestResponse:
        headers = {"Authorization": f"Bearer {token}"}
        return self.headquarters.test_client().get(path, headers=headers)

    def access_token(self, header: dict[str, Any] | None = None, **changes: Any) -> str:
        """Return an access token signed by headquarters' own key, with bent claims."""
        with self.headquarters.app_context():
            own, origin = keys.token_key(), settings().origin
        now = clock.timestamp()
        claims = {
            "iss": origin,
            "aud": origin,
            "sub": self.client_id,
            "client_id": self.client_id,
            "iat": now,
            "exp": now + 600,
            "jti": "x",
            "scope": "fed.read",
        } | changes
        kept = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": "ES256", "typ": "at+jwt", "kid": own.thumbprint()} | (header or {})
        algorithm = jws.JWSRegistry(algorithms=["ES256"]).get_alg("ES256")
        return compact(header, json.dumps(kept), lambda text: algorithm.sign(text, own))


def b64(data: bytes | str) -> str:
    data = data.encode() if isinstance(data, str) else data
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def compact(
    header: dict[str, Any] | str, payload: str, sign: Callable[[bytes], bytes] | None
) -> str:
    text = header if isinstance(header, str) else json.dumps(header)
    signed = f"{b64(text)}.{b64(payload)}"
    return f"{signed}.{b64(sign(signed.encode())) if sign else ''}"


@pytest.fixture
def door(headquarters: Flask, alpha: Flask) -> Door:
    join(headquarters, alpha)
    with alpha.app_context():
        [peer] = registry.peers()
        key = keys.token_key()
        return Door(headquarters, alpha, peer.our_client_id, key, key.thumbprint())


# What is right


def test_a_good_assertion_brings_a_token_that_opens_the_door(door):
    answer = door.ask()
    assert answer.json["token_type"] == "Bearer"
    assert answer.json["expires_in"] == 600
    assert answer.headers["Cache-Control"] == "no-store"
    assert door.read(answer.json["access_token"]).status_code == 200


@pytest.mark.parametrize("typ", [{}, {"typ": "JWT"}, {"typ": "client-authentication+jwt"}])
def test_the_usual_types_of_assertions_are_taken(door, typ):
    assert door.ask(door.assertion(typ)).status_code == 200


def test_the_token_says_what_rfc_9068_asks(door):
    header, claims, _ = door.token().split(".")
    told = json.loads(base64.urlsafe_b64decode(claims + "=="))
    origin = origin_of(door.headquarters)
    assert json.loads(base64.urlsafe_b64decode(header + "=="))["typ"] == "at+jwt"
    assert told["iss"] == told["aud"] == origin
    assert told["sub"] == told["client_id"] == door.client_id
    assert told["exp"] - told["iat"] == 600
    assert told["channels"] == ["dir", "group", "partner:acme", "public"]


def test_the_endpoints_are_described(door):
    told = door.headquarters.test_client().get("/.well-known/oauth-authorization-server").json
    origin = origin_of(door.headquarters)
    assert told["issuer"] == origin
    assert told["token_endpoint"] == f"{origin}/oauth/token"
    assert told["token_endpoint_auth_signing_alg_values_supported"] == ["ES256"]


def test_the_issuer_does_not_depend_on_the_host_header(door):
    client = door.headquarters.test_client()
    for headers in ({"Host": "evil.test"}, {"X-Forwarded-Host": "evil.test"}):
        told = client.get("/.well-known/oauth-authorization-server", headers=headers)
        assert "evil" not in told.text


def test_scopes_are_reduced_to_what_the_kind_of_peer_may_do(door, partner):
    scope = "fed.read fed.publish fed.blob fed.feedback fed.hint fed.receipts"
    assert door.ask().json["scope"] == scope
    assert door.ask(scope="fed.read openid admin").json["scope"] == "fed.read"
    answer = door.ask(scope="openid admin")
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_scope")
    pair(door.headquarters, partner)
    with partner.app_context():
        [peer] = registry.peers()
        client = PeerClient.for_peer(peer)
        assert client.get(CHANNELS)["channels"]
        with pytest.raises(RefusedError) as refusal:
            client.get("/fed/v1/ingest/head")
    assert (refusal.value.answered, refusal.value.refusal) == (403, "scope")


# Assertions


def test_assertions_made_for_another_time_or_place_are_refused(door, monkeypatch):
    moment = clock.now()
    monkeypatch.setattr(clock, "now", lambda: moment)
    now, origin = clock.timestamp(), origin_of(door.headquarters)
    for changes, code in (
        ({"aud": [origin]}, "audience"),
        ({"aud": [origin, "https://elsewhere.test"]}, "audience"),
        ({"aud": f"{origin}/oauth/token"}, "audience"),
        ({"aud": f"{origin}/"}, "audience"),
        ({"aud": "https://elsewhere.test"}, "audience"),
        ({"aud": None}, "audience"),
        ({"exp": now + 301}, "assertion"),
        ({"exp": now + 365 * 86400}, "assertion"),
        ({"exp": None}, "assertion"),
        ({"exp": str(now + 60)}, "assertion"),
        ({"exp": now + 60.5}, "assertion"),
        ({"exp": True}, "assertion"),
        ({"exp": now - 1}, "clock"),
        ({"iat": None}, "assertion"),
        ({"iat": now + 61, "exp": now + 120}, "clock"),
        ({"iat": now - 301}, "assertion"),
        ({"iss": "somebody"}, "assertion"),
        ({"sub": None}, "assertion"),
        ({"sub": "somebody", "iss": "somebody"}, "assertion"),
        ({"sub": ["a"]}, "assertion"),
        ({"sub": "x" * 100_000}, "assertion"),
        ({"jti": None}, "assertion"),
        ({"jti": 7}, "assertion"),
        ({"jti": "x" * 129}, "assertion"),
    ):
        answer = door.ask(door.assertion(**changes))
        assert answer.status_code in {401, 413}, changes
        if answer.status_code == 401:
            assert answer.json["error"] == "invalid_client"
            assert answer.json["code"] == code, (changes, answer.json)


def test_another_algorithm_never_passes(door):
    payload = json.dumps(door.claims())
    for name in ("none", "None", "NONE", "nOnE", "none ", " none", "", "null", "nonE\x00"):
        assert door.ask(compact({"alg": name}, payload, None)).status_code == 401, name
        assert door.ask(compact({"alg": name}, payload, door.sign)).status_code == 401, name
    assert door.ask(compact({}, payload, door.sign)).status_code == 401
    for alg in (None, 7, ["ES256"], {"a": 1}, "ES384", "RS256", "Ed25519", "EdDSA", "es256"):
        assert door.ask(compact({"alg": alg}, payload, door.sign)).status_code == 401, alg


def test_a_public_key_is_no_shared_secret(door):
    payload = json.dumps(door.claims())
    shown = [door.key.as_pem(private=False), door.key.as_der(private=False)]
    shown.append(json.dumps(door.key.as_dict(private=False)).encode())
    for secret in shown:

        def sign(text: bytes, secret: bytes = secret) -> bytes:
            return hmac.new(secret, text, hashlib.sha256).digest()

        assert door.ask(compact({"alg": "HS256"}, payload, sign)).status_code == 401


def test_a_key_in_the_header_is_not_looked_at(door):
    own = ECKey.import_key(ec.generate_private_key(ec.SECP256R1()))
    algorithm = jws.JWSRegistry(algorithms=["ES256"]).get_alg("ES256")
    for more in (
        {"jwk": own.as_dict(private=False)},
        {"jku": "https://evil.test/keys"},
        {"x5u": "https://evil.test/cert"},
        {"x5c": ["AAAA"]},
        {"crit": ["exp"], "exp": 1},
        {"b64": False, "crit": ["b64"]},
        {"crit": []},
        {"zip": "DEF"},
        {"p2c": 2**31},
    ):
        header = {"alg": "ES256", "kid": door.kid} | more
        payload = json.dumps(door.claims())
        forged = compact(header, payload, lambda text: algorithm.sign(text, own))
        assert door.ask(forged).status_code == 401, more
        assert door.ask(compact(header, payload, door.sign)).status_code == 401, more


def test_a_strange_kid_is_refused_quickly(door):
    for kid in ("../../etc/passwd", "' OR 1=1 --", None, 7, "x" * 100_000, "\x00"):
        started = process_time()
        answer = door.ask(door.assertion({"kid": kid}))
        assert answer.status_code in {401, 413}, kid
        assert process_time() - started < 0.2


def test_a_member_named_twice_is_refused(door):
    payload = json.dumps(door.claims())
    for header in (
        f'{{"alg":"none","alg":"ES256","kid":"{door.kid}"}}',
        f'{{"alg":"ES256","kid":"x","kid":"{door.kid}"}}',
    ):
        assert door.ask(compact(header, payload, door.sign)).status_code == 401
    doubled = payload[:-1] + f', "exp": {clock.timestamp() + 60}}}'
    assert door.ask(compact({"alg": "ES256"}, doubled, door.sign)).status_code == 401


def test_another_spelling_of_a_good_assertion_is_refused(door):
    good = door.assertion()
    head, middle, tail = good.split(".")
    for bent in (
        good + "!!!!",
        good + "=",
        good + "==",
        " " + good,
        good + "\n",
        f"{head}=.{middle}.{tail}",
        f"{head}.{middle}!.{tail}",
        f"{head}.{middle}.{tail[:-1]}{chr(ord(tail[-1]) + 1)}",
        good + ".",
        good.replace(".", "..", 1),
        f"{head}.{middle}",
        "",
    ):
        assert door.ask(bent).status_code == 401, bent
    assert door.ask(good).status_code == 200


def test_huge_and_deep_assertions_are_refused_quickly(door):
    for text, statuses in (
        (compact({"alg": "ES256"}, "[" * 5000, door.sign), {401}),
        (compact('{"alg":' * 120, "{}", door.sign), {401}),
        ("x" * 2_000_000, {413}),
        (compact({"alg": "ES256"}, '{"a":' * 100_000, door.sign), {413}),
    ):
        started = process_time()
        assert door.ask(text).status_code in statuses
        assert process_time() - started < 0.2


def test_something_else_that_was_signed_is_no_assertion(door):
    payload = json.dumps(door.claims())
    for typ in ("at+jwt", "jw-entry+jws", "entity-statement+jwt", "jwt", "logout+jwt", 7):
        forged = compact({"alg": "ES256", "typ": typ}, payload, door.sign)
        assert door.ask(forged).status_code == 401, typ
    with door.alpha.app_context():
        signed = node_keys().sign(door.claims(), ENTRY)
    text = f"{b64(signed.header)}.{b64(signed.payload)}.{signed.signature}"
    assert door.ask(text).status_code == 401


def test_other_ways_to_ask_are_refused(door):
    for form, status in (
        ({"grant_type": "password"}, 400),
        ({"grant_type": "authorization_code"}, 400),
        ({"grant_type": ""}, 400),
        ({"client_assertion_type": "urn:other"}, 401),
        ({"client_id": "somebody"}, 401),
        ({"grant_type": ["client_credentials", "client_credentials"]}, 400),
    ):
        assert door.ask(**form).status_code == status, form
    answer = door.headquarters.test_client().post(
        "/oauth/token",
        data={"grant_type": "client_credentials"},
        headers={"Authorization": "Basic " + base64.b64encode(b"a:b").decode()},
    )
    assert answer.status_code == 401
    assert door.headquarters.test_client().get("/oauth/token").status_code == 405


def test_an_assertion_counts_once(door):
    assertion = door.assertion()
    assert door.ask(assertion).status_code == 200
    answer = door.ask(assertion)
    assert (answer.status_code, answer.json["code"]) == (401, "assertion_used")


def test_of_fifty_at_once_exactly_one_passes(door):
    assertion = door.assertion()
    with ThreadPoolExecutor(50) as pool:
        statuses = list(pool.map(lambda _: door.ask(assertion).status_code, range(50)))
    assert sorted(statuses) == [200] + [401] * 49


def test_used_assertions_are_forgotten_when_they_are_over(door, monkeypatch):
    door.token()
    later = clock.now() + timedelta(minutes=10)
    monkeypatch.setattr(clock, "now", lambda: later)
    door.token()
    with door.headquarters.app_context():
        assert len(db.session.scalars(select(UsedAssertion)).all()) == 1


def test_a_clock_that_is_an_hour_off_is_named(door, monkeypatch):
    hour = timedelta(hours=1)
    for shift in (hour, -hour):
        assertion = door.assertion()
        shifted = clock.now() + shift
        with monkeypatch.context() as patch:
            patch.setattr(clock, "now", lambda shifted=shifted: shifted)
            assert door.ask(assertion).json["code"] == "clock"


# Access tokens


def test_access_tokens_that_were_bent_are_refused(door):
    assert door.read(door.access_token()).status_code == 200
    now = clock.timestamp()
    for changes in (
        {"iss": "https://elsewhere.test"},
        {"aud": "https://elsewhere.test"},
        {"aud": [origin_of(door.headquarters)]},
        {"aud": None},
        {"exp": None},
        {"exp": now},
        {"exp": str(now + 60)},
        {"client_id": None},
        {"client_id": 7},
        {"client_id": "somebody"},
    ):
        answer = door.read(door.access_token(**changes))
        assert answer.status_code == 401, changes
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    for header in (
        {"typ": "JWT"},
        {"typ": "logout+jwt"},
        {"typ": "client-authentication+jwt"},
        {"typ": "jw-entry+jws"},
        {"alg": "none"},
        {"alg": "HS256"},
        {"kid": "other"},
        {"jwk": {}},
        {"crit": ["x"], "x": 1},
    ):
        assert door.read(door.access_token(header)).status_code == 401, header


def test_another_spelling_of_a_good_token_is_refused(door):
    good = door.token()
    for bent in (good + "!!!!", good + "=", good[:-1], good + " x", "", "x"):
        assert door.read(bent).status_code == 401, bent
    for header in ("", "Bearer", f"Basic {good}", good, f"Token {good}"):
        client = door.headquarters.test_client()
        assert client.get(CHANNELS, headers={"Authorization": header}).status_code == 401
    assert door.headquarters.test_client().get(CHANNELS).status_code == 401


def test_a_token_of_one_node_is_worth_nothing_at_another(door, beta):
    join(door.headquarters, beta)
    token = door.token()
    for node in (door.alpha, beta):
        answer = node.test_client().get(CHANNELS, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401


def test_a_token_does_not_open_what_its_scope_does_not_name(door):
    answer = door.read(door.ask(scope="fed.hint").json["access_token"])
    assert (answer.status_code, answer.json["code"]) == (403, "scope")


def test_a_suspended_peer_is_out_with_the_token_that_it_has(door):
    token = door.token()
    with door.headquarters.app_context(), transaction():
        peering.suspend(origin_of(door.alpha))
    for answer, status in ((door.read(token), 403), (door.ask(), 401)):
        assert (answer.status_code, answer.json["code"]) == (status, "peer_suspended")


def test_a_removed_peer_is_out_with_the_token_that_it_has(door):
    token = door.token()
    with door.headquarters.app_context(), transaction():
        db.session.delete(registry.find_peer(origin_of(door.alpha)))
    assert door.read(token).status_code == 401
    assert door.ask().status_code == 401


def test_an_agreement_that_ended_closes_the_door(headquarters, partner):
    pair(headquarters, partner)
    with partner.app_context():
        client = PeerClient.for_peer(registry.peers()[0])
        client.get(CHANNELS)
    with headquarters.app_context(), transaction():
        registry.find_peer(origin_of(partner)).agreement_ends_at = clock.now()
    with partner.app_context(), pytest.raises(RefusedError) as refusal:
        client.get(CHANNELS)
    assert refusal.value.refusal == "agreement_ended"


def test_tokens_of_peers_and_of_people_do_not_pass_for_each_other(door):
    with door.headquarters.app_context(), transaction():
        personal = make_token(make_person("admin", Role.ADMINISTRATOR))
    assert door.read(personal).status_code == 401
    assert door.read(personal, "/api/v1/peers").status_code == 200
    assert door.read(door.token(), "/api/v1/peers").status_code == 401


# The client


def test_the_client_asks_for_one_token_and_uses_it_again(door):
    adapter = door.alpha.extensions["hub.transport"]
    with door.alpha.app_context():
        client = PeerClient.for_peer(registry.peers()[0])
        assert client is PeerClient.for_peer(registry.peers()[0])
        for _ in range(3):
            client.get(CHANNELS)
    assert len([url for _, url in adapter.seen if url.endswith("/oauth/token")]) == 1


def test_the_client_asks_anew_when_its_token_no_longer_holds(door):
    with door.alpha.app_context():
        client = PeerClient.for_peer(registry.peers()[0])
        client.get(CHANNELS)
        client._token = tokens.sign({"iss": "old"}, "at+jwt")
        assert client.get(CHANNELS)["channels"]


def test_a_request_is_noted_as_contact(door):
    token = door.token()
    with door.headquarters.app_context(), transaction():
        db.session.execute(update(Peer).values(seen_at=None))
    door.read(token)
    with door.headquarters.app_context():
        assert db.session.scalars(select(Peer.seen_at)).one() is not None


def test_a_reader_does_not_wait_for_a_writer_only_to_be_noted(door):
    token = door.token()
    with door.headquarters.app_context():
        with transaction():
            db.session.execute(update(Peer).values(seen_at=None))
        with db.engine.connect().execution_options(**for_writing()) as writer:
            writer.execute(update(Peer).values(name="Busy"))
            started = process_time()
            assert door.read(token).status_code == 200
            assert process_time() - started < 5
