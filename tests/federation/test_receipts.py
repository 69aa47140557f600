"""Who has confirmed a withdrawal: five nodes, one of which may be down."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import func, select, update
from sqlalchemy.exc import OperationalError

from hub import clock, database
from hub.cases import service as cases
from hub.cases.models import Case, State
from hub.database import db, transaction
from hub.federation import acknowledgements, puller, pusher
from hub.federation.errors import RefusedError, UnreachableError
from hub.federation.models import Reading
from hub.identity.models import Role
from hub.journal.models import GROUP, Head, Release
from hub.registry import service as registry
from hub.registry.models import Peer
from tests.conftest import Stage
from tests.factories import make_actor, make_case, make_person, make_token, root_organisation
from tests.federation.test_exchange import publish, readdress, titles
from tests.federation.test_urls import bearer, client_of, get, refusal
from tests.federation.test_views import administrator
from tests.in_process import NodeAdapter, connect, join, origin_of, pair
from tests.pages import bearer as with_token
from tests.pages import sign_in, submit

HEADQUARTERS = "https://headquarters.test"
ROUTE = "/fed/v1/receipts"


@dataclass
class Five:
    """Headquarters, three subsidiaries and a partner, joined and in step."""

    headquarters: Flask
    alpha: Flask
    beta: Flask
    gamma: Flask
    partner: Flask
    network: NodeAdapter

    def sync(self, *without: Flask) -> None:
        """Let every node but these exchange until each has confirmed what it took in."""
        up = [n for n in (self.alpha, self.beta, self.gamma) if n not in without]
        for _ in range(2):  # A reader confirms a page with its next request.
            for node in up:
                with node.app_context():
                    pusher.push(HEADQUARTERS)
            for node in (self.headquarters, self.partner, *up):
                with node.app_context():
                    puller.pull_all()


@pytest.fixture
def five(stage: Stage) -> Five:
    nodes = stage("five", ("headquarters", "alpha", "beta", "gamma", "partner"), meet)
    return Five(*nodes, connect(*nodes))


def meet(headquarters: Flask, *others: Flask) -> None:
    *subsidiaries, partner = others
    for node in subsidiaries:
        join(headquarters, node)
    pair(headquarters, partner)
    nodes = headquarters, *others
    Five(*nodes, connect(*nodes)).sync()


def released(node: Flask, entry_id: str, channel: str = GROUP) -> str:
    """Return the digest of the last release of an entry in a channel."""
    with node.app_context():
        statement = select(Release.digest).where(
            Release.entry_id == entry_id, Release.channel == channel
        )
        return db.session.scalars(statement.order_by(Release.position.desc())).first() or ""


def states(answer: dict[str, Any]) -> dict[str, str]:
    names = [(row["node"].split("//")[1].split(".")[0], row["state"]) for row in answer["nodes"]]
    return dict(names)


def confirmed(headquarters: Flask, reader: Flask, channel: str = GROUP) -> tuple[str, int]:
    with headquarters.app_context():
        peer = registry.find_peer(origin_of(reader))
        assert peer
        reading = db.session.get_one(Reading, (peer.id, channel))
        return reading.epoch, reading.seq


def published_case(node: Flask, **changes: Any) -> UUID:
    """Publish a case, and return its id for when it is to be withdrawn."""
    with node.app_context(), transaction():
        return make_case(State.PUBLISHED, **({"visibility": "group"} | changes)).id


def take_back(node: Flask, case_id: UUID) -> None:
    with node.app_context(), transaction():
        keeper = make_actor(Role.SIGNATORY)
        cases.withdraw(keeper, case_id, "The figures were wrong.")


def entry_of(node: Flask, case_id: UUID) -> str:
    with node.app_context():
        return db.session.get_one(Case, case_id).entry_id


def silence(headquarters: Flask, node: Flask) -> None:
    """Let the last contact with a node be ten minutes ago."""
    with headquarters.app_context(), transaction():
        long_ago = clock.now() - timedelta(minutes=10)
        db.session.execute(
            update(Peer).where(Peer.origin == origin_of(node)).values(seen_at=long_ago)
        )


def keeper_of(node: Flask) -> Any:
    """Return the browser of the signatory over all units of a node."""
    with node.app_context(), transaction():
        make_person("keeper", Role.SIGNATORY, organisation=root_organisation())
    return sign_in(node, "keeper")


def test_the_issuer_is_told_who_has_its_withdrawal_and_who_has_not(five: Five) -> None:
    entry_id = publish(five.alpha, GROUP)
    five.sync()
    readdress(five.alpha, entry_id)
    five.sync(five.beta)
    answer = get(five.alpha, ROUTE, release=released(five.alpha, entry_id))
    assert states(answer) == {"headquarters": "done", "beta": "waiting", "gamma": "done"}
    assert all(row["seen_at"] and row["name"] for row in answer["nodes"])
    [beta] = [row for row in answer["nodes"] if row["name"] == "Beta"]
    assert beta["position"] == confirmed(five.headquarters, five.beta)[1]


def test_for_a_partner_its_headquarters_answers(five: Five) -> None:
    entry_id = publish(five.alpha, GROUP, "partner:globex")
    five.sync()
    readdress(five.alpha, entry_id)
    five.sync(five.partner)
    digest = released(five.alpha, entry_id, "partner:globex")
    assert states(get(five.alpha, ROUTE, release=digest)) == {"partner": "done"}


def test_a_partner_that_has_not_asked_yet_is_waited_for(five: Five) -> None:
    entry_id = publish(five.alpha, GROUP, "partner:globex")
    five.sync()
    readdress(five.alpha, entry_id)
    with five.alpha.app_context():
        pusher.push(HEADQUARTERS)
    digest = released(five.alpha, entry_id, "partner:globex")
    assert states(get(five.alpha, ROUTE, release=digest)) == {"partner": "waiting"}


def test_the_late_one_drops_it_before_it_shows_anything_newer(
    five: Five, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry_id = publish(five.alpha, GROUP, title="撤回的")
    five.sync()
    readdress(five.alpha, entry_id)
    publish(five.gamma, GROUP, title="更新的")
    five.sync(five.beta)
    digest = released(five.alpha, entry_id)
    shown = [titles(five.beta)]
    take = puller._take

    def take_and_look(*page: Any) -> bool:
        taken = take(*page)
        shown.append(titles(five.beta))
        return taken

    monkeypatch.setattr(puller, "_take", take_and_look)
    monkeypatch.setattr(puller, "MAX_ITEMS", 1)
    five.sync()
    assert shown == [["撤回的"], [], ["更新的"]]
    assert set(states(get(five.alpha, ROUTE, release=digest)).values()) == {"done"}


@pytest.mark.on_both
def test_only_the_issuer_learns_that_there_is_such_a_release(five: Five) -> None:
    entry_id = publish(five.alpha, GROUP)
    five.sync()
    digest = released(five.alpha, entry_id)
    client, token = five.headquarters.test_client(), bearer(five.beta)
    answers = [
        client.get(ROUTE, query_string=asked, headers=token)
        for asked in (
            {"release": digest},
            {"release": "0" * 64},
            {"release": digest.upper()},
            {"release": "%"},
            {"release": "x" * 5000},
            {},
        )
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.data for answer in answers}) == 1
    assert get(five.alpha, ROUTE, release=digest)["release"] == digest


def test_a_partner_may_not_ask_at_all(five: Five) -> None:
    entry_id = publish(five.partner, "partner:acme")
    five.sync()
    for digest in (released(five.partner, entry_id, "partner:acme"), "0" * 64):
        assert refusal(five.partner, ROUTE, release=digest) == (403, "scope")


def test_a_confirmation_never_moves_backwards(five: Five) -> None:
    for _ in range(3):
        publish(five.alpha, GROUP)
    five.sync()
    epoch, seq = confirmed(five.headquarters, five.beta)
    assert seq == 3
    for after in ("0", f"{epoch}:1", f"{epoch}:2"):
        get(five.beta, "/fed/v1/channels/group/items", after=after)
        get(five.beta, "/fed/v1/channels", seen=f"group:{after}" if after != "0" else "")
    assert confirmed(five.headquarters, five.beta) == (epoch, seq)


@pytest.mark.on_both
def test_the_slower_of_two_requests_does_not_move_it_back(five: Five) -> None:
    for _ in range(3):
        publish(five.alpha, GROUP)
    five.sync()
    with five.headquarters.app_context():
        peer = registry.find_peer(origin_of(five.beta))
        assert peer
        head = db.session.get_one(Head, GROUP)
        late = {"peer_id": peer.id, "channel": GROUP, "epoch": head.epoch, "seq": 1}
        database.note(acknowledgements._further([late | {"acknowledged_at": clock.now()}]))
    assert confirmed(five.headquarters, five.beta)[1] == 3


@pytest.mark.parametrize("path", ["/fed/v1/channels", "/fed/v1/channels/group/items"])
def test_asking_with_a_cursor_confirms_up_to_it(five: Five, path: str) -> None:
    publish(five.alpha, GROUP)
    publish(five.alpha, GROUP)
    with five.alpha.app_context():
        pusher.push(HEADQUARTERS)
    with five.headquarters.app_context():
        epoch = db.session.get_one(Head, GROUP).epoch
    asked = {"after": f"{epoch}:1"} if "items" in path else {"seen": f"group:{epoch}:1"}
    get(five.beta, path, **asked)
    assert confirmed(five.headquarters, five.beta) == (epoch, 1)


@pytest.mark.on_both
def test_nobody_confirms_what_is_not_there_or_not_theirs(five: Five) -> None:
    publish(five.alpha, GROUP)
    with five.alpha.app_context():
        pusher.push(HEADQUARTERS)
    with five.headquarters.app_context():
        epoch = db.session.get_one(Head, GROUP).epoch
        before = db.session.scalar(select(func.count()).select_from(Reading))
    for seen in (f"group:{epoch}:2", "group:other:1"):
        get(five.beta, "/fed/v1/channels", seen=seen)
    client = client_of(five.partner)
    with five.partner.app_context():
        client.get("/fed/v1/channels", {"seen": f"group:{epoch}:1"})
    with five.headquarters.app_context():
        assert db.session.scalar(select(func.count()).select_from(Reading)) == before


def test_a_confirmation_that_changes_nothing_writes_nothing(
    five: Five, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(five.alpha, GROUP)
    five.sync()
    monkeypatch.setattr(database, "note", lambda statement: pytest.fail("written again"))
    five.sync()


def test_a_reader_is_answered_though_its_confirmation_could_not_be_noted(
    five: Five, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(five.alpha, GROUP)
    publish(five.alpha, GROUP)

    def refuse(statement: object) -> None:
        raise OperationalError("INSERT", {}, Exception("locked"))

    with monkeypatch.context() as patched:
        patched.setattr(database, "note", refuse)
        five.sync()
    assert len(titles(five.beta)) == 2
    five.sync()
    assert confirmed(five.headquarters, five.beta)[1] == 2


def test_the_owner_sees_node_by_node_who_has_withdrawn_it(five: Five) -> None:
    case_id = published_case(five.alpha, visibility="partners", partners=["globex"])
    five.sync()
    take_back(five.alpha, case_id)
    five.sync(five.beta)
    page = f"/cases/{case_id}/receipts"
    browser = keeper_of(five.alpha)
    text = browser.get(page).text
    assert "4 of 5 nodes have confirmed" in text
    assert re.search(r"<strong>Beta</strong> ·\s+waiting", text)
    for name in ("Headquarters", "Alpha", "Gamma", "Partner"):
        assert re.search(rf"<strong>{name}</strong> ·\s+withdrawn there", text), name
    silence(five.headquarters, five.beta)
    assert re.search(r"<strong>Beta</strong> ·\s+out of reach since", browser.get(page).text)
    five.sync()
    assert "5 of 5 nodes have confirmed" in browser.get(page).text


@pytest.mark.on_both
def test_the_page_speaks_chinese(five: Five) -> None:
    case_id = published_case(five.alpha)
    five.sync()
    take_back(five.alpha, case_id)
    five.sync(five.beta)
    browser = keeper_of(five.alpha)
    browser.get("/display?lang=zh_CN")
    text = browser.get(f"/cases/{case_id}/receipts").text
    for words in ("4 个节点中 3 个已确认", "已撤回", "等待中"):
        assert words in text
    silence(five.headquarters, five.beta)
    text = browser.get(f"/cases/{case_id}/receipts").text
    assert re.search(r"自 .+ 起联系不上", text)


def test_programs_of_the_same_people_read_the_same(five: Five) -> None:
    case_id = published_case(five.alpha)
    five.sync()
    take_back(five.alpha, case_id)
    five.sync(five.beta)
    with five.alpha.app_context(), transaction():
        keeper = make_person("keeper", Role.BRANCH_SECRETARY, organisation=root_organisation())
        token = make_token(keeper)
    answer = five.alpha.test_client().get(
        f"/api/v1/cases/{case_id}/receipts", headers=with_token(token)
    )
    assert answer.status_code == 200
    assert (answer.json["done"], answer.json["total"], answer.json["is_current"]) == (3, 4, True)
    assert states(answer.json)["beta"] == "waiting"


def test_headquarters_reads_its_own_table(five: Five) -> None:
    case_id = published_case(five.headquarters)
    five.sync()
    take_back(five.headquarters, case_id)
    five.sync(five.beta)
    text = keeper_of(five.headquarters).get(f"/cases/{case_id}/receipts").text
    assert "3 of 4 nodes have confirmed" in text


def test_what_was_known_is_shown_while_headquarters_is_away(five: Five) -> None:
    case_id = published_case(five.alpha)
    five.sync()
    take_back(five.alpha, case_id)
    five.sync(five.beta)
    browser, page = keeper_of(five.alpha), f"/cases/{case_id}/receipts"
    browser.get(page)
    five.network.down.add(HEADQUARTERS)
    text = browser.get(page).text
    assert "3 of 4 nodes have confirmed" in text
    assert "What stands here is as of" in text


@pytest.mark.on_both
def test_a_withdrawal_that_has_not_left_yet_waits_for_every_node(five: Five) -> None:
    case_id = published_case(five.alpha)
    five.sync()
    take_back(five.alpha, case_id)
    browser, page = keeper_of(five.alpha), f"/cases/{case_id}/receipts"
    assert "1 of 4 nodes have confirmed" in browser.get(page).text
    five.network.down.add(HEADQUARTERS)
    with five.alpha.app_context(), pytest.raises(UnreachableError):
        pusher.push(HEADQUARTERS)
    assert "has told nothing yet" in browser.get(page).text


@pytest.mark.on_both
def test_what_never_left_is_confirmed_by_its_own_node(five: Five) -> None:
    case_id = published_case(five.alpha, visibility="node")
    take_back(five.alpha, case_id)
    seen = len(five.network.seen)
    text = keeper_of(five.alpha).get(f"/cases/{case_id}/receipts").text
    assert "1 of 1 nodes have confirmed" in text
    assert len(five.network.seen) == seen


def test_once_all_have_confirmed_nobody_is_asked_again(five: Five) -> None:
    case_id = published_case(five.alpha)
    five.sync()
    take_back(five.alpha, case_id)
    five.sync()
    browser, page = keeper_of(five.alpha), f"/cases/{case_id}/receipts"
    assert "4 of 4 nodes" in browser.get(page).text
    seen = len(five.network.seen)
    assert "4 of 4 nodes" in browser.get(page).text
    assert len(five.network.seen) == seen


def test_others_find_nothing_on_the_page_and_in_the_api(five: Five) -> None:
    out, back = published_case(five.alpha), published_case(five.alpha)
    take_back(five.alpha, back)
    with five.alpha.app_context(), transaction():
        roles = (Role.READER, Role.AUTHOR, Role.SECRECY_REVIEWER, Role.ADMINISTRATOR)
        token = make_token(make_person("reader", *roles, organisation=root_organisation()))
        elsewhere = make_token(make_person("elsewhere", Role.SIGNATORY))
        keeper = make_token(make_person("k", Role.SIGNATORY, organisation=root_organisation()))
    reader, program = sign_in(five.alpha, "reader"), five.alpha.test_client()
    assert reader.get(f"/cases/{back}/receipts").status_code == 404
    for case_id, shown in ((back, token), (back, elsewhere), (out, keeper)):
        answer = program.get(f"/api/v1/cases/{case_id}/receipts", headers=with_token(shown))
        assert (answer.status_code, answer.json["code"]) == (404, "not_found")
    assert program.get(f"/cases/{back}/receipts").status_code == 302
    assert program.get(f"/api/v1/cases/{back}/receipts").status_code == 401


def test_whoever_withdraws_is_led_to_the_receipts_and_finds_them_again(five: Five) -> None:
    case_id = published_case(five.alpha)
    with five.alpha.app_context(), transaction():
        make_person("reader", Role.READER, organisation=root_organisation())
    browser, page = keeper_of(five.alpha), f"/cases/{case_id}/receipts"
    answer = submit(browser, f"/cases/{case_id}/withdrawal", reason="Wrong figures.")
    assert (answer.status_code, answer.location) == (303, page)
    assert f'href="{page}"' in browser.get(f"/cases/{case_id}").text
    assert page not in sign_in(five.alpha, "reader").get(f"/cases/{case_id}").text


def test_headquarters_shows_how_far_each_reader_is_behind(five: Five) -> None:
    publish(five.alpha, GROUP)
    publish(five.alpha, GROUP)
    five.sync(five.beta)
    with five.headquarters.app_context():
        lags = acknowledgements.lags()
        found = {peer.name: lags[peer.id].items for peer in registry.peers()}
    assert found == {"Alpha": 0, "Beta": 2, "Gamma": 0, "Partner": 0}
    page = administrator(five.headquarters).get("/admin/federation/peers").text
    assert len(re.findall("Not yet confirmed by it", page)) == 4
    assert "2 items, for" in page


def test_a_suspended_node_is_still_waited_for(five: Five) -> None:
    entry_id = publish(five.alpha, GROUP)
    five.sync()
    with five.headquarters.app_context(), transaction():
        peer = registry.find_peer(origin_of(five.beta))
        assert peer
        peer.state = "suspended"
    readdress(five.alpha, entry_id)
    with pytest.raises(RefusedError):
        five.sync()
    digest = released(five.alpha, entry_id)
    assert states(get(five.alpha, ROUTE, release=digest))["beta"] == "waiting"
