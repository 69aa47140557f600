"""Relays of the second tier, and nodes that read from each other beside headquarters."""

from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import delete, func, select, update

from hub.cases.models import Document
from hub.database import db, transaction
from hub.federation import offering, puller
from hub.federation.client import PeerClient
from hub.federation.errors import NotVouchedError, RefusedError
from hub.federation.models import Quarantined
from hub.federation.protocol import MAX_VIA, cursor_name
from hub.journal import log
from hub.journal.models import DIRECTORY, GROUP, Head, LogItem, Release
from hub.journal.signing import node_keys
from hub.registry import service as registry
from hub.registry.models import PeerKind, PeerState
from tests.conftest import Stage
from tests.federation.test_documents import recorded, take
from tests.federation.test_exchange import Federation, meet, publish, quarantine, readdress, titles
from tests.in_process import accept, connect, invite

HQ, ALPHA, BETA = (f"https://{name}.test" for name in ("headquarters", "alpha", "beta"))


@pytest.fixture
def group(stage: Stage) -> Federation:
    """Return a federation in which beta may read from alpha, which is a relay."""
    nodes = stage("four", ("headquarters", "alpha", "beta", "partner"), meet)
    federation = Federation(*nodes, connect(*nodes))
    set_up(federation.alpha, is_relay=True)
    with federation.alpha.app_context():
        offering.offer_missing()
    accept(federation.beta, invite(federation.alpha, federation.beta, PeerKind.SIBLING))
    set_up(federation.beta, relay=ALPHA)
    return federation


def set_up(node: Flask, **settings: object) -> None:
    node.extensions["hub.settings"] = replace(node.extensions["hub.settings"], **settings)


def pull(node: Flask, origin: str) -> int:
    with node.app_context():
        return puller.pull(origin)


def is_spared(node: Flask) -> bool:
    with node.app_context():
        return puller.is_spared(HQ)


def test_a_node_reads_all_through_its_relay_while_headquarters_is_away(group):
    entry_id = publish(group.headquarters, GROUP, title="总部发布")
    pull(group.alpha, HQ)
    group.network.down.add(HQ)
    publish(group.alpha, GROUP, title="中继自己发布")
    pull(group.beta, ALPHA)
    assert titles(group.beta) == ["中继自己发布", "总部发布"]
    group.network.down.remove(HQ)
    readdress(group.headquarters, entry_id)
    pull(group.alpha, HQ)
    pull(group.beta, ALPHA)
    assert titles(group.beta) == ["中继自己发布"]
    assert quarantine(group.beta) == []


def test_whoever_changes_its_relay_is_sent_only_what_it_lacks(group):
    for number in range(5):
        publish(group.headquarters, GROUP, title=f"第{number}篇")
    group.sync()
    publish(group.headquarters, GROUP, title="以后")
    pull(group.alpha, HQ)
    with group.beta.app_context(), transaction():
        for channel in (DIRECTORY, GROUP):
            log.drop_cursor(cursor_name(ALPHA, channel))
    assert pull(group.beta, ALPHA) == 1
    assert "以后" in titles(group.beta)
    assert pull(group.beta, HQ) == 0, "what came by way of the relay is not sent again"


def test_headquarters_learns_how_far_a_node_is_that_reads_elsewhere(group):
    publish(group.headquarters, GROUP, title="一篇")
    pull(group.alpha, HQ)
    pull(group.beta, ALPHA)
    pull(group.beta, HQ)
    with group.beta.app_context():
        own = puller.cursor(HQ, GROUP)
        listed = PeerClient.for_peer(registry.find_peer(HQ)).get("/fed/v1/channels")["channels"]
    assert own in [row["head"] for row in listed if row["ch"] == GROUP]


def test_what_a_relay_left_out_comes_from_headquarters(group):
    publish(group.headquarters, GROUP, title="被漏掉")
    pull(group.alpha, HQ)
    with group.alpha.app_context(), transaction():
        last = select(func.max(LogItem.seq)).where(LogItem.channel == GROUP).scalar_subquery()
        db.session.execute(delete(LogItem).where(LogItem.channel == GROUP, LogItem.seq == last))
    pull(group.beta, ALPHA)
    assert titles(group.beta) == []
    pull(group.beta, HQ)
    assert titles(group.beta) == ["被漏掉"]


def test_what_a_relay_left_out_in_between_is_missed_and_comes_from_headquarters(group):
    publish(group.headquarters, GROUP, title="被漏掉")
    pull(group.alpha, HQ)
    with group.alpha.app_context(), transaction():
        head = db.session.get_one(Head, GROUP)
        db.session.execute(delete(LogItem).where(LogItem.channel == GROUP, LogItem.seq == head.seq))
        head.seq -= 1
    publish(group.headquarters, GROUP, title="以后")
    pull(group.alpha, HQ)
    pull(group.beta, ALPHA)
    assert quarantine(group.beta) == ["gap"]
    assert titles(group.beta) == []
    pull(group.beta, HQ)
    assert titles(group.beta) == ["以后", "被漏掉"]
    assert quarantine(group.beta) == []


def test_what_a_relay_altered_is_held_in_its_name_and_comes_from_headquarters(group):
    publish(group.headquarters, GROUP, title="被改动")
    pull(group.alpha, HQ)
    with group.alpha.app_context(), transaction():
        changes = update(Release).where(Release.channel == GROUP).values(signature="A" * 86)
        db.session.execute(changes)
    pull(group.beta, ALPHA)
    with group.beta.app_context():
        held = db.session.scalars(select(Quarantined)).one()
        assert (held.code, held.peer) == ("bad_signature", ALPHA)
    assert titles(group.beta) == []
    pull(group.beta, HQ)
    assert titles(group.beta) == ["被改动"]


def test_what_goes_round_in_a_ring_of_relays_comes_to_rest(stage):
    nodes = stage("four", ("headquarters", "alpha", "beta", "partner"), meet)
    group = Federation(*nodes, connect(*nodes))
    ring = (group.alpha, group.beta)
    for node in ring:
        set_up(node, is_relay=True)
        with node.app_context():
            offering.offer_missing()
    accept(group.beta, invite(group.alpha, group.beta, PeerKind.SIBLING))
    accept(group.alpha, invite(group.beta, group.alpha, PeerKind.SIBLING))
    publish(group.headquarters, GROUP, title="转一圈")
    publish(group.alpha, GROUP, title="也转一圈")
    for _ in range(3):
        group.sync()
    assert [pulled(node) for node in ring] == [0, 0], "nothing is on its way any more"
    for node in ring:
        assert titles(node) == ["也转一圈", "转一圈"]
        assert quarantine(node) == []
        assert items_of(node) == 2


def pulled(node: Flask) -> int:
    with node.app_context():
        return sum(puller.pull_all().values())


def items_of(node: Flask) -> int:
    """Return how many items the log of the group holds."""
    with node.app_context():
        return db.session.query(LogItem).filter_by(channel=GROUP).count()


@pytest.mark.parametrize(("via", "count"), [(MAX_VIA - 1, 1), (MAX_VIA, 0)])
def test_what_came_through_too_many_nodes_is_read_and_not_offered_on(headquarters, via, count):
    document = recorded("valid")
    document["items"] = [document["items"][0] | {"via": via}]
    with headquarters.app_context():
        assert take(document) == [None]
    assert items_of(headquarters) == count
    assert len(titles(headquarters)) == 1


def test_headquarters_is_spared_only_while_the_relay_serves(group):
    assert is_spared(group.beta)
    with group.beta.app_context(), transaction():
        peer = registry.find_peer(ALPHA)
        peer.failing_since = peer.created_at
    assert not is_spared(group.beta)
    with group.beta.app_context(), transaction():
        peer = registry.find_peer(ALPHA)
        peer.failing_since, peer.state = None, PeerState.SUSPENDED
    assert not is_spared(group.beta)
    assert not is_spared(group.alpha)


def test_a_relay_offers_what_it_had_before_it_became_one(stage):
    nodes = stage("four", ("headquarters", "alpha", "beta", "partner"), meet)
    group = Federation(*nodes, connect(*nodes))
    gone = publish(group.headquarters, GROUP, title="撤回的")
    publish(group.headquarters, GROUP, title="以前发布")
    pull(group.alpha, HQ)
    readdress(group.headquarters, gone)
    pull(group.alpha, HQ)
    set_up(group.alpha, is_relay=True)
    with group.alpha.app_context():
        assert offering.offer_missing() > 0
        assert offering.offer_missing() == 0
    accept(group.beta, invite(group.alpha, group.beta, PeerKind.SIBLING))
    pull(group.beta, ALPHA)
    assert titles(group.beta) == ["以前发布"]
    publish(group.headquarters, GROUP, title="以后发布")
    pull(group.alpha, HQ)
    pull(group.beta, ALPHA)
    assert titles(group.beta) == ["以前发布", "以后发布"]
    assert quarantine(group.beta) == []


def test_two_nodes_read_from_each_other_with_headquarters_away(stage):
    nodes = stage("four", ("headquarters", "alpha", "beta", "partner"), meet)
    group = Federation(*nodes, connect(*nodes))
    accept(group.beta, invite(group.alpha, group.beta, PeerKind.SIBLING))
    accept(group.alpha, invite(group.beta, group.alpha, PeerKind.SIBLING))
    group.network.down.add(HQ)
    publish(group.alpha, GROUP, title="甲发布")
    publish(group.beta, GROUP, title="乙发布")
    pull(group.beta, ALPHA)
    pull(group.alpha, BETA)
    assert titles(group.alpha) == titles(group.beta) == ["乙发布", "甲发布"]
    group.network.down.remove(HQ)
    group.sync()
    assert titles(group.headquarters) == ["乙发布", "甲发布"]
    for node in (group.headquarters, group.alpha, group.beta):
        with node.app_context():
            assert db.session.query(Document).count() == 2
        assert quarantine(node) == []


def test_a_node_that_headquarters_does_not_vouch_for_is_not_let_in(group, make_node):
    gamma = make_node("gamma")
    connect(gamma, group.alpha)
    with pytest.raises(RefusedError) as refused:
        accept(gamma, invite(group.alpha, gamma, PeerKind.SIBLING))
    assert refused.value.refusal == "not_vouched"
    with group.alpha.app_context():
        assert registry.find_peer("https://gamma.test") is None


def test_a_node_joins_none_that_its_headquarters_does_not_vouch_for(group, make_node):
    gamma = make_node("gamma")
    connect(gamma, group.beta)
    with group.beta.app_context():
        jwk = node_keys().signing_jwk
    with gamma.app_context(), transaction():
        registry.pin(BETA, name="Beta", enterprise="acme", is_headquarters=False, jwk=jwk)
    with pytest.raises(NotVouchedError):
        accept(group.beta, invite(gamma, group.beta, PeerKind.SIBLING))
    with group.beta.app_context():
        assert registry.find_peer("https://gamma.test") is None


def to_relay(node: Flask, path: str, body: object) -> dict[str, object]:
    with node.app_context():
        return PeerClient.for_peer(registry.find_peer(ALPHA)).post(path, body)


@pytest.mark.parametrize(
    ("path", "body"),
    [("ingest", {"ch": GROUP, "items": []}), ("feedback", {"items": []}), ("keys", {})],
)
def test_a_node_that_reads_here_publishes_nothing_here(group, path, body):
    with pytest.raises(RefusedError) as refused:
        to_relay(group.beta, f"/fed/v1/{path}", body)
    assert (refused.value.answered, refused.value.refusal) == (403, "scope")


@pytest.mark.parametrize(
    ("channel", "body", "status"),
    [
        (GROUP, {"ends": []}, 400),
        (GROUP, {"ends": {HQ: "nonsense"}}, 400),
        (GROUP, {"ends": {HQ: ["nonsense", "0"]}}, 400),
        (GROUP, {"ends": {HQ: ["e:1", 1]}}, 400),
        (GROUP, {}, 400),
        ("partner:globex", {"ends": {}}, 403),
        ("partner:nobody", {"ends": {}}, 403),
    ],
)
def test_a_resumption_that_is_none_is_refused(group, channel, body, status):
    with pytest.raises(RefusedError) as refused:
        to_relay(group.beta, f"/fed/v1/channels/{channel}/resumption", body)
    assert refused.value.answered == status
