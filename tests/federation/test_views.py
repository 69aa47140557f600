"""The administrator's pages about the federation."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from hub import clock
from hub.database import db, transaction
from hub.federation import health, joining, peering
from hub.identity.models import Role
from hub.journal.signing import node_keys
from hub.registry import service as registry
from hub.registry.models import Invitation, PeerKind, PeerState
from tests.factories import make_person
from tests.in_process import accept, connect, invite, join, origin_of, pair
from tests.pages import csrf_token, sign_in, submit

JOIN = "/admin/federation/join"
PEERS = "/admin/federation/peers"


def administrator(app: Flask) -> FlaskClient:
    with app.app_context(), transaction():
        make_person("admin", Role.ADMINISTRATOR)
    return sign_in(app, "admin")


def peer_page(app: Flask, origin: str, noun: str = "") -> str:
    with app.app_context():
        peer = registry.find_peer(origin)
        assert peer
        return f"{PEERS}/{peer.id}" + (f"/{noun}" if noun else "")


def test_a_pasted_code_shows_who_it_is_before_anything_is_sent(headquarters, alpha):
    adapter = connect(headquarters, alpha)
    code = invite(headquarters, alpha, PeerKind.SUBSIDIARY)
    page = submit(administrator(alpha), JOIN, code=f"  {code}\n")
    assert "Join Headquarters" in page.text
    with headquarters.app_context():
        assert peering.grouped(node_keys().fingerprint) in page.text
    assert {method for method, url in adapter.seen} == {"GET"}
    with alpha.app_context():
        assert not registry.peers()


def test_joining_takes_a_paste_and_two_clicks_and_ends_with_lights(headquarters, alpha):
    connect(headquarters, alpha)
    code = invite(headquarters, alpha, PeerKind.SUBSIDIARY)
    browser = administrator(alpha)
    offer = submit(browser, JOIN, code=code)
    answer = browser.post(
        "/admin/federation/membership",
        data={"csrf_token": csrf_token(offer), "code": code},
        follow_redirects=True,
    )
    for light in ("Address", "Key", "Clock", "Receiving", "Sending", "Search"):
        assert re.search(rf"<strong>{light}</strong> · works", answer.text), light
    assert "Everything works" in answer.text


@pytest.mark.parametrize("code", ["", "hello", "jw1.", "jw1." + "A" * 100, "jw1." + "e" * 3000])
def test_what_is_no_code_is_refused_beside_the_field(alpha, code):
    page = submit(administrator(alpha), JOIN, code=code)
    assert page.status_code == 400
    assert 'aria-invalid="true"' in page.text


def test_an_expired_code_is_explained_and_not_only_refused(headquarters, alpha):
    connect(headquarters, alpha)
    code = invite(headquarters, alpha, PeerKind.SUBSIDIARY)
    browser = administrator(alpha)
    token = csrf_token(submit(browser, JOIN, code=code))
    with headquarters.app_context(), transaction():
        db.session.execute(update(Invitation).values(expires_at=clock.now()))
    page = browser.post("/admin/federation/membership", data={"csrf_token": token, "code": code})
    assert page.status_code == 400
    assert "Ask for a new one" in page.text


def test_headquarters_makes_a_code_that_is_shown_once(headquarters, alpha):
    connect(headquarters, alpha)
    browser = administrator(headquarters)
    page = submit(
        browser,
        "/admin/federation/invitations/new",
        "/admin/federation/invitations",
        kind="subsidiary",
        origin=origin_of(alpha),
    )
    assert page.status_code == 201
    found = re.search(r"jw1\.[A-Za-z0-9_-]+", page.text)
    assert found
    assert found[0] not in browser.get(PEERS).text
    with alpha.app_context():
        assert joining.register(found[0]).origin == origin_of(headquarters)


def test_a_subsidiary_invites_nobody_into_the_enterprise(alpha):
    browser = administrator(alpha)
    assert browser.get("/admin/federation/invitations/new").status_code == 404
    token = csrf_token(browser.get(JOIN))
    data = {"csrf_token": token, "kind": "subsidiary", "origin": "https://beta.test"}
    page = browser.post("/admin/federation/invitations", data=data)
    assert page.status_code == 400
    assert "A subsidiary belongs to the same enterprise as its headquarters" in page.text


def test_the_list_shows_state_lag_and_agreement_of_each_peer(headquarters, alpha, partner):
    join(headquarters, alpha)
    pair(headquarters, partner)
    page = administrator(headquarters).get(PEERS).text
    assert "Alpha" in page
    assert "Partner" in page
    assert "Agreement until" in page
    assert "Lag" in page


def test_a_failure_is_told_in_words_with_what_to_do(headquarters, alpha):
    adapter = connect(headquarters, alpha)
    join(headquarters, alpha)
    adapter.down.add(origin_of(headquarters))
    browser = administrator(alpha)
    page = browser.get(peer_page(alpha, origin_of(headquarters))).text
    assert "Check the network and the firewall" in page
    assert "Not everything works yet" in page


def test_a_key_is_not_accused_when_nobody_answers(headquarters, alpha):
    adapter = connect(headquarters, alpha)
    join(headquarters, alpha)
    adapter.down.add(origin_of(headquarters))
    page = administrator(alpha).get(peer_page(alpha, origin_of(headquarters))).text
    assert "It is compared once the address answers." in page
    assert "Another key than the pinned one." not in page


def test_who_needs_attention_stands_first_and_open(headquarters, alpha, beta):
    join(headquarters, alpha)
    join(headquarters, beta)
    browser = administrator(headquarters)
    submit(browser, PEERS, peer_page(headquarters, origin_of(beta), "suspension"))
    page = browser.get(PEERS).text
    assert "2 connections · 1 needs your attention" in page
    assert page.index(">Beta</h2>") < page.index(">Alpha</h2>")
    assert page.count("<details open>") == 1


def test_a_key_that_was_revoked_is_said_to_be_the_other_node_s(headquarters, alpha):
    join(headquarters, alpha)
    with headquarters.app_context(), transaction():
        registry.peers()[0].state = PeerState.FROZEN
    page = administrator(headquarters).get(PEERS).text
    assert "Its signing key was revoked." in page
    assert "The key of this node" not in page


def test_suspending_stops_a_peer_at_once_and_resuming_lets_it_in_again(headquarters, alpha):
    join(headquarters, alpha)
    browser = administrator(headquarters)
    submit(browser, PEERS, peer_page(headquarters, origin_of(alpha), "suspension"))
    with alpha.app_context():
        [peer] = registry.peers()
        assert [light.name for light in health.lights_of(peer) if not light.is_green] == [
            "Receiving",
            "Sending",
        ]
    submit(browser, PEERS, peer_page(headquarters, origin_of(alpha), "resumption"))
    with headquarters.app_context():
        [peer] = registry.peers()
        assert peer.state == PeerState.LIVE


def test_a_partner_is_confirmed_only_with_the_box_ticked(headquarters, partner):
    connect(headquarters, partner)
    accept(partner, invite(headquarters, partner, PeerKind.PARTNER))
    browser = administrator(headquarters)
    with headquarters.app_context():
        [peer] = registry.peers()
        fingerprint = peer.fingerprint
    address = peer_page(headquarters, origin_of(partner), "confirmation")
    assert f'href="{address}"' in browser.get(PEERS).text
    assert peering.grouped(fingerprint) in browser.get(address).text
    blank = submit(browser, address, fingerprint=fingerprint, ends_on="2099-12-31")
    assert blank.status_code == 400
    assert "Tick this once you have compared the fingerprints." in blank.text
    past = {"compared": "y", "ends_on": "2020-12-31", "channels": "public"}
    late = submit(browser, address, fingerprint=fingerprint, **past)
    assert "needs an end date in the future" in late.text
    with headquarters.app_context():
        assert registry.peers()[0].confirmed_at is None
    terms = {"ends_on": "2099-12-31", "categories": ["brand"], "channels": "partner"}
    submit(browser, PEERS, address, fingerprint=fingerprint, compared="y", **terms)
    with headquarters.app_context():
        [peer] = registry.peers()
        assert peer.confirmed_at is not None
        assert peer.agreement_ends_at.isoformat() == "2100-01-01T00:00:00+00:00"
        assert (peer.categories, peer.shares_public) == (["brand"], False)


@pytest.mark.parametrize("page", [JOIN, PEERS, "/admin/federation/quarantine"])
def test_others_than_administrators_see_nothing_of_it(alpha, page):
    assert alpha.test_client().get(page).status_code == 302
    with alpha.app_context(), transaction():
        make_person("reader", Role.READER, Role.SIGNATORY)
    assert sign_in(alpha, "reader").get(page).status_code == 403


def test_a_form_without_its_proof_changes_nothing(headquarters, alpha):
    join(headquarters, alpha)
    browser = administrator(headquarters)
    answer = browser.post(peer_page(headquarters, origin_of(alpha), "suspension"))
    assert answer.status_code == 403
    with headquarters.app_context():
        assert registry.peers()[0].state == PeerState.LIVE


def test_an_agreement_is_chosen_in_the_form_and_shown_on_the_page(headquarters, partner):
    connect(headquarters, partner)
    browser = administrator(headquarters)
    page = submit(
        browser,
        "/admin/federation/invitations/new",
        "/admin/federation/invitations",
        kind="partner",
        origin=origin_of(partner),
        enterprise="globex",
        categories=["rules", "brand"],
        channels="partner",
    )
    code = re.search(r"jw1\.[\w-]+", page.text)
    assert code
    accept(partner, code[0])
    shown = browser.get(PEERS).text
    assert "Categories that it may read" in shown
    with headquarters.app_context():
        [peer] = registry.peers()
        assert (peer.categories, peer.shares_public) == (["rules", "brand"], False)


def test_closing_is_explained_then_done_and_only_for_partners(headquarters, alpha, partner):
    join(headquarters, alpha)
    pair(headquarters, partner)
    browser = administrator(headquarters)
    own = peer_page(headquarters, origin_of(alpha), "closure")
    assert browser.get(own).status_code == 404
    path = peer_page(headquarters, origin_of(partner), "closure")
    page = browser.get(path)
    assert "Within 24 hours" in page.text
    assert browser.post(own, data={"csrf_token": csrf_token(page)}).status_code == 404
    assert browser.post(path).status_code in {400, 403}
    done = browser.post(path, data={"csrf_token": csrf_token(page)}, follow_redirects=True)
    assert "The connection was closed for good." in done.text
    assert browser.get(path).status_code == 404
