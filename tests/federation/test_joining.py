"""Joining: one code, both keys, one answer."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from hub import clock
from hub.config import settings
from hub.database import db, transaction
from hub.errors import HubError
from hub.federation import directory, joining, peering, puller, statements
from hub.federation.agreements import Agreement
from hub.federation.client import PeerClient
from hub.federation.errors import (
    AgreementError,
    AlreadyJoinedError,
    EnterpriseError,
    ForbiddenAddressError,
    MalformedCodeError,
    MalformedError,
    NotHeadquartersError,
    OtherFingerprintError,
    RefusedError,
    UnreachableError,
)
from hub.journal import log
from hub.journal.models import DIRECTORY, Entry, Live
from hub.journal.signing import node_keys
from hub.registry import service as registry
from hub.registry.models import Invitation, Peer, PeerKind, PeerState
from tests.in_process import accept, connect, invite, join, origin_of, pair


def only_peer(app: Flask) -> Peer:
    with app.app_context():
        [peer] = registry.peers()
        return peer


def body_of(sender: Flask, headquarters: Flask, code: str, **changes: Any) -> dict[str, Any]:
    """Return the registration that a node would send."""
    with sender.app_context():
        config = settings()
        return {
            "client_name": config.name,
            "grant_types": ["client_credentials"],
            "token_endpoint_auth_method": "private_key_jwt",
            "jwks": statements.own_jwks(),
            "node": config.origin,
            "enterprise": config.enterprise,
            "proof": statements.prove(code, origin_of(headquarters)),
        } | changes


def register(headquarters: Flask, code: str, body: Any) -> Any:
    return headquarters.test_client().post(
        "/oauth/register", json=body, headers={"Authorization": f"Bearer {code}"}
    )


# What joining brings


def test_both_sides_are_live_after_one_code(headquarters, alpha):
    join(headquarters, alpha)
    here, there = only_peer(headquarters), only_peer(alpha)
    assert (here.kind, here.state) == (PeerKind.SUBSIDIARY, PeerState.LIVE)
    assert (there.kind, there.state) == (PeerKind.HEADQUARTERS, PeerState.LIVE)
    assert here.client_id == there.our_client_id


def test_the_joiner_knows_the_anchor_and_itself(headquarters, alpha):
    join(headquarters, alpha)
    with headquarters.app_context():
        kid = node_keys().fingerprint
    with alpha.app_context():
        assert registry.key_of(origin_of(headquarters), kid)
        assert registry.key_of(origin_of(alpha), node_keys().fingerprint)
        assert registry.anchors() == {"acme": origin_of(headquarters)}


def test_every_node_learns_of_every_other_through_dir(headquarters, alpha, beta):
    join(headquarters, alpha)
    join(headquarters, beta)
    with beta.app_context():
        kid = node_keys().fingerprint
    with alpha.app_context():
        puller.pull(origin_of(headquarters))
        assert registry.key_of(origin_of(beta), kid)
        assert registry.enterprise_of(origin_of(beta)) == "acme"


@pytest.mark.on_both
def test_headquarters_says_each_thing_once(headquarters, alpha, beta):
    join(headquarters, alpha)
    join(headquarters, alpha)
    join(headquarters, beta)
    with headquarters.app_context():
        live = db.session.query(Live).filter_by(channel=DIRECTORY).all()
        assert len(live) == 6  # Three nodes, a key each.
        assert {row.seq for row in live} == set(range(1, 7))


@pytest.mark.on_both
def test_a_new_name_is_the_next_revision(headquarters, alpha):
    join(headquarters, alpha)
    with headquarters.app_context(), transaction():
        peer = registry.find_peer(origin_of(alpha))
        directory.announce(
            peer.origin,
            name="Alpha Works",
            enterprise="acme",
            is_headquarters=False,
            jwk=peer.signing_jwk,
        )
    with headquarters.app_context():
        revisions = [e.rev for e in db.session.query(Entry).filter_by(type="node") if e.rev > 1]
    assert revisions == [2]
    with alpha.app_context():
        puller.pull(origin_of(headquarters))
        assert registry.enterprise_of(origin_of(alpha)) == "acme"


# The code


@pytest.mark.on_both
def test_a_code_is_not_kept(headquarters, alpha):
    code = invite(headquarters, alpha, PeerKind.SUBSIDIARY)
    with headquarters.app_context():
        [invitation] = db.session.query(Invitation).all()
        assert code not in str(vars(invitation))
        assert invitation.digest == statements.code_digest(code)


def test_the_same_code_with_the_same_key_gets_the_same_answer(headquarters, alpha):
    code = invite(headquarters, alpha, PeerKind.SUBSIDIARY)
    first = register(headquarters, code, body_of(alpha, headquarters, code))
    second = register(headquarters, code, body_of(alpha, headquarters, code))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json == second.json


def test_a_used_code_is_closed_to_another_key(headquarters, alpha, make_node):
    connect(headquarters, alpha)
    code = invite(headquarters, alpha, PeerKind.SUBSIDIARY)
    accept(alpha, code)
    body = body_of(impersonate(alpha, make_node), headquarters, code)
    answer = register(headquarters, code, body)
    assert (answer.status_code, answer.json["code"]) == (401, "invitation_used")


def impersonate(node: Flask, make_node: Any) -> Flask:
    """Return a node with keys of its own that claims the address of another."""
    impostor: Flask = make_node("impostor")
    config = impostor.extensions["hub.settings"]
    impostor.extensions["hub.settings"] = replace(config, origin=origin_of(node))
    return impostor


def test_a_late_code_is_refused(headquarters, alpha, monkeypatch):
    connect(headquarters, alpha)
    code = invite(headquarters, alpha, PeerKind.SUBSIDIARY)
    later = clock.now() + timedelta(hours=24, seconds=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    with pytest.raises(RefusedError) as refusal:
        accept(alpha, code)
    assert refusal.value.refusal == "invitation_expired"


def test_a_code_is_bound_to_its_node(headquarters, alpha):
    code = invite(headquarters, alpha, PeerKind.SUBSIDIARY)
    for change in ({"node": "https://gamma.test"}, {"enterprise": "globex"}):
        answer = register(headquarters, code, body_of(alpha, headquarters, code, **change))
        assert (answer.status_code, answer.json["code"]) == (403, "invitation_other_node")


def test_an_unknown_code_is_refused(headquarters, alpha):
    code = invite(headquarters, alpha, PeerKind.SUBSIDIARY)
    other = code[:-4] + ("AAAA" if code[-4:] != "AAAA" else "BBBB")
    answer = register(headquarters, other, body_of(alpha, headquarters, other))
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_token")


def test_another_node_at_the_address_is_noticed_before_anything_is_sent(
    headquarters, alpha, partner
):
    adapter = connect(headquarters, alpha, partner)
    code = invite(headquarters, alpha, PeerKind.SUBSIDIARY)
    adapter.nodes[origin_of(headquarters)] = partner
    with alpha.app_context(), pytest.raises(HubError):
        joining.look(code)
    with alpha.app_context(), pytest.raises(HubError):
        joining.register(code)
    with alpha.app_context():
        assert not registry.peers()


def test_what_is_no_code_is_refused(alpha):
    for code in ["", "jw1.", "jw2." + "e" * 100, "jw1." + "e" * 100, "jw1.bnVsbA" + "A" * 60]:
        with alpha.app_context(), pytest.raises(MalformedCodeError):
            joining.register(code)


def test_a_lost_headquarters_is_told_from_a_refusing_one(headquarters, alpha):
    adapter = connect(headquarters, alpha)
    code = invite(headquarters, alpha, PeerKind.SUBSIDIARY)
    adapter.down.add(origin_of(headquarters))
    with pytest.raises(UnreachableError):
        accept(alpha, code)
    adapter.down.clear()
    accept(alpha, code)
    assert only_peer(alpha).state == PeerState.LIVE


def test_a_statement_that_is_over_is_refused(headquarters, alpha, monkeypatch):
    connect(headquarters, alpha)
    code = invite(headquarters, alpha, PeerKind.SUBSIDIARY)
    monkeypatch.setattr(statements, "LIFE", -statements.APART - 1)
    with pytest.raises(MalformedError, match="that is over"):
        accept(alpha, code)
    with alpha.app_context():
        assert not registry.peers()


# The proof


def test_keys_without_proof_are_refused(headquarters, alpha, beta):
    code = invite(headquarters, alpha, PeerKind.SUBSIDIARY)
    good = body_of(alpha, headquarters, code)
    with beta.app_context():
        foreign = statements.prove(code, origin_of(headquarters))
        foreign_jwks = statements.own_jwks()
    swapped = {"keys": [good["jwks"]["keys"][0], foreign_jwks["keys"][1]]}
    with alpha.app_context():
        other_audience = statements.prove(code, "https://elsewhere.test")
        other_code = statements.prove(code + "A", origin_of(headquarters))
    for change in (
        {"proof": None},
        {"proof": {}},
        {"proof": foreign},
        {"proof": good["proof"] | {"token": foreign["token"]}},
        {"proof": good["proof"] | {"signing": good["proof"]["token"]}},
        {"proof": other_audience},
        {"proof": other_code},
        {"jwks": swapped},
    ):
        answer = register(headquarters, code, good | change)
        assert (answer.status_code, answer.json["code"]) == (400, "proof"), change
        assert answer.json["error"] == "invalid_client_metadata"
    assert register(headquarters, code, good).status_code == 201


def test_a_clock_that_is_an_hour_off_is_named(headquarters, alpha, monkeypatch):
    code = invite(headquarters, alpha, PeerKind.SUBSIDIARY)
    body = body_of(alpha, headquarters, code)
    later = clock.now() + timedelta(hours=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert register(headquarters, code, body).json["code"] == "clock"


def test_other_keys_than_the_two_kinds_are_refused(headquarters, alpha):
    code = invite(headquarters, alpha, PeerKind.SUBSIDIARY)
    for jwks in [
        None,
        {},
        {"keys": []},
        {"keys": [{}, {}]},
        {"keys": [{"kty": "oct", "k": "AAAA"}, {"kty": "RSA"}]},
        {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "A" * 42}, {}]},
        {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "!" * 43}, {}]},
    ]:
        answer = register(headquarters, code, body_of(alpha, headquarters, code, jwks=jwks))
        assert (answer.status_code, answer.json["code"]) == (400, "malformed_key"), jwks


def test_a_point_that_is_not_on_the_curve_is_refused(headquarters, alpha):
    code = invite(headquarters, alpha, PeerKind.SUBSIDIARY)
    body = body_of(alpha, headquarters, code)
    body["jwks"]["keys"][1] |= {"x": "A" * 43, "y": "A" * 43}
    assert register(headquarters, code, body).json["code"] == "malformed_key"


def test_a_malformed_registration_names_the_field(headquarters, alpha):
    code = invite(headquarters, alpha, PeerKind.SUBSIDIARY)
    for change, field in [
        ({"client_name": ""}, "client_name"),
        ({"client_name": "a\nb"}, "client_name"),
        ({"client_name": 7}, "client_name"),
        ({"node": None}, "node"),
        ({"grant_types": ["password"]}, "grant_types"),
        ({"token_endpoint_auth_method": "none"}, "token_endpoint_auth_method"),
    ]:
        answer = register(headquarters, code, body_of(alpha, headquarters, code, **change))
        assert (answer.status_code, answer.json["field"]) == (400, field)


def test_a_body_that_is_no_object_or_too_large_is_refused(headquarters):
    client = headquarters.test_client()
    for data, status in [
        (b"[" * 16000, 400),
        (b"{", 400),
        (b"[]", 400),
        (b"null", 400),
        (b" " * 17000, 413),
    ]:
        answer = client.post("/oauth/register", data=data, content_type="application/json")
        assert answer.status_code == status


# Who may invite whom


def test_only_headquarters_invites_into_the_enterprise_and_partners(alpha, beta, partner):
    with pytest.raises(EnterpriseError):
        invite(alpha, beta, PeerKind.SUBSIDIARY)
    with pytest.raises(NotHeadquartersError):
        invite(alpha, partner, PeerKind.PARTNER)


def test_what_is_no_address_of_another_node_is_not_invited(headquarters):
    for origin in [
        "http://alpha.test",
        "https://alpha.test/",
        "https://alpha.test/path",
        "https://user@alpha.test",
        "https://ALPHA.test",
        "https://alpha.test:443",
        "https://alpha.test#x",
        "https://alpha.test?x",
        "https://",
        "https://al pha.test",
        "https://alpha.test:99999",
        "ftp://alpha.test",
        "https://headquarters.test",
        "",
    ]:
        with headquarters.app_context(), transaction(), pytest.raises(ForbiddenAddressError):
            joining.invite(origin, "acme", PeerKind.SUBSIDIARY)


def test_kind_and_enterprise_must_agree(headquarters, alpha, partner):
    with headquarters.app_context(), transaction():
        with pytest.raises(EnterpriseError):
            joining.invite(origin_of(alpha), "acme", PeerKind.PARTNER)
        with pytest.raises(EnterpriseError):
            joining.invite(origin_of(partner), "globex", PeerKind.SUBSIDIARY)
        with pytest.raises(AgreementError):
            joining.invite(origin_of(partner), "globex", PeerKind.PARTNER, Agreement(clock.now()))


def test_a_node_has_one_headquarters(headquarters, alpha, make_node):
    join(headquarters, alpha)
    second = make_node("second", role="headquarters")
    connect(second, alpha)
    with pytest.raises(AlreadyJoinedError):
        accept(alpha, invite(second, alpha, PeerKind.SUBSIDIARY))


def test_a_known_node_with_another_key_is_refused(headquarters, alpha, make_node):
    join(headquarters, alpha)
    code = invite(headquarters, alpha, PeerKind.SUBSIDIARY)
    body = body_of(impersonate(alpha, make_node), headquarters, code)
    answer = register(headquarters, code, body)
    assert (answer.status_code, answer.json["code"]) == (409, "other_key")


# Partners


@pytest.mark.on_both
def test_partners_are_live_only_after_both_codes_and_confirmation(headquarters, partner):
    connect(headquarters, partner)
    accept(partner, invite(headquarters, partner, PeerKind.PARTNER))
    assert only_peer(headquarters).state == PeerState.REGISTERED
    accept(headquarters, invite(partner, headquarters, PeerKind.PARTNER))
    assert only_peer(headquarters).state == PeerState.REGISTERED
    with partner.app_context():
        fingerprint = peering.grouped(node_keys().fingerprint)
    with headquarters.app_context(), transaction():
        peering.confirm(origin_of(partner), fingerprint)
    assert only_peer(headquarters).state == PeerState.LIVE
    assert only_peer(partner).state == PeerState.REGISTERED


def test_an_unconfirmed_partner_gets_no_token(headquarters, partner):
    connect(headquarters, partner)
    accept(partner, invite(headquarters, partner, PeerKind.PARTNER))
    with partner.app_context(), pytest.raises(RefusedError) as refusal:
        PeerClient.for_peer(registry.peers()[0]).get("/fed/v1/channels")
    assert refusal.value.refusal == "peer_not_confirmed"


def test_another_fingerprint_confirms_nothing(headquarters, partner):
    connect(headquarters, partner)
    accept(partner, invite(headquarters, partner, PeerKind.PARTNER))
    with headquarters.app_context():
        with transaction(), pytest.raises(OtherFingerprintError):
            peering.confirm(origin_of(partner), node_keys().fingerprint)
        assert registry.peers()[0].confirmed_at is None
        assert registry.anchors().get("globex") is None


def test_our_nodes_accept_the_anchor_of_a_confirmed_partner(headquarters, alpha, partner):
    join(headquarters, alpha)
    pair(headquarters, partner)
    with alpha.app_context():
        puller.pull(origin_of(headquarters))
        assert registry.anchors() == {
            "acme": origin_of(headquarters),
            "globex": origin_of(partner),
        }


def test_a_partner_is_told_of_our_headquarters_and_of_nobody_else(headquarters, alpha, partner):
    join(headquarters, alpha)
    pair(headquarters, partner)
    with partner.app_context():
        answer = PeerClient.for_peer(registry.peers()[0]).get(
            "/fed/v1/channels/partner:globex/items"
        )
    assert origin_of(headquarters) in str(answer)
    assert origin_of(alpha) not in str(answer)


@pytest.mark.on_both
def test_an_origin_is_introduced_once_before_it_publishes_to_a_partner(
    headquarters, alpha, partner
):
    join(headquarters, alpha)
    pair(headquarters, partner)
    with headquarters.app_context():
        for _ in range(2):
            with transaction():
                directory.introduce(origin_of(alpha), "globex")
        live = db.session.query(Live).filter_by(channel="partner:globex").count()
        assert live == 4
        position = log.position()
        with transaction():
            directory.introduce(origin_of(alpha), "globex")
        assert log.position() == position
    with partner.app_context():
        puller.pull(origin_of(headquarters))
        assert registry.enterprise_of(origin_of(alpha)) == "acme"


def test_a_subsidiary_does_not_go_past_its_headquarters(headquarters, beta, partner):
    connect(headquarters, beta, partner)
    with partner.app_context(), transaction():
        code = joining.invite(origin_of(beta), "acme", PeerKind.PARTNER)
    with pytest.raises(HubError):
        accept(beta, code)


def test_a_second_headquarters_of_a_partner_is_refused(headquarters, partner, make_node):
    pair(headquarters, partner)
    second = make_node("second", enterprise="globex", role="headquarters")
    connect(headquarters, second)
    with pytest.raises(RefusedError) as refusal:
        accept(second, invite(headquarters, second, PeerKind.PARTNER))
    assert refusal.value.refusal == "enterprise"
