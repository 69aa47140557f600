"""What was held back, and what a partner can read: the pages for the people who look after it."""

import re
from pathlib import Path
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

import hub
from hub import clock
from hub.audit import service as audit
from hub.cases.models import Document
from hub.database import db, transaction
from hub.federation import peering, puller, quarantine, reasons, shelf
from hub.federation.models import Quarantined
from hub.identity.models import Role
from hub.journal.models import GROUP, PUBLIC
from hub.journal.signing import node_keys
from hub.registry.models import NodeKey, Peer
from tests.factories import make_person
from tests.federation.record import FIRST, entry, flipped, item, release
from tests.federation.test_exchange import publish, readdress, titles
from tests.federation.test_urls import ingest, signed
from tests.in_process import pair
from tests.pages import csrf_token, sign_in, submit

HELD = "/admin/federation/quarantine"
PARTNERS = "/admin/federation/partners"
HEADQUARTERS, ALPHA = "https://headquarters.test", "https://alpha.test"
ACTIVE = "</pre><script>alert(1)</script><img src=x onerror=alert(1)>"


def browser_of(app: Flask, *roles: Role) -> FlaskClient:
    username = f"person-{uuid4().hex[:8]}"
    with app.app_context(), transaction():
        make_person(username, *roles)
    return sign_in(app, username)


def held(app: Flask) -> list[int]:
    with app.app_context():
        return list(db.session.scalars(select(Quarantined.id).order_by(Quarantined.id)))


def codes(app: Flask) -> list[str]:
    with app.app_context():
        return list(db.session.scalars(select(Quarantined.code).order_by(Quarantined.id)))


def send_rubbish(alpha: Flask, *words: str) -> None:
    for word in words:
        assert ingest(alpha, {"release": word, "entry": None}) == (0, ["malformed"])


def press(browser: FlaskClient, page: str, noun: str, **fields: str) -> str:
    """Press a button of the page of an item; return what is said next."""
    answer = submit(browser, page, f"{page}/{noun}", **fields)
    return browser.get(answer.location).text if answer.status_code == 303 else answer.text


def test_the_page_of_an_item_shows_its_bytes_as_text_and_nothing_of_them_is_active(
    hub_and_spoke: tuple[Flask, Flask],
) -> None:
    headquarters, alpha = hub_and_spoke
    send_rubbish(alpha, ACTIVE)
    browser = browser_of(headquarters, Role.ADMINISTRATOR)
    page = browser.get(f"{HELD}/{held(headquarters)[0]}")
    assert page.status_code == 200
    assert "&lt;script&gt;alert(1)" in page.text
    assert "<script>alert" not in page.text
    assert "<img src=x" not in page.text
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    for said in ("malformed", ALPHA, "group"):
        assert said in page.text


def test_the_bytes_of_an_item_are_a_file_that_no_browser_opens(
    hub_and_spoke: tuple[Flask, Flask],
) -> None:
    headquarters, alpha = hub_and_spoke
    send_rubbish(alpha, ACTIVE)
    browser = browser_of(headquarters, Role.ADMINISTRATOR)
    answer = browser.get(f"{HELD}/{held(headquarters)[0]}/raw")
    assert answer.content_type == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.json is None
    assert ACTIVE in answer.text


def test_every_reason_for_which_something_is_held_back_has_words() -> None:
    raised = re.compile(r'VerificationError\(\s*"(\w+)"')
    texts = [path.read_text() for path in Path(hub.__file__).parent.rglob("*.py")]
    codes = {code for text in texts for code in raised.findall(text)}
    assert "bad_signature" in codes
    assert {code for code in codes if reasons.reason(code) == reasons.reason("?")} == set()


@pytest.mark.parametrize("way", ["", "/raw"])
@pytest.mark.parametrize("item_id", ["7", "0", "9" * 15, "9" * 30, "-1", "x"])
def test_what_is_not_held_back_has_no_page(alpha: Flask, way: str, item_id: str) -> None:
    browser = browser_of(alpha, Role.ADMINISTRATOR)
    assert browser.get(f"{HELD}/{item_id}{way}").status_code == 404


def test_nobody_but_an_administrator_touches_what_is_held_back(
    hub_and_spoke: tuple[Flask, Flask],
) -> None:
    headquarters, alpha = hub_and_spoke
    send_rubbish(alpha, "x")
    page = f"{HELD}/{held(headquarters)[0]}"
    stranger = headquarters.test_client()
    reader = browser_of(headquarters, Role.READER, Role.SIGNATORY, Role.PARTNER_LIAISON)
    token = csrf_token(reader.get("/me"))
    for path in (HELD, page, f"{page}/raw"):
        assert stranger.get(path).status_code == 302
        assert reader.get(path).status_code == 403
    for noun in ("retry", "removal"):
        data = {"csrf_token": token, "reason": "because"}
        assert reader.post(f"{page}/{noun}", data=data).status_code == 403
        browser = browser_of(headquarters, Role.ADMINISTRATOR)
        assert browser.post(f"{page}/{noun}", data={"reason": "because"}).status_code == 403
    assert len(held(headquarters)) == 1


def test_an_item_whose_key_arrived_is_taken_in_by_the_button(
    hub_and_spoke: tuple[Flask, Flask],
) -> None:
    headquarters, alpha = hub_and_spoke
    publish(headquarters, GROUP, title="等着钥匙")
    with alpha.app_context():
        puller.pull(HEADQUARTERS)
        with transaction():
            db.session.execute(db.delete(NodeKey))
    publish(headquarters, GROUP, title="后来的")
    with alpha.app_context():
        puller.pull(HEADQUARTERS)
    assert codes(alpha) == ["unknown_key"]
    assert titles(alpha) == ["等着钥匙"]
    browser = browser_of(alpha, Role.ADMINISTRATOR)
    page = f"{HELD}/{held(alpha)[0]}"
    assert "still held back. The key that signed it is not known" in press(browser, page, "retry")
    assert codes(alpha) == ["unknown_key"]
    with headquarters.app_context():
        key = node_keys().signing_jwk
    with alpha.app_context(), transaction():
        db.session.add(NodeKey(origin=HEADQUARTERS, kid=key["kid"], jwk=key))
    assert "It was taken in." in press(browser, page, "retry")
    assert held(alpha) == []
    assert titles(alpha) == ["后来的", "等着钥匙"]
    with alpha.app_context():
        tried = [e.detail["code"] for e in audit.entries() if e.action == "quarantined.retried"]
        assert tried == [None, "unknown_key"]


def test_trying_again_lets_in_nothing_that_its_sender_may_not_publish(
    hub_and_spoke: tuple[Flask, Flask],
) -> None:
    headquarters, alpha = hub_and_spoke
    with headquarters.app_context():
        keys = node_keys()
    theirs = entry(FIRST, keys, origin=HEADQUARTERS)
    stolen = item(release(theirs, signer=keys, iss=HEADQUARTERS), theirs)
    assert ingest(alpha, stolen) == (0, ["foreign_issuer"])
    browser = browser_of(headquarters, Role.ADMINISTRATOR)
    page = f"{HELD}/{held(headquarters)[0]}"
    assert "It is still held back. It was published by a node" in press(browser, page, "retry")
    with headquarters.app_context():
        assert db.session.scalar(select(func.count()).select_from(Document)) == 0


def test_nothing_of_a_suspended_peer_is_tried_again(hub_and_spoke: tuple[Flask, Flask]) -> None:
    headquarters, alpha = hub_and_spoke
    send_rubbish(alpha, "x")
    with headquarters.app_context(), transaction():
        peering.suspend(ALPHA)
    browser = browser_of(headquarters, Role.ADMINISTRATOR)
    assert "suspended" in press(browser, f"{HELD}/{held(headquarters)[0]}", "retry")
    assert len(held(headquarters)) == 1


def test_a_bad_text_stays_in_sight_while_its_release_stands(
    hub_and_spoke: tuple[Flask, Flask],
) -> None:
    headquarters, alpha = hub_and_spoke
    publish(headquarters, GROUP, title="设备")
    publish(headquarters, GROUP, title="同一页里好的")
    with alpha.app_context():
        client = puller.PeerClient.for_peer(db.session.scalars(select(Peer)).one())
        puller._pull_channel(client, "dir", None)
        body = client.get("/fed/v1/channels/group/items", {"after": "0"})
        sent = body["items"][0]["entry"]
        sent["p"] = flipped(sent["p"])
        assert puller._take(HEADQUARTERS, puller.parse_page(body, GROUP), None)
        assert puller.cursor(HEADQUARTERS, GROUP) == f"{body['epoch']}:2", "it holds up nothing"
    assert codes(alpha) == ["other_digest"]
    assert titles(alpha) == ["同一页里好的"]
    browser = browser_of(alpha, Role.ADMINISTRATOR)
    assert "1 items" in browser.get("/admin/federation/peers").text
    page = f"{HELD}/{held(alpha)[0]}"
    assert "It is still held back. The text is not the one" in press(browser, page, "retry")
    assert codes(alpha) == ["other_digest"]


def test_what_came_well_in_the_meantime_leaves_the_list(
    hub_and_spoke: tuple[Flask, Flask],
) -> None:
    headquarters, alpha = hub_and_spoke
    altered = signed(alpha)
    altered["entry"]["p"] = flipped(altered["entry"]["p"])
    assert ingest(alpha, altered) == (0, ["other_digest"])
    assert ingest(alpha, signed(alpha)) == (1, [])
    browser = browser_of(headquarters, Role.ADMINISTRATOR)
    assert "It was taken in." in press(browser, f"{HELD}/{held(headquarters)[0]}", "retry")
    assert held(headquarters) == []


def test_discarding_needs_a_reason_which_stays_in_the_audit_trail(
    hub_and_spoke: tuple[Flask, Flask],
) -> None:
    headquarters, alpha = hub_and_spoke
    send_rubbish(alpha, "x")
    browser = browser_of(headquarters, Role.ADMINISTRATOR)
    page = f"{HELD}/{held(headquarters)[0]}"
    assert submit(browser, page, f"{page}/removal", reason=" ").status_code == 400
    assert len(held(headquarters)) == 1
    assert "It was discarded." in press(browser, page, "removal", reason="A test of theirs.")
    assert held(headquarters) == []
    with headquarters.app_context():
        [said] = [e for e in audit.entries() if e.action == "quarantined.discarded"]
        assert said.actor_id is not None
        assert (said.detail["reason"], said.detail["peer"]) == ("A test of theirs.", ALPHA)


def test_of_one_peer_only_so_many_items_are_kept_and_the_oldest_go(
    hub_and_spoke: tuple[Flask, Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    headquarters, alpha = hub_and_spoke
    monkeypatch.setattr(shelf, "MOST_ITEMS", 3)
    send_rubbish(alpha, *"abcde")
    with headquarters.app_context():
        kept = db.session.scalars(select(Quarantined.raw).order_by(Quarantined.id)).all()
        assert [raw[12:15] for raw in kept] == ['"c"', '"d"', '"e"']
        assert quarantine.held_by_peer() == {ALPHA: quarantine.Held(3, 0, 2)}
    browser = browser_of(headquarters, Role.ADMINISTRATOR)
    assert "Alpha sent more than is kept of one node: 2 items" in browser.get(HELD).text
    assert "2 more had no room" in browser.get("/admin/federation/peers").text


def test_of_one_peer_only_so_much_text_is_kept(
    hub_and_spoke: tuple[Flask, Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    headquarters, alpha = hub_and_spoke
    monkeypatch.setattr(shelf, "MOST_CHARACTERS", 2500)
    send_rubbish(alpha, "a" * 1000, "b" * 1000, "c" * 1000)
    with headquarters.app_context():
        kept = db.session.scalars(select(Quarantined.raw).order_by(Quarantined.id)).all()
        assert [raw[13] for raw in kept] == ["b", "c"]


def test_what_waits_for_something_is_kept_before_what_waits_for_a_person(
    hub_and_spoke: tuple[Flask, Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    headquarters, _ = hub_and_spoke
    monkeypatch.setattr(shelf, "MOST_ITEMS", 2)
    with headquarters.app_context(), transaction():
        for number, is_parked in enumerate([True, False, True, False, True]):
            values = {"peer": ALPHA, "channel": GROUP, "iss": ALPHA, "via": 0, "reason": ""}
            values |= {"raw": "x", "size": 1, "code": "gap", "quarantined_at": clock.now()}
            row = {"digest": str(number), "seq": number, "is_parked": is_parked} | values
            db.session.add(Quarantined(**row))
        db.session.flush()
        assert shelf.make_room(ALPHA) == 3
        left = db.session.scalars(select(Quarantined.seq).order_by(Quarantined.seq)).all()
    assert left == [0, 2], "the oldest would come through first"


def test_an_item_that_is_too_large_is_kept_in_part_and_never_tried_again(
    hub_and_spoke: tuple[Flask, Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    headquarters, alpha = hub_and_spoke
    monkeypatch.setattr(shelf, "LARGEST_RAW", 400)
    with alpha.app_context():
        puller.pull(HEADQUARTERS)
        with transaction():
            db.session.execute(db.delete(NodeKey))
    publish(headquarters, GROUP)
    with alpha.app_context():
        puller.pull(HEADQUARTERS)
        row = db.session.scalars(select(Quarantined)).one()
        assert (row.code, row.is_parked, len(row.raw), row.is_whole) == (
            "unknown_key",
            False,
            400,
            False,
        )
        page = f"{HELD}/{row.id}"
    browser = browser_of(alpha, Role.ADMINISTRATOR)
    assert "too large to be kept whole" in browser.get(page).text
    token = csrf_token(browser.get(page))
    assert browser.post(f"{page}/retry", data={"csrf_token": token}).status_code == 409


@pytest.fixture
def partners(headquarters: Flask, partner: Flask) -> tuple[Flask, Flask]:
    pair(headquarters, partner)
    return headquarters, partner


def test_the_preview_shows_what_the_partner_can_read_and_nothing_else(
    partners: tuple[Flask, Flask],
) -> None:
    headquarters, _ = partners
    unit = {"submitting_unit": "第一检修班"}
    publish(headquarters, GROUP, "partner:globex", title="给伙伴的", **unit)
    publish(headquarters, GROUP, PUBLIC, title="公开的")
    publish(headquarters, GROUP, title="集团内的")
    publish(headquarters, GROUP, "partner:initech", title="给别人的")
    gone = publish(headquarters, GROUP, "partner:globex", title="收回的")
    readdress(headquarters, gone, GROUP)
    page = browser_of(headquarters, Role.PARTNER_LIAISON).get(f"{PARTNERS}/globex").text
    assert "2 items" in page
    for shown in ("给伙伴的", "第一检修班", "公开的"):
        assert shown in page
    for hidden in ("集团内的", "给别人的", "收回的"):
        assert hidden not in page


def test_the_preview_is_what_the_partner_gets(partners: tuple[Flask, Flask]) -> None:
    headquarters, partner = partners
    for number in range(3):
        publish(headquarters, GROUP, "partner:globex", title=f"第{number}篇")
    with partner.app_context():
        puller.pull(HEADQUARTERS)
    page = browser_of(headquarters, Role.ADMINISTRATOR).get(f"{PARTNERS}/globex").text
    assert [title for title in titles(partner) if title not in page] == []
    assert f"{len(titles(partner))} items" in page


def test_the_preview_of_a_partner_that_is_shut_out_is_empty(partners: tuple[Flask, Flask]) -> None:
    headquarters, _ = partners
    publish(headquarters, GROUP, "partner:globex", title="给伙伴的")
    browser = browser_of(headquarters, Role.ADMINISTRATOR)
    assert "给伙伴的" in browser.get(f"{PARTNERS}/globex").text
    with headquarters.app_context(), transaction():
        db.session.scalars(select(Peer)).one().agreement_ends_at = clock.now()
    assert "It can read nothing here now." in browser.get(f"{PARTNERS}/globex").text


@pytest.mark.parametrize(("page", "shown"), [("1", 2), ("2", 1), ("3", 0), ("0", 2), ("x", 2)])
def test_the_preview_has_pages(
    partners: tuple[Flask, Flask], monkeypatch: pytest.MonkeyPatch, page: str, shown: int
) -> None:
    headquarters, _ = partners
    monkeypatch.setattr("hub.federation.preview.PER_PAGE", 2)
    for number in range(3):
        publish(headquarters, GROUP, "partner:globex", title=f"第{number}篇")
    text = browser_of(headquarters, Role.ADMINISTRATOR).get(f"{PARTNERS}/globex?page={page}").text
    assert sum(f"第{number}篇" in text for number in range(3)) == shown


def test_only_administrators_and_liaisons_see_what_partners_read(
    partners: tuple[Flask, Flask],
) -> None:
    headquarters, _ = partners
    reader = browser_of(headquarters, Role.READER, Role.AUTHOR)
    liaison = browser_of(headquarters, Role.PARTNER_LIAISON)
    for page in (PARTNERS, f"{PARTNERS}/globex"):
        assert headquarters.test_client().get(page).status_code == 302
        assert reader.get(page).status_code == 403
        assert liaison.get(page).status_code == 200
    assert liaison.get(f"{PARTNERS}/nobody").status_code == 404
    assert PARTNERS in liaison.get("/me").text
    assert PARTNERS not in reader.get("/me").text


def test_the_page_of_peers_says_in_words_what_a_partner_reads_and_leads_to_the_preview(
    partners: tuple[Flask, Flask],
) -> None:
    headquarters, _ = partners
    browser = browser_of(headquarters, Role.ADMINISTRATOR)
    page = browser.get("/admin/federation/peers").text
    assert "what was opened to Partner, what is public" in page
    assert "partner:globex" not in page
    assert "1200 requests and 6000 entries a minute" in page
    assert f'href="{PARTNERS}/globex"' in page
