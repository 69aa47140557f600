"""Proofs of possession on all that passes between enterprises, tried at the URL (RFC 9449)."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask
from joserfc import jws
from joserfc.jwk import ECKey
from werkzeug.test import TestResponse

from hub import clock
from hub.federation import puller
from hub.federation.client import ASSERTION, ASSERTION_TYPE
from hub.federation.errors import MalformedError
from hub.registry import dpop, keys, tokens
from hub.registry import service as registry
from tests.federation.test_oauth import b64, compact
from tests.in_process import join, origin_of, pair

CHANNELS = "/fed/v1/channels"
HERE = "https://headquarters.test"


class Partner:
    """A partner at the door of headquarters: what it sends can be bent at will."""

    def __init__(self, headquarters: Flask, partner: Flask) -> None:
        pair(headquarters, partner)
        self.client = headquarters.test_client()
        with partner.app_context():
            [peer] = registry.peers()
            self.client_id = peer.our_client_id
            self.token_key = keys.token_key()
        self.key = ECKey.import_key(keys.pem(ec.generate_private_key(ec.SECP256R1())))

    def proof(self, header: dict[str, Any] | None = None, **changes: Any) -> str:
        """Return a proof for listing the channels; None leaves a member out."""
        told = {"jti": str(uuid4()), "htm": "GET", "htu": HERE + CHANNELS}
        told |= {"iat": clock.timestamp()} | changes
        told = {name: value for name, value in told.items() if value is not None}
        header = {"alg": "ES256", "typ": dpop.PROOF, "jwk": jwk_of(self.key)} | (header or {})
        header = {name: value for name, value in header.items() if value is not None}
        return compact(header, json.dumps(told), lambda text: sign(text, self.key))

    def ask(self, proof: str | None) -> TestResponse:
        now = clock.timestamp()
        told = {"iss": self.client_id, "sub": self.client_id, "aud": HERE}
        told |= {"iat": now, "exp": now + 60, "jti": str(uuid4())}
        header = {"alg": "ES256", "typ": ASSERTION}
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": compact(
                header, json.dumps(told), lambda text: sign(text, self.token_key)
            ),
        }
        headers = {"DPoP": proof} if proof else {}
        return self.client.post("/oauth/token", data=form, headers=headers)

    def token(self) -> str:
        answer = self.ask(self.proof(htm="POST", htu=f"{HERE}/oauth/token"))
        assert answer.status_code == 200, answer.text
        return str(answer.json["access_token"])

    def read(
        self, token: str, proof: str | None, scheme: str = "DPoP", path: str = CHANNELS
    ) -> TestResponse:
        headers = {"Authorization": f"{scheme} {token}"} | ({"DPoP": proof} if proof else {})
        return self.client.get(path, headers=headers)


def jwk_of(key: ECKey) -> dict[str, Any]:
    return keys.bare(keys.public_jwk(key, keys.TOKEN))


def sign(text: bytes, key: ECKey) -> bytes:
    signature: bytes = jws.JWSRegistry(algorithms=["ES256"]).get_alg("ES256").sign(text, key)
    return signature


@contextmanager
def moved(monkeypatch: pytest.MonkeyPatch, seconds: int) -> Iterator[None]:
    with monkeypatch.context() as patch:
        real = clock.timestamp
        patch.setattr(clock, "timestamp", lambda: real() + seconds)
        yield


@pytest.fixture
def knocking(headquarters: Flask, partner: Flask) -> Partner:
    return Partner(headquarters, partner)


def refused(answer: TestResponse) -> str:
    """Return why a request was refused for its proof, and check that it was for that."""
    assert answer.status_code == 401, answer.text
    assert answer.json["code"] == "invalid_dpop_proof"
    assert answer.headers["WWW-Authenticate"].startswith("DPoP ")
    return str(answer.json["detail"])


def test_a_proof_and_the_token_of_its_key_open_the_door(knocking):
    token = knocking.token()
    answer = knocking.read(token, knocking.proof(ath=dpop.hash_of(token)))
    assert answer.status_code == 200
    assert [row["ch"] for row in answer.json["channels"]] == ["partner:globex", "public"]


def test_the_metadata_names_the_algorithm_of_proofs(knocking):
    told = knocking.client.get("/.well-known/oauth-authorization-server").json
    assert told["dpop_signing_alg_values_supported"] == ["ES256"]


def test_a_token_without_a_proof_is_refused_to_a_partner(knocking):
    answer = knocking.ask(None)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_dpop_proof")
    for changes in ({"htm": "GET"}, {"htu": f"{HERE}/oauth/register"}, {"iat": 1}):
        proof = knocking.proof(**({"htm": "POST", "htu": f"{HERE}/oauth/token"} | changes))
        assert knocking.ask(proof).json["error"] == "invalid_dpop_proof", changes


def test_a_token_request_uses_its_proof_up(knocking):
    proof = knocking.proof(htm="POST", htu=f"{HERE}/oauth/token")
    assert knocking.ask(proof).json["token_type"] == "DPoP"
    assert knocking.ask(proof).json["error"] == "invalid_dpop_proof"


def test_a_request_without_a_proof_is_refused(knocking):
    assert "missing" in refused(knocking.read(knocking.token(), None))


def test_a_bound_token_is_no_bearer_token(knocking):
    token = knocking.token()
    for proof in (None, knocking.proof(ath=dpop.hash_of(token))):
        answer = knocking.read(token, proof, scheme="Bearer")
        assert (answer.status_code, answer.json["code"]) == (401, "token")


def test_a_plain_token_is_refused_to_a_partner(knocking, headquarters):
    now = clock.timestamp()
    told = {"iss": HERE, "aud": HERE, "client_id": knocking.client_id, "scope": "fed.read"}
    with headquarters.app_context():
        plain = tokens.sign(told | {"iat": now, "exp": now + 600}, tokens.ACCESS_TOKEN)
    assert "missing" in refused(knocking.read(plain, None, scheme="Bearer"))
    answer = knocking.read(plain, knocking.proof(ath=dpop.hash_of(plain)))
    assert (answer.status_code, answer.json["code"]) == (401, "token")


def test_a_proof_for_another_request_is_refused(knocking):
    token = knocking.token()
    ath = dpop.hash_of(token)
    for changes in (
        {"htm": "POST"},
        {"htm": None},
        {"htu": "https://elsewhere.test" + CHANNELS},
        {"htu": "http://headquarters.test" + CHANNELS},
        {"htu": HERE + CHANNELS + "/group/items"},
        {"htu": HERE},
        {"htu": HERE + "@elsewhere.test" + CHANNELS},
        {"htu": "https://["},
        {"htu": None},
        {"ath": dpop.hash_of("another token")},
        {"ath": None},
        {"jti": None},
        {"jti": ""},
        {"jti": "x" * 129},
        {"iat": None},
        {"iat": True},
        {"iat": str(clock.timestamp())},
        {"iat": clock.timestamp() - 62},
        {"iat": clock.timestamp() + 62},
    ):
        refused(knocking.read(token, knocking.proof(**({"ath": ath} | changes))))


def test_a_proof_of_another_kind_is_refused(knocking):
    token = knocking.token()
    ath, other = dpop.hash_of(token), ECKey.generate_key("P-256")
    private = knocking.key.as_dict(private=True)
    for header in (
        {"typ": "JWT"},
        {"typ": None},
        {"alg": "none"},
        {"alg": "HS256"},
        {"jwk": None},
        {"jwk": private},
        {"jwk": jwk_of(other)},
        {"jwk": {"kty": "oct", "k": "AAAA"}},
        {"jwk": [jwk_of(knocking.key)]},
        {"jwk": jwk_of(knocking.key) | {"x": "A" * 43}},
        {"kid": knocking.key.thumbprint()},
        {"jku": "https://elsewhere.test/keys"},
        {"crit": ["b64"], "b64": False},
    ):
        refused(knocking.read(token, knocking.proof(header, ath=ath)))
    good = knocking.proof(ath=ath)
    for bent in (good + "!!", good[:-2] + "AA", f"{good}, {good}", "", b64("{}")):
        answer = knocking.client.get(
            CHANNELS, headers={"Authorization": f"DPoP {token}", "DPoP": bent}
        )
        refused(answer)
    assert knocking.read(token, good).status_code == 200


def test_a_proof_with_another_key_than_the_tokens_is_refused(knocking):
    token = knocking.token()
    knocking.key = ECKey.generate_key("P-256")
    why = refused(knocking.read(token, knocking.proof(ath=dpop.hash_of(token))))
    assert "another key" in why


def test_a_proof_is_used_once(knocking):
    token = knocking.token()
    proof = knocking.proof(ath=dpop.hash_of(token))
    assert knocking.read(token, proof).status_code == 200
    assert "used before" in refused(knocking.read(token, proof))


def test_of_many_that_use_a_proof_at_once_one_comes_in(knocking):
    token = knocking.token()
    proof = knocking.proof(ath=dpop.hash_of(token))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: knocking.read(token, proof).status_code, range(16)))
    assert sorted(answers) == [200] + [401] * 15


def test_a_proof_stays_used_for_as_long_as_it_would_hold(knocking, monkeypatch):
    token = knocking.token()
    proof = knocking.proof(ath=dpop.hash_of(token), iat=clock.timestamp() + 50)
    assert knocking.read(token, proof).status_code == 200
    with moved(monkeypatch, 100):
        assert "used before" in refused(knocking.read(token, proof))


def test_a_proof_is_no_token_and_a_token_is_no_proof(knocking):
    token = knocking.token()
    proof = knocking.proof(ath=dpop.hash_of(token))
    assert knocking.read(proof, knocking.proof(ath=dpop.hash_of(proof))).json["code"] == "token"
    refused(knocking.read(token, token))


def test_nodes_of_one_enterprise_go_on_with_bearer_tokens(headquarters, alpha):
    join(headquarters, alpha)
    with alpha.app_context():
        assert puller.pull_all()[origin_of(headquarters)]
        [peer] = registry.peers()
        client = puller.PeerClient.for_peer(peer)
        credentials = client._credentials("GET", CHANNELS, "x")
    assert credentials == {"Authorization": "Bearer x"}


def test_a_node_accepts_no_unbound_token_from_a_partner(headquarters, partner, monkeypatch):
    pair(headquarters, partner)
    monkeypatch.setattr("hub.federation.oauth._proof_of", lambda caller: None)
    with partner.app_context(), pytest.raises(MalformedError):
        puller.pull(origin_of(headquarters))


def test_two_nodes_of_this_program_prove_themselves_with_every_request(headquarters, partner):
    pair(headquarters, partner)
    with partner.app_context():
        assert puller.pull(origin_of(headquarters)) >= 2
