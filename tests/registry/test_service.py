"""Who may vouch for whom, and what counts as an address."""

from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from flask import Flask
from joserfc.jwk import OKPKey

from hub.database import db, transaction
from hub.registry import addresses, keys, service, trust
from hub.registry.errors import MalformedKeyError, NotAnchorError
from hub.registry.models import NodeKey

HQ = "https://headquarters.test"
ALPHA = "https://alpha.test"
BETA = "https://beta.test"
GLOBEX = "https://globex.test"
PLANT = "https://plant.globex.test"
INITECH = "https://initech.test"


def make_jwk() -> dict[str, Any]:
    return keys.public_jwk(OKPKey.import_key(ed25519.Ed25519PrivateKey.generate()), "Ed25519")


def node(origin: str, enterprise: str, *, headquarters: bool = False, **more: Any) -> Any:
    fields = {"node": origin, "name": "N", "enterprise": enterprise, "headquarters": headquarters}
    return {"type": "node", "fields": fields | more}


def key(origin: str, jwk: object = None) -> Any:
    return {"type": "key", "fields": {"node": origin, "jwk": jwk or make_jwk()}}


@pytest.fixture
def joined(alpha: Flask) -> Flask:
    """Return a node that has pinned its headquarters and itself."""
    with alpha.app_context(), transaction():
        for origin, is_headquarters in ((HQ, True), (ALPHA, False)):
            service.pin(
                origin,
                name="N",
                enterprise="acme",
                is_headquarters=is_headquarters,
                jwk=make_jwk(),
            )
    return alpha


def learn(app: Flask, signer: str, *payloads: Any) -> None:
    with app.app_context(), transaction():
        for payload in payloads:
            service.learn(payload, signer_origin=signer)


def test_our_headquarters_names_our_nodes_and_their_keys(joined):
    jwk = make_jwk()
    learn(joined, HQ, node(BETA, "acme"), key(BETA, jwk))
    with joined.app_context():
        assert service.enterprise_of(BETA) == "acme"
        assert service.key_of(BETA, jwk["kid"]) == jwk
        assert service.key_of(HQ, jwk["kid"]) is None


def test_a_partner_s_headquarters_is_named_by_ours_and_names_its_own_nodes(joined):
    learn(joined, HQ, node(GLOBEX, "globex", headquarters=True), key(GLOBEX))
    learn(joined, GLOBEX, node(PLANT, "globex"), key(PLANT), key(GLOBEX))
    with joined.app_context():
        assert service.anchors() == {"acme": HQ, "globex": GLOBEX}
        assert service.enterprise_of(PLANT) == "globex"


def test_nobody_vouches_beyond_their_own(joined):
    learn(joined, HQ, node(GLOBEX, "globex", headquarters=True), key(GLOBEX), node(BETA, "acme"))
    for signer, payload in (
        (GLOBEX, node("https://new.test", "acme")),
        (GLOBEX, node(BETA, "globex")),  # A node of ours, claimed by a partner.
        (GLOBEX, node(INITECH, "initech", headquarters=True)),
        (GLOBEX, node(PLANT, "globex", headquarters=True)),  # There is one headquarters.
        (GLOBEX, key(BETA)),
        (GLOBEX, key(HQ)),
        (GLOBEX, key(ALPHA)),
        (HQ, node("https://other.test", "globex", headquarters=True)),
        (HQ, node("https://other.test", "acme", headquarters=True)),
        (HQ, node("https://other.test", "globex")),
        (HQ, key("https://unknown.test")),
        (ALPHA, node("https://other.test", "acme")),
        (BETA, key(BETA)),
        ("https://stranger.test", node("https://stranger.test", "stranger", headquarters=True)),
        ("https://stranger.test", key("https://stranger.test")),
    ):
        with pytest.raises(NotAnchorError):
            learn(joined, signer, payload)


def test_malformed_statements_are_refused(joined):
    for payload in (
        node("http://beta.test", "acme"),
        node("https://beta.test/", "acme"),
        node(BETA, "Not A Slug"),
        node(BETA, "acme", name=7),
        node(BETA, "acme", name="x" * 201),
        {"type": "node", "fields": []},
        {"type": "node"},
        {"type": "key", "fields": {"node": None}},
    ):
        with pytest.raises(NotAnchorError):
            learn(joined, HQ, payload)
    private = OKPKey.import_key(ed25519.Ed25519PrivateKey.generate()).as_dict(private=True)
    for jwk in (private, {"kty": "EC"}, {"kty": "OKP", "crv": "X25519", "x": "A" * 43}, "text", 7):
        with pytest.raises(MalformedKeyError):
            learn(joined, HQ, key(HQ, jwk))


def test_a_key_is_named_by_its_thumbprint_whatever_it_calls_itself(joined):
    jwk = make_jwk()
    learn(joined, HQ, key(HQ, jwk | {"kid": "another", "extra": "x" * 1000}))
    with joined.app_context():
        assert service.key_of(HQ, "another") is None
        assert service.key_of(HQ, jwk["kid"]) == jwk


def test_a_node_has_a_bounded_number_of_keys(joined):
    learn(joined, HQ, *(key(HQ) for _ in range(trust.MOST_KEYS - 1)))
    with pytest.raises(NotAnchorError):
        learn(joined, HQ, key(HQ))
    with joined.app_context():
        assert db.session.query(NodeKey).filter_by(origin=HQ).count() == trust.MOST_KEYS


def test_entries_of_other_types_are_left_alone(joined):
    learn(joined, "https://stranger.test", {"type": "case", "fields": {"node": BETA}})
    with joined.app_context():
        assert service.enterprise_of(BETA) is None


def test_plain_http_is_for_this_machine_and_only_where_allowed(alpha):
    local = ("http://127.0.0.1:5001", "http://localhost:5001", "http://[::1]:5001")
    with alpha.app_context():
        assert not any(addresses.is_origin(origin) for origin in local)
        alpha.extensions["hub.settings"] = replace(
            alpha.extensions["hub.settings"], allow_loopback=True
        )
        assert all(addresses.is_origin(origin) for origin in local)
        for origin in ("http://10.0.0.1", "http://alpha.test", "http://127.0.0.1.evil.test"):
            assert not addresses.is_origin(origin)
