"""Comparing what a node holds with what its peer has live, and mending the difference."""

import json
from uuid import uuid4

import pytest
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import delete, select

from hub.cases.models import Document
from hub.database import db, transaction
from hub.federation import bootstrap, buckets, cli, digest, reconciling
from hub.federation.errors import RefusedError
from hub.federation.items import read_items
from hub.federation.protocol import Item
from hub.federation.reconciling import Difference
from hub.federation.restoring import Restoration
from hub.journal import log
from hub.journal.models import GROUP, PUBLIC, Cursor, Entry, Live, LogItem, Release
from hub.registry import service as registry
from hub.registry.models import Peer
from tests.federation.test_exchange import publish, quarantine, readdress, titles
from tests.federation.test_snapshot import HEADQUARTERS, pull, reader, state, texts
from tests.federation.test_urls import get, refusal

__all__ = ["reader"]
PATH = "/fed/v1/channels/group/digest"


@pytest.fixture
def filled(headquarters: Flask, reader: Flask) -> Flask:
    """Return the reader, equal with headquarters."""
    for number in range(4):
        publish(headquarters, GROUP, title=f"乙{number}")
    pull(reader)
    return reader


def compare(node: Flask, channel: str = GROUP) -> Difference | None:
    with node.app_context():
        return reconciling.compare(HEADQUARTERS, channel)


def peer_of() -> Peer:
    peer = registry.find_peer(HEADQUARTERS)
    assert peer
    return peer


def lose(node: Flask, entry_id: str) -> None:
    """Let headquarters lose an item without a trace, as a bad restore would."""
    with node.app_context(), transaction():
        positions = select(Release.position).where(Release.entry_id == entry_id)
        db.session.execute(delete(LogItem).where(LogItem.position.in_(positions)))
        db.session.execute(delete(Live).where(Live.entry_id == entry_id))


@pytest.fixture
def stale(headquarters: Flask, filled: Flask) -> str:
    """Return what the reader alone has."""
    entry_id = publish(headquarters, GROUP, title="只有乙方有")
    pull(filled)
    lose(headquarters, entry_id)
    return entry_id


def test_equal_sets_have_equal_hashes(headquarters: Flask, filled: Flask) -> None:
    publish(filled, GROUP, title="还没有送出")
    answer = get(filled, PATH)
    assert len(answer["buckets"]) == 256
    with filled.app_context():
        assert buckets.hashes(digest.held(peer_of(), GROUP)) == answer["buckets"]
    assert compare(filled) == compare(filled, "dir") == Difference()
    assert "还没有送出" in titles(filled), "what we published ourselves is not the peer's to have"


def test_the_list_of_a_bucket_names_what_is_live_in_it(headquarters: Flask, filled: Flask) -> None:
    entry_id = publish(headquarters, GROUP)
    number = buckets.LiveEntry("", HEADQUARTERS, entry_id, 1, 1, "").bucket
    listed = get(filled, PATH, bucket=number)["entries"]
    assert entry_id in [row["id"] for row in listed]
    assert refusal(filled, PATH, bucket=256) == (400, "invalid")


@pytest.mark.on_both
def test_a_row_deleted_by_hand_is_mended(headquarters: Flask, filled: Flask) -> None:
    for table in (Entry, Live, Release, Document):
        lost = publish(headquarters, GROUP, title=f"丢失{table.__name__}")
        pull(filled)
        whole = state(filled)
        with filled.app_context(), transaction():
            db.session.execute(delete(table).where(table.entry_id == lost))
        assert compare(filled) == Difference(lacking=1), table
        assert state(filled) == whole
        assert f"丢失{table.__name__}" in titles(filled)
    assert compare(filled) == Difference()
    assert quarantine(filled) == []


@pytest.mark.on_both
def test_what_only_the_reader_has_is_hidden(filled: Flask, stale: str) -> None:
    with filled.app_context():
        before = log.position()
    assert compare(filled) == Difference(stale=1)
    assert "只有乙方有" not in titles(filled)
    assert texts(filled, stale) == [None]
    assert compare(filled) == Difference()
    with filled.app_context():  # Every follower looks again, and positions stay dense.
        noted = [(row.position, row.entry_id) for row in log.released_after(before)]
        assert noted == [(before + 1, stale)]


def test_what_was_hidden_comes_back_when_the_peer_has_it(
    headquarters: Flask, filled: Flask
) -> None:
    lost = publish(headquarters, GROUP, title="回来的")
    pull(filled)
    with filled.app_context(), transaction():
        heads = log.lock_heads([GROUP])
        stands = [e for e in digest.held(peer_of(), GROUP) if e.entry_id == lost]
        bootstrap.hide(GROUP, [(e.iss, e.origin, e.entry_id, e.seq) for e in stands], heads)
    assert "回来的" not in titles(filled)
    assert compare(filled) == Difference(lacking=1)
    assert "回来的" in titles(filled)


def test_nothing_is_removed_while_the_two_stand_at_different_places(
    headquarters: Flask, filled: Flask, stale: str
) -> None:
    publish(headquarters, GROUP, title="更新的")
    assert compare(filled) is None
    assert "只有乙方有" in titles(filled)


def test_nothing_is_removed_when_the_peer_moves_during_the_comparison(
    headquarters: Flask, filled: Flask, stale: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = reconciling._fetch

    def publish_then_fetch(*values: object) -> list[object]:
        publish(headquarters, GROUP, title="更新的")
        return fetch(*values)  # type: ignore[arg-type]

    monkeypatch.setattr(reconciling, "_fetch", publish_then_fetch)
    assert compare(filled) is None
    assert "只有乙方有" in titles(filled)


@pytest.mark.on_both
def test_a_reader_that_lost_most_takes_the_snapshot(
    headquarters: Flask, filled: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciling, "MOST_BUCKETS", 1)
    with filled.app_context(), transaction():
        db.session.execute(delete(Live).where(Live.channel == GROUP))
    assert compare(filled) == Difference(is_bootstrapped=True)
    assert state(filled) == state(headquarters)
    assert compare(filled) == Difference()


def test_a_withdrawn_text_does_not_come_back_by_a_replayed_item(
    headquarters: Flask, filled: Flask
) -> None:
    entry_id = publish(headquarters, GROUP, title="撤回的")
    with headquarters.app_context():
        item = read_items(GROUP, 0, 500)[-1]
    pull(filled)
    readdress(headquarters, entry_id)
    pull(filled)
    with filled.app_context(), transaction():
        Restoration(reconciling.sender_of(peer_of()), GROUP).take([item])
    assert "撤回的" not in titles(filled)
    assert texts(filled, entry_id) == [None]


def test_an_item_that_claims_nonsense_stops_no_other(headquarters: Flask, filled: Flask) -> None:
    publish(headquarters, GROUP, title="好的")
    with headquarters.app_context():
        good = read_items(GROUP, 0, 500)[-1]
    nonsense = {"iss": ["x"], "epoch": {}, "seq": 2**70, "id": [], "digest": {}, "op": "put"}
    bad = Item(1, {"h": "", "p": json.dumps(nonsense), "s": ""}, None, 0)
    with filled.app_context(), transaction():
        outcomes = Restoration(reconciling.sender_of(peer_of()), GROUP).take([bad, good])
        bootstrap.note(HEADQUARTERS, GROUP, [bad])
    assert [outcome.code is None for outcome in outcomes] == [False, True]
    assert "好的" in titles(filled)


@pytest.mark.on_both
def test_a_channel_is_compared_once_a_day(filled: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []
    monkeypatch.setattr(
        reconciling, "compare", lambda origin, channel: compared.append(channel) or Difference()
    )
    now = reconciling.clock.timestamp()
    with filled.app_context():
        reconciling.compare_due(HEADQUARTERS)
        assert compared == [], "the first time is spread over the day"
        monkeypatch.setattr(reconciling.clock, "timestamp", lambda: now + reconciling.EACH)
        for _ in range(2):
            reconciling.compare_due(HEADQUARTERS)
        assert sorted(compared) == sorted(["dir", GROUP, "partner:acme", PUBLIC])
        due = select(Cursor.value).where(Cursor.name.startswith("compare"))
        assert db.session.scalars(due).all() == [str(now + 2 * reconciling.EACH)] * 4


@pytest.mark.on_both
def test_the_command_says_what_it_found(headquarters: Flask, filled: Flask) -> None:
    with filled.app_context():
        with transaction():
            db.session.execute(delete(Live).where(Live.entry_id.in_(_first_ids())))
        said = CliRunner().invoke(cli.reconcile).output
        assert f"{HEADQUARTERS}\tgroup\t1 fetched again, 0 hidden" in said
        assert f"{HEADQUARTERS}\tgroup\tequal" in CliRunner().invoke(cli.reconcile).output
    publish(headquarters, GROUP, title=str(uuid4()))
    with filled.app_context():
        assert "group\tnot compared" in CliRunner().invoke(cli.reconcile).output


def _first_ids() -> list[str]:
    return list(db.session.scalars(select(Live.entry_id).where(Live.channel == GROUP).limit(1)))


@pytest.mark.parametrize(("answered", "pause"), [(None, 60), (404, 86_400)])
def test_a_peer_that_moves_is_asked_again_soon_and_an_older_one_the_next_day(
    filled: Flask, monkeypatch: pytest.MonkeyPatch, answered: int | None, pause: int
) -> None:
    now = reconciling.clock.timestamp()

    def compare(origin: str, channel: str) -> None:
        if answered:
            raise RefusedError(origin, "not_found", "", answered=answered, retry_after=None)

    monkeypatch.setattr(reconciling, "compare", compare)
    due = select(Cursor.value).where(Cursor.name == f"compare group {HEADQUARTERS}")
    with filled.app_context():
        with transaction():
            log.move_cursor(f"compare group {HEADQUARTERS}", now)
        reconciling.compare_due(HEADQUARTERS)
        assert now + pause <= int(db.session.scalars(due).one()) <= now + pause + 5
