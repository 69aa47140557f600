"""What headquarters signs of its logs, and who is found out by it."""

import json
import threading
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import requests
from flask import Flask
from sqlalchemy import delete, func, select, update

from hub import clock
from hub.database import db, transaction
from hub.errors import HubError
from hub.federation import (
    checkpoints,
    follower,
    freezing,
    omissions,
    peering,
    puller,
    pusher,
    quarantine,
    relay,
    revocation,
    room,
    shelf,
    withholding,
)
from hub.federation.backoff import Backoff
from hub.federation.checkpoints import Checkpoint
from hub.federation.client import PeerClient
from hub.federation.models import Frozen, KeptCheckpoint, Quarantined, Reading
from hub.journal import log
from hub.journal.models import GROUP, PUBLIC, Chain, LogItem, Release
from hub.journal.signing import digest, node_keys
from hub.registry import service as registry
from hub.registry import trust
from hub.registry.models import NodeKey, Peer
from tests.federation.backups import save
from tests.federation.contradictions import serve, sign
from tests.federation.test_exchange import Federation, publish, readdress, titles
from tests.federation.test_exchange import quarantine as codes
from tests.federation.test_keys import Time
from tests.federation.test_relays import group, is_spared, pull, set_up
from tests.federation.test_status import open_metrics, scrape, status
from tests.federation.test_views import administrator
from tests.in_process import NodeAdapter

__all__ = ["group"]

HQ, ALPHA, BETA = (f"https://{name}.test" for name in ("headquarters", "alpha", "beta"))


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    moment = Time()
    moment.move(timedelta(minutes=2))  # What was asked while the scene was made is past.
    monkeypatch.setattr(clock, "now", lambda: moment.now)
    return moment


def sign_due(node: Flask) -> None:
    with node.app_context():
        checkpoints.sign_due()


def follow(node: Flask, origin: str) -> None:
    """Let a node pull as its follower does."""
    pull(node, origin)
    with node.app_context():
        withholding.look(origin)


def a_minute(group: Federation, time: Time) -> None:
    """Let a minute pass: headquarters signs, the relay reads it, and beta the relay."""
    time.move(timedelta(seconds=70))
    sign_due(group.headquarters)
    follow(group.alpha, HQ)
    follow(group.beta, ALPHA)


def withhold(node: Flask, channel: str = GROUP) -> None:
    """Take the newest item out of what a node offers."""
    with node.app_context(), transaction():
        last = select(func.max(LogItem.seq)).where(LogItem.channel == channel).scalar_subquery()
        db.session.execute(delete(LogItem).where(LogItem.channel == channel, LogItem.seq == last))


def named(node: Flask) -> dict[str, list[str]]:
    with node.app_context():
        return omissions.by_peer()


def alarms(node: Flask) -> list[tuple[str, str, str]]:
    with node.app_context():
        return [(row.origin, row.code, row.served_by) for row in freezing.alarms()]


def hear(node: Flask) -> None:
    """Note that all peers were heard just now, as a follower does."""
    with node.app_context(), transaction():
        db.session.execute(update(Peer).values(seen_at=clock.now()))


def kept(node: Flask, peer: str, channel: str = GROUP) -> dict[str, Any]:
    """Return what a checkpoint says that a node keeps of a peer."""
    with node.app_context():
        row = db.session.get(KeptCheckpoint, (peer, channel))
        return json.loads(json.loads(row.signed)["p"]) if row else {}


def end_of(node: Flask, iss: str, channel: str = GROUP) -> list[str]:
    with node.app_context():
        chain = log.chains_of(iss, [channel])[channel]
        return [f"{chain.epoch}:{chain.seq}", chain.digest]


def ask(node: Flask, peer: str, **params: str) -> dict[str, Any]:
    with node.app_context():
        return PeerClient.for_peer(registry.find_peer(peer)).get("/fed/v1/channels", params)


def say(node: Flask, **changes: Any) -> dict[str, str]:
    """Return a checkpoint that a node signs beside its log: it lies."""
    said = kept(node, HQ) or kept(node, HQ, "dir") | {"ch": GROUP}
    with node.app_context():
        return node_keys().sign(said | changes, checkpoints.CHECKPOINT).as_wire()


def hand_over(node: Flask, peer: str, wire: object) -> None:
    with node.app_context(), transaction():
        checkpoints.keep(peer, [wire], [GROUP])


def test_headquarters_signs_its_logs_each_minute_although_nothing_moves(group, time):
    publish(group.alpha, GROUP)
    with group.alpha.app_context():
        pusher.push(HQ)
    readdress(group.headquarters, publish(group.headquarters, GROUP))
    sign_due(group.headquarters)
    first = kept(group.headquarters, HQ)
    with group.headquarters.app_context():
        head = relay.heads_of([GROUP])[GROUP]
    assert first == {
        "v": 1,
        "iss": HQ,
        "ch": GROUP,
        "epoch": head.epoch,
        "seq": head.seq,
        "ends": {
            ALPHA: end_of(group.headquarters, ALPHA),
            HQ: end_of(group.headquarters, HQ),
        },
        "iat": int(time.now.timestamp()),
    }
    time.move(timedelta(seconds=59))
    sign_due(group.headquarters)
    assert kept(group.headquarters, HQ) == first
    time.move(timedelta(seconds=1))
    sign_due(group.headquarters)
    assert kept(group.headquarters, HQ) == first | {"iat": first["iat"] + 60}
    with group.headquarters.app_context(), transaction():
        db.session.execute(delete(KeptCheckpoint).where(KeptCheckpoint.channel == GROUP))
    sign_due(group.headquarters)
    assert kept(group.headquarters, HQ), "what is new is signed at once"
    sign_due(group.alpha)
    assert kept(group.alpha, ALPHA) == {}, "nobody else signs"


def test_of_a_long_log_the_issuers_of_its_newest_items_are_named(group, time, monkeypatch):
    publish(group.alpha, GROUP)
    with group.alpha.app_context():
        pusher.push(HQ)
    monkeypatch.setattr(checkpoints, "NEWEST", 2)
    for _ in range(2):
        publish(group.headquarters, GROUP)
    sign_due(group.headquarters)
    assert kept(group.headquarters, HQ)["ends"].keys() == {HQ}


def test_no_ends_are_named_while_headquarters_takes_in_a_snapshot(group, time):
    publish(group.headquarters, GROUP)
    with group.headquarters.app_context(), transaction():
        log.move_cursor(f"settle {GROUP} https://partner.test", "e:1")
    sign_due(group.headquarters)
    assert kept(group.headquarters, HQ)["ends"] == {}
    assert kept(group.headquarters, HQ, "dir")["ends"].keys() == {HQ}


def test_a_relay_hands_on_what_it_got_byte_for_byte_to_whom_a_channel_is_open(group, time):
    def told_by(peer: str, node: Flask = group.beta) -> list[Any]:
        told = ask(node, peer, checkpoints="1")["checkpoints"]
        return sorted(told, key=lambda wire: wire["p"])

    sign_due(group.headquarters)
    told = told_by(HQ)
    assert "checkpoints" not in ask(group.beta, HQ)
    assert told_by(ALPHA) == []
    pull(group.alpha, HQ)
    hand_over(group.alpha, BETA, say(group.headquarters, iat=clock.timestamp() - 60))
    assert told_by(ALPHA) == told, "the newest of each"
    assert {json.loads(wire["p"])["ch"] for wire in told} >= {"dir", PUBLIC}
    assert {json.loads(wire["p"])["ch"] for wire in told_by(HQ, group.partner)} == {PUBLIC}


def test_a_held_request_is_answered_with_what_was_signed_meanwhile(group, time, monkeypatch):
    seen = ",".join(f"{row['ch']}:{row['head']}" for row in ask(group.beta, HQ)["channels"])
    monkeypatch.setattr(relay.Watcher, "wait", lambda *_: checkpoints.sign_due())
    assert ask(group.beta, HQ, seen=seen, wait="25", checkpoints="1")["checkpoints"]


def asked(group: Federation) -> int:
    return sum("checkpoints=1" in url for _, url in group.network.seen)


def test_a_reader_asks_once_a_minute_and_never_a_partner(group, time):
    before = asked(group)
    pull(group.headquarters, "https://partner.test")
    assert asked(group) == before
    for _ in range(3):
        pull(group.beta, ALPHA)
    assert asked(group) == before + 1
    time.move(timedelta(seconds=60))
    pull(group.beta, ALPHA)
    assert asked(group) == before + 2


def keep_back_the_newest(group: Federation, time: Time) -> None:
    """Let alpha hand on one release and withhold the next, for a minute."""
    publish(group.headquarters, GROUP, title="以前")
    a_minute(group, time)
    publish(group.headquarters, GROUP, title="被扣下")
    pull(group.alpha, HQ)
    withhold(group.alpha)
    a_minute(group, time)


def test_a_relay_that_withholds_the_newest_is_named_and_it_comes_from_headquarters(group, time):
    keep_back_the_newest(group, time)
    assert (titles(group.beta), named(group.beta)) == (["以前"], {}), "it may be on its way"
    a_minute(group, time)
    assert titles(group.beta) == ["以前", "被扣下"]
    assert named(group.beta) == {ALPHA: [HQ]}
    assert codes(group.beta) == ["withheld"]
    publish(group.headquarters, GROUP, title="也被扣下")
    pull(group.alpha, HQ)
    withhold(group.alpha)
    for _ in range(2):
        a_minute(group, time)
    assert "也被扣下" in titles(group.beta)
    assert codes(group.beta) == ["withheld"], "named once"
    assert alarms(group.beta) == []


def test_what_a_relay_may_still_bring_is_left_to_it_so_that_it_is_named(group, time):
    keep_back_the_newest(group, time)
    assert pull(group.beta, HQ) == 0
    with group.beta.app_context():
        first = puller.cursor(HQ, GROUP)
        me = select(Peer.id).where(Peer.origin == BETA).scalar_subquery()
    with group.headquarters.app_context():
        read = select(Reading).where(Reading.peer_id == me, Reading.channel == GROUP)
        row = db.session.scalars(read).one()
        assert f"{row.epoch}:{row.seq}" == first, "it learns how far beta is"
    assert first.endswith(":1")
    a_minute(group, time)
    assert (titles(group.beta), named(group.beta)) == (["以前", "被扣下"], {ALPHA: [HQ]})


def test_headquarters_is_read_when_its_word_no_longer_comes_through_the_relay(group, time):
    a_minute(group, time)
    publish(group.headquarters, GROUP, title="被扣下")
    time.move(timedelta(seconds=419))
    assert is_spared(group.beta)
    assert pull(group.beta, HQ) == 0
    time.move(timedelta(seconds=1))
    assert not is_spared(group.beta)
    assert pull(group.beta, HQ) == 1
    assert titles(group.beta) == ["被扣下"]
    a_minute(group, time)
    assert is_spared(group.beta)


def test_a_relay_that_claims_a_head_and_serves_nothing_up_to_it_is_named(group, time):
    a_minute(group, time)
    publish(group.headquarters, GROUP, title="被扣下")
    pull(group.alpha, HQ)
    with group.alpha.app_context(), transaction():
        db.session.execute(delete(LogItem).where(LogItem.channel == GROUP))
    a_minute(group, time)
    a_minute(group, time)
    assert (titles(group.beta), named(group.beta)) == (["被扣下"], {ALPHA: [HQ]})


def test_who_is_named_stays_red_until_a_person_has_looked(group, time):
    publish(group.headquarters, GROUP)
    pull(group.alpha, HQ)
    withhold(group.alpha)
    for _ in range(2):
        a_minute(group, time)
    hear(group.beta)
    said = status(group.beta)
    assert said.exit_code == 1
    assert "omitted: It does not serve all that others have published." in said.output
    page = administrator(group.beta).get("/admin/federation/peers").text
    assert "Left out" in page
    with group.beta.app_context():
        row = db.session.scalars(select(Quarantined)).one()
        evidence = json.loads(row.raw)
        with transaction():
            assert quarantine.retry(row.id).code == "withheld", "evidence is not taken in"
        with transaction():
            quarantine.discard(row.id, "The relay was restored from a backup")
    assert json.loads(evidence["release"]["p"])["ends"][HQ] == evidence["entry"]["end"]
    assert named(group.beta) == {}


def test_while_headquarters_is_away_the_relay_is_named_all_the_same(group, time):
    publish(group.headquarters, GROUP, title="被扣下")
    pull(group.alpha, HQ)
    withhold(group.alpha)
    a_minute(group, time)
    time.move(timedelta(seconds=70))
    sign_due(group.headquarters)
    follow(group.alpha, HQ)
    group.network.down.add(HQ)
    follow(group.beta, ALPHA)
    assert (titles(group.beta), named(group.beta)) == ([], {ALPHA: [HQ]})
    group.network.down.remove(HQ)
    a_minute(group, time)
    assert titles(group.beta) == ["被扣下"]
    assert named(group.beta) == {ALPHA: [HQ]}


def test_a_headquarters_that_is_suspended_here_is_not_asked(group, time):
    publish(group.headquarters, GROUP)
    pull(group.alpha, HQ)
    withhold(group.alpha)
    with group.beta.app_context(), transaction():
        peering.suspend(HQ)
    for _ in range(2):
        a_minute(group, time)
    assert (titles(group.beta), named(group.beta)) == ([], {ALPHA: [HQ]})


def test_what_was_withheld_did_not_come_when_a_gap_is_judged(group, time):
    one = sign(group.alpha, str(uuid4()))
    two = sign(group.alpha, str(uuid4()), seq=2, prev=digest(one["release"]["p"]))
    row = {"peer": HQ, "channel": GROUP, "iss": ALPHA, "seq": 1, "via": 0, "entry": None}
    with group.beta.app_context(), transaction():
        shelf.put([shelf.Unwanted(code="withheld", reason="", release=None, **row)])
    assert serve(group.beta, two) == ["gap"]
    time.move(timedelta(minutes=2))
    pull(group.beta, ALPHA)
    assert codes(group.beta) == ["withheld", "omitted"]


def test_an_honest_relay_is_never_named(group, time):
    for number in range(2):
        gone = publish(group.headquarters, GROUP, title=f"总部{number}")
        publish(group.alpha, GROUP, PUBLIC, title=f"甲{number}")
        publish(group.beta, GROUP, title=f"乙{number}")
        publish(group.partner, "partner:acme", title=f"伙伴{number}")
        group.sync()
        a_minute(group, time)
        readdress(group.headquarters, gone)
        a_minute(group, time)
    a_minute(group, time)
    for node in (group.alpha, group.beta):
        assert (named(node), alarms(node), codes(node)) == ({}, [], [])
        assert kept(node, HQ if node is group.alpha else ALPHA, PUBLIC)["ends"].keys() == {ALPHA}


@pytest.mark.parametrize("lost", ["its own", "all"])
def test_a_relay_is_not_named_for_what_its_reader_lost_itself(group, time, lost):
    publish(group.beta, GROUP, title="自己的")
    publish(group.headquarters, GROUP, title="总部的")
    group.sync()
    put_back = save(group.beta)
    publish(group.beta, GROUP, title="以后的")
    publish(group.headquarters, GROUP, title="总部以后的")
    group.sync()
    a_minute(group, time)
    if lost == "all":
        put_back()
    else:
        with group.beta.app_context(), transaction():
            mine = (Release.iss == BETA, Release.channel == GROUP)
            db.session.execute(delete(Release).where(*mine, Release.seq == 2))
            first = db.session.scalars(select(Release.digest).where(*mine)).one()
            end = (Chain.iss == BETA, Chain.channel == GROUP)
            db.session.execute(update(Chain).where(*end).values(seq=1, digest=first))
    for _ in range(3):
        a_minute(group, time)
    assert named(group.beta) == {}


def test_what_was_refused_here_is_nobodys_omission_and_comes_from_headquarters(group, time):
    publish(group.headquarters, GROUP, title="被改动")
    pull(group.alpha, HQ)
    with group.alpha.app_context(), transaction():
        wrong = select(Release.signature).where(Release.channel == "dir").limit(1).scalar_subquery()
        db.session.execute(update(Release).where(Release.channel == GROUP).values(signature=wrong))
    for _ in range(3):
        a_minute(group, time)
    assert codes(group.beta) == ["bad_signature"]
    assert named(group.beta) == {}
    pull(group.beta, HQ)
    assert titles(group.beta) == ["被改动"]


def test_a_release_that_nobody_signed_excuses_no_other(group, time):
    publish(group.headquarters, GROUP, title="被扣下")
    pull(group.alpha, HQ)
    withhold(group.alpha)
    a_minute(group, time)
    wrong = sign(group.alpha, str(uuid4()), iss=HQ, seq=2)
    assert serve(group.beta, wrong) == ["unknown_key"]
    a_minute(group, time)
    assert (titles(group.beta), named(group.beta)) == (["被扣下"], {ALPHA: [HQ]})


def test_a_relay_is_not_named_for_a_node_that_is_frozen_here(group, time):
    publish(group.headquarters, GROUP)
    group.sync()
    a_minute(group, time)
    with group.beta.app_context(), transaction():
        known = select(Release).where(Release.iss == HQ, Release.channel == GROUP)
        place = json.loads(db.session.scalars(known).one().payload)
        other = sign(group.headquarters, str(uuid4()), epoch=place["epoch"], seq=place["seq"])
        found = relay.Item(0, other["release"], other["entry"], 1)
        puller.Intake(puller.sender_of(registry.find_peer(ALPHA)), GROUP).take([found])
    publish(group.headquarters, GROUP)
    pull(group.alpha, HQ)
    withhold(group.alpha)
    for _ in range(3):
        a_minute(group, time)
    assert alarms(group.beta) == [(HQ, "fork", ALPHA)]
    assert named(group.beta) == {}


def test_a_revocation_makes_nobody_a_liar(group, time):
    publish(group.beta, GROUP, title="真的")
    group.sync()
    before = time.now
    time.move(timedelta(seconds=10))
    publish(group.beta, GROUP, title="被盗用")
    group.sync()
    a_minute(group, time)
    with group.headquarters.app_context(), transaction():
        kid = trust.keys_of(BETA)[0].kid
        revocation.revoke(BETA, kid, since=before)
    time.move(timedelta(seconds=70))
    sign_due(group.headquarters)
    assert kept(group.headquarters, HQ)["ends"][BETA][0].endswith(":1")
    for _ in range(2):
        follow(group.alpha, HQ)
        time.move(timedelta(seconds=70))
        sign_due(group.headquarters)
    assert titles(group.alpha) == ["真的"]
    assert (named(group.alpha), alarms(group.alpha)) == ({}, [])


def test_a_headquarters_restored_from_a_backup_is_no_liar(group, time):
    publish(group.beta, GROUP, title="备份以前")
    group.sync()
    put_back = save(group.headquarters)
    publish(group.beta, GROUP, title="备份以后")
    publish(group.headquarters, GROUP, title="丢失")
    with group.beta.app_context():
        pusher.push(HQ)
    for _ in range(2):
        a_minute(group, time)
    put_back()
    publish(group.headquarters, PUBLIC, title="恢复以后")
    time.move(timedelta(seconds=70))
    sign_due(group.headquarters)
    with pytest.raises(HubError):
        pull(group.alpha, HQ)
    for _ in range(3):
        a_minute(group, time)
    for node in (group.alpha, group.beta):
        assert (named(node), alarms(node)) == ({}, [])


def test_while_nothing_is_fetched_nobody_is_judged(group, time, monkeypatch):
    publish(group.headquarters, GROUP)
    a_minute(group, time)
    before = kept(group.beta, ALPHA)
    publish(group.headquarters, GROUP)
    time.move(timedelta(seconds=70))
    sign_due(group.headquarters)
    pull(group.alpha, HQ)
    with monkeypatch.context() as patch:
        patch.setattr(room, "free_bytes", lambda folder: 0)
        times = asked(group)
        with pytest.raises(HubError):
            follow(group.beta, ALPHA)
        assert asked(group) == times
    assert kept(group.beta, ALPHA) == before
    for _ in range(2):
        a_minute(group, time)
    assert named(group.beta) == {}


def test_a_snapshot_that_is_not_taken_in_to_its_end_proves_nothing(group, time):
    publish(group.headquarters, GROUP)
    pull(group.alpha, HQ)
    withhold(group.alpha)
    a_minute(group, time)
    with group.beta.app_context(), transaction():
        log.move_cursor(f"settle {GROUP} {ALPHA}", "e:1")
    time.move(timedelta(seconds=70))
    sign_due(group.headquarters)
    pull(group.alpha, HQ)
    pull(group.beta, ALPHA)
    with group.beta.app_context():
        with transaction():
            log.move_cursor(f"settle {GROUP} {ALPHA}", "e:1")
        withholding.look(ALPHA)
    assert named(group.beta) == {}


def test_a_headquarters_that_does_not_serve_what_it_signed_is_named(group, time):
    set_up(group.beta, relay="")  # It reads from headquarters, and from alpha beside it.
    publish(group.headquarters, GROUP)
    time.move(timedelta(seconds=70))
    sign_due(group.headquarters)
    pull(group.alpha, HQ)
    for node in (group.headquarters, group.alpha):
        withhold(node)
    follow(group.beta, HQ)
    follow(group.beta, ALPHA)
    time.move(timedelta(seconds=70))
    hand_over(group.beta, ALPHA, say(group.headquarters, iat=clock.timestamp()))
    follow(group.beta, ALPHA)
    assert named(group.beta) == {HQ: [HQ]}


def another(wire: dict[str, str], **changes: Any) -> dict[str, str]:
    return wire | {"p": json.dumps(json.loads(wire["p"]) | changes)}


def lies(group: Federation) -> list[object]:
    """Return what is almost a checkpoint of our headquarters."""
    hub = group.headquarters
    many = {f"https://n{number}.test": ["e:1", "0" * 64] for number in range(201)}
    return [
        say(group.alpha),
        say(hub) | {"s": say(hub, seq=7)["s"]},
        another(say(hub), seq=7),
        say(hub) | {"more": 1},
        say(hub, iss=ALPHA),
        say(hub, v=2),
        say(hub, ch="dir"),
        say(hub, ch="partner:globex"),
        say(hub, iat=clock.timestamp() + 61),
        say(hub, iat=-1),
        say(hub, iat="1"),
        say(hub, seq=-1),
        say(hub, seq="1"),
        say(hub, epoch=5),
        say(hub, ends=[]),
        say(hub, ends={HQ: ["e:1", "x" * 64]}),
        say(hub, ends={HQ: ["e:1"]}),
        say(hub, ends={"nobody": ["e:1", "0" * 64]}),
        say(hub, ends=many),
        {"h": 1},
        [],
        None,
        7,
    ]


def test_what_is_no_checkpoint_of_our_headquarters_is_refused(group, time):
    sign_due(group.headquarters)
    for number, wire in enumerate(lies(group)):
        hand_over(group.beta, ALPHA, wire)
        assert kept(group.beta, ALPHA) == {}, number
    for wires in ("nonsense", {}, None, [None] * 1000):
        with group.beta.app_context(), transaction():
            checkpoints.keep(ALPHA, wires, [GROUP])
    hand_over(group.beta, ALPHA, say(group.headquarters, iat=clock.timestamp() + 60))
    assert kept(group.beta, ALPHA), "what is right is kept"


def test_an_older_checkpoint_never_replaces_a_newer_one(group, time):
    sign_due(group.headquarters)
    old = say(group.headquarters)
    a_minute(group, time)
    newest = kept(group.beta, ALPHA)
    hand_over(group.beta, ALPHA, old)
    assert kept(group.beta, ALPHA) == newest


def test_a_headquarters_that_signs_two_logs_is_found_where_its_words_meet(group, time):
    sign_due(group.headquarters)
    one = say(group.headquarters, epoch="a", seq=8, ends={BETA: ["e:5", "0" * 64]})
    two = say(group.headquarters, epoch="a", seq=8, ends={BETA: ["e:5", "1" * 64]})
    hand_over(group.beta, HQ, one)
    hand_over(group.beta, ALPHA, two)
    assert alarms(group.beta) == [(HQ, "two_logs", ALPHA)]
    with group.beta.app_context():
        row = freezing.alarms()[0]
        assert [json.loads(row.known), json.loads(row.other)] == [one, two]
    said = status(group.beta)
    assert said.exit_code == 1
    assert f"RED  {HQ} contradicts itself: two_logs, served by {ALPHA}" in said.output
    browser = administrator(group.beta)
    page = browser.get("/admin/federation/peers").text
    assert "It may show different nodes different things." in page
    link = page.split('href="/admin/federation/frozen/')[1].split('"')[0]
    page = browser.get(f"/admin/federation/frozen/{link}").text
    assert "What it publishes is still taken in" in page
    publish(group.headquarters, GROUP, title="照常接收")
    pull(group.alpha, HQ)
    pull(group.beta, ALPHA)
    assert titles(group.beta) == ["照常接收"]


def test_two_checkpoints_of_one_log_agree_unless_it_was_changed(group, time):
    sign_due(group.headquarters)

    def stated(seq: int, end: str, digest: str, epoch: str = "a") -> Checkpoint:
        ends = {BETA: [end, digest * 64]}
        wire = say(group.headquarters, epoch=epoch, seq=seq, ends=ends)
        return checkpoints.parse(json.dumps(wire))

    with group.beta.app_context():
        first = stated(8, "e:5", "0")
        for other, is_contradiction in (
            (stated(8, "e:5", "0"), False),
            (stated(8, "e:5", "1"), True),
            (stated(8, "e:4", "0"), True),
            (stated(8, "f:1", "0"), True),
            (stated(9, "e:6", "1"), False),
            (stated(9, "f:1", "1"), False),
            (stated(9, "e:5", "1"), True),
            (stated(9, "e:4", "1"), True),
            (stated(7, "e:4", "1"), False),
            (stated(7, "e:6", "1"), True),
            (stated(8, "e:4", "1", epoch="b"), False),
        ):
            assert bool(first.contradicts(other)) is is_contradiction, other
            assert bool(other.contradicts(first)) is is_contradiction, other


def test_a_contradiction_is_told_once_and_again_only_for_something_new(group, time):
    sign_due(group.headquarters)

    def stated(digest: str) -> dict[str, str]:
        ends = {BETA: ["e:5", digest * 64]}
        return say(group.headquarters, epoch="a", seq=8, ends=ends, iat=clock.timestamp())

    first = stated("1")
    hand_over(group.beta, HQ, stated("0"))
    hand_over(group.beta, ALPHA, first)
    time.move(timedelta(seconds=70))
    hand_over(group.beta, HQ, stated("0"))
    assert len(alarms(group.beta)) == 1, "until a person has looked"
    with group.beta.app_context(), transaction():
        freezing.unfreeze(HQ, reason="Restored from a backup")
    hand_over(group.beta, ALPHA, first)
    assert alarms(group.beta) == [], "a person has seen this one"
    hand_over(group.beta, ALPHA, stated("2"))
    assert len(alarms(group.beta)) == 1


def seek(node: Flask, wire: dict[str, str]) -> None:
    """Let a node seek what a checkpoint names that came by way of alpha before the newest."""
    with node.app_context():
        with transaction():
            row = db.session.get_one(KeptCheckpoint, (ALPHA, GROUP))
            row.before = json.dumps(wire)
        withholding.look(ALPHA)


def test_what_was_signed_of_a_log_that_is_no_more_is_not_sought(group, time):
    publish(group.headquarters, GROUP)
    a_minute(group, time)
    place, _ = end_of(group.beta, HQ)
    further = {HQ: [f"{place}9", "1" * 64]}
    for before in (
        {"epoch": "old", "ends": further},
        {"seq": 9999, "ends": further},
        {"ends": {HQ: ["old:9", "1" * 64]}},
    ):
        seek(group.beta, say(group.headquarters, **before))
        assert (named(group.beta), alarms(group.beta)) == ({}, []), before
    seek(group.beta, say(group.headquarters, ends=further))
    assert named(group.beta) == {ALPHA: [HQ], HQ: [HQ]}


def test_another_release_in_the_place_that_was_signed_is_an_alarm(group, time):
    publish(group.headquarters, GROUP)
    a_minute(group, time)
    place, _ = end_of(group.beta, HQ)
    lie = say(group.headquarters, ends={HQ: [place, "0" * 64]})
    seek(group.beta, lie)
    with group.beta.app_context():
        assert json.loads(json.loads(freezing.alarms()[0].known)["p"])["iss"] == HQ
        assert json.loads(freezing.alarms()[0].other) == lie
    assert alarms(group.beta) == [(HQ, "two_logs", ALPHA)]


def test_another_release_of_who_contradicted_itself_or_lost_a_key_is_no_alarm(group, time):
    publish(group.alpha, GROUP)
    with group.alpha.app_context():
        pusher.push(HQ)
    a_minute(group, time)
    lie = say(group.headquarters, ends={ALPHA: [end_of(group.beta, ALPHA)[0], "0" * 64]})
    with group.beta.app_context(), transaction():
        seen = {"code": "fork", "known": "", "other": "", "digest": "", "served_by": HQ}
        times = {"frozen_at": time.now, "resolved_at": time.now}
        db.session.add(Frozen(origin=ALPHA, channel=GROUP, **seen, **times))
    seek(group.beta, lie)
    assert alarms(group.beta) == []
    theirs = update(NodeKey).where(NodeKey.origin == ALPHA)
    with group.beta.app_context(), transaction():
        db.session.execute(delete(Frozen))
        db.session.execute(theirs.values(revoked_at=time.now, revocation={"counts": {}}))
    seek(group.beta, lie)
    assert alarms(group.beta) == []
    with group.beta.app_context(), transaction():
        db.session.execute(theirs.values(revoked_at=None))
    seek(group.beta, lie)
    assert alarms(group.beta) == [(HQ, "two_logs", ALPHA)]


def test_a_peer_of_an_older_version_is_read_as_before(group, time, monkeypatch):
    send = NodeAdapter.send

    def older(self: NodeAdapter, request: requests.PreparedRequest, **more: Any) -> Any:
        request.url = str(request.url).replace("checkpoints=1", "unknown=1")
        return send(self, request, **more)

    monkeypatch.setattr(NodeAdapter, "send", older)
    publish(group.headquarters, GROUP, title="照旧")
    for _ in range(2):
        a_minute(group, time)
    assert titles(group.beta) == ["照旧"]
    assert kept(group.beta, ALPHA) == {}
    hear(group.beta)
    assert status(group.beta).exit_code == 0


def test_what_asks_in_another_way_is_refused(group, time):
    with pytest.raises(HubError) as refused:
        ask(group.beta, HQ, checkpoints="yes")
    assert refused.value.answered == 400


def test_a_peer_that_brings_no_new_word_is_red_after_ten_minutes(group, time):
    a_minute(group, time)
    open_metrics(group.beta)
    time.move(timedelta(seconds=30))
    said = status(group.beta).output
    assert "checkpoints signed: dir 30 s ago" in said
    assert scrape(group.beta)[f"jingwei_checkpoint_seconds['dir', '{ALPHA}']"] == 30
    page = administrator(group.beta).get("/admin/federation/peers").text
    assert "30 s old" in page
    time.move(timedelta(minutes=10))
    follow(group.beta, ALPHA)
    hear(group.beta)
    said = status(group.beta)
    assert said.exit_code == 1
    assert "stale: No new checkpoint of headquarters comes through it." in said.output
    set_up(group.beta, relay="")
    assert "stale" not in status(group.beta).output, "another sibling need not"


def test_the_followers_sign_and_look(group, time, monkeypatch):
    stop, seen = threading.Event(), list[str]()
    monkeypatch.setattr(follower, "SWEEP", 0.0)
    monkeypatch.setattr(follower.snapshot, "sweep", stop.set)
    follower.Follower(group.headquarters, stop)._keep()
    assert kept(group.headquarters, HQ)
    monkeypatch.setattr(relay.Watcher, "wait", lambda *_: None)
    monkeypatch.setattr(withholding, "look", seen.append)
    with group.beta.app_context():
        follower.Follower(group.beta, stop)._pull_once(ALPHA, Backoff())
    assert seen == [ALPHA]
