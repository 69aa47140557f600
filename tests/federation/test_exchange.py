"""What passes between nodes: alpha and beta of acme through headquarters, and a partner."""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import delete, select

from hub import clock
from hub.cases.models import Document
from hub.cases.service import reading
from hub.database import db, transaction
from hub.federation import follower, puller, pusher
from hub.federation.errors import RefusedError, UnreachableError
from hub.federation.models import Quarantined
from hub.federation.protocol import cursor_name
from hub.journal import log
from hub.journal.models import GROUP, LOCAL, PUBLIC, Chain, Entry, LogItem, Release
from hub.registry.models import Peer
from tests.conftest import Stage
from tests.in_process import NodeAdapter, connect, join, pair


class Killed(BaseException):
    """The process ends here, at once."""


@dataclass
class Federation:
    """Four nodes that reach each other without a network."""

    headquarters: Flask
    alpha: Flask
    beta: Flask
    partner: Flask
    network: NodeAdapter

    def sync(self) -> None:
        """Let every node exchange once, in the order in which things travel."""
        for node in (self.alpha, self.beta):
            with node.app_context():
                pusher.push("https://headquarters.test")
        for node in (self.headquarters, self.partner, self.alpha, self.beta):
            with node.app_context():
                puller.pull_all()


@pytest.fixture
def federation(stage: Stage) -> Federation:
    nodes = stage("four", ("headquarters", "alpha", "beta", "partner"), meet)
    return Federation(*nodes, connect(*nodes))


def meet(headquarters: Flask, alpha: Flask, beta: Flask, partner: Flask) -> None:
    join(headquarters, alpha)
    join(headquarters, beta)
    pair(headquarters, partner)
    nodes = headquarters, alpha, beta, partner
    Federation(*nodes, connect(*nodes)).sync()


def publish(node: Flask, *channels: str, rev: int = 1, entry_id: str = "", **fields: Any) -> str:
    entry_id = entry_id or str(uuid4())
    with node.app_context(), transaction():
        changes = log.publish(
            type=fields.pop("type", "case"),
            entry_id=entry_id,
            rev=rev,
            title=fields.pop("title", "划好责任区"),
            body="",
            fields=fields,
            channels=channels,
        )
        reading.receive(changes)
    return entry_id


def readdress(node: Flask, entry_id: str, *channels: str) -> None:
    with node.app_context(), transaction():
        reading.receive(log.readdress(entry_id, channels))


def titles(node: Flask) -> list[str]:
    with node.app_context():
        statement = select(Document.title).where(Document.audience.is_not(None))
        return sorted(db.session.scalars(statement))


def releases(node: Flask, channel: str) -> list[tuple[str, str]]:
    with node.app_context():
        statement = select(Release.payload, Release.signature).where(Release.channel == channel)
        return sorted(tuple(row) for row in db.session.execute(statement))


def in_order(node: Flask, channel: str) -> list[str]:
    """Return the entries that were released in a channel, as they came in."""
    with node.app_context():
        statement = select(Release.entry_id).where(Release.channel == channel)
        return list(db.session.scalars(statement.order_by(Release.position)))


def quarantine(node: Flask) -> list[str]:
    with node.app_context():
        return list(db.session.scalars(select(Quarantined.code)))


def test_a_case_of_alpha_reaches_beta_through_headquarters(federation: Federation) -> None:
    publish(federation.alpha, GROUP)
    federation.sync()
    assert titles(federation.headquarters) == titles(federation.beta) == ["划好责任区"]
    assert releases(federation.alpha, GROUP) == releases(federation.beta, GROUP)


@pytest.mark.on_both
def test_nobody_dials_a_spoke(federation: Federation) -> None:
    federation.network.seen.clear()
    with federation.headquarters.app_context():
        before = follower.hint_partners({})
    entry_id = publish(federation.alpha, GROUP, PUBLIC, "partner:globex")
    federation.sync()
    readdress(federation.alpha, entry_id)
    federation.sync()
    with federation.headquarters.app_context():
        follower.hint_partners(before)
    dialled = {url.split("/")[2] for _, url in federation.network.seen}
    assert dialled == {"headquarters.test", "partner.test"}


def test_what_stays_at_home_stays_at_home(federation: Federation) -> None:
    publish(federation.alpha, LOCAL)
    federation.sync()
    assert titles(federation.headquarters) == titles(federation.beta) == []


def test_a_partner_gets_what_was_opened_to_it_and_nothing_else(federation: Federation) -> None:
    publish(federation.alpha, GROUP, title="只给集团")
    publish(federation.alpha, GROUP, "partner:globex", title="也给伙伴")
    publish(federation.headquarters, GROUP, "partner:globex", title="总部给伙伴")
    federation.sync()
    assert titles(federation.partner) == ["也给伙伴", "总部给伙伴"]
    assert titles(federation.beta) == ["也给伙伴", "只给集团", "总部给伙伴"]
    assert quarantine(federation.partner) == []


def test_what_a_partner_opens_reaches_every_node_of_the_group(federation: Federation) -> None:
    publish(federation.partner, GROUP, "partner:acme", title="伙伴的案例")
    federation.sync()
    federation.sync()
    assert titles(federation.headquarters) == titles(federation.beta) == ["伙伴的案例"]
    assert quarantine(federation.beta) == []


@pytest.mark.on_both
def test_a_public_case_reaches_the_partner_too(federation: Federation) -> None:
    publish(federation.alpha, GROUP, PUBLIC)
    federation.sync()
    assert titles(federation.partner) == ["划好责任区"]
    with federation.partner.app_context():
        assert db.session.scalars(select(Document.audience)).all() == ["public"]


def test_a_withdrawal_leaves_by_the_road_it_came(federation: Federation) -> None:
    entry_id = publish(federation.alpha, GROUP, "partner:globex")
    federation.sync()
    readdress(federation.alpha, entry_id)
    federation.sync()
    for node in (federation.headquarters, federation.beta, federation.partner):
        assert titles(node) == []
        with node.app_context():
            kept = select(Entry.payload).where(Entry.entry_id == entry_id)
            assert db.session.scalars(kept).all() == [None]


def test_narrowing_looks_like_withdrawal_to_those_who_lose_it(federation: Federation) -> None:
    entry_id = publish(federation.alpha, GROUP, "partner:globex")
    federation.sync()
    readdress(federation.alpha, entry_id, GROUP)
    federation.sync()
    assert titles(federation.partner) == []
    assert titles(federation.beta) == ["划好责任区"]


@pytest.mark.on_both
def test_narrowing_and_withdrawing_are_the_same_to_those_who_lose_it(
    federation: Federation,
) -> None:
    narrowed, withdrawn = (publish(federation.alpha, GROUP, LOCAL) for _ in range(2))
    federation.sync()
    readdress(federation.alpha, narrowed, LOCAL)
    readdress(federation.alpha, withdrawn)
    federation.sync()
    assert left_of(federation.beta, narrowed) == left_of(federation.beta, withdrawn)


def left_of(node: Flask, entry_id: str) -> list[Any]:
    """Return all that a node knows of an entry that it lost, but for names, places and times."""
    own = {"id", "digest", "seq", "prev", "iat"}
    names = ("title", "summary", "body", "fields", "audience", "former_audience", "rev")
    with node.app_context():
        said = select(Release.payload).where(Release.entry_id == entry_id)
        releases = [json.loads(payload) for payload in db.session.scalars(said)]
        text = select(Entry.payload).where(Entry.entry_id == entry_id)
        document = db.session.scalars(select(Document).where(Document.entry_id == entry_id)).one()
        assert document.withdrawn_at is not None
        return [
            [{name: row[name] for name in row.keys() - own} for row in releases],
            db.session.scalars(text).all(),
            [getattr(document, name) for name in names],
        ]


def test_only_the_last_of_two_revisions_remains(federation: Federation) -> None:
    entry_id = publish(federation.alpha, GROUP, title="第一版")
    publish(federation.alpha, GROUP, title="第二版", entry_id=entry_id, rev=2)
    federation.sync()
    assert titles(federation.beta) == ["第二版"]


@pytest.mark.on_both
def test_clocks_order_nothing(federation: Federation, monkeypatch: pytest.MonkeyPatch) -> None:
    entry_id = str(uuid4())
    for rev, hours in ((1, 1), (2, -1)):
        wrong = clock.now() + timedelta(hours=hours)
        with monkeypatch.context() as patched:
            patched.setattr(clock, "now", lambda wrong=wrong: wrong)
            publish(federation.alpha, GROUP, title=f"第{rev}版", entry_id=entry_id, rev=rev)
    federation.sync()
    for node in (federation.headquarters, federation.beta):
        assert titles(node) == ["第2版"]
        assert quarantine(node) == []
        with node.app_context():
            shown = db.session.scalars(select(Document.published_at)).one()
            assert shown <= clock.now(), "a clock that is ahead keeps nothing on top"


def test_pulling_again_changes_nothing(federation: Federation) -> None:
    publish(federation.alpha, GROUP)
    federation.sync()
    with federation.beta.app_context():
        before, name = log.position(), cursor_name("https://headquarters.test", GROUP)
        with transaction():
            epoch, _, _ = (log.read_cursor(name) or "").partition(":")
            log.move_cursor(name, f"{epoch}:0")
        assert puller.pull("https://headquarters.test") == 1, "it is served once more"
        assert log.position() == before
    assert quarantine(federation.beta) == []


@pytest.mark.parametrize("is_kept", [False, True], ids=["before", "after"])
def test_a_publisher_killed_at_its_commit_has_published_once_or_nowhere(
    federation: Federation, monkeypatch: pytest.MonkeyPatch, is_kept: bool
) -> None:
    commit = db.session.commit

    def die() -> None:
        if is_kept:
            commit()
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(db.session, "commit", die)
        with pytest.raises(Killed):
            publish(federation.alpha, GROUP, title="正在提交")
    for _ in range(2):
        federation.sync()
    everywhere = (federation.alpha, federation.headquarters, federation.beta)
    expected = ["正在提交"] if is_kept else []
    assert [titles(node) for node in everywhere] == [expected] * 3
    publish(federation.alpha, GROUP, title="以后")
    federation.sync()
    assert titles(federation.beta) == sorted([*expected, "以后"])
    assert len(releases(federation.beta, GROUP)) == len(expected) + 1


@pytest.mark.parametrize("at", [(reading, "receive"), (log, "move_cursor")], ids=lambda at: at[1])
def test_a_reader_killed_in_the_midst_of_a_page_takes_all_of_it_in_again(
    federation: Federation, monkeypatch: pytest.MonkeyPatch, at: tuple[Any, str]
) -> None:
    publish(federation.alpha, GROUP, title="以前")
    federation.sync()
    for number in range(3):
        publish(federation.alpha, GROUP, title=f"第{number}篇")
    with federation.alpha.app_context():
        pusher.push("https://headquarters.test")

    def die(*values: object) -> None:
        raise Killed

    with monkeypatch.context() as patched, federation.beta.app_context():
        patched.setattr(*at, die)
        with pytest.raises(Killed):
            puller.pull("https://headquarters.test")
    assert titles(federation.beta) == ["以前"], "nothing of the page, nor of the cursor"
    federation.sync()
    assert titles(federation.beta) == ["以前", "第0篇", "第1篇", "第2篇"]
    assert releases(federation.beta, GROUP) == releases(federation.alpha, GROUP)
    assert quarantine(federation.beta) == []


def test_headquarters_killed_before_its_answer_gets_the_same_again(federation: Federation) -> None:
    publish(federation.alpha, GROUP)
    with federation.alpha.app_context():
        pusher.push("https://headquarters.test")
        first = releases(federation.headquarters, GROUP)
        pusher.push("https://headquarters.test", {})
    assert releases(federation.headquarters, GROUP) == first


@pytest.mark.on_both
def test_a_node_that_was_away_catches_up_in_order(federation: Federation) -> None:
    federation.network.down.add("https://headquarters.test")
    for number in range(3):
        publish(federation.alpha, GROUP, title=f"第{number}篇")
    with federation.alpha.app_context(), pytest.raises(UnreachableError):
        pusher.push("https://headquarters.test")
    assert len(titles(federation.alpha)) == 3, "at home publishing goes on"
    federation.network.down.clear()
    federation.sync()
    assert titles(federation.beta) == ["第0篇", "第1篇", "第2篇"]
    assert in_order(federation.beta, GROUP) == in_order(federation.alpha, GROUP)


@pytest.mark.on_both
def test_headquarters_restored_from_a_backup_is_sent_what_it_lost(federation: Federation) -> None:
    publish(federation.alpha, GROUP, title="备份以前")
    publish(federation.alpha, GROUP, title="备份以后")
    federation.sync()
    with federation.headquarters.app_context(), transaction():
        last = db.session.scalars(select(Chain).where(Chain.channel == GROUP)).one()
        before = db.session.scalars(
            select(Release).where(Release.channel == GROUP, Release.seq == 1)
        ).one()
        lost = select(Release.position).where(Release.channel == GROUP, Release.seq == 2)
        db.session.execute(delete(LogItem).where(LogItem.position.in_(lost)))
        db.session.execute(delete(Release).where(Release.channel == GROUP, Release.seq == 2))
        last.seq, last.digest = 1, before.digest
    with federation.alpha.app_context():
        pusher.push("https://headquarters.test")
    assert len(releases(federation.headquarters, GROUP)) == 2


@pytest.mark.on_both
def test_pages_of_any_size_carry_everything_once(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(puller, "MAX_ITEMS", 2)
    monkeypatch.setattr(pusher, "BATCH", 2)
    for number in range(4):
        publish(federation.alpha, GROUP, title=f"第{number}篇")
    with federation.alpha.app_context():
        pusher.push("https://headquarters.test")
    federation.network.seen.clear()
    with federation.beta.app_context():
        puller.pull_all()
    assert len(titles(federation.beta)) == 4
    asked = [url for _, url in federation.network.seen if "/channels/group/items" in url]
    assert len(asked) == 2, "no page is asked for behind the last"
    with federation.beta.app_context():
        assert len(set(db.session.scalars(select(Release.digest)))) == log.position()


def test_two_pullers_take_a_page_in_once(federation: Federation) -> None:
    publish(federation.alpha, GROUP)
    with federation.alpha.app_context():
        pusher.push("https://headquarters.test")
    with federation.beta.app_context():
        peer = db.session.scalars(select(Peer)).one()
        client = puller.PeerClient.for_peer(peer)
        body = client.get("/fed/v1/channels/group/items", {"after": "0"})
        page = puller.parse_page(body, GROUP)
        assert puller._take(peer.origin, page, None)
        assert not puller._take(peer.origin, page, None)
    assert titles(federation.beta) == ["划好责任区"]


@pytest.mark.on_both
def test_an_agreement_that_has_ended_closes_the_channel(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    with federation.headquarters.app_context(), transaction():
        peer = db.session.scalars(select(Peer).where(Peer.enterprise == "globex")).one()
        peer.agreement_ends_at = clock.now()
    publish(federation.headquarters, GROUP, "partner:globex")
    with federation.partner.app_context(), pytest.raises(RefusedError) as refusal:
        puller.pull("https://headquarters.test")
    assert refusal.value.refusal == "agreement_ended"
    assert titles(federation.partner) == []


def test_without_an_agreement_nothing_is_taken_in_for_a_partner(federation: Federation) -> None:
    publish(federation.alpha, GROUP, "partner:nobody")
    with federation.alpha.app_context(), pytest.raises(RefusedError) as refusal:
        pusher.push("https://headquarters.test")
    assert refusal.value.refusal == "closed_channel"
    federation.beta.app_context()
    with federation.beta.app_context():
        puller.pull_all()
    assert titles(federation.beta) == ["划好责任区"], "its other channels go on"


@pytest.mark.on_both
def test_an_unknown_type_is_relayed_byte_for_byte_and_not_shown(federation: Federation) -> None:
    publish(federation.alpha, GROUP, type="weather", later={"版本": "二"})
    federation.sync()
    assert releases(federation.alpha, GROUP) == releases(federation.beta, GROUP)
    assert forecasts(federation.alpha) == forecasts(federation.beta) != []
    assert titles(federation.beta) == []
    assert quarantine(federation.beta) == []


def forecasts(node: Flask) -> list[tuple[str, ...]]:
    with node.app_context():
        statement = select(Entry.header, Entry.payload, Entry.signature)
        rows = db.session.execute(statement.where(Entry.type == "weather"))
        return [tuple(row) for row in rows]


@pytest.mark.on_both
def test_an_entry_of_an_unknown_key_waits_for_the_key(federation: Federation) -> None:
    publish(federation.alpha, GROUP)
    with federation.alpha.app_context():
        pusher.push("https://headquarters.test")
    with federation.beta.app_context():
        with transaction():
            db.session.execute(db.text("DELETE FROM node_key WHERE origin = 'https://alpha.test'"))
        puller.pull_all()
        assert db.session.scalars(select(Quarantined.code)).all() == ["unknown_key"]
        with transaction():
            log.drop_cursor(cursor_name("https://headquarters.test", "dir"))
            db.session.execute(db.text("DELETE FROM release WHERE channel = 'dir'"))
            db.session.execute(db.text("DELETE FROM chain WHERE channel = 'dir'"))
        puller.pull_all()
        assert db.session.scalars(select(Quarantined.code)).all() == []
    assert titles(federation.beta) == ["划好责任区"]
