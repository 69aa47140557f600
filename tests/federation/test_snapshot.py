"""Beginning with a snapshot: what is live, all of it, and nothing that was taken back."""

import gzip
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask
from sqlalchemy import select, update

from hub import clock
from hub.database import db, transaction
from hub.errors import InvalidError
from hub.federation import bootstrap, parts, puller, pusher, retention, snapshot
from hub.federation.client import TRANSPORT
from hub.federation.errors import MalformedError
from hub.federation.items import read_items
from hub.federation.models import Listed, Reading
from hub.federation.parts import Part
from hub.federation.restoring import Restoration
from hub.journal import log
from hub.journal.models import GROUP, PUBLIC, Chain, Entry, Head, Live, Release
from hub.registry import service as registry
from hub.registry.models import PeerKind
from tests.federation.test_exchange import publish, quarantine, readdress, titles
from tests.federation.test_keys import Time, kid_of, revoke, run
from tests.federation.test_urls import bearer, get, proven, refusal
from tests.in_process import NodeAdapter, invite, join, pair

HEADQUARTERS = "https://headquarters.test"
PATH = "/fed/v1/channels/group/snapshot"


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let small sets need many parts and batches."""
    monkeypatch.setattr(puller, "FAR", 5)
    monkeypatch.setattr(bootstrap, "MAX_ITEMS", 3)
    monkeypatch.setattr(parts, "MAX_ITEMS", 3)
    monkeypatch.setattr(snapshot, "BATCH", 4)
    monkeypatch.setattr(parts, "FULL_UNPACKED", 6_000)


@pytest.fixture
def reader(headquarters: Flask, beta: Flask) -> Flask:
    """Return a node that has joined and read nothing of the group yet."""
    join(headquarters, beta)
    return beta


@pytest.fixture
def author(headquarters: Flask, alpha: Flask) -> Flask:
    """Return another node, which publishes."""
    join(headquarters, alpha)
    return alpha


def push(node: Flask) -> None:
    with node.app_context():
        pusher.push(HEADQUARTERS)


def pull(node: Flask) -> None:
    with node.app_context():
        puller.pull_all()


def fill(node: Flask, count: int = 10) -> list[str]:
    """Publish cases, with a revision and a withdrawal among them."""
    ids = [publish(node, GROUP, title=f"甲{n}") for n in range(count)]
    publish(node, GROUP, title="改0", entry_id=ids[0], rev=2)
    readdress(node, ids[1])
    return ids


def state(node: Flask, channel: str = GROUP) -> tuple[Any, ...]:
    """Return what is live in a channel, with its texts, and where the chains end."""
    with node.app_context():
        live = select(Live.iss, Live.entry_id, Live.seq, Entry.payload)
        live = live.join(Entry, Entry.digest == Live.entry_digest)
        rows = db.session.execute(live.where(Live.channel == channel, Live.op == "put"))
        ends = select(Chain.iss, Chain.epoch, Chain.seq, Chain.digest)
        chains = db.session.execute(ends.where(Chain.channel == channel))
        return sorted(map(tuple, rows)), sorted(map(tuple, chains))


def asked(node: Flask, part: str) -> int:
    return sum(part in url for _, url in node.extensions[TRANSPORT].seen)


def texts(node: Flask, entry_id: str) -> list[str | None]:
    with node.app_context():
        return list(db.session.scalars(select(Entry.payload).where(Entry.entry_id == entry_id)))


def begin_log(node: Flask) -> None:
    """Let every cursor in the log of the group be gone."""
    with node.app_context(), transaction():
        log.begin_log(log.lock_heads([GROUP])[GROUP])


def unpacked(node: Flask) -> list[str]:
    """Return what lies on disk of snapshots."""
    folder: Path = node.extensions["hub.settings"].home / "snapshots"
    files = [path for path in folder.rglob("*-*-*-*") if path.is_file()]
    return [gzip.decompress(path.read_bytes()).decode() for path in files]


@pytest.mark.on_both
def test_a_node_that_took_the_snapshot_equals_its_peer_and_follows_it(
    headquarters: Flask, author: Flask, reader: Flask
) -> None:
    fill(author)
    push(author)
    fill(headquarters)
    pull(reader)
    assert asked(reader, "/snapshot/") > 3, "in several parts"
    assert state(reader) == state(headquarters)
    assert titles(reader) == titles(headquarters)
    assert len(titles(reader)) == 18
    publish(author, GROUP, title="以后")
    push(author)
    pull(reader)
    assert "以后" in titles(reader)
    assert quarantine(reader) == []
    with reader.app_context():
        assert db.session.scalars(select(Listed)).all() == []


@pytest.mark.on_both
def test_a_fork_is_found_after_a_snapshot_too(
    headquarters: Flask, reader: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(headquarters)
    pull(reader)
    with headquarters.app_context(), transaction():
        chain = db.session.get_one(Chain, (HEADQUARTERS, GROUP))
        chain.digest = "0" * 64
    publish(headquarters, GROUP, title="分叉")
    pull(reader)
    assert quarantine(reader) == ["fork"]
    assert "分叉" not in titles(reader)


def test_what_is_published_meanwhile_follows_from_the_log(
    headquarters: Flask, reader: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = fill(headquarters)
    take_part = bootstrap._take_part

    def publish_then_take(*values: Any) -> None:
        publish(headquarters, GROUP, title="正在加入时")
        publish(headquarters, GROUP, title="又改", entry_id=ids[3], rev=2)
        monkeypatch.setattr(bootstrap, "_take_part", take_part)
        take_part(*values)

    monkeypatch.setattr(bootstrap, "_take_part", publish_then_take)
    pull(reader)
    assert state(reader) == state(headquarters)
    assert {"正在加入时", "又改"} <= set(titles(reader))
    assert quarantine(reader) == []


def test_a_reader_killed_in_the_middle_goes_on_without_doubling(
    headquarters: Flask, reader: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(headquarters, 20)
    note, noted = bootstrap.note, []

    def die_with_the_fourth_batch(*values: Any) -> None:
        if len(noted) == 3:
            raise KeyboardInterrupt
        note(*values)
        noted.append(values)

    monkeypatch.setattr(bootstrap, "note", die_with_the_fourth_batch)
    with pytest.raises(KeyboardInterrupt):
        pull(reader)
    with reader.app_context():
        half = log.position()
    begun = asked(reader, "/snapshot/")
    assert begun > 1
    monkeypatch.setattr(bootstrap, "note", note)
    pull(reader)
    assert state(reader) == state(headquarters)
    with reader.app_context():
        held = db.session.scalars(select(Release.digest)).all()
        assert half < log.position() == len(held) == len(set(held))
    whole = len(get(reader, PATH)["parts"])
    assert asked(reader, "/snapshot/") == whole + 1, "one part comes twice"


def test_a_withdrawn_text_is_in_no_byte_of_any_part(headquarters: Flask, reader: Flask) -> None:
    ids = fill(headquarters)
    publish(headquarters, GROUP, title="绝密的一篇", entry_id=ids[3], rev=2)
    before = get(reader, PATH)
    assert any("绝密的一篇" in text for text in unpacked(headquarters))
    readdress(headquarters, ids[3])
    for part in before["parts"]:
        assert refusal(reader, f"{PATH}/{part['name']}") == (404, "not_found")
    with headquarters.app_context():
        snapshot.sweep()
    assert unpacked(headquarters) == []
    after = get(reader, PATH)
    assert after["as_of"] > before["as_of"]
    assert not any("绝密的一篇" in text for text in unpacked(headquarters))


def test_a_text_that_left_a_channel_is_in_no_log_of_it_though_another_keeps_it(
    headquarters: Flask, reader: Flask
) -> None:
    entry_id = publish(headquarters, GROUP, PUBLIC)
    readdress(headquarters, entry_id, GROUP)
    texts = {}
    for channel in (GROUP, PUBLIC):
        page = get(reader, f"/fed/v1/channels/{channel}/items")
        texts[channel] = [item["entry"] for item in page["items"]]
    assert texts[PUBLIC] == [None, None]
    assert texts[GROUP] != [None]


def test_a_part_altered_on_the_way_is_refused(
    headquarters: Flask, reader: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(headquarters)
    send = NodeAdapter._response

    def altered(
        self: NodeAdapter, request: requests.PreparedRequest, body: bytes, *rest: Any
    ) -> requests.Response:
        if "/snapshot/" in str(request.url):
            body = body[:-9] + bytes([body[-9] ^ 1]) + body[-8:]
        return send(self, request, body, *rest)

    monkeypatch.setattr(NodeAdapter, "_response", altered)
    with pytest.raises(MalformedError, match="another hash"):
        pull(reader)
    assert titles(reader) == []
    monkeypatch.setattr(NodeAdapter, "_response", send)
    pull(reader)
    assert state(reader) == state(headquarters)


@pytest.mark.parametrize(
    "data",
    [
        b"no gzip",
        gzip.compress(b"{"),
        gzip.compress(b"{}\n{}\n"),
        gzip.compress(b" " * (parts.LONGEST_LINE + 1)),
        gzip.compress((b" " * 1_000_000 + b"{}\n") * 60),
    ],
    ids=["not packed", "not JSON", "another count", "a line too long", "a bomb"],
)
def test_a_part_that_is_not_what_it_should_be_is_refused(data: bytes) -> None:
    count = 60 if len(data) > 10_000 else 1  # As many as the bomb has.
    part = Part("x-1-0001", parts.hashlib.sha256(data).hexdigest(), len(data), count)
    with pytest.raises(InvalidError):
        list(parts.read(part, data))


def test_the_snapshot_of_a_closed_and_of_an_unknown_channel_look_the_same(
    headquarters: Flask, partner: Flask
) -> None:
    pair(headquarters, partner)
    publish(headquarters, GROUP)
    client = headquarters.test_client()
    for path in ("snapshot", "snapshot/x-1-0001", "digest", "items/1"):
        urls = [
            f"/fed/v1/channels/{name}/{path}"
            for name in ("group", "dir", "local", "partner:acme", "partner:nobody")
        ]
        assert {client.get(url).status_code for url in urls} == {401}
        answers = [client.get(url, headers=proven(partner, url)) for url in urls]
        assert {answer.status_code for answer in answers} == {403}
        assert len({answer.data for answer in answers}) == 1


@pytest.mark.on_both
def test_a_cursor_behind_retention_is_gone_and_the_reader_ends_equal(
    headquarters: Flask, reader: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [publish(headquarters, GROUP, title=f"旧{n}") for n in range(4)]
    pull(reader)
    readdress(headquarters, ids[0])
    publish(headquarters, GROUP, title="新", entry_id=ids[1], rev=2)
    publish(headquarters, GROUP, title="更新", entry_id=ids[1], rev=3)
    with headquarters.app_context():
        with transaction():
            old = clock.now() - timedelta(days=401)
            db.session.execute(update(Release).values(received_at=old))
        assert retention.compact() == 3
        assert retention.compact() == 0
        at = f"{db.session.get_one(Head, GROUP).epoch}:4"
    assert refusal(reader, "/fed/v1/channels/group/items", after=at) == (410, "cursor_gone")
    answer = headquarters.test_client().get(
        "/fed/v1/channels/group/items?after=0", headers=bearer(reader)
    )
    assert answer.json["snapshot"] == f"{HEADQUARTERS}{PATH}"
    listed = get(reader, "/fed/v1/status")["channels"]
    assert {row["ch"]: row["oldest"] for row in listed}[GROUP] == 7
    pull(reader)
    assert titles(reader) == titles(headquarters) == ["旧2", "旧3", "更新"]
    assert state(reader) == state(headquarters)


@pytest.mark.on_both
def test_what_was_withdrawn_while_we_were_away_is_hidden_before_it_is_confirmed(
    headquarters: Flask, reader: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = fill(headquarters)
    pull(reader)
    readdress(headquarters, ids[5])
    begin_log(headquarters)
    settle = bootstrap.settle

    def confirmed() -> list[int]:
        with headquarters.app_context():
            epoch = select(Head.epoch).where(Head.name == GROUP).scalar_subquery()
            rows = select(Reading.seq).where(Reading.channel == GROUP, Reading.epoch == epoch)
            return list(db.session.scalars(rows))

    def die(*values: Any) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(bootstrap, "settle", die)
    with pytest.raises(KeyboardInterrupt):
        pull(reader)
    assert "甲5" in titles(reader)
    assert confirmed() == []
    monkeypatch.setattr(bootstrap, "settle", settle)
    pull(reader)
    assert "甲5" not in titles(reader)
    assert texts(reader, ids[5]) == [None]
    assert state(reader) == state(headquarters)
    pull(reader)
    assert confirmed() == [13]


@pytest.mark.on_both
def test_those_behind_a_relay_that_took_a_snapshot_follow_it(
    headquarters: Flask, partner: Flask, reader: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair(headquarters, partner)
    for number in range(4):
        entry_id = publish(partner, "partner:acme", title=f"伙伴{number}")
        publish(partner, "partner:acme", title=f"改{number}", entry_id=entry_id, rev=2)
    pull(headquarters)
    monkeypatch.setattr(puller, "FAR", 10**6)
    pull(reader)
    assert titles(reader) == titles(headquarters) == ["改0", "改1", "改2", "改3"]
    publish(partner, "partner:acme", title="以后")
    for node in (headquarters, reader):
        pull(node)
    assert "以后" in titles(reader)
    assert quarantine(reader) == []


def test_a_reader_goes_with_an_issuer_whose_log_began_anew(
    headquarters: Flask, reader: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = fill(headquarters)
    pull(reader)
    begin_anew(monkeypatch)
    publish(headquarters, GROUP, title="新的", entry_id=ids[2], rev=2)
    publish(headquarters, GROUP, title="更新的", entry_id=ids[2], rev=3)
    begin_log(headquarters)
    pull(reader)
    assert "更新的" in titles(reader)
    publish(headquarters, GROUP, title="以后")
    pull(reader)
    assert "以后" in titles(reader)
    assert state(reader) == state(headquarters)
    assert quarantine(reader) == []


def begin_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next release be the first of a new incarnation of its issuer's log."""
    make: Callable[..., dict[str, Any]] = log._statement

    def first(*values: Any) -> dict[str, Any]:
        monkeypatch.setattr(log, "_statement", make)
        statement = make(*values)
        after = {"epoch": statement["epoch"], "seq": statement["seq"] - 1}
        return statement | {"epoch": "anew", "seq": 1, "prev": None, "after": after}

    monkeypatch.setattr(log, "_statement", first)


def test_what_is_held_under_a_revoked_key_is_in_no_snapshot_and_appears_signed_again(
    headquarters: Flask, author: Flask, reader: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = Time()
    monkeypatch.setattr(clock, "now", lambda: time.now)
    monkeypatch.setattr(puller, "FAR", 0)
    publish(author, GROUP, title="从前")
    entry_id = publish(author, GROUP, title="第一版")
    push(author)
    lost_at, thief = time.now, kid_of(author)
    time.move(timedelta(minutes=5))
    publish(author, GROUP, title="第二版", entry_id=entry_id, rev=2)
    publish(author, GROUP, title="第三版", entry_id=entry_id, rev=3)
    push(author)
    pull(reader)
    assert titles(reader) == ["从前", "第三版"], "without the releases in between"
    before = get(reader, PATH)
    with headquarters.app_context():
        items = read_items(GROUP, 0, 500)
    revoke(headquarters, thief, lost_at)
    assert refusal(reader, f"{PATH}/{before['parts'][0]['name']}") == (404, "not_found")
    assert get(reader, PATH)["as_of"] == before["as_of"]
    assert not any("第三版" in text for text in unpacked(headquarters))
    pull(reader)
    assert titles(reader) == ["从前"]
    with reader.app_context(), transaction():
        peer = registry.find_peer(HEADQUARTERS)
        assert peer
        outcomes = Restoration(bootstrap.sender_of(peer), GROUP).take(items)
        assert [o.code for o in outcomes] == [None, None, "revoked_key", "revoked_key"]
    assert titles(reader) == ["从前"]
    run(author, "replace", invite(headquarters, author, PeerKind.SUBSIDIARY))
    for _ in range(2):
        pull(author)
        push(author)
        pull(reader)
    assert titles(reader) == ["从前", "第三版"]
    assert state(reader)[0] == state(headquarters)[0]
